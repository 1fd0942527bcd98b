//! The scoreboard by scripts: samples, counting as in RFC 6675 and 6582, reneging.

use fyke_stack::tcp::SeqNum;
use fyke_stack::tcp::rtt::{RttConfig, RttEstimator};
use fyke_stack::tcp::scoreboard::{
    Ack, Acked, Detection, Losses, NextSegment, RecoveryKind, Scoreboard, ScoreboardConfig, State,
};

use super::{CORNERS, Instant, at_ms, ms, seq};

pub(super) const MSS: u32 = 1000;

/// A scoreboard, an estimator, and numbers that count from the start in segments of 1000.
pub(super) struct Rig {
    pub(super) board: Scoreboard,
    pub(super) rtt: RttEstimator,
    pub(super) start: SeqNum,
    pub(super) echo: Option<Instant>,
}

impl Rig {
    pub(super) fn new(detection: Detection) -> Self {
        Self::with(0xffff_f000, &ScoreboardConfig { detection, ..ScoreboardConfig::default() })
    }

    pub(super) fn with(start: u32, config: &ScoreboardConfig) -> Self {
        Self {
            board: Scoreboard::new(config, seq(start), MSS),
            rtt: RttEstimator::new(&RttConfig::default()),
            start: seq(start),
            echo: None,
        }
    }

    pub(super) fn at(&self, segment: u32) -> SeqNum {
        self.start + segment * MSS
    }

    pub(super) fn segment(&self, at: SeqNum) -> u32 {
        at.saturating_distance_from(self.start) / MSS
    }

    pub(super) fn send(&mut self, now: u64, segments: u32) {
        self.board.on_sent(at_ms(now), segments * MSS, segments);
    }

    /// Sends again what is lost, at most `segments`, and tells which these were.
    pub(super) fn resend(&mut self, now: u64, segments: usize) -> Vec<u32> {
        let mut sent = Vec::new();
        while sent.len() < segments {
            let Some((start, len)) = self.board.next_lost(MSS) else { break };
            self.board.on_resent(at_ms(now), start, len);
            sent.push(self.segment(start));
        }
        sent
    }

    pub(super) fn ack(&mut self, now: u64, una: u32, blocks: &[(u32, u32)]) -> Acked {
        let blocks: Vec<_> = blocks.iter().map(|&(l, r)| (self.at(l), self.at(r))).collect();
        let ack = Ack {
            now: at_ms(now),
            ack: self.at(una),
            blocks: &blocks,
            duplicate: self.at(una) == self.board.una() && self.board.outstanding() > 0,
            echo: self.echo,
            min_rtt: self.rtt.min_rtt(),
        };
        let acked = self.board.on_ack(&ack);
        if let Some(rtt) = acked.rtt {
            self.rtt.sample(at_ms(now), rtt, 1);
        }
        assert!(self.board.check());
        acked
    }

    pub(super) fn detect(&mut self, now: u64) -> Losses {
        let losses = self.board.detect_losses(at_ms(now), &self.rtt);
        if losses.bytes > 0 && !self.board.in_recovery() {
            self.board.enter_recovery();
        }
        assert!(self.board.check());
        losses
    }

    pub(super) fn timeout(&mut self, now: u64) -> (u32, bool) {
        let timed_out = self.board.on_timeout(at_ms(now), &self.rtt);
        assert!(self.board.check());
        (timed_out.lost, timed_out.first)
    }

    pub(super) fn lost(&self) -> Vec<u32> {
        let lost = self.board.ranges().filter(|range| range.2 == State::Lost);
        lost.flat_map(|(left, right, _)| self.segment(left)..self.segment(right)).collect()
    }
}

