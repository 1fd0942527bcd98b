//! Reading without looking: bytes that go from the transport to a handler as a region, to be written
//! to another channel.
//!
//! Only the first stage that reads may have them so, as one in front of it would have to see the bytes.
//! What stands in between (a stage that an edit puts in front) switches it off by being there.

use crate::channel::LocalChannel;
use crate::channel::core::State;
use crate::channel::read::Got;
use crate::event::{Event, Notice, Spliced};
use crate::event_loop::state::LoopState;
use crate::pipeline::link::{END, Head};
use crate::transport::{Handle, ReadRegion};

/// The stage that takes regions: its slot and its id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Splicer {
    pub(crate) slot: u16,
    pub(crate) stage: u32,
}

impl Splicer {
    pub(crate) const NOBODY: Self = Self { slot: END, stage: 0 };
}

impl LocalChannel {
    /// Whether the next read is to be left to the transport.
    #[inline]
    pub(super) fn splices(&self) -> bool {
        self.core.splicer != Splicer::NOBODY && self.may_splice()
    }

    #[cold]
    fn may_splice(&self) -> bool {
        let Splicer { slot, stage } = self.core.splicer;
        self.core.head == Head::Stream
            && self.core.state == State::Open
            && self.first_in == slot
            && self.pipeline.get(slot).is_some_and(|s| s.id == stage)
    }

    /// Reads a region and gives it to its stage; `None` when the bytes have to be read as others are.
    #[inline(never)]
    pub(super) fn splice_once(&mut self, state: &mut LoopState, handle: Handle) -> Option<Got> {
        let want = self.core.options.read_bytes_per_turn;
        let transport = state.transport_mut(self.core.transport)?;
        match transport.read_region(handle, want) {
            Ok(ReadRegion::Region { region, more }) => {
                let n = region.len();
                self.core.read_ready = more;
                state.stats.bytes_in += n;
                self.core.progress.received(state.env.now(), n);
                self.core.demand_met();
                let Splicer { slot, stage } = self.core.splicer;
                let event = Event::new(Box::new(Spliced(region)), false);
                self.notice_to(state, slot, stage, Notice::Event(event));
                Some(Got::Bytes(usize::try_from(n).unwrap_or(usize::MAX)))
            }
            Ok(ReadRegion::Copy) => None,
            Ok(ReadRegion::End) => Some(Got::End),
            Err(error) => {
                self.core.read_ready = false;
                self.broken(state, error.into());
                Some(Got::Nothing)
            }
        }
    }
}
