//! Windows both ways: closed, silly, growing; small segments; when acknowledgements go out.

use std::time::Duration;

use bytes::Bytes;
use fyke_stack::tcp::{
    CloseReason, Config, ConnectionOption, Event, Flags, Options, SeqNum, State, Timestamp,
};

use crate::rig::{IRS, ISS, Rig, ms, plain};

fn window(rig: &mut Rig, ack: u32, window: u16) {
    let mut segment = rig.segment(Flags::ACK, ack, b"");
    segment.window = window;
    rig.give(segment);
}

#[test]
fn a_closed_window_is_probed_for_ever() {
    let mut rig = Rig::established(plain());
    window(&mut rig, ISS + 1, 0);
    rig.write(100);
    assert!(rig.poll().is_empty());
    let mut probes = 0;
    for _ in 0..1000 {
        let sent = rig.pass(Duration::from_secs(120));
        probes += sent.len();
        assert!(sent.iter().all(|probe| probe.payload.len() <= 1));
        window(&mut rig, ISS + 1, 0);
    }
    assert_eq!(rig.connection.state(), State::Established);
    assert!((900..3000).contains(&probes), "{probes}");
    window(&mut rig, ISS + 1, 1000);
    assert_eq!(rig.poll()[0].payload.len(), 100);
}

#[test]
fn a_closed_window_ends_with_the_user_time_out() {
    let mut config = plain();
    config.user_timeout = Some(Duration::from_secs(30));
    let mut rig = Rig::established(config);
    window(&mut rig, ISS + 1, 0);
    rig.write(100);
    rig.poll();
    for _ in 0..40 {
        rig.pass(Duration::from_secs(1));
        window(&mut rig, ISS + 1, 0);
    }
    assert_eq!(rig.events().last(), Some(&Event::Closed(CloseReason::UserTimeout)));
}

#[test]
fn a_closed_window_does_not_hold_an_orphan_for_ever() {
    // Sockstress: the peer answers every probe and never opens.
    let mut rig = Rig::established(plain());
    window(&mut rig, ISS + 1, 0);
    rig.write(100);
    rig.connection.close(rig.now);
    rig.poll();
    for _ in 0..2000 {
        rig.pass(Duration::from_secs(1));
        window(&mut rig, ISS + 1, 0);
    }
    assert_eq!(rig.connection.state(), State::Closed);
}

#[test]
fn the_peers_small_window_makes_no_small_segments() {
    // RFC 9293, section 3.8.6.2.1: a little room is not used at once.
    let mut rig = Rig::established(plain());
    rig.write(5000);
    rig.poll();
    window(&mut rig, ISS + 1 + 5000, 10);
    rig.write(5000);
    assert!(rig.poll().is_empty());
    // But not for ever (the override time-out).
    let sent = rig.pass(Duration::from_secs(2));
    assert_eq!(sent.iter().map(|s| s.payload.len()).max(), Some(10));
}

#[test]
fn our_window_grows_by_segments_only() {
    // RFC 9293, section 3.8.6.2.2.
    let mut rig = Rig::established(plain());
    for _ in 0..10 {
        rig.data(&[7; 1000]);
        rig.poll();
    }
    assert_eq!(rig.connection.info().rcv_wnd, 0);
    for _ in 0..14 {
        rig.connection.read(100, rig.now).unwrap();
        assert!(rig.poll().is_empty(), "less than a segment is not worth telling");
    }
    rig.connection.read(100, rig.now).unwrap();
    let update = rig.poll();
    assert_eq!((update.len(), update[0].window), (1, 1500));
}

#[test]
fn data_beyond_a_closed_window_is_dropped_but_acknowledged() {
    let mut rig = Rig::established(plain());
    for _ in 0..10 {
        rig.data(&[7; 1000]);
        rig.poll();
    }
    let mut probe = rig.segment(Flags::ACK, ISS + 1, b"!");
    probe.window = 77;
    rig.give(probe);
    let answer = rig.poll();
    assert_eq!((answer.len(), answer[0].window), (1, 0));
    assert_eq!(rig.connection.readable(), 10_000);
    // RFC 9293, section 3.10.7.4: an acknowledgement counts with the window closed.
    assert_eq!(rig.connection.info().snd_wnd, 77);
}

#[test]
fn the_right_edge_never_goes_back() {
    let mut rig = Rig::established(plain());
    rig.data(&[7; 1000]);
    let before = rig.connection.info();
    rig.connection.set_option(rig.now, ConnectionOption::ReceiveBufferBytes(2000));
    rig.data(&[7; 1000]);
    rig.poll();
    let after = rig.connection.info();
    assert_eq!(after.rcv_nxt + after.rcv_wnd, before.rcv_nxt + before.rcv_wnd);
}

