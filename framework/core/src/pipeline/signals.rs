//! What a handler's method passes on besides messages: signals, errors, user events.

use std::any::{Any, TypeId};

use crate::error::Error;
use crate::event::{Event, Notice, Signal};
use crate::pipeline::cell::Op;
use crate::pipeline::context::Ctx;

impl<O, W> Ctx<'_, O, W> {
    #[inline]
    pub(super) fn signal(&mut self, signal: Signal) {
        self.push(Op::Notice(Notice::Signal(signal), signal.is_outbound()));
    }

    pub(crate) fn pass_signal(&mut self, signal: Signal) {
        self.signal(signal);
    }

    /// Passes `registered` on.
    pub fn fire_registered(&mut self) {
        self.signal(Signal::Registered);
    }

    /// Passes `active` on.
    pub fn fire_active(&mut self) {
        self.signal(Signal::Active);
    }

    /// Passes `inactive` on.
    pub fn fire_inactive(&mut self) {
        self.signal(Signal::Inactive);
    }

    /// Passes `unregistered` on.
    pub fn fire_unregistered(&mut self) {
        self.signal(Signal::Unregistered);
    }

    /// Passes `read_complete` on.
    pub fn fire_read_complete(&mut self) {
        self.signal(Signal::ReadComplete);
    }

    /// What a handler does that says nothing to `read_complete`: it comes after every read, so the
    /// pipeline remembers that type `H` passes it on, and lets it go past from then on.
    pub(crate) fn pass_read_complete<H: 'static>(&mut self) {
        self.state.passed_by = Some(TypeId::of::<H>());
        self.signal(Signal::ReadComplete);
    }

    /// Passes `read_closed` on.
    pub fn fire_read_closed(&mut self) {
        self.signal(Signal::ReadClosed);
    }

    /// Passes `writability_changed` on.
    pub fn fire_writability_changed(&mut self) {
        self.signal(Signal::WritabilityChanged);
    }

    /// Passes `shutting_down` on.
    pub fn fire_shutting_down(&mut self) {
        self.signal(Signal::ShuttingDown);
    }

    /// Passes an error on towards the tail.
    pub fn fire_error(&mut self, error: Error) {
        self.push(Op::Notice(Notice::Error(error), false));
    }

    /// Sends a user event to the handlers behind this one that asked for its type.
    pub fn fire_event<E: Any>(&mut self, event: E) {
        self.pass_event(Event::new(Box::new(event), false));
    }

    /// Sends a user event to the handlers in front of this one that asked for its type.
    pub fn fire_event_outbound<E: Any>(&mut self, event: E) {
        self.pass_event(Event::new(Box::new(event), true));
    }

    /// Passes an event on in its direction.
    pub fn pass_event(&mut self, event: Event) {
        let outbound = event.outbound;
        self.push(Op::Notice(Notice::Event(event), outbound));
    }
}
