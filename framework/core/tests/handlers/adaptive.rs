//! `AdaptiveInterval` against a model of a NAT box.

use std::time::Duration;

use fyke_core::handlers::{AdaptiveConfig, AdaptiveInterval, IntervalMemory, LearnedInterval};
use proptest::prelude::*;

use super::secs;

/// A client behind a box that forgets a mapping after `forgets` of silence.
struct Behind {
    config: AdaptiveConfig,
    adaptive: AdaptiveInterval,
    forgets: Duration,
    losses: u32,
}

impl Behind {
    fn new(config: AdaptiveConfig, forgets: Duration) -> Self {
        Self { config, adaptive: AdaptiveInterval::new(config, None), forgets, losses: 0 }
    }

    /// A silence of the interval, made shorter by so many thousandths of a tenth of it.
    fn silence(&mut self, jitter: u32) {
        let interval = self.adaptive.interval();
        let silence = interval - interval * jitter / 10_000;
        if silence >= self.forgets {
            self.losses += 1;
            self.adaptive.lost(silence);
            // The connection is gone; the next one begins with what was stored.
            let learned = self.adaptive.learned().to_string().parse().unwrap();
            self.adaptive = AdaptiveInterval::new(self.config, Some(learned));
        } else {
            self.adaptive.survived(silence);
        }
    }
}

#[test]
fn it_grows_until_a_mapping_is_lost_and_stays_below() {
    let mut client = Behind::new(AdaptiveConfig::new(), secs(60));
    let mut intervals = Vec::new();
    for _ in 0..7 {
        intervals.push(client.adaptive.interval().as_millis());
        client.silence(0);
    }
    assert_eq!(intervals, [15_000, 22_500, 33_750, 50_625, 75_937, 45_562, 45_562]);
    assert!(client.adaptive.is_settled());
    let learned = client.adaptive.learned();
    assert_eq!(
        (learned.survived.as_millis(), learned.lost.map(|l| l.as_millis())),
        (50_625, Some(75_937))
    );
}

#[test]
fn it_grows_to_its_bound_where_nothing_forgets() {
    let config = AdaptiveConfig::new().bounds(secs(10), secs(240));
    let mut client = Behind::new(config, secs(1_000_000));
    for _ in 0..20 {
        client.silence(0);
    }
    assert_eq!((client.adaptive.interval(), client.losses), (secs(240), 0));
}

#[test]
fn what_was_learned_is_used_the_next_time() {
    let mut client = Behind::new(AdaptiveConfig::new(), secs(60));
    for _ in 0..10 {
        client.silence(0);
    }
    let memory = IntervalMemory::new();
    memory.set("home", client.adaptive.learned());
    let stored = memory.all()[0].1.to_string();
    let learned: LearnedInterval = stored.parse().unwrap();
    let mut client = Behind {
        config: AdaptiveConfig::new(),
        adaptive: AdaptiveInterval::new(AdaptiveConfig::new(), Some(learned)),
        forgets: secs(60),
        losses: 0,
    };
    for _ in 0..100 {
        client.silence(0);
    }
    assert_eq!(client.losses, 0);
    assert!(client.adaptive.interval() >= secs(45));
}

#[test]
fn one_loss_of_another_reason_is_forgiven_and_two_are_a_stricter_box() {
    let mut client = Behind::new(AdaptiveConfig::new(), secs(60));
    for _ in 0..10 {
        client.silence(0);
    }
    let settled = client.adaptive.interval();
    client.adaptive.lost(settled);
    assert_eq!(client.adaptive.interval(), settled);
    for _ in 0..20 {
        client.adaptive.survived(settled);
    }
    client.adaptive.lost(settled);
    assert_eq!(client.adaptive.interval(), settled, "in between it was fine");
    client.adaptive.lost(secs(1));
    assert_eq!(client.adaptive.interval(), settled, "no box forgets after a second");
    client.adaptive.lost(settled);
    assert_eq!(client.adaptive.interval(), settled / 2);
}

