//! Closing: resets with data, and what TIME-WAIT lasts.

use std::time::Duration;

use bytes::Bytes;
use fyke_stack::tcp::{CloseReason, Config, Event, Flags, State};

use crate::rig::{Rig, plain};

/// SHLD-2: a reset may carry its reason as data, which is nobody's to read.
#[test]
fn a_reset_may_carry_data() {
    let mut rig = Rig::established(plain());
    let mut reset = rig.segment(Flags::RST, 0, b"");
    reset.payload = Bytes::from_static(b"out of memory");
    rig.give(reset);
    assert_eq!(rig.events(), [Event::Closed(CloseReason::Reset)]);
    assert_eq!(rig.connection.readable(), 0);
    assert!(rig.poll().is_empty());
}

/// MUST-13: both presets wait for twice a segment's lifetime, which is half a minute with both.
#[test]
fn time_wait_is_two_segment_lifetimes() {
    let lifetime = Duration::from_secs(30);
    for config in [Config::linux(), Config::freebsd()] {
        assert_eq!(config.time_wait, 2 * lifetime);
    }
    let mut rig = Rig::in_state(State::TimeWait);
    rig.pass(2 * lifetime - Duration::from_millis(1));
    assert_eq!(rig.connection.state(), State::TimeWait);
    rig.pass(Duration::from_millis(1));
    assert_eq!(rig.connection.state(), State::Closed);
}