#[test]
fn the_whole_offered_window_takes_data_out_of_order() {
    let mut rig = Rig::established(plain());
    let mut last = rig.segment(Flags::ACK, ISS + 1, b"");
    last.seq = SeqNum::new(IRS + 1 + 9000);
    last.payload = Bytes::from_static(&[9; 1000]);
    rig.give(last);
    assert_eq!(rig.connection.info().out_of_order, 1000);
    for _ in 0..9 {
        rig.data(&[7; 1000]);
    }
    assert_eq!(rig.connection.readable(), 10_000);
}

#[test]
fn the_receive_buffer_grows_with_what_is_read() {
    let mut config = Config::linux();
    config.timestamps = false;
    config.receive_buffer_bytes = 20_000;
    config.receive_buffer_bytes_max = 1 << 20;
    let options = Options { mss: Some(1460), window_scale: Some(7), ..Options::default() };
    let mut rig = Rig::established_with(config, options);
    for _ in 0..100 {
        let room = rig.connection.info().rcv_wnd as usize;
        for _ in 0..room / 1460 {
            rig.data(&[7; 1460]);
        }
        while rig.connection.read(1 << 20, rig.now).is_some() {}
        rig.poll();
        rig.now += ms(20);
    }
    let info = rig.connection.info();
    assert!(info.receive_buffer > 200_000, "{}", info.receive_buffer);
    assert!(info.receive_buffer <= 1 << 20);
}

/// A window that lasts for the path alone stands still when the queue in front of it is long: what is
/// read in a round trip with the queue is what counts.
#[test]
fn the_receive_buffer_grows_with_the_queue_on_the_path() {
    let timestamp = |value, echo| Some(Timestamp { value, echo });
    let options = Options {
        mss: Some(1460),
        window_scale: Some(7),
        timestamp: timestamp(1, 1007),
        ..Options::default()
    };
    let mut rig = Rig::established_with(Config::linux(), options);
    let before = rig.connection.info().receive_buffer;
    for sent in 2..400 {
        rig.now += ms(2);
        let ack = rig.connection.info().snd_nxt.value();
        let mut segment = rig.segment(Flags::ACK, ack, &[7; 1448]);
        // Our clock shows 1007 at the beginning; the acknowledgement is 105 ms old.
        let clock = 1007 + 2 * (sent - 1);
        segment.options.timestamp = timestamp(sent, clock - 105_u32.min(clock - 1007));
        rig.seq += 1448;
        rig.give(segment);
        while rig.connection.read(1 << 20, rig.now).is_some() {}
        rig.poll();
    }
    let after = rig.connection.info().receive_buffer;
    // 5.8 Mbit/s for 105 ms are 76 kB.
    assert!(after > before && (130_000..300_000).contains(&after), "{before} {after}");
}

#[test]
fn every_second_full_segment_is_acknowledged_at_once() {
    let mut rig = Rig::established(plain());
    rig.data(&[7; 1460]);
    assert!(rig.poll().is_empty());
    rig.data(&[7; 1460]);
    let acks = rig.poll();
    assert_eq!((acks.len(), acks[0].ack), (1, SeqNum::new(IRS + 1 + 2920)));
}

#[test]
fn a_super_segment_counts_for_what_it_stands() {
    let mut rig = Rig::established(plain());
    let mut segment = rig.segment(Flags::ACK, ISS + 1, b"");
    segment.payload = Bytes::from_static(&[7; 5000]);
    segment.gso_size = 1460;
    rig.give(segment);
    assert_eq!(rig.poll().len(), 1);
}

#[test]
fn one_segment_is_acknowledged_a_little_later() {
    let mut rig = Rig::established(plain());
    rig.data(&[7; 100]);
    assert!(rig.poll().is_empty());
    assert!(rig.pass(ms(39)).is_empty());
    let acks = rig.pass(ms(1));
    assert_eq!((acks.len(), acks[0].ack), (1, SeqNum::new(IRS + 101)));
    assert_eq!(rig.connection.next_deadline(), None);
}

#[test]
fn an_acknowledgement_rides_on_data() {
    let mut rig = Rig::established(plain());
    rig.data(b"question");
    rig.connection.read(100, rig.now).unwrap();
    rig.write(6);
    let sent = rig.poll();
    assert_eq!((sent.len(), sent[0].ack), (1, SeqNum::new(IRS + 9)));
    assert!(rig.pass(ms(100)).iter().all(|s| !s.payload.is_empty()), "none goes alone");
}

#[test]
fn disorder_is_acknowledged_at_once() {
    let mut rig = Rig::established(plain());
    let mut ahead = rig.segment(Flags::ACK, ISS + 1, b"later");
    ahead.seq += 100;
    rig.give(ahead.clone());
    rig.give(ahead);
    // Without SACK the peer counts: each has its own.
    assert_eq!(rig.poll().len(), 2);
    rig.data(&[7; 50]);
    assert_eq!(rig.poll().len(), 1, "part of the hole is filled");
}

