//! Bare duplicates, and the hole at SND.UNA that they are about (RFC 2018, section 8; RFC 5681).

use fyke_stack::tcp::scoreboard::Detection;

use super::scoreboard::{MSS, Rig};

/// A round trip of 100 ms is known; segments 1 to 9 are out since 100 ms.
fn flight(detection: Detection) -> Rig {
    let mut rig = Rig::new(detection);
    rig.send(0, 1);
    rig.ack(100, 1, &[]);
    rig.send(100, 9);
    rig
}

fn silence(rig: &mut Rig, now: u64, una: u32, times: u64) -> Vec<u32> {
    (0..times)
        .map(|n| {
            rig.ack(now + n, una, &[]);
            rig.detect(now + n).bytes
        })
        .collect()
}

#[test]
fn a_lost_retransmission_is_found_by_what_arrives_after_it() {
    for detection in [Detection::Rack, Detection::Sack] {
        let mut rig = flight(detection);
        rig.ack(200, 1, &[(2, 5)]);
        assert!(rig.detect(200).bytes > 0);
        assert_eq!(rig.resend(200, 1), [1]);
        // What comes within the round trip left before it.
        assert_eq!(silence(&mut rig, 210, 1, 20), [0; 20]);
        // It should have arrived by now, and the peer keeps nothing beyond segment 5.
        assert_eq!(silence(&mut rig, 330, 1, 3), [0, 0, MSS], "{detection:?}");
        assert_eq!(rig.resend(340, 9)[0], 1);
        // A round trip more for the next one.
        assert_eq!(silence(&mut rig, 350, 1, 20), [0; 20]);
    }
}

#[test]
fn what_the_peer_took_back_goes_again() {
    for detection in [Detection::Rack, Detection::Sack] {
        let mut rig = flight(detection);
        rig.ack(200, 1, &[(2, 5)]);
        rig.detect(200);
        assert_eq!(rig.resend(200, 1), [1]);
        // Segment 1 came, and 2 to 4, which had been there, are not.
        let acked = rig.ack(300, 2, &[]);
        rig.detect(300);
        assert!(acked.reneging);
        assert_eq!(silence(&mut rig, 301, 2, 2), [0, 0]);
        assert_eq!(silence(&mut rig, 303, 2, 1), [3 * MSS], "{detection:?}");
        assert_eq!(rig.resend(304, 3), [2, 3, 4]);
        assert_eq!(rig.ack(400, 5, &[]).delivered, 3 * MSS);
    }
}

#[test]
fn a_duplicate_with_news_is_not_counted() {
    let mut rig = flight(Detection::Rack);
    rig.ack(200, 1, &[(2, 5)]);
    rig.detect(200);
    rig.resend(200, 1);
    for n in 0..10 {
        rig.ack(400 + n, 1, &[(2, 3), (2, 5)]);
        assert_eq!(rig.detect(400 + n).bytes, 0, "the network duplicated segment 2");
    }
}

#[test]
fn a_round_trip_of_nothing_condemns_nothing_of_its_instant() {
    let mut rig = Rig::new(Detection::Rack);
    rig.send(5, 1);
    rig.ack(5, 1, &[]);
    rig.send(5, 9);
    let lost: Vec<u32> = (0..10)
        .map(|_| {
            rig.ack(5, 1, &[]);
            rig.detect(5).bytes
        })
        .collect();
    assert_eq!(lost, [0; 10]);
}
