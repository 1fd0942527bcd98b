//! The scoreboard with peers that want its work and memory: odd cuts, full lists, holes of one byte.

use fyke_stack::tcp::scoreboard::{Ack, Detection, ScoreboardConfig, State};

use super::scoreboard::{MSS, Rig};
use super::{Random, at_ms};

/// Ranges of segments of several sizes join when they are SACKed, and are cut again anywhere.
#[test]
fn joined_ranges_of_several_sizes_are_cut() {
    for cut in [1, 49, 50, 51, 400, 999, 1000, 1001, 1300, 1499] {
        let mut rig = Rig::new(Detection::Rack);
        rig.send(0, 1);
        rig.board.on_sent(at_ms(1), 1000, 1);
        rig.board.on_sent(at_ms(2), 500, 10);
        rig.send(3, 1);
        let (left, right) = (rig.at(1), rig.at(2) + 500);
        let mut ack = |una, blocks: &[_]| {
            let acked = rig.board.on_ack(&Ack {
                now: at_ms(100),
                ack: una,
                blocks,
                duplicate: false,
                echo: None,
                min_rtt: None,
            });
            assert!(rig.board.check(), "cut at {cut}");
            acked
        };
        assert_eq!(ack(rig.start, &[(left, right)]).sacked, 1500);
        assert_eq!(ack(left + cut, &[]).advanced, 1000 + cut);
        assert_eq!(ack(right, &[]).delivered, 0);
    }
}

/// With too many entries, what is sent joins the last: nothing is lost but knowledge.
#[test]
fn a_full_list_joins_what_is_sent() {
    for last in [State::InFlight, State::Sacked, State::Lost, State::Resent] {
        let config = ScoreboardConfig { entries_max: 16, ..ScoreboardConfig::default() };
        let mut rig = Rig::with(0xffff_f800, &config);
        (0..16).for_each(|now| rig.send(now, 1));
        match last {
            State::InFlight => {}
            State::Sacked => assert_eq!(rig.ack(20, 0, &[(15, 16)]).sacked, MSS),
            State::Lost => assert_eq!(rig.board.mark_all_lost(false), 16 * MSS),
            State::Resent => rig.board.on_resent(at_ms(20), rig.at(15), MSS),
        }
        rig.send(30, 2);
        assert!(rig.board.check(), "{last:?}");
        assert_eq!((rig.board.entries(), rig.board.outstanding()), (16, 18 * MSS));
        let ranges: Vec<_> = rig.board.ranges().collect();
        assert_eq!(ranges[15], (rig.at(15), rig.at(18), State::InFlight));
        rig.ack(100, 15, &[]);
        assert_eq!(rig.ack(110, 18, &[]).rtt, None, "one time for what was sent at two");
    }
}

/// SegmentSmack: a large window of small segments, and blocks of one byte in it. The work per ACK
/// stays the same however many holes there are, and so does the memory.
#[test]
fn holes_of_one_byte_cost_little() {
    let config = ScoreboardConfig { entries_max: 1_000, ..ScoreboardConfig::default() };
    let mut rig = Rig::with(0x7fff_0000, &config);
    // Sent at different times, or they would be one entry.
    (0..2_000).for_each(|now| rig.send(now, 1));
    assert_eq!(rig.board.entries(), 1_000, "the rest joined the last");
    let mut random = Random(3);
    let mut worst = 0;
    for round in 0..20_000_u64 {
        let blocks: Vec<_> = (0..4)
            .map(|_| {
                let left = rig.start + 1 + random.below(1_900_000);
                (left, left + 1)
            })
            .collect();
        let ack = Ack {
            now: at_ms(3_000 + round),
            ack: rig.start,
            blocks: &blocks,
            duplicate: true,
            echo: None,
            min_rtt: None,
        };
        let before = rig.board.steps();
        rig.board.on_ack(&ack);
        worst = worst.max(rig.board.steps() - before);
        assert!(rig.board.entries() <= 1_002);
    }
    assert!(worst <= 16, "{worst} entries looked at for one ACK");
    assert!(rig.board.check());
}

/// The same with splits allowed, every second byte: looked at in total, a few times what was sent.
#[test]
fn losses_are_found_in_linear_work() {
    for detection in [Detection::Rack, Detection::Sack] {
        let mut rig = Rig::new(detection);
        (0..4_000).for_each(|n| rig.send(n / 10, 1));
        let segments = 4_000;
        // From the far end to the front, every second segment, one block an ACK.
        for (now, segment) in (1_000..).zip((1..segments).rev().step_by(2)) {
            rig.ack_unchecked(now, 0, segment);
            rig.board.detect_losses(at_ms(now), &rig.rtt);
            if rig.board.lost() > 0 && !rig.board.in_recovery() {
                rig.board.enter_recovery();
            }
            rig.resend(now, 1);
        }
        assert!(rig.board.check());
        let per_segment = rig.board.steps() / u64::from(segments);
        assert!(per_segment <= 40, "{detection:?}: {per_segment} steps a segment");
    }
}

/// A flight of single bytes that timed out: what goes again is cut anew, and looking for it does not
/// cost a step a byte at each ACK.
#[test]
fn tiny_segments_are_gathered_once() {
    for detection in [Detection::Rack, Detection::Sack, Detection::NewReno] {
        let mut rig = Rig::new(detection);
        (0..10_000).for_each(|now| rig.board.on_sent(at_ms(now), 1, 1));
        rig.timeout(20_000);
        let before = rig.board.steps();
        for now in 0..10_000 {
            // As if the congestion window never had room for it.
            assert_eq!(rig.board.next_lost(MSS).map(|(_, len)| len), Some(MSS));
            rig.board.detect_losses(at_ms(30_000 + now), &rig.rtt);
        }
        let per_ack = (rig.board.steps() - before) as f64 / 10_000.0;
        assert!(per_ack <= 8.0, "{detection:?}: {per_ack} steps for each");
        assert_eq!(rig.resend(50_000, 20), (0..10).collect::<Vec<_>>(), "ten whole segments");
        assert!(rig.board.check());
    }
}

impl Rig {
    /// Without the invariant check, which looks at everything.
    fn ack_unchecked(&mut self, now: u64, una: u32, segment: u32) {
        let blocks = [(self.at(segment), self.at(segment + 1))];
        self.board.on_ack(&Ack {
            now: at_ms(now),
            ack: self.at(una),
            blocks: &blocks,
            duplicate: true,
            echo: None,
            min_rtt: self.rtt.min_rtt(),
        });
    }
}