#[test]
fn counts_what_was_sent_and_acknowledged() {
    for corner in CORNERS {
        let mut rig = Rig::with(corner, &ScoreboardConfig::default());
        rig.send(0, 10);
        assert_eq!((rig.board.outstanding(), rig.board.pipe()), (10_000, 10_000));
        assert_eq!(rig.board.entries(), 1, "segments of one time are one entry");
        let acked = rig.ack(100, 2, &[(5, 7)]);
        assert_eq!((acked.advanced, acked.delivered, acked.sacked), (2000, 4000, 2000));
        assert_eq!(acked.recover_fs, 10_000);
        assert_eq!((rig.board.pipe(), rig.board.sacked()), (6000, 2000));
        // What was SACKed is not delivered again.
        let acked = rig.ack(101, 6, &[]);
        assert_eq!((acked.advanced, acked.delivered, acked.recover_fs), (4000, 3000, 6000));
        assert!(acked.reneging, "7 was SACKed, and acknowledging up to 6 takes it back");
        assert_eq!(rig.ack(102, 10, &[]).delivered, 3000);
        assert_eq!((rig.board.entries(), rig.board.outstanding()), (0, 0));
    }
}

#[test]
fn out_of_range_acks_change_nothing() {
    let mut rig = Rig::new(Detection::Rack);
    rig.send(0, 4);
    rig.ack(10, 1, &[]);
    assert_eq!(rig.ack(20, 5, &[(2, 3)]), Acked::default());
    // One that was overtaken says nothing by its number.
    let acked = rig.ack(20, 0, &[]);
    assert_eq!((acked.advanced, acked.delivered, acked.rtt), (0, 0, None));
    let mut reno = Rig::new(Detection::NewReno);
    reno.send(0, 4);
    reno.ack(10, 1, &[]);
    assert_eq!(reno.ack(20, 0, &[(2, 3)]), Acked::default());
    for blocks in [[(3, 2), (9, 12)], [(2, 2), (0, 3)], [(4, 5), (3, 9)]] {
        let acked = rig.ack(20, 1, &blocks);
        assert_eq!((acked.sacked, acked.delivered), (0, 0), "{blocks:?}");
    }
    assert_eq!(rig.board.sacked(), 0);
}

/// Karn: no sample from what was sent twice; else the oldest for the time-out, the latest for delay.
#[test]
fn samples_follow_karn() {
    let mut rig = Rig::new(Detection::Rack);
    rig.send(0, 2);
    rig.send(40, 2);
    let acked = rig.ack(100, 4, &[]);
    assert_eq!((acked.rtt, acked.rtt_latest), (Some(ms(100)), Some(ms(60))));
    rig.send(200, 3);
    rig.board.on_resent(at_ms(250), rig.at(4), MSS);
    let acked = rig.ack(300, 6, &[]);
    assert_eq!((acked.rtt, acked.delivered), (None, 2000));
    assert_eq!(rig.ack(310, 7, &[]).rtt, Some(ms(110)));
    // An ACK that advances nothing new tells no time.
    rig.send(400, 2);
    assert_eq!(rig.ack(500, 7, &[(8, 9)]).rtt, Some(ms(100)));
    assert_eq!(rig.ack(600, 7, &[(8, 9)]).rtt, None);
}

/// RFC 6675, section 4, IsLost: three ranges above, or more than two segments' bytes.
#[test]
fn counting_losses_with_sack() {
    type Row = (&'static [(u32, u32)], &'static [u32]);
    let table: [Row; 6] = [
        (&[(1, 2)], &[]),
        (&[(1, 3)], &[]),
        (&[(1, 4)], &[0]),
        (&[(1, 2), (3, 4)], &[]),
        (&[(1, 2), (3, 4), (5, 6)], &[0]),
        (&[(2, 3), (4, 7)], &[0, 1, 3]),
    ];
    for (blocks, lost) in table {
        let mut rig = Rig::new(Detection::Sack);
        rig.send(0, 10);
        rig.ack(100, 0, blocks);
        assert_eq!(rig.detect(100).bytes, lost.len() as u32 * MSS, "{blocks:?}");
        assert_eq!(rig.lost(), lost, "{blocks:?}");
    }
}