#[test]
fn quick_acknowledgements_can_be_asked_for() {
    let mut rig = Rig::established(plain());
    rig.connection.set_option(rig.now, ConnectionOption::QuickAck(true));
    rig.data(b"x");
    assert_eq!(rig.poll().len(), 1);
}

#[test]
fn nagle_holds_small_segments_while_something_is_out() {
    for (minshall, held) in [(false, true), (true, false)] {
        let mut config = plain();
        config.minshall = minshall;
        let mut rig = Rig::established(config);
        rig.write(1460 + 100);
        // All the rest of one write: with Minshall only another small segment holds it.
        assert_eq!(rig.poll().len(), if held { 1 } else { 2 });
        rig.write(100);
        assert!(rig.poll().is_empty());
        let all = if held { ISS + 1 + 1460 } else { ISS + 1 + 1560 };
        rig.ack(all);
        let sent = rig.poll();
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].payload.len(), if held { 200 } else { 100 });
    }
}

#[test]
fn without_nagle_nothing_is_held() {
    let mut rig = Rig::established(plain());
    rig.connection.set_option(rig.now, ConnectionOption::NoDelay(true));
    for _ in 0..3 {
        rig.write(10);
        assert_eq!(rig.poll().len(), 1);
    }
}

#[test]
fn a_cork_holds_what_is_not_full() {
    let mut rig = Rig::established(plain());
    rig.connection.set_option(rig.now, ConnectionOption::Cork(true));
    rig.write(100);
    assert!(rig.poll().is_empty());
    rig.write(1400);
    assert_eq!(rig.poll().iter().map(|s| s.payload.len()).collect::<Vec<_>>(), [1460]);
    rig.connection.set_option(rig.now, ConnectionOption::Cork(false));
    assert_eq!(rig.poll().iter().map(|s| s.payload.len()).collect::<Vec<_>>(), [40]);
}

#[test]
fn a_cork_comes_out_by_itself() {
    let mut rig = Rig::established(plain());
    rig.connection.set_option(rig.now, ConnectionOption::Cork(true));
    rig.write(100);
    assert!(rig.poll().is_empty());
    assert!(rig.pass(ms(199)).is_empty());
    assert_eq!(rig.pass(ms(1)).len(), 1);
}

#[test]
fn push_marks_the_last_byte_there_is() {
    let mut rig = Rig::established(plain());
    rig.write(3000);
    let flags: Vec<bool> = rig.poll().iter().map(|s| s.flags.contains(Flags::PSH)).collect();
    assert_eq!(flags, [false, false, true]);
}

#[test]
fn a_device_that_cuts_gets_super_segments() {
    let mut config = plain();
    config.gso_bytes_max = 65_535;
    let mut rig = Rig::established(config);
    rig.write(10_000);
    let sent = rig.poll();
    let of = |s: &fyke_stack::tcp::Segment| (s.payload.len(), s.gso_size);
    // The rest of a write may be the last of a super-segment.
    assert_eq!(sent.iter().map(of).collect::<Vec<_>>(), [(10_000, 1460)]);
    assert_eq!(rig.connection.info().unacknowledged, 10_000);
}

#[test]
fn writing_is_bounded_and_told_when_there_is_room() {
    let mut config = plain();
    config.send_buffer_bytes = 5000;
    config.send_buffer_bytes_max = 5000;
    let mut rig = Rig::established(config);
    assert_eq!(rig.connection.write(vec![1; 8000].into(), rig.now), 5000);
    assert_eq!(rig.connection.writable(), 0);
    rig.poll();
    rig.ack(ISS + 1 + 1460);
    assert_eq!(rig.events(), [], "a little room is not worth waking somebody");
    rig.ack(ISS + 1 + 4380);
    assert_eq!(rig.events(), [Event::Writable]);
    rig.ack(ISS + 1 + 5000);
    assert_eq!(rig.events(), [], "told once");
}

#[test]
fn a_busy_device_costs_time_and_no_segment() {
    struct Narrow(Vec<usize>);
    impl fyke_stack::tcp::SegmentSink for Narrow {
        fn has_room(&self) -> bool {
            self.0.len() < 2
        }
        fn send(&mut self, _: &fyke_stack::tcp::Segment, payload: fyke_stack::tcp::Payload<'_>) {
            self.0.push(payload.len());
        }
    }
    let mut rig = Rig::established(plain());
    rig.write(5000);
    let mut all = 0;
    for more in [true, true] {
        let mut narrow = Narrow(Vec::new());
        assert_eq!(rig.connection.poll(rig.now, &mut narrow), more);
        all += narrow.0.iter().sum::<usize>();
    }
    let mut narrow = Narrow(Vec::new());
    assert!(!rig.connection.poll(rig.now, &mut narrow));
    assert_eq!(all + narrow.0.iter().sum::<usize>(), 5000);
}
