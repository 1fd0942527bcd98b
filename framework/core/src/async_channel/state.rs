//! What a stage and its future share: the two queues, their limits, and who waits for what.
//!
//! Nothing here calls foreign code while the state is borrowed: wakers and messages are taken out
//! and used, or dropped, afterwards.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::Limits;
use super::kick::Kick;
use crate::error::{Error, Result};
use crate::promise::{Promise, WriteFuture};

pub(super) struct Shared<In, Out> {
    pub(super) kick: Arc<Kick>,
    pub(super) state: RefCell<State<In, Out>>,
}

pub(super) struct State<In, Out> {
    limits: Limits,
    pub(super) input: VecDeque<In>,
    /// Nothing more comes in behind what is queued.
    pub(super) input_ended: bool,
    /// The error that ended the input, until somebody takes it.
    pub(super) error: Option<Error>,
    /// There was such an error; later ones go the usual way.
    pub(super) failed: bool,
    /// Reading is paused because the queue was full.
    pub(super) paused: bool,
    pub(super) output: VecDeque<Out>,
    /// Permits that are out.
    pub(super) reserved: usize,
    /// What the stage was last told of the water marks.
    pub(super) writable: bool,
    /// Nothing more may be sent: closing or half closed by ourselves.
    pub(super) output_ended: bool,
    closing: bool,
    pub(super) close_wanted: bool,
    pub(super) shutdown_wanted: bool,
    pub(super) shutting_down: bool,
    /// The channel, or the stage, is gone.
    pub(super) closed: bool,
    /// Messages were lost with the channel.
    lost: bool,
    /// Why a message was not sent, until somebody takes it.
    write_error: Option<Error>,
    /// The promise behind which everything is that has left.
    last_write: Option<WriteFuture>,
    /// Messages have left without a promise, since nobody waited.
    pub(super) untracked: bool,
    pub(super) receivers: Waiters,
    pub(super) senders: Waiters,
    flushers: Waiters,
}

impl<In, Out> State<In, Out> {
    pub(super) fn new(limits: Limits, writable: bool) -> Self {
        Self {
            limits,
            input: VecDeque::new(),
            input_ended: false,
            error: None,
            failed: false,
            paused: false,
            output: VecDeque::new(),
            reserved: 0,
            writable,
            output_ended: false,
            closing: false,
            close_wanted: false,
            shutdown_wanted: false,
            shutting_down: false,
            closed: false,
            lost: false,
            write_error: None,
            last_write: None,
            untracked: false,
            receivers: Waiters::default(),
            senders: Waiters::default(),
            flushers: Waiters::default(),
        }
    }

    // ---- input ----

    /// Whether reading should be paused: from the high mark down to the low one.
    pub(super) fn wants_pause(&self) -> bool {
        let full = self.input.len() >= self.limits.inbound_high;
        self.input_ended || full || self.paused && self.may_not_resume()
    }

    fn may_not_resume(&self) -> bool {
        self.input.len() > self.limits.inbound_low
    }

    /// The next message, and whether the stage must be told that there is room again.
    pub(super) fn poll_next(&mut self, waker: &Waker) -> (Poll<Option<In>>, bool) {
        match self.input.pop_front() {
            Some(msg) => {
                let resume = self.paused && !self.input_ended && !self.may_not_resume();
                (Poll::Ready(Some(msg)), resume)
            }
            None if self.input_ended => (Poll::Ready(None), false),
            None => {
                self.receivers.add(waker);
                (Poll::Pending, true)
            }
        }
    }

    // ---- output ----

    pub(super) fn refuses(&self) -> bool {
        self.closed || self.lost || self.output_ended
    }

    pub(super) fn has_room(&self) -> bool {
        self.writable && self.output.len() + self.reserved < self.limits.outbound_max
    }

    /// Ready with `false` when nothing can be sent any more.
    pub(super) fn poll_room(&mut self, waker: &Waker) -> Poll<bool> {
        if self.refuses() {
            return Poll::Ready(false);
        }
        if self.has_room() {
            return Poll::Ready(true);
        }
        self.senders.add(waker);
        Poll::Pending
    }

