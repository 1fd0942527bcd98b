//! Where level against edge triggering ends: what the poller is asked about one descriptor.
//!
//! Above this file a readiness is a hint that may be kept (core does: a sticky bit) and acted on
//! later. The two triggers differ only in what must be asked of the poller:
//!
//! ```text
//! edge    registered once for everything; nothing is ever asked again
//! level   registered for reading; what nobody acts on must be taken back, or each wait ends at once:
//!           paused, and something came      reading goes, the peer's close stays
//!           paused, and the peer has closed both go
//!           nobody reads, and all is over   the descriptor goes
//!           a write found no room           writing comes, and goes after the next that found room
//! ```
//!
//! Taking back is lazy: a pause that ends before anything arrives costs no system call, and neither
//! does a steady flow of messages. All decisions are made by [`Watch`] without a system call;
//! [`Watch::apply`] is the one place that makes them.

use std::io;
use std::os::fd::BorrowedFd;

use fyke_core::driver::{Readiness, Token};
use fyke_poller::{Interest, Trigger};

use crate::driver::PollerRegistry;

/// What the poller is asked; `None` when it does not know the descriptor.
pub(super) type Asked = Option<Interest>;

/// What a readiness means to the layer above.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Report {
    /// A read (or an accept) may give something.
    pub(super) readable: bool,
    /// The write that found no room may be tried again.
    pub(super) writable: bool,
    /// The peer has sent its last byte; reported once.
    pub(super) peer_closed: bool,
    /// Everything was read before, and now the connection is over: nobody would notice.
    pub(super) over: bool,
}

/// The state of one descriptor's registration.
#[derive(Debug)]
pub(super) struct Watch {
    asked: Asked,
    edge: bool,
    /// The layer above wants to read.
    reading: bool,
    /// The peer has sent its last byte, or the connection is broken.
    ended: bool,
    /// The end has been read: reading is over.
    end_read: bool,
    /// A write found no room, and no readiness has come since.
    blocked: bool,
}

impl Watch {
    /// A watch that is not registered yet.
    pub(super) fn new(trigger: Trigger) -> Self {
        Self {
            asked: None,
            edge: trigger == Trigger::Edge,
            reading: true,
            ended: false,
            end_read: false,
            blocked: false,
        }
    }

    /// What a new descriptor is registered for. A `connect` is over when it becomes writable.
    pub(super) fn initial(&self, connecting: bool) -> Asked {
        let write = self.edge || connecting;
        Some(if write { Interest::READ | Interest::WRITE } else { Interest::READ })
    }

    /// Makes the poller's view what was decided.
    #[inline]
    pub(super) fn apply(
        &mut self,
        wish: Asked,
        registry: &PollerRegistry,
        fd: BorrowedFd<'_>,
        token: Token,
    ) -> io::Result<()> {
        match (self.asked, wish) {
            (asked, wish) if asked == wish => return Ok(()),
            (None, Some(interest)) => registry.register(fd, token, interest)?,
            (Some(_), Some(interest)) => registry.reregister(fd, token, interest)?,
            (_, None) => registry.deregister(fd)?,
        }
        self.asked = wish;
        Ok(())
    }

    /// The poller knows the descriptor.
    pub(super) fn is_registered(&self) -> bool {
        self.asked.is_some()
    }

    /// Takes note of a readiness: what to report, and what to ask the poller from now on.
    pub(super) fn note(&mut self, ready: &Readiness) -> (Report, Asked) {
        let ends = (ready.peer_closed || ready.hangup) && !self.ended;
        let report = Report {
            readable: !self.end_read && (ready.readable || ready.hangup || ends),
            writable: self.blocked && (ready.writable || ready.hangup),
            peer_closed: ends,
            over: self.end_read && ready.hangup,
        };
        self.ended |= ends;
        let wish = self.wish_after(ready);
        if report.writable {
            self.blocked = false;
        }
        (report, wish)
    }

    /// Whether `ready` means nothing but that there is something to read, and leaves all as it is: then
    /// [`note`](Self::note) would say no more than that.
    #[inline]
    pub(super) fn is_only_readable(&self, ready: &Readiness) -> bool {
        // An edge tells of the room there is each time; it means something to who waits for room.
        let no_room = !ready.writable || (self.edge && !self.blocked);
        ready.readable
            && no_room
            && !(ready.peer_closed || ready.hangup || self.end_read)
            && (self.reading || self.edge)
    }

