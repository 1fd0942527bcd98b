//! Pacing: what leaves when, by the clock of the test.

use std::time::Duration;

use fyke_clock::Instant;
use fyke_stack::tcp::congestion::{Algorithm, Phase};
use fyke_stack::tcp::{ConnectionOption, Event, Flags, Pacing, Segment, State};

use crate::rig::{ISS, Rig, ms, plain};

const MSS: u32 = 1460;

/// A rate of at most `rate` bytes a second, and no timer that is early.
fn capped(rate: u64, gso: u32) -> Rig {
    let mut config = plain();
    config.pacing_rate_max = Some(rate);
    config.tail_loss_probe = false;
    config.gso_bytes_max = gso;
    config.congestion.initial_window_segments = 40;
    config.congestion.initial_window_bytes = 60_000;
    Rig::established(config)
}

fn bytes(sent: &[Segment]) -> u32 {
    sent.iter().map(|segment| segment.payload.len() as u32).sum()
}

/// What leaves until nothing is held back any more, with the times.
fn leave(rig: &mut Rig, limit: Duration) -> Vec<(Duration, u32)> {
    let (start, mut gone) = (rig.now, Vec::new());
    let first = bytes(&rig.poll());
    gone.push((Duration::ZERO, first));
    while let Some(at) = rig.connection.next_deadline().filter(|at| *at <= start + limit) {
        assert!(at > rig.now, "the deadline is in the future");
        rig.now = at;
        rig.connection.on_timeout(at);
        let sent = bytes(&rig.poll());
        assert!(sent > 0, "and makes work");
        gone.push((at - start, sent));
    }
    gone
}

#[test]
fn nothing_is_paced_unless_told() {
    let mut rig = Rig::established(plain());
    rig.write(20_000);
    assert_eq!(rig.poll().len(), 10);
    assert_eq!(rig.connection.info().pacing_rate, None);
}

/// draft-ietf-ccwg-bbr, 5.6.2: what left has its time before more leaves.
#[test]
fn a_cap_holds_to_the_byte() {
    let mut rig = capped(146_000, 0);
    rig.write(20 * 1460);
    let gone = leave(&mut rig, ms(190));
    // Two segments are the least that leaves at once, 20 ms of this rate.
    for (n, (at, sent)) in gone.iter().enumerate() {
        assert_eq!((*at, *sent), (ms(20) * n as u32, 2 * MSS));
    }
    assert_eq!(gone.len(), 10);
    assert_eq!(rig.connection.info().pacing_rate, Some(146_000));
    rig.ack(ISS + 1 + 20 * MSS);
    assert!(rig.poll().is_empty());
    assert_eq!(rig.connection.next_deadline(), None, "nothing to send is nothing to wake for");
}

/// 5.6.3: about a millisecond of data, so that a device that cuts has something to cut.
#[test]
fn a_quantum_is_one_super_segment() {
    for (rate, segments) in [(1_460_000, 2), (14_600_000, 10), (1 << 40, 20)] {
        let mut rig = capped(rate, 65_535);
        rig.write(20 * 1460);
        let sent = rig.poll();
        assert_eq!(bytes(&sent), segments * MSS, "at {rate}");
        assert_eq!(sent.len(), 1);
        assert_eq!(u32::from(sent[0].gso_size), MSS);
    }
}

/// A rate below a segment a second is a rate.
#[test]
fn a_slow_rate_waits_long_and_not_for_ever() {
    let mut rig = capped(100, 0);
    rig.write(4000);
    let gone = leave(&mut rig, ms(10));
    assert_eq!(gone, [(Duration::ZERO, 2920)]);
    rig.ack(ISS + 1 + 2920);
    assert!(rig.poll().is_empty());
    let at = rig.connection.next_deadline().unwrap();
    assert_eq!(at, Rig::start() + Duration::from_millis(29_200), "2920 bytes at 100 a second");
    rig.now = at;
    rig.connection.on_timeout(at);
    assert_eq!(bytes(&rig.poll()), 1080);
}

/// Idleness is no credit: the rate holds across requests although the sending half was given back.
#[test]
fn a_cap_holds_across_silence() {
    let mut rig = capped(14_600, 0);
    rig.write(2920);
    assert_eq!(bytes(&rig.poll()), 2920);
    rig.now += ms(10);
    rig.ack(ISS + 1 + 2920);
    rig.write(2920);
    assert!(rig.poll().is_empty(), "200 ms are not over");
    let at = rig.connection.next_deadline().unwrap();
    assert_eq!(at, Rig::start() + ms(200));
    rig.now = at;
    rig.connection.on_timeout(at);
    assert_eq!(bytes(&rig.poll()), 2920);
}

