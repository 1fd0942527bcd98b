//! Probes of the path MTU and peers that do what they like with them, and what else goes on in a
//! connection: corks, closing, offload, other timers.

use std::time::Duration;

use bytes::Bytes;
use fyke_stack::tcp::{
    Config, ConnectionOption, Flags, IcmpError, IcmpKind, MtuConfig, MtuProbing, MtuSearch,
    Options, Segment, SeqNum, Timestamp,
};

use crate::loss::sacks;
use crate::rig::{ISS, Rig, ms, plain};

const MSS: u32 = 1000;
const PROBE: u32 = 1460;

fn config() -> Config {
    let mut config = plain();
    config.sack = true;
    config.mtu = MtuConfig::default();
    config.mtu.probing = MtuProbing::Always;
    config.mtu.initial_mss = MSS as u16;
    config.mtu.window_segments_min = 10;
    config
}

fn established(config: Config) -> Rig {
    let options = Options { mss: Some(1460), sack_permitted: true, ..Options::default() };
    Rig::established_with(config, options)
}

fn byte(at: u32) -> u8 {
    (at / 7 % 251) as u8
}

/// Writes the next `len` bytes of a stream that began at the first.
fn write(rig: &mut Rig, from: u32, len: u32) {
    let data: Bytes = (from..from + len).map(byte).collect();
    assert_eq!(rig.connection.write(data, rig.now), len as usize);
}

/// Every byte is what the stream has there, however the segments were cut.
fn check_bytes(sent: &[Segment]) {
    for segment in sent {
        let from = segment.seq.saturating_distance_from(SeqNum::new(ISS + 1));
        for (at, found) in (from..).zip(segment.payload.iter()) {
            assert_eq!(*found, byte(at), "byte {at}");
        }
    }
}

fn lens(sent: &[Segment]) -> Vec<u32> {
    sent.iter().filter(|s| !s.payload.is_empty()).map(|s| s.payload.len() as u32).collect()
}

fn search(rig: &Rig) -> MtuSearch {
    rig.connection.info().mtu_search.expect("a search")
}

/// A probe and eight segments are in flight.
fn probing() -> Rig {
    let mut rig = established(config());
    write(&mut rig, 0, 30_000);
    let sent = rig.poll();
    assert_eq!(lens(&sent)[..3], [PROBE, MSS, MSS]);
    check_bytes(&sent);
    assert_eq!(search(&rig).probe, Some(1460));
    rig.now += ms(50);
    rig
}

/// The number behind the probe and `n` segments more.
fn behind(n: u32) -> u32 {
    ISS + 1 + PROBE + n * MSS
}

#[test]
fn rfc_4821_7_5_a_probe_is_one_segment_of_new_data_and_one_at_a_time() {
    let mut rig = probing();
    rig.ack(ISS + 1);
    assert!(lens(&rig.poll()).iter().all(|len| *len <= MSS));
    rig.ack(behind(8));
    assert_eq!((rig.connection.info().send_mss, search(&rig).passed), (PROBE, 1));
    assert!(lens(&rig.poll()).iter().all(|len| *len <= PROBE));
}

#[test]
fn rfc_4821_7_6_2_a_lost_probe_goes_again_in_pieces() {
    let mut rig = probing();
    let before = rig.connection.info();
    sacks(&mut rig, ISS + 1, &[(behind(0), behind(4))]);
    let mut again = rig.poll();
    again.extend(rig.pass(ms(20)));
    check_bytes(&again);
    let pieces: Vec<_> = again.iter().filter(|s| s.seq.is_before(SeqNum::new(behind(0)))).collect();
    let pieces: Vec<_> = pieces.iter().map(|s| (s.seq.value(), s.payload.len() as u32)).collect();
    assert_eq!(pieces, [(ISS + 1, MSS), (ISS + 1 + MSS, PROBE - MSS)]);
    let info = rig.connection.info();
    assert!(info.congestion_window >= before.congestion_window, "not reduced");
    assert_eq!((info.recoveries, info.send_mss, search(&rig).lost), (0, MSS, 1));
    // What went again and is lost again is congestion.
    rig.now += ms(60);
    sacks(&mut rig, ISS + 1, &[(ISS + 1 + MSS, behind(8))]);
    rig.pass(ms(60));
    assert_eq!(rig.connection.info().recoveries, 1);
}

#[test]
fn a_peer_that_has_half_of_the_probe_learns_the_other_half() {
    // SACKed in the middle, or acknowledged to the middle: what some box on the way makes of it.
    for sacked in [true, false] {
        let mut rig = probing();
        let middle = ISS + 1 + 700;
        if sacked {
            sacks(&mut rig, ISS + 1, &[(ISS + 1 + 200, middle), (behind(0), behind(5))]);
        } else {
            sacks(&mut rig, middle, &[(behind(0), behind(5))]);
        }
        let mut again = rig.poll();
        again.extend(rig.pass(ms(30)));
        check_bytes(&again);
        let info = rig.connection.info();
        assert_eq!((search(&rig).lost, info.recoveries), (1, 0), "sacked {sacked}");
        assert_eq!(info.bytes_sent_again, if sacked { 200 + 760 } else { 760 });
        rig.ack(behind(8));
        assert_eq!(rig.connection.info().send_mss, MSS, "that says nothing of larger ones");
    }
}

