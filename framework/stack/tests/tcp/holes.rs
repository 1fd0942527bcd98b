//! The hole at SND.UNA, at peers that drop what they had out of order: repaired before the time-out.

use crate::loss::{at, sack, sacks, starts};
use crate::rig::{Rig, ms, plain};

/// Segments 1 to 4 are out, and the peer reports 2 and 3; segment 1 goes again.
fn one_missing() -> Rig {
    let mut config = plain();
    config.tail_loss_probe = false;
    let mut rig = sack(config);
    rig.write(1000);
    rig.poll();
    rig.now += ms(100);
    rig.ack(at(1));
    rig.write(4000);
    assert_eq!(starts(&rig.poll()), [1, 2, 3, 4]);
    rig.now += ms(100);
    sacks(&mut rig, at(1), &[(at(2), at(4))]);
    assert_eq!(starts(&rig.poll()), [1]);
    rig
}

#[test]
fn a_retransmission_that_was_lost_goes_again() {
    let mut rig = one_missing();
    rig.now += ms(101);
    // What is sent arrives, and the peer drops it: no news, but the hole is still there.
    sacks(&mut rig, at(1), &[(at(2), at(4))]);
    sacks(&mut rig, at(1), &[(at(2), at(4))]);
    assert!(!starts(&rig.poll()).contains(&1));
    sacks(&mut rig, at(1), &[(at(2), at(4))]);
    assert_eq!(starts(&rig.poll())[0], 1);
    assert_eq!(rig.connection.info().timeouts, 0);
}

#[test]
fn a_range_that_was_taken_back_goes_again() {
    let mut rig = one_missing();
    rig.now += ms(100);
    // Segment 1 is there now, and 2 and 3 are not any more.
    for _ in 0..3 {
        rig.ack(at(2));
        assert!(!starts(&rig.poll()).contains(&2));
    }
    rig.ack(at(2));
    assert_eq!(starts(&rig.poll())[0], 2);
    rig.now += ms(100);
    rig.ack(at(5));
    let info = rig.connection.info();
    assert_eq!((info.unacknowledged, info.timeouts), (0, 0));
}