/// Who wakes late catches up a little, and makes no burst of it.
#[test]
fn lateness_is_made_up_for_by_half() {
    let mut rig = capped(146_000, 0);
    rig.write(20 * 1460);
    assert_eq!(bytes(&rig.poll()), 2 * MSS);
    rig.now = rig.connection.next_deadline().unwrap() + ms(3);
    rig.connection.on_timeout(rig.now);
    assert_eq!(bytes(&rig.poll()), 2 * MSS);
    assert_eq!(rig.connection.next_deadline(), Some(Rig::start() + ms(40)), "3 ms made good");
    rig.now += ms(100);
    rig.connection.on_timeout(rig.now);
    assert_eq!(bytes(&rig.poll()), 2 * MSS);
    assert_eq!(rig.connection.next_deadline(), Some(rig.now + ms(15)));
}

/// Retransmissions are paced, acknowledgements are not.
#[test]
fn what_goes_again_waits_and_acknowledgements_do_not() {
    let mut config = plain();
    config.tail_loss_probe = false;
    config.delayed_ack = Duration::ZERO;
    let mut rig = Rig::established(config);
    rig.write(8 * 1460);
    assert_eq!(rig.poll().len(), 8);
    rig.connection.set_option(rig.now, ConnectionOption::PacingRateMax(Some(14_600)));
    let at = rig.connection.next_deadline().unwrap();
    rig.now = at;
    rig.connection.on_timeout(at);
    let sent = rig.poll();
    assert_eq!(bytes(&sent), MSS, "the time-out lets one out");
    // All of it is lost; an acknowledgement of the first opens the window for more.
    rig.now += ms(1);
    rig.ack(ISS + 1 + MSS);
    let again = rig.poll();
    assert_eq!(bytes(&again), MSS, "what is left of the quantum");
    let data = rig.segment(Flags::ACK, ISS + 1 + MSS, b"something");
    rig.give(data);
    rig.seq += 9;
    let sent = rig.poll();
    assert_eq!((sent.len(), bytes(&sent)), (1, 0));
    assert!(sent[0].flags.contains(Flags::ACK));
    rig.ack(ISS + 1 + 2 * MSS);
    assert!(rig.poll().is_empty(), "the gate is shut");
    let gate = rig.connection.next_deadline().unwrap();
    assert!(gate > rig.now && gate <= at + ms(201));
    rig.now = gate;
    rig.connection.on_timeout(gate);
    assert_eq!(bytes(&rig.poll()), 2 * MSS);
}

/// A shut gate is no closed window: no probe, no persist timer.
#[test]
fn a_shut_gate_is_not_probed() {
    let mut rig = capped(14_600, 0);
    rig.write(2920);
    rig.poll();
    rig.ack(ISS + 1 + 2920);
    rig.write(1460);
    assert!(rig.poll().is_empty());
    let sent = rig.pass(ms(199));
    assert!(sent.is_empty());
    assert_eq!(bytes(&rig.pass(ms(1))), 1460);
    assert_eq!(rig.connection.info().probes_sent, 0);
}

/// A share of the window in a round trip: twice the window while it doubles.
#[test]
fn by_window_the_rate_follows_it() {
    let mut config = plain();
    config.pacing = Pacing::USUAL;
    config.congestion.hystart = false;
    let mut rig = Rig::connect(config);
    rig.now += ms(100);
    let mut answer = rig.segment(Flags::SYN | Flags::ACK, ISS + 1, b"");
    answer.options.mss = Some(1460);
    rig.give(answer);
    rig.seq += 1;
    rig.poll();
    assert!(rig.events().contains(&Event::Connected));
    rig.write(40_000);
    let gone = leave(&mut rig, ms(90));
    // 14600 bytes in 100 ms, twice: 292 kB/s, two segments each 10 ms.
    assert_eq!(rig.connection.info().pacing_rate, Some(292_000));
    let expected: Vec<_> = (0..5).map(|n| (ms(10) * n, 2 * MSS)).collect();
    assert_eq!(gone, expected, "the window is out in half a round trip");
}

/// An option set while something is held back counts at once.
#[test]
fn a_cap_taken_off_lets_everything_out() {
    let mut rig = capped(1000, 0);
    rig.write(10 * 1460);
    assert_eq!(bytes(&rig.poll()), 2 * MSS);
    rig.connection.set_option(rig.now, ConnectionOption::PacingRateMax(None));
    assert_eq!(bytes(&rig.poll()), 8 * MSS);
    rig.connection.set_option(rig.now, ConnectionOption::Pacing(Pacing::USUAL));
    assert!(rig.connection.next_deadline().is_some_and(|at| at > rig.now + ms(1)));
}