#[test]
fn a_sacked_probe_has_not_arrived_before_it_is_acknowledged() {
    let mut rig = probing();
    // The peer may still take it back (RFC 2018, section 8).
    sacks(&mut rig, ISS + 1, &[(ISS + 1, behind(0))]);
    rig.poll();
    assert_eq!((rig.connection.info().send_mss, search(&rig).passed), (MSS, 0));
    let mut sent = rig.pass(Duration::from_secs(3));
    rig.ack(behind(8));
    sent.extend(rig.poll());
    check_bytes(&sent);
    assert_eq!(rig.connection.info().snd_una, SeqNum::new(behind(8)));
}

#[test]
fn a_peer_that_takes_back_what_is_behind_the_probe_gets_it_again() {
    let mut rig = probing();
    sacks(&mut rig, ISS + 1, &[(behind(0), behind(8))]);
    let mut sent = rig.poll();
    sent.extend(rig.pass(ms(20)));
    // The hole is filled, and nothing behind it is there.
    rig.ack(behind(0));
    sent.extend(rig.pass(Duration::from_secs(5)));
    rig.ack(behind(3));
    sent.extend(rig.pass(Duration::from_secs(5)));
    check_bytes(&sent);
    let again = sent.iter().any(|s| s.seq == SeqNum::new(behind(0)) && !s.payload.is_empty());
    assert!(again, "{:?}", lens(&sent));
}

#[test]
fn duplicates_reported_of_a_probe_change_nothing() {
    let mut rig = probing();
    sacks(&mut rig, ISS + 1, &[(behind(0), behind(4))]);
    rig.poll();
    rig.pass(ms(20));
    rig.now += ms(30);
    // It was late, not lost: the pieces arrive as duplicates (RFC 2883).
    sacks(&mut rig, behind(8), &[(ISS + 1, ISS + 1 + MSS)]);
    let before = rig.connection.info();
    for _ in 0..5 {
        sacks(&mut rig, behind(8), &[(ISS + 1 + MSS, behind(0))]);
        sacks(&mut rig, behind(8), &[(ISS + 1, behind(0))]);
    }
    let info = rig.connection.info();
    assert_eq!((info.recoveries, info.undone), (0, 0));
    assert_eq!(info.congestion_window, before.congestion_window);
}

#[test]
fn rfc_4821_7_6_3_a_probe_that_times_out_is_lost_and_congestion() {
    let mut config = config();
    config.tail_loss_probe = false;
    let mut rig = established(config);
    write(&mut rig, 0, 30_000);
    rig.poll();
    let wait = rig.connection.next_deadline().unwrap() - rig.now;
    let again = rig.pass(wait);
    assert_eq!(lens(&again), [MSS], "in pieces");
    check_bytes(&again);
    let info = rig.connection.info();
    assert_eq!((info.timeouts, search(&rig).lost, search(&rig).probe), (1, 1, None));
    assert!(info.congestion_window <= MSS, "the window is that of a time-out");
}

#[test]
fn rfc_8899_4_6_2_what_no_probe_can_be_told_is_ignored() {
    let too_big = |mss: u16, seq: u32| IcmpError {
        kind: IcmpKind::PacketTooBig { mss },
        seq: SeqNum::new(seq),
    };
    let mut rig = probing();
    let before = search(&rig);
    // Larger than what was sent; about a segment that is smaller; about nothing in flight.
    for error in [too_big(1460, ISS + 1), too_big(1300, behind(1)), too_big(1300, ISS)] {
        rig.connection.on_icmp(rig.now, error);
    }
    assert_eq!(search(&rig), before);
    rig.connection.on_icmp(rig.now, too_big(1300, ISS + 1));
    let after = search(&rig);
    assert_eq!((after.high, after.probe, after.lost), (1300, None, 1));
    let again = rig.poll();
    check_bytes(&again);
    assert_eq!(lens(&again)[..2], [MSS, PROBE - MSS]);
    assert_eq!(rig.connection.info().send_mss, MSS);
    // Less than what is used: the path itself has changed.
    rig.connection.on_icmp(rig.now, too_big(600, ISS + 1));
    assert_eq!((rig.connection.info().send_mss, search(&rig).high), (600, 600));
}

/// RFC 8985, section 7: what follows is new data, so that the probe's acknowledgement stays clear.
#[test]
fn a_tail_loss_probe_does_not_repeat_the_probe() {
    let mut rig = probing();
    let wait = rig.connection.next_deadline().unwrap() - rig.now;
    let tail = rig.pass(wait);
    assert_eq!((tail[0].seq, lens(&tail)), (SeqNum::new(behind(8)), vec![MSS]));
    rig.ack(behind(9));
    assert_eq!(search(&rig).passed, 1);
}

