//! What `Ctx::write_progress` tells.

use fyke_clock::Instant;
use fyke_core::Datagram;
use fyke_core::embedded::EmbeddedChannel;

use super::{secs, send, send_datagram};

fn at(seconds: u64) -> Option<Instant> {
    Some(Instant::ZERO + secs(seconds))
}

#[test]
fn bytes_are_counted_when_the_transport_has_taken_them() {
    let mut channel = EmbeddedChannel::new(|ch| ch.pipeline());
    let progress = channel.write_progress().unwrap();
    assert_eq!((progress.taken_bytes, progress.taken_at, progress.waiting_since), (0, None, None));
    channel.advance(secs(1));
    channel.set_room(Some(3));
    send(&mut channel, "abcde");
    let progress = channel.write_progress().unwrap();
    assert_eq!((progress.taken_bytes, progress.taken_at, progress.moved_at), (3, at(1), at(1)));
    assert_eq!((progress.waiting_since, progress.acked_bytes), (at(1), None));
    channel.advance(secs(1));
    channel.set_room(Some(1));
    assert_eq!(channel.write_progress().unwrap().waiting_since, at(2), "some moved on");
    channel.set_room(None);
    let progress = channel.write_progress().unwrap();
    assert_eq!((progress.taken_bytes, progress.waiting_since), (5, None));
}

#[test]
fn acknowledgements_count_where_there_are_any() {
    let mut channel = EmbeddedChannel::new(|ch| ch.pipeline());
    channel.expect_acks();
    channel.advance(secs(1));
    send(&mut channel, "abc");
    let progress = channel.write_progress().unwrap();
    assert_eq!((progress.taken_bytes, progress.acked_bytes), (3, Some(0)));
    assert_eq!((progress.moved_at, progress.waiting_since), (None, at(1)));
    channel.advance(secs(1));
    send(&mut channel, "de");
    assert_eq!(channel.write_progress().unwrap().waiting_since, at(1), "the oldest byte counts");
    channel.advance(secs(1));
    channel.acknowledge(4);
    let progress = channel.write_progress().unwrap();
    assert_eq!((progress.acked_bytes, progress.moved_at), (Some(4), at(3)));
    assert_eq!((progress.taken_at, progress.waiting_since), (at(2), at(3)));
    channel.acknowledge(1);
    assert_eq!(channel.write_progress().unwrap().waiting_since, None);
}

#[test]
fn an_empty_datagram_is_progress() {
    let mut channel = EmbeddedChannel::datagram(|ch| ch.datagrams());
    channel.advance(secs(1));
    let datagram = Datagram::connected("");
    send_datagram(&mut channel, datagram);
    let progress = channel.write_progress().unwrap();
    assert_eq!((progress.taken_bytes, progress.taken_at), (1, at(1)));
}