#[test]
fn a_box_that_forgets_sooner_than_the_first_interval_is_found_out() {
    let mut client = Behind::new(AdaptiveConfig::new(), secs(9));
    for _ in 0..50 {
        client.silence(0);
    }
    assert_eq!((client.losses, client.adaptive.interval()), (1, Duration::from_millis(7_500)));
}

#[test]
fn it_may_grow_again_if_asked_to() {
    let config = AdaptiveConfig::new().grow_again_after(Some(10));
    let mut client = Behind::new(config, secs(60));
    for _ in 0..5 {
        client.silence(0);
    }
    assert_eq!(client.losses, 1);
    client.forgets = secs(200);
    for _ in 0..30 {
        client.silence(0);
    }
    assert!(client.adaptive.interval() > secs(100), "{:?}", client.adaptive.interval());
}

#[test]
fn a_memory_forgets_the_network_that_was_used_longest_ago() {
    let memory = IntervalMemory::new();
    let learned = LearnedInterval { survived: secs(1), ..LearnedInterval::default() };
    for n in 0..256 {
        memory.set(&format!("{n}"), learned);
    }
    assert_eq!(memory.get("0"), Some(learned));
    memory.set("one more", learned);
    assert_eq!(memory.all().len(), 256);
    assert_eq!((memory.get("0"), memory.get("1")), (Some(learned), None));
    memory.forget("0");
    assert_eq!(memory.get("0"), None);
}

#[test]
fn only_its_own_text_is_parsed() {
    for text in
        ["", "survived=1", "lost=1ms", "survived=1ms x", "survived=-1ms", "survived=1ms y=2"]
    {
        assert!(text.parse::<LearnedInterval>().is_err(), "{text}");
    }
}

proptest! {
    /// Whatever a box grants, and however the intervals jitter: one loss is enough, from then on
    /// no silence is too long, and none is much shorter than it has to be.
    #[test]
    fn one_loss_is_enough(
        forgets in 11_u64..2_000,
        jitter in prop::collection::vec(0_u32..1_000, 200),
    ) {
        let forgets = secs(forgets);
        let config = AdaptiveConfig::new();
        let mut client = Behind::new(config, forgets);
        for (n, &jitter) in jitter.iter().enumerate() {
            client.silence(jitter);
            let interval = client.adaptive.interval();
            prop_assert!(interval >= config.min && interval <= config.max);
            prop_assert!(client.losses <= 1);
            if client.losses == 1 {
                prop_assert!(interval < forgets, "{interval:?} after {n}");
            }
        }
        let reachable = forgets.min(config.max);
        // What was survived last is above forgets / growth, less the jitter; then the margin. A
        // first interval that was lost is halved instead.
        prop_assert!(client.adaptive.interval() >= reachable * 40 / 100);
    }

    /// Losses of other reasons and a box that becomes stricter cost a bounded number of
    /// connections, and never make an interval longer.
    #[test]
    fn a_stricter_box_costs_a_few_connections(
        before in 60_u64..600,
        after in 11_u64..60,
        strange in prop::collection::vec(0_u32..100, 400),
    ) {
        let mut client = Behind::new(AdaptiveConfig::new(), secs(before));
        for &s in &strange[..100] {
            let interval = client.adaptive.interval();
            if s < 3 {
                client.adaptive.lost(interval);
                prop_assert!(client.adaptive.interval() <= interval);
            } else {
                client.silence(s * 10);
            }
        }
        client.forgets = secs(after);
        client.losses = 0;
        for &s in &strange[100..] {
            client.silence(s * 10);
        }
        prop_assert!(client.losses <= 20, "{} losses", client.losses);
        prop_assert!(client.adaptive.interval() < secs(after) * 10 / 9);
    }

    #[test]
    fn what_is_learned_survives_its_text(
        survived in 0_u64..10_000_000,
        lost in prop::option::of(0_u64..10_000_000),
        strikes in 0_u32..5,
        streak: u32,
    ) {
        let survived = Duration::from_millis(survived);
        let lost = lost.map(Duration::from_millis);
        let learned = LearnedInterval { survived, lost, strikes, streak };
        prop_assert_eq!(learned.to_string().parse(), Ok(learned));
    }
}