/// RFC 9293, section 3.7.4, has nothing against a probe: it is more than a full segment.
#[test]
fn nagle_and_cork_let_probes_out_and_nothing_small() {
    let mut rig = established(config());
    rig.connection.set_option(rig.now, ConnectionOption::Cork(true));
    write(&mut rig, 0, 7_300);
    assert_eq!(lens(&rig.poll()), [PROBE, MSS, MSS, MSS, MSS, MSS], "840 bytes wait");
    let mut rig = established(config());
    write(&mut rig, 0, 5_459);
    assert!(!lens(&rig.poll()).contains(&PROBE), "too little behind it");
    assert_eq!(search(&rig).probes, 0);
}

#[test]
fn closing_right_behind_a_probe_loses_nothing() {
    let mut rig = established(config());
    write(&mut rig, 0, 6_000);
    rig.connection.shutdown();
    let sent = rig.poll();
    assert_eq!(lens(&sent), [PROBE, MSS, MSS, MSS, MSS, 540]);
    assert!(sent[5].flags.contains(Flags::FIN) && !sent[0].flags.contains(Flags::FIN));
    rig.now += ms(50);
    sacks(&mut rig, ISS + 1, &[(behind(0), ISS + 6002)]);
    let mut again = rig.poll();
    again.extend(rig.pass(ms(20)));
    check_bytes(&again);
    assert_eq!(lens(&again), [MSS, PROBE - MSS]);
    assert!(again.iter().all(|segment| !segment.flags.contains(Flags::FIN)));
    rig.ack(ISS + 6002);
    assert_eq!(rig.connection.info().unacknowledged, 0);
}

/// What a device would cut is no probe.
#[test]
fn a_probe_is_never_left_to_offload() {
    let mut config = config();
    config.gso_bytes_max = 65_535;
    let mut rig = established(config);
    write(&mut rig, 0, 30_000);
    let sent = rig.poll();
    let shapes: Vec<_> = sent.iter().map(|s| (s.payload.len() as u32, s.gso_size)).collect();
    assert_eq!(shapes, [(PROBE, 0), (8 * MSS, MSS as u16)]);
    // Nor are its pieces sent as they were.
    rig.now += ms(50);
    sacks(&mut rig, ISS + 1, &[(behind(0), behind(8))]);
    let again = rig.poll();
    assert_eq!((again[0].payload.len() as u32, again[0].gso_size), (PROBE, MSS as u16));
}

/// Options take their part of a packet, of a probe's, too (RFC 6691).
#[test]
fn rfc_4821_5_1_options_count_for_the_size_of_a_probe() {
    let mut config = config();
    config.timestamps = true;
    let timestamp = Some(Timestamp { value: 1, echo: 0 });
    let options = Options { mss: Some(1460), timestamp, ..Options::default() };
    let mut rig = Rig::established_with(config, options);
    write(&mut rig, 0, 30_000);
    assert_eq!(lens(&rig.poll())[..2], [PROBE - 12, MSS - 12]);
    assert_eq!(search(&rig).probe, Some(1460));
}

/// What reports a hole in the other direction takes its part, too; and it stays there long when that
/// direction has a black hole.
#[test]
fn rfc_4821_5_1_selective_acknowledgements_count_for_the_size_of_a_probe() {
    let mut rig = established(config());
    rig.seq += 500;
    rig.data(b"behind a hole");
    rig.poll();
    write(&mut rig, 0, 30_000);
    let sent = rig.poll();
    assert_eq!(lens(&sent)[..2], [PROBE - 12, MSS - 12]);
    assert!(sent.iter().all(|segment| segment.options.sack.as_slice().len() == 1));
    rig.now += ms(50);
    rig.seq -= 500;
    rig.ack(ISS + 1 + PROBE - 12);
    assert_eq!((rig.connection.info().send_mss, search(&rig).passed), (PROBE, 1));
}

/// A peer that takes little is never asked for more.
#[test]
fn no_probe_is_larger_than_the_peer_takes() {
    let options = Options { mss: Some(1200), sack_permitted: true, ..Options::default() };
    let mut rig = Rig::established_with(config(), options);
    write(&mut rig, 0, 30_000);
    assert_eq!(lens(&rig.poll())[0], 1200);
}

#[test]
fn the_owner_of_the_route_may_widen_it_and_probes_find_out() {
    let mut rig = probing();
    rig.ack(behind(8));
    assert_eq!(rig.connection.info().send_mss, PROBE);
    rig.connection.set_path_mss(rig.now, 1100);
    assert_eq!(rig.connection.info().send_mss, 1100);
    rig.connection.set_path_mss(rig.now, 1400);
    assert_eq!((rig.connection.info().send_mss, search(&rig).high), (1100, 1400));
}
