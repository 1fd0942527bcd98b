//! Failing connections: what is told before the end, and when the end comes (R1 and R2).

use std::time::Duration;

use fyke_stack::tcp::{CloseReason, Config, ConnectionOption, Event, Flags, State};

use crate::rig::{ISS, Rig, plain};

/// SHLD-9: who asks sees that nothing comes back, long before the end.
#[test]
fn time_outs_are_seen_before_the_end() {
    let mut rig = Rig::established(plain());
    rig.write(100);
    rig.poll();
    rig.pass(Duration::from_secs(10));
    let info = rig.connection.info();
    assert_eq!(info.state, State::Established);
    assert!(info.timeouts >= 3 && info.back_offs >= 3, "{info:?}");
    rig.ack(ISS + 101);
    assert_eq!(rig.connection.info().back_offs, 0);
}

/// SHLD-11: data is tried for at least 100 seconds with either preset.
#[test]
fn data_is_tried_for_more_than_100_seconds() {
    for preset in [Config::linux(), Config::freebsd()] {
        let mut config = preset;
        config.timestamps = false;
        let mut rig = Rig::established(config);
        rig.write(100);
        rig.poll();
        rig.pass(Duration::from_secs(100));
        assert_eq!(rig.connection.state(), State::Established);
        rig.pass(Duration::from_secs(3600));
        assert_eq!(rig.events().last(), Some(&Event::Closed(CloseReason::TimedOut)));
    }
}

/// MUST-21: the application says how long.
#[test]
fn the_application_says_how_long_to_try() {
    let mut rig = Rig::established(plain());
    let limit = Some(Duration::from_secs(7));
    rig.connection.set_option(rig.now, ConnectionOption::UserTimeout(limit));
    rig.write(100);
    rig.poll();
    rig.pass(Duration::from_secs(6));
    assert_eq!(rig.connection.state(), State::Established);
    rig.pass(Duration::from_secs(2));
    assert_eq!(rig.events().last(), Some(&Event::Closed(CloseReason::UserTimeout)));
}

/// MUST-23: three minutes and more unless told otherwise; the presets give a SYN up when their kernels
/// do, and that is before.
#[test]
fn a_syn_is_tried_for_three_minutes() {
    let tried = |config: Config| {
        let mut rig = Rig::connect(config);
        let begin = rig.now;
        while let Some(deadline) = rig.connection.next_deadline() {
            let sent = rig.pass(deadline - rig.now);
            assert!(sent.iter().all(|segment| segment.flags.contains(Flags::SYN)));
        }
        assert_eq!(rig.events(), [Event::Closed(CloseReason::TimedOut)]);
        (rig.now - begin).as_secs()
    };
    assert!(tried(Config::default()) >= 180);
    assert_eq!(tried(Config::linux()), 127);
    assert_eq!(tried(Config::freebsd()), 75);
}
