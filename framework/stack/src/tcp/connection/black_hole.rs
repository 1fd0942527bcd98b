//! Black holes: full segments vanish and nobody says why (RFC 4821, section 7.7; RFC 8899, section 4.3).
//!
//! Time-outs in a row throw the size back. They may have been chance: the size from before is tried
//! again as soon as something passes, under conditions that a path which loses much meets, too.
//!
//! ```text
//!                                     .-- arrives: it was chance, and it takes more to believe in one
//!  time-outs --> smaller --> passes --+           again
//!                  |  ^               '-- lost, again and again: the search begins below
//!                  '--' time-outs
//! ```

use alloc::boxed::Box;

use fyke_clock::Instant;

use super::Connection;
use super::mtu_probe::{Chance, SEGMENTS_BEHIND};
use super::mtu_search::Search;
use crate::tcp::MtuProbing;

/// Time-outs in a row that refute a size which no flight has confirmed.
const TIMEOUTS_ON_TRIAL: u8 = 2;

/// So many time-outs more make a black hole when the last one was none.
const TIMEOUTS_AFTER_MISTAKE: u8 = 1;

/// How long a doubt waits for a flight that would tell of the loss of a probe at once.
const DOUBT_PATIENCE_ROUND_TRIPS: u32 = 16;

impl Connection {
    /// Full segments vanish and nobody says why: smaller ones may get through (RFC 4821, section
    /// 7.7; RFC 8899).
    pub(super) fn suspect_black_hole(&mut self, now: Instant) {
        let config = &self.config;
        if config.mtu.probing != MtuProbing::Off {
            return self.fall_back(now);
        }
        let enough =
            config.black_hole_timeouts > 0 && self.send.attempts >= config.black_hole_timeouts;
        let smaller = config.black_hole_mss.max(config.mss_min);
        if enough && self.outstanding() > u32::from(smaller) && smaller < self.send.path_mss {
            self.change_path_mss(now, smaller);
        }
    }

    /// Time-outs in a row: full segments vanish and nobody says why. The size falls to the
    /// base, then to half of it, and so on (RFC 4821, section 7.7).
    fn fall_back(&mut self, now: Instant) {
        let (current, limit) = (self.whole_mss(), self.send.path_mss);
        let mtu = self.config.mtu;
        let trial = self.send.search.as_ref().and_then(|search| search.trial);
        if let Some(trial) = trial.filter(|_| self.send.attempts >= TIMEOUTS_ON_TRIAL) {
            if let Some(search) = &mut self.send.search {
                search.refute(now, current, trial.previous);
            }
            return self.change_path_mss(now, trial.previous);
        }
        let mistaken = self.send.search.as_ref().is_some_and(|search| search.mistaken);
        let more = if mistaken { TIMEOUTS_AFTER_MISTAKE } else { 0 };
        let (base, timeouts) = (mtu.base_mss, mtu.black_hole_timeouts);
        let enough = timeouts > 0 && self.send.attempts >= timeouts.saturating_add(more);
        let (least, flight) = (mtu.floor_mss.max(self.config.mss_min), self.outstanding());
        let mut smaller = if current > base { base } else { current / 2 };
        // What is in flight does not pass, and may be shorter than the base.
        while u32::from(smaller) >= flight && smaller > least {
            smaller /= 2;
        }
        let smaller = smaller.max(least);
        if !enough || smaller >= current || flight <= u32::from(smaller) {
            return;
        }
        let search = self.send.search.get_or_insert_with(|| {
            let limit = limit.min(self.send.peer_mss).min(self.config.mss_max);
            Box::new(Search::new(now, smaller, limit))
        });
        search.fall(now, current, smaller);
        self.change_path_mss(now, smaller);
    }

    /// A size that may have been given up by chance is tried with enough behind it at first, and then
    /// wherever a segment of it could go: on a path that loses much there is never a whole flight.
    pub(super) fn doubt_chance(&mut self, now: Instant, size: u16) -> Chance {
        let (len, mss) = (self.probe_len(size), self.mss());
        let patience = self.rtt.min_rtt().unwrap_or_default() * DOUBT_PATIENCE_ROUND_TRIPS;
        let (Some(outgoing), Some(search)) = (&self.send.outgoing, &mut self.send.search) else {
            return Chance::No;
        };
        let busy = outgoing.board.lost() > 0 || outgoing.probe.is_some() || outgoing.force;
        if busy || !self.state.is_synchronized() || self.send.attempts > 0 {
            return Chance::No;
        }
        search.candidate = size;
        let patient = now < search.since + patience;
        let needed = len + if patient { mss * SEGMENTS_BEHIND } else { 0 };
        if self.unsent().min(self.congestion_window()).min(self.send.wnd) < needed {
            return Chance::No;
        }
        let room = self.congestion_room().min(self.window_left());
        self.probe_or_wait(len, room >= len)
    }
}
