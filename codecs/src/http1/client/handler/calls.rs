//! The last stage of a client: calls in, each with a promise of its answer.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use fyke_clock::TimerKey;
use fyke_core::{
    CloseReason, DuplexContext, DuplexHandler, Error, Event, EventFilter, Never, Promise, Result,
};

use super::aggregator::ClientResponse;
use super::answer::{Answer, CallError, HttpCall};
use crate::http1::NoMoreRequests;
use crate::http1::client::{ClientRequest, ClientRequestPart};

/// The limits of an [`HttpClientHandler`], each with a safe default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct CallLimits {
    in_flight_max: usize,
    waiting_max: usize,
    response_timeout: Duration,
    idle_timeout: Duration,
}

impl CallLimits {
    /// The defaults.
    pub const fn new() -> Self {
        Self {
            in_flight_max: 1,
            waiting_max: 64,
            response_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(60),
        }
    }

    /// Requests sent ahead of their answers. 1: many servers' answers to one slow request hold up all
    /// behind it, and a connection that breaks leaves it open which were acted on.
    pub const fn in_flight_max(mut self, calls: usize) -> Self {
        self.in_flight_max = calls;
        self
    }

    /// Calls that may wait for those before them; a further one fails. 64.
    pub const fn waiting_max(mut self, calls: usize) -> Self {
        self.waiting_max = calls;
        self
    }

    /// Longest time from sending a request to the end of its response; the connection is closed then.
    /// A minute.
    pub const fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = timeout;
        self
    }

    /// A connection without calls is closed after this. A minute.
    pub const fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }
}

impl Default for CallLimits {
    fn default() -> Self {
        Self::new()
    }
}

/// Sends calls one after the other, and keeps each call's promise with its response.
///
/// A call whose future has been dropped before it was sent is not sent; one in flight is still
/// waited for, as the responses behind it are.
pub struct HttpClientHandler {
    limits: CallLimits,
    waiting: VecDeque<HttpCall>,
    in_flight: VecDeque<Answer>,
    timer: Option<TimerKey>,
    /// Nothing more is sent.
    ended: bool,
}

type Cx<'a> = DuplexContext<'a, HttpClientHandler>;

impl HttpClientHandler {
    /// A handler with these limits.
    #[must_use]
    pub fn new(limits: CallLimits) -> Self {
        Self {
            limits,
            waiting: VecDeque::new(),
            in_flight: VecDeque::new(),
            timer: None,
            ended: false,
        }
    }

    /// Sends what may be sent now, and sets the timer for what is waited for now.
    fn advance(&mut self, cx: &mut Cx<'_>) {
        while self.in_flight.len() < self.limits.in_flight_max.max(1) && !self.ended {
            let Some(call) = self.waiting.pop_front() else { break };
            let Some((request, answer)) = call.take() else { continue };
            if answer.is_abandoned() {
                continue;
            }
            if let Err(error) = request.check() {
                answer.finish(Err(CallError::Failed(Error::handler(error))));
                continue;
            }
            self.ended = request.head.closes();
            self.send(cx, request, answer);
        }
        if self.ended {
            self.waiting.clear();
        }
    }

    fn send(&mut self, cx: &mut Cx<'_>, request: ClientRequest, answer: Answer) {
        let first = self.in_flight.is_empty();
        self.in_flight.push_back(answer);
        cx.write(ClientRequestPart::Full(request));
        if first {
            self.set_timer(cx);
        }
    }

    /// The timer is the oldest call's, or that of an idle connection.
    fn set_timer(&mut self, cx: &mut Cx<'_>) {
        let limits = self.limits;
        let idle = self.in_flight.is_empty();
        let delay = if idle { limits.idle_timeout } else { limits.response_timeout };
        match self.timer {
            Some(timer) if cx.reschedule(timer, delay) => {}
            _ => self.timer = Some(cx.schedule(delay, 0)),
        }
    }

    fn fail_all(&mut self, mut first: Option<CallError>) {
        self.ended = true;
        for answer in self.in_flight.drain(..) {
            answer.finish(Err(first.take().unwrap_or(CallError::Closed)));
        }
        self.waiting.clear();
    }
}

impl DuplexHandler for HttpClientHandler {
    type In = ClientResponse;
    type Out = Never;
    type WriteIn = HttpCall;
    type WriteOut = ClientRequestPart;

    fn active(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        self.set_timer(cx);
        cx.fire_active();
        Ok(())
    }

    fn read(&mut self, cx: &mut Cx<'_>, response: ClientResponse) -> Result<()> {
        let Some(answer) = self.in_flight.pop_front() else { return Ok(()) };
        self.ended |= !response.head.keep_alive();
        self.set_timer(cx);
        answer.finish(Ok(response));
        self.advance(cx);
        Ok(())
    }

    fn write(&mut self, cx: &mut Cx<'_>, call: HttpCall, promise: Promise) -> Result<()> {
        promise.succeed();
        if self.ended {
            drop(call);
        } else if self.in_flight.len() >= self.limits.in_flight_max.max(1)
            && self.waiting.len() >= self.limits.waiting_max
        {
            if let Some((_, answer)) = call.take() {
                answer.finish(Err(CallError::QueueFull));
            }
        } else {
            self.waiting.push_back(call);
            self.advance(cx);
        }
        Ok(())
    }

    fn timer(&mut self, cx: &mut Cx<'_>, _tag: u64) -> Result<()> {
        self.timer = None;
        if self.in_flight.is_empty() {
            self.ended = true;
            cx.close();
            return Ok(());
        }
        self.fail_all(Some(CallError::TimedOut));
        cx.close_with(CloseReason::TimedOut);
        Ok(())
    }

    fn error(&mut self, cx: &mut Cx<'_>, error: Error) -> Result<()> {
        if self.in_flight.is_empty() {
            cx.fire_error(error);
            return Ok(());
        }
        let reason = CloseReason::of(&error);
        self.fail_all(Some(CallError::Failed(error)));
        cx.close_with(reason);
        Ok(())
    }

    fn events(&self) -> EventFilter {
        EventFilter::of::<NoMoreRequests>()
    }

    /// What waits may be sent on another connection.
    fn event(&mut self, cx: &mut Cx<'_>, event: Event) -> Result<()> {
        if event.is::<NoMoreRequests>() {
            self.ended = true;
            self.waiting.clear();
        }
        cx.pass_event(event);
        Ok(())
    }

    fn read_closed(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        self.fail_all(None);
        cx.fire_read_closed();
        Ok(())
    }

    fn inactive(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        self.fail_all(None);
        cx.fire_inactive();
        Ok(())
    }
}

impl fmt::Debug for HttpClientHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClientHandler")
            .field("waiting", &self.waiting.len())
            .field("in_flight", &self.in_flight.len())
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