    /// What is left to ask after `ready` was reported, so that a level is not reported for ever.
    fn wish_after(&self, ready: &Readiness) -> Asked {
        let asked = self.asked?;
        if self.edge {
            return Some(asked);
        }
        let nobody_reads = !self.reading || self.end_read;
        if nobody_reads && ready.hangup {
            // A hang-up cannot be masked.
            return None;
        }
        let read = asked.is_read() && !(nobody_reads && ready.readable);
        let peer_close = asked.is_peer_close() && !(nobody_reads && self.ended);
        // Room that a write waited for stays asked until the write has been made.
        let write = asked.is_write() && (self.blocked || !ready.writable);
        Some(interest(read, peer_close, write))
    }

    /// Pauses or resumes reading.
    pub(super) fn set_reading(&mut self, on: bool) -> Asked {
        self.reading = on;
        if self.edge || !on || self.end_read {
            return self.asked;
        }
        let write = self.asked.map_or(self.blocked, Interest::is_write);
        Some(interest(true, true, write))
    }

    pub(super) fn is_reading(&self) -> bool {
        self.reading
    }

    pub(super) fn is_edge(&self) -> bool {
        self.edge
    }

    /// After the peer's close a short read says nothing about what is left: the end still is.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// The end has been read.
    pub(super) fn note_end_read(&mut self) {
        self.ended = true;
        self.end_read = true;
    }

    /// A write found no room. A later readiness is certain: there is an edge for each time that room
    /// appears after a send was refused or cut short.
    pub(super) fn note_full(&mut self) -> Asked {
        self.blocked = true;
        if self.edge {
            return self.asked;
        }
        Some(self.asked.unwrap_or(Interest::NONE) | Interest::WRITE)
    }

    /// A write was taken whole.
    pub(super) fn note_room(&self) -> Asked {
        match self.asked {
            Some(asked) if !self.edge && asked.is_write() => {
                Some(interest(asked.is_read(), asked.is_peer_close(), false))
            }
            asked => asked,
        }
    }

    /// Whether a write that is taken whole has something to ask.
    #[inline]
    pub(super) fn asks_for_room(&self) -> bool {
        !self.edge && self.asked.is_some_and(Interest::is_write)
    }

    /// A write now would find no room, as far as is known.
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked
    }
}