    /// The next message that leaves. Promises cost, so only the last of a batch has one, which
    /// stands for all that went before, and only when somebody waits for it.
    pub(super) fn pop_output(&mut self) -> Option<(Out, Promise)> {
        let msg = self.output.pop_front()?;
        if !self.output.is_empty() || self.flushers.is_empty() {
            self.untracked = true;
            return Some((msg, Promise::NONE));
        }
        self.look_at_last_write();
        self.untracked = false;
        let (promise, future) = Promise::new();
        self.last_write = Some(future);
        Some((msg, promise))
    }

    fn look_at_last_write(&mut self) {
        if let Some(result) = self.last_write.as_mut().and_then(WriteFuture::try_result) {
            self.last_write_done(result);
        }
    }

    fn last_write_done(&mut self, result: Result<()>) {
        self.last_write = None;
        if let Err(error) = result {
            self.lost |= self.closed || error.is_closed();
            self.write_error.get_or_insert(error);
        }
    }

    /// Ready when everything that was sent has been taken by the transport, or cannot be any more.
    pub(super) fn poll_flushed(&mut self, waker: &Waker) -> Poll<Result<()>> {
        self.look_at_last_write();
        if let Some(error) = self.write_error.take() {
            return Poll::Ready(Err(error));
        }
        if self.lost || self.closed && !self.is_flushed() {
            return Poll::Ready(Err(Error::closed()));
        }
        if self.is_flushed() {
            return Poll::Ready(Ok(()));
        }
        self.flushers.add(waker);
        Poll::Pending
    }

    fn is_flushed(&self) -> bool {
        self.output.is_empty() && self.last_write.is_none() && !self.untracked
    }

    /// Somebody waits for messages that have left without a promise.
    pub(super) fn waits_untracked(&self) -> bool {
        self.untracked && !self.flushers.is_empty()
    }

    /// Looks for the end of the last write on behalf of all who wait for it; `waker` is the
    /// stage's own, since a promise wakes one only.
    pub(super) fn watch_last_write(&mut self, waker: &Waker) -> Waiters {
        if self.flushers.is_empty() {
            self.look_at_last_write();
        } else if let Some(last) = &mut self.last_write
            && let Poll::Ready(result) = Pin::new(last).poll(&mut Context::from_waker(waker))
        {
            self.last_write_done(result);
        }
        if self.is_flushed() || self.lost || self.write_error.is_some() {
            return self.flushers.take();
        }
        Waiters::default()
    }

    // ---- the end ----

    /// Our direction ends behind what is queued.
    #[must_use]
    pub(super) fn begin_shutdown(&mut self) -> Waiters {
        if !std::mem::replace(&mut self.output_ended, true) {
            self.shutdown_wanted = true;
        }
        self.senders.take()
    }

    /// The channel closes behind what is queued.
    #[must_use]
    pub(super) fn begin_close(&mut self) -> [Waiters; 2] {
        self.close_wanted |= !std::mem::replace(&mut self.closing, true);
        self.end()
    }

    /// Nothing more comes in or goes out behind what is queued.
    #[must_use]
    pub(super) fn end(&mut self) -> [Waiters; 2] {
        self.output_ended = true;
        self.input_ended = true;
        [self.receivers.take(), self.senders.take()]
    }

    /// The channel is gone: what has not left is lost, and everybody who waits learns of it.
    #[must_use]
    pub(super) fn close(&mut self) -> (VecDeque<Out>, [Waiters; 3]) {
        self.closed = true;
        self.lost |= !self.output.is_empty();
        let [receivers, senders] = self.end();
        (std::mem::take(&mut self.output), [receivers, senders, self.flushers.take()])
    }
}

/// Tasks that wait for the same thing. The usual single one needs no allocation.
#[derive(Default)]
pub(super) struct Waiters {
    first: Option<Waker>,
    more: Vec<Waker>,
}

impl Waiters {
    pub(super) fn add(&mut self, waker: &Waker) {
        match &self.first {
            None => self.first = Some(waker.clone()),
            Some(first) if first.will_wake(waker) => {}
            Some(_) if self.more.iter().any(|other| other.will_wake(waker)) => {}
            Some(_) => self.more.push(waker.clone()),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none() && self.more.is_empty()
    }

    pub(super) fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    pub(super) fn wake(self) {
        self.first.into_iter().chain(self.more).for_each(Waker::wake);
    }
}