/// A hundred thousand polls do not make it leave sooner.
#[test]
fn asking_often_changes_nothing() {
    let mut rig = capped(1_000_000, 16_384);
    rig.write(50_000);
    let mut sent = bytes(&rig.poll());
    let begin = rig.now;
    for _ in 0..10_000 {
        rig.now += Duration::from_micros(4);
        sent += bytes(&rig.poll());
        let allowed = (rig.now - begin).as_nanos() as u64 / 1000 + u64::from(4 * MSS);
        assert!(u64::from(sent) <= allowed, "{sent} of {allowed}");
        if rig.now > begin + ms(30) {
            break;
        }
    }
    assert!(sent >= 30_000 - 2 * MSS, "{sent}");
}

/// The rate samples of a paced connection tell the rate.
#[test]
fn the_delivery_rate_is_told() {
    let mut config = plain();
    config.congestion.rate_samples = true;
    config.pacing_rate_max = Some(146_000);
    let mut rig = Rig::established(config);
    rig.write(30_000);
    let mut acks: Vec<(Instant, u32)> = Vec::new();
    let (mut end, until) = (ISS + 1, rig.now + ms(200));
    let mut sent = rig.poll();
    while rig.now < until {
        if !sent.is_empty() {
            end += bytes(&sent);
            acks.push((rig.now + ms(50), end));
        }
        let next = acks.first().map(|(at, _)| *at);
        let timer = rig.connection.next_deadline();
        rig.now = next.into_iter().chain(timer).min().unwrap();
        if next == Some(rig.now) {
            rig.ack(acks.remove(0).1);
        }
        rig.connection.on_timeout(rig.now);
        sent = rig.poll();
    }
    let info = rig.connection.info();
    let rate = info.delivery_rate.unwrap();
    assert!((130_000..=150_000).contains(&rate), "{rate}");
}

/// BBR is chosen as any other, paces by itself, and what it knows of the path outlives silence.
#[test]
fn bbr_is_an_option() {
    let mut rig = Rig::connect(plain());
    rig.connection.set_option(rig.now, ConnectionOption::Congestion(Algorithm::Bbr));
    rig.now += ms(100);
    let mut answer = rig.segment(Flags::SYN | Flags::ACK, ISS + 1, b"");
    answer.options.mss = Some(1460);
    rig.give(answer);
    rig.seq += 1;
    rig.poll();
    assert_eq!(rig.connection.info().phase, Phase::Startup, "also before the first byte");
    rig.write(8 * 1460);
    assert_eq!(bytes(&rig.poll()), 2 * MSS, "a quantum");
    let info = rig.connection.info();
    assert_eq!(info.phase, Phase::Startup);
    // The initial window in the round trip of the handshake, 2.77 times.
    assert_eq!(info.pacing_rate, Some(14_600 * 277 / 100 * 10));
    rig.pass(ms(90));
    rig.now += ms(10);
    rig.ack(ISS + 1 + 8 * MSS);
    rig.poll();
    let info = rig.connection.info();
    assert_eq!((info.unacknowledged, info.phase), (0, Phase::Startup));
    assert!(info.delivery_rate.is_some() && info.pacing_rate.is_some());
    // And taken off again.
    rig.connection.set_option(rig.now, ConnectionOption::Congestion(Algorithm::Cubic));
    rig.write(8 * 1460);
    assert_eq!(bytes(&rig.poll()), 8 * MSS);
    assert_eq!(rig.connection.info().pacing_rate, None);
}

/// RFC 9293, section 3.8.3: R2 counts retransmissions. While the rate holds one back the time-out
/// does not count it again, or a slow connection would be given up without having tried.
#[test]
fn rfc9293_3_8_3_a_retransmission_that_is_held_back_is_one_attempt() {
    let mut config = plain();
    config.pacing_rate_max = Some(100);
    config.tail_loss_probe = false;
    config.retries = 4;
    for user_timeout in [None, Some(Duration::from_secs(20))] {
        config.user_timeout = user_timeout;
        let mut rig = Rig::established(config.clone());
        rig.write(2920);
        assert_eq!(bytes(&rig.poll()), 2920, "29.2 seconds of the rate");
        let start = rig.now;
        let mut again = Vec::new();
        while let Some(at) = rig.connection.next_deadline() {
            assert!(at > rig.now, "the deadline is in the future");
            rig.now = at;
            rig.connection.on_timeout(at);
            let sent = rig.poll();
            again.extend(sent.iter().filter(|it| !it.payload.is_empty()).map(|_| at - start));
        }
        assert_eq!(rig.connection.state(), State::Closed);
        if let Some(limit) = user_timeout {
            assert_eq!(rig.now - start, limit, "the user's patience is not the rate's");
            continue;
        }
        assert_eq!(again[0], ms(29_200), "when the gate opens");
        assert_eq!((again.len(), rig.connection.info().timeouts), (4, 4), "{again:?}");
    }
}