fn interest(read: bool, peer_close: bool, write: bool) -> Interest {
    let inbound = match (read, peer_close) {
        (true, _) => Interest::READ,
        (false, true) => Interest::PEER_CLOSE,
        (false, false) => Interest::NONE,
    };
    if write { inbound | Interest::WRITE } else { inbound }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Readiness = Readiness {
        token: Token(0),
        readable: false,
        writable: false,
        peer_closed: false,
        hangup: false,
    };
    const READABLE: Readiness = Readiness { readable: true, ..NOTHING };
    const WRITABLE: Readiness = Readiness { writable: true, ..NOTHING };
    const CLOSED: Readiness = Readiness { readable: true, peer_closed: true, ..NOTHING };
    const HANGUP: Readiness =
        Readiness { readable: true, writable: true, peer_closed: true, hangup: true, ..NOTHING };

    fn watch(trigger: Trigger) -> Watch {
        let mut watch = Watch::new(trigger);
        watch.asked = watch.initial(false);
        watch
    }

    /// Notes `ready` and takes the wish as granted.
    fn note(watch: &mut Watch, ready: Readiness) -> (Report, Asked) {
        let (report, wish) = watch.note(&ready);
        watch.asked = wish;
        (report, wish)
    }

    #[test]
    fn a_steady_flow_asks_nothing_of_the_poller() {
        for trigger in [Trigger::Level, Trigger::Edge] {
            let mut watch = watch(trigger);
            let before = watch.asked;
            for _ in 0..3 {
                let (report, wish) = note(&mut watch, READABLE);
                assert_eq!(report, Report { readable: true, ..Report::default() });
                assert_eq!(wish, before);
                assert_eq!(watch.note_room(), before);
            }
        }
    }

    #[test]
    fn a_readiness_that_is_only_readable_changes_nothing() {
        let bits = [false, true];
        let states = bits.into_iter().flat_map(|a| {
            bits.into_iter().flat_map(move |b| {
                bits.into_iter().flat_map(move |c| bits.into_iter().map(move |d| (a, b, c, d)))
            })
        });
        let mut plain = 0;
        for (a, b, c, d) in states.clone() {
            let ready =
                Readiness { readable: a, writable: b, peer_closed: c, hangup: d, ..NOTHING };
            for (trigger, (reading, ended, end_read, blocked)) in [Trigger::Level, Trigger::Edge]
                .into_iter()
                .flat_map(|t| states.clone().map(move |s| (t, s)))
            {
                let mut watch = watch(trigger);
                let asked = if blocked { watch.note_full() } else { watch.asked };
                watch = Watch { asked, reading, ended, end_read, ..watch };
                if !watch.is_only_readable(&ready) {
                    continue;
                }
                plain += 1;
                assert_eq!(
                    note(&mut watch, ready).0,
                    Report { readable: true, ..Report::default() }
                );
                assert_eq!((watch.asked, watch.ended, watch.blocked), (asked, ended, blocked));
            }
        }
        assert!(plain > 0);
    }

    #[test]
    fn a_pause_takes_reading_back_only_when_something_comes() {
        let mut watch = watch(Trigger::Level);
        assert_eq!(watch.set_reading(false), Some(Interest::READ));
        assert_eq!(watch.set_reading(true), Some(Interest::READ));
        watch.set_reading(false);
        let (report, wish) = note(&mut watch, READABLE);
        assert!(report.readable);
        assert_eq!(wish, Some(Interest::PEER_CLOSE));
        let (report, wish) = note(&mut watch, Readiness { readable: false, ..CLOSED });
        assert!(report.readable && report.peer_closed);
        assert_eq!(wish, Some(Interest::NONE));
        assert_eq!(watch.set_reading(true), Some(Interest::READ));
    }

    #[test]
    fn a_hang_up_that_nobody_reads_ends_the_registration() {
        let mut watch = watch(Trigger::Level);
        watch.set_reading(false);
        let (report, wish) = note(&mut watch, HANGUP);
        assert!(report.readable && report.peer_closed && !report.over);
        assert_eq!(wish, None);
        assert_eq!(watch.set_reading(true), Some(Interest::READ));
    }

    #[test]
    fn a_hang_up_that_is_read_leaves_the_registration() {
        let mut watch = watch(Trigger::Level);
        assert_eq!(note(&mut watch, HANGUP).1, Some(Interest::READ));
        watch.note_end_read();
        let (report, wish) = note(&mut watch, HANGUP);
        assert_eq!(report, Report { over: true, ..Report::default() });
        assert_eq!(wish, None);
    }

    #[test]
    fn an_end_that_was_read_is_not_reported_again() {
        let mut watch = watch(Trigger::Level);
        assert!(note(&mut watch, CLOSED).0.peer_closed);
        watch.note_end_read();
        let (report, wish) = note(&mut watch, CLOSED);
        assert_eq!((report, wish), (Report::default(), Some(Interest::NONE)));
        assert_eq!(watch.set_reading(true), Some(Interest::NONE));
    }

    #[test]
    fn writing_is_asked_for_while_it_is_wanted() {
        let mut watch = watch(Trigger::Level);
        let both = Some(Interest::READ | Interest::WRITE);
        watch.asked = watch.note_full();
        assert_eq!(watch.asked, both);
        let (report, wish) = note(&mut watch, WRITABLE);
        assert!(report.writable && !watch.is_blocked());
        assert_eq!(wish, both, "until the write has been made");
        assert_eq!(watch.note_room(), Some(Interest::READ));
        // Nobody wrote: the next report takes it back.
        let (report, wish) = note(&mut watch, WRITABLE);
        assert_eq!((report, wish), (Report::default(), Some(Interest::READ)));
    }

    #[test]
    fn a_blocked_writer_hears_of_the_hang_up() {
        for trigger in [Trigger::Level, Trigger::Edge] {
            let mut watch = watch(trigger);
            watch.set_reading(false);
            watch.asked = watch.note_full();
            assert!(note(&mut watch, Readiness { hangup: true, ..NOTHING }).0.writable);
        }
    }

    #[test]
    fn an_edge_is_never_asked_again() {
        let mut watch = watch(Trigger::Edge);
        let all = Some(Interest::READ | Interest::WRITE);
        assert_eq!(watch.set_reading(false), all);
        for ready in [READABLE, CLOSED, WRITABLE, HANGUP] {
            assert_eq!(note(&mut watch, ready).1, all);
        }
        assert_eq!(watch.note_full(), all);
        assert_eq!(watch.note_room(), all);
        assert_eq!(watch.set_reading(true), all);
    }
}
