//! HyStart++ (RFC 9406) by scripts of rounds, and at work.

use fyke_stack::tcp::congestion::{CongestionConfig, HyStart, Phase};

use super::congestion::Flow;
use super::{ms, seq};

/// RFC 9406, section 4.2, as a script of rounds: (round trip in ms, conservative after it, over).
#[test]
fn hystart_scripts() {
    type Round = (u64, bool, bool);
    let scripts: [(&str, &[Round]); 4] = [
        ("a steady path", &[(100, false, false); 12]),
        (
            "a queue grows",
            &[
                (100, false, false),
                (100, false, false),
                (113, true, false),
                (120, true, false),
                (130, true, false),
                (140, true, false),
                (150, true, true),
            ],
        ),
        (
            "below an eighth",
            &[(100, false, false), (112, false, false), (125, false, false), (141, true, false)],
        ),
        (
            "jitter",
            &[(100, false, false), (120, true, false), (119, false, false), (119, false, false)],
        ),
    ];
    for (name, rounds) in scripts {
        let mut hystart = HyStart::new(seq(10));
        let mut una = 0;
        for (index, &(rtt, conservative, over)) in rounds.iter().enumerate() {
            let mut ended = false;
            for _ in 0..10 {
                una += 1;
                ended |= hystart.on_ack(seq(una), seq(una + 10), Some(ms(rtt)));
            }
            assert_eq!(hystart.is_conservative(), conservative, "{name}, round {index}");
            assert_eq!(ended, over, "{name}, round {index}");
            assert_eq!(hystart.growth(4000), if conservative { 1000 } else { 4000 });
        }
    }
    // Seven samples are not enough; the threshold is 4 ms at least and 16 ms at most.
    for (base, rise, samples, conservative) in [
        (100, 50, 7, false),
        (100, 50, 8, true),
        (8, 3, 8, false),
        (8, 4, 8, true),
        (800, 15, 8, false),
        (800, 16, 8, true),
    ] {
        let mut hystart = HyStart::new(seq(8));
        (1..=8).for_each(|una| assert!(!hystart.on_ack(seq(una), seq(99), Some(ms(base)))));
        (0..samples).for_each(|_| assert!(!hystart.on_ack(seq(9), seq(99), Some(ms(base + rise)))));
        assert_eq!(hystart.is_conservative(), conservative, "{base} + {rise}, {samples}");
    }
}

/// With a queue that grows, slow start ends without loss and CUBIC goes on from there.
#[test]
fn hystart_ends_slow_start() {
    let mut flow = Flow::new(&CongestionConfig::default(), ms(50));
    let mut rounds = 0;
    while flow.cc.phase() == Phase::SlowStart {
        // A bottleneck of 100 segments a round trip.
        flow.rtt = ms(50 + u64::from(flow.segments().saturating_sub(100)) / 2);
        flow.round();
        rounds += 1;
        assert!(rounds < 50);
    }
    assert_eq!(flow.cc.phase(), Phase::CongestionAvoidance);
    assert!(flow.cc.ssthresh() <= flow.cc.window(), "it went on from there");
    assert!((100..600).contains(&flow.segments()), "{}", flow.segments());
    let trace = flow.cc.trace();
    assert!(!trace.conservative);
    assert_eq!((trace.window, trace.phase), (flow.cc.window(), flow.cc.phase()));
}