/// RFC 6675, section 5, step 4: three duplicates condemn the first segment, whatever they SACK.
#[test]
fn three_duplicates_condemn_the_first() {
    let mut rig = Rig::new(Detection::Sack);
    rig.send(0, 10);
    for now in 1..3 {
        rig.ack(now, 0, &[(5, 6)]);
        assert_eq!(rig.detect(now).bytes, 0);
    }
    rig.ack(3, 0, &[(5, 6)]);
    assert_eq!(rig.detect(3).bytes, MSS);
    assert_eq!(rig.lost(), [0]);
    assert_eq!(rig.board.recovery(), Some(RecoveryKind::Fast));
}

/// RFC 6675, section 4, NextSeg: lost, then new, then unsure above HighRxt, then one rescue.
#[test]
fn next_segments_of_rfc_6675() {
    let mut rig = Rig::new(Detection::Sack);
    rig.send(0, 10);
    rig.ack(100, 0, &[(1, 2), (3, 4), (5, 6)]);
    rig.ack(101, 0, &[(5, 7), (3, 4), (1, 2)]);
    rig.detect(101);
    assert_eq!(rig.lost(), [0, 2], "two ranges and two segments are above 4, which is not lost");
    let mut next = |new: bool| {
        let next = rig.board.next_segment(new, MSS);
        match next {
            Some(NextSegment::Lost(start, len) | NextSegment::Unsure(start, len)) => {
                rig.board.on_resent(at_ms(110), start, len);
                assert_eq!(len, MSS);
                let unsure = matches!(next, Some(NextSegment::Unsure(..)));
                Some((unsure, rig.segment(start)))
            }
            Some(NextSegment::New) => Some((false, 99)),
            None => None,
        }
    };
    assert_eq!(next(true), Some((false, 0)));
    assert_eq!(next(true), Some((false, 2)));
    assert_eq!(next(true), Some((false, 99)), "rule 2");
    assert_eq!(next(false), Some((true, 4)), "rule 3");
    assert_eq!(next(false), Some((true, 9)), "rule 4, the highest not SACKed");
    assert_eq!(next(false), None, "one rescue a recovery");
}

/// Pipe leaves out what is SACKed and what is lost, until it is sent again.
#[test]
fn pipe_follows_losses_and_retransmissions() {
    let mut rig = Rig::new(Detection::Sack);
    rig.send(0, 10);
    rig.ack(100, 0, &[(4, 8)]);
    rig.detect(100);
    assert_eq!((rig.board.lost(), rig.board.sacked(), rig.board.pipe()), (4000, 4000, 2000));
    assert_eq!(rig.resend(101, 2), [0, 1]);
    assert_eq!((rig.board.lost(), rig.board.resent(), rig.board.pipe()), (2000, 2000, 4000));
    let acked = rig.ack(200, 2, &[(4, 8)]);
    assert_eq!((acked.delivered, acked.recovered), (2000, None));
    assert_eq!(rig.resend(201, 9), [2, 3]);
    let acked = rig.ack(300, 10, &[]);
    assert_eq!(acked.recovered, Some(RecoveryKind::Fast));
    assert_eq!((rig.board.pipe(), rig.board.in_recovery()), (0, false));
}

