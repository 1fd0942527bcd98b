//! Hosts that are a stack alone, driven by events: for crowds, and for tests of the network itself.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use fyke_clock::Instant;
use fyke_stack::{Event, RxMeta, Stack};

use super::{Observer, Recipe};
use crate::error::SimError;
use crate::ids::{End, NodeId};
use crate::random::Random;
use crate::world::{Attach, Station, World};

/// What happens on a bare host is for it to decide.
pub trait Application: 'static {
    /// Something happened in the stack.
    fn event(&mut self, cx: &mut BareContext<'_>, event: Event);

    /// The time has come that [`BareContext::wake_at`] asked for.
    fn wake(&mut self, cx: &mut BareContext<'_>) {
        let _ = cx;
    }
}

/// Does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoApplication;

impl Application for NoApplication {
    fn event(&mut self, _: &mut BareContext<'_>, _: Event) {}
}

/// What an application works with.
#[derive(Debug)]
pub struct BareContext<'a> {
    /// The host's stack.
    pub stack: &'a mut Stack,
    /// The host's own randomness.
    pub random: &'a mut Random,
    now: Instant,
    wake: &'a mut Option<Instant>,
}

impl BareContext<'_> {
    /// The present instant.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Asks for [`Application::wake`] at `at`, in place of what was asked for before.
    pub fn wake_at(&mut self, at: Instant) {
        *self.wake = Some(at);
    }
}

pub(crate) struct BareState<A> {
    stack: Stack,
    application: A,
    recipe: Arc<Recipe>,
    random: Random,
    wake: Option<Instant>,
    observer: Option<Observer>,
}

/// Frames in a row, and events in a turn: then the rest of the world goes on.
const FRAMES_AT_ONCE: usize = 256;
const EVENTS_PER_TURN: usize = 4096;

impl<A: Application> BareState<A> {
    pub(crate) fn new(recipe: Arc<Recipe>, now: Instant, application: A) -> Result<Self, SimError> {
        let stack = recipe.stack(now, None)?;
        let random = Random::of(recipe.draw(), "application");
        Ok(Self { stack, application, recipe, random, wake: None, observer: None })
    }

    fn parts(&mut self, now: Instant) -> (&mut A, BareContext<'_>) {
        let Self { stack, application, random, wake, .. } = self;
        (application, BareContext { stack, random, now, wake })
    }
}

impl<A: Application> Station for BareState<A> {
    fn turn(
        &mut self,
        now: Instant,
        arrived: &mut VecDeque<Bytes>,
        sent: &mut Vec<Bytes>,
    ) -> Result<Option<Instant>, SimError> {
        for frame in arrived.drain(..) {
            self.stack.input(now, frame, RxMeta::default());
        }
        if self.stack.poll_timeout().is_some_and(|at| at <= now) {
            self.stack.handle_timeout(now);
        }
        if self.wake.is_some_and(|at| at <= now) {
            self.wake = None;
            let (application, mut cx) = self.parts(now);
            application.wake(&mut cx);
        }
        let mut budget = EVENTS_PER_TURN;
        loop {
            while budget > 0
                && let Some(event) = self.stack.poll_event()
            {
                budget -= 1;
                let (application, mut cx) = self.parts(now);
                application.event(&mut cx, event);
            }
            let transmitted = self.stack.poll_transmit(now, sent, FRAMES_AT_ONCE);
            if transmitted == 0 || budget == 0 {
                break;
            }
        }
        if let Some(observer) = &mut self.observer {
            observer(&self.stack, now);
        }
        let more = budget == 0 || self.stack.wants_transmit();
        let next = self.stack.poll_timeout().into_iter().chain(self.wake).min();
        Ok(if more { Some(now) } else { next })
    }
}

/// A host that is a stack alone.
pub struct BareHost<A> {
    pub(crate) world: World,
    pub(crate) id: NodeId,
    pub(crate) state: Rc<RefCell<BareState<A>>>,
}

impl<A> Clone for BareHost<A> {
    fn clone(&self) -> Self {
        Self { world: self.world.clone(), id: self.id, state: Rc::clone(&self.state) }
    }
}

impl<A: Application> BareHost<A> {
    /// Its number.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Does something with the application and the stack, between turns. What the stack has to
    /// send leaves when time goes on.
    ///
    /// # Panics
    /// When it is called from the host's own application.
    pub fn with<T>(&self, work: impl FnOnce(&mut A, &mut BareContext<'_>) -> T) -> T {
        let now = self.world.now();
        self.world.with_station(self.id, || {
            let mut state = self.state.borrow_mut();
            let (application, mut cx) = state.parts(now);
            work(application, &mut cx)
        })
    }

    /// Does something with the stack, between turns.
    ///
    /// # Panics
    /// As [`with`](Self::with).
    pub fn with_stack<T>(&self, work: impl FnOnce(&mut Stack, Instant) -> T) -> T {
        self.with(|_, cx| work(cx.stack, cx.now))
    }

    /// Lets `observer` look at the stack after every turn of the host.
    pub fn observe(&self, observer: impl FnMut(&Stack, Instant) + 'static) {
        self.state.borrow_mut().observer = Some(Box::new(observer));
    }

    /// Stops the host: it handles nothing, frames wait in front of it, and its clock goes on.
    pub fn pause(&self) {
        self.world.pause(self.id);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.world.resume(self.id);
    }

    /// Starts the stack anew: it has forgotten every connection. The application stays as it is.
    ///
    /// # Errors
    /// When the stack cannot be made.
    pub fn restart(&self) -> Result<(), SimError> {
        let now = self.world.now();
        let mut state = self.state.borrow_mut();
        state.stack = state.recipe.stack(now, None)?;
        state.wake = None;
        drop(state);
        self.world.forget_frames(self.id);
        self.wake();
        Ok(())
    }

    pub(crate) fn wake(&self) {
        self.world.with_station(self.id, || ());
    }
}

impl<A: Application> Attach for BareHost<A> {
    fn end(&self, world: &World) -> Result<End, SimError> {
        world.free_end(self.id, 0)
    }
}

impl<A> fmt::Debug for BareHost<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BareHost").field("id", &self.id).finish_non_exhaustive()
    }
}
