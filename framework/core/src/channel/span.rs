//! The `tracing` span of a channel: what happens in its turns happens in it, so whatever a handler
//! logs says which connection it is about.
//!
//! Whether anybody collects it is asked once, when the channel begins. When nobody does, a turn pays
//! one test of a pointer.

use std::rc::Rc;

use tracing::Span;
use tracing::field::{Empty, debug, display};

use crate::channel::core::ChannelCore;
use crate::channel::handle::ChannelId;
use crate::event_loop::state::LoopState;

/// The span of a channel, if somebody collects it.
#[derive(Clone, Default)]
pub(crate) struct ChannelSpan(Option<Rc<Span>>);

impl ChannelSpan {
    /// A span for a channel that has its handle.
    pub(crate) fn of(core: &ChannelCore, state: &LoopState) -> Self {
        if !core.options.span {
            return Self(None);
        }
        let span = tracing::debug_span!(
            target: "fyke::channel",
            "channel",
            id = %ChannelId::new(state.handle.id(), core.key),
            transport = state.transport_key(core.transport),
            local = Empty,
            peer = core.peer.as_ref().map(display),
            bytes_in = Empty,
            bytes_out = Empty,
            reason = Empty,
        );
        Self((!span.is_disabled()).then(|| Rc::new(span)))
    }

    /// The span, if somebody collects it.
    #[inline]
    pub(crate) fn get(&self) -> Option<&Span> {
        self.0.as_deref()
    }

    /// Enters the span, until what this answers is dropped. It borrows nothing: the channel is
    /// changed meanwhile.
    #[inline]
    pub(crate) fn enter(&self) -> Option<EnteredSpan> {
        self.0.as_ref().map(EnteredSpan::new)
    }
}

/// As long as this lives, the thread is in a channel's span.
pub(crate) struct EnteredSpan(Rc<Span>);

impl EnteredSpan {
    #[cold]
    fn new(span: &Rc<Span>) -> Self {
        span.with_subscriber(|(id, dispatch)| dispatch.enter(id));
        Self(Rc::clone(span))
    }
}

impl Drop for EnteredSpan {
    #[cold]
    fn drop(&mut self) {
        self.0.with_subscriber(|(id, dispatch)| dispatch.exit(id));
    }
}

impl ChannelCore {
    /// Our address is known from now on.
    pub(crate) fn record_local(&self, state: &LoopState) {
        if let Some(span) = self.span.get()
            && let Some(local) = self.local_address(state)
        {
            span.record("local", display(local));
        }
    }

    /// What is known at the end only.
    pub(crate) fn record_end(&self) {
        let Some(span) = self.span.get() else { return };
        span.record("bytes_in", self.progress.received_bytes());
        span.record("bytes_out", self.progress.get().taken_bytes);
        span.record("reason", self.reason.map(debug));
    }
}