/// RFC 6582: three duplicates, then one segment for each partial ACK, until all is acknowledged.
#[test]
fn new_reno_without_sack() {
    let mut rig = Rig::new(Detection::NewReno);
    rig.send(0, 10);
    for now in 1..=3 {
        assert_eq!(rig.detect(now).bytes, 0);
        let acked = rig.ack(now, 0, &[]);
        assert_eq!(acked.delivered, MSS, "a duplicate says that one segment left the network");
    }
    assert_eq!(rig.board.pipe(), 7000, "limited transmit (RFC 3042) falls out of this");
    assert_eq!(rig.detect(3).bytes, MSS);
    assert_eq!(rig.resend(4, 9), [0]);
    (4..8).for_each(|now| assert_eq!(rig.ack(now, 0, &[]).delivered, MSS));
    // 0 and 3 were lost: the ACK of 0 is partial, and 3 goes at once.
    let acked = rig.ack(100, 3, &[]);
    assert_eq!((acked.advanced, acked.recovered), (3000, None));
    assert_eq!(acked.delivered, 1000, "two of the three were counted by duplicates");
    assert_eq!(rig.board.pipe(), 2000, "seven outstanding, five more known to have arrived");
    assert_eq!(rig.detect(100).bytes, MSS);
    assert_eq!(rig.resend(101, 9), [3]);
    assert_eq!(rig.ack(200, 10, &[]).recovered, Some(RecoveryKind::Fast));
    // Duplicates at the recovery point are echoes of it (section 3.2, step 2).
    rig.send(200, 5);
    for now in 201..210 {
        rig.ack(now, 10, &[]);
        assert_eq!(rig.detect(now).bytes, 0);
    }
    rig.ack(300, 11, &[]);
    for now in 301..304 {
        rig.ack(now, 11, &[]);
    }
    assert_eq!(rig.detect(304).bytes, MSS, "beyond it they count again");
}

/// Reno: the first ACK of new data ends the recovery.
#[test]
fn reno_ends_with_a_partial_ack() {
    let config = ScoreboardConfig {
        detection: Detection::NewReno,
        partial_ack_ends: true,
        ..ScoreboardConfig::default()
    };
    let mut rig = Rig::with(1, &config);
    rig.send(0, 10);
    (1..=3).for_each(|now| assert_eq!(rig.ack(now, 0, &[]).advanced, 0));
    rig.detect(3);
    rig.resend(4, 1);
    assert_eq!(rig.ack(100, 3, &[]).recovered, Some(RecoveryKind::Fast));
}

/// Duplicates cannot count more out of the network than there was behind the first segment.
#[test]
fn duplicates_are_bounded_by_what_is_outstanding() {
    let mut rig = Rig::new(Detection::NewReno);
    rig.send(0, 4);
    let delivered: u32 = (0..100).map(|now| rig.ack(now, 0, &[]).delivered).sum();
    assert_eq!((delivered, rig.board.pipe()), (3000, 1000));
}

/// RFC 2018, section 8: after a time-out with the first range SACKed, no SACK is believed.
#[test]
fn a_peer_that_takes_back_what_it_sacked() {
    let mut rig = Rig::new(Detection::Rack);
    rig.send(0, 6);
    assert!(!rig.ack(10, 0, &[(1, 5)]).reneging);
    assert!(rig.ack(20, 1, &[]).reneging);
    assert_eq!(rig.timeout(400), (5000, true));
    assert_eq!((rig.board.sacked(), rig.board.lost()), (0, 5000));
    assert_eq!(rig.resend(400, 9), [1, 2, 3, 4, 5]);
}

/// A time-out keeps what was SACKed, and RACK what was sent only just now.
#[test]
fn a_time_out_gives_up_what_had_its_time() {
    let mut rig = Rig::new(Detection::Sack);
    rig.send(0, 6);
    rig.ack(10, 0, &[(3, 4)]);
    assert_eq!(rig.timeout(300), (5000, true));
    assert_eq!(rig.lost(), [0, 1, 2, 4, 5]);
    assert_eq!(rig.resend(300, 1), [0]);
    assert_eq!(rig.timeout(900), (1000, false), "the second for the same data");
    assert_eq!(rig.ack(1000, 6, &[]).recovered, Some(RecoveryKind::Timeout));

    let mut rig = Rig::new(Detection::Rack);
    rig.send(0, 1);
    rig.ack(100, 1, &[]);
    rig.send(100, 3);
    rig.send(390, 2);
    assert_eq!(rig.timeout(400), (3000, true));
    assert_eq!(rig.lost(), [1, 2, 3]);
}
