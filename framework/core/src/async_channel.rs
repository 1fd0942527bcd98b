//! The last stage of a pipeline, written with `async` and `await`.
//!
//! ```
//! use fyke_buffer::ByteBuf;
//! use fyke_core::async_channel::AsyncChannel;
//! use fyke_core::embedded::EmbeddedChannel;
//! use fyke_core::Outgoing;
//!
//! let mut channel = EmbeddedChannel::new(|ch| {
//!     ch.pipeline().inbound(
//!         "echo",
//!         AsyncChannel::serve(|channel: AsyncChannel<ByteBuf, Outgoing>| async move {
//!             while let Some(bytes) = channel.next().await {
//!                 channel.send(bytes.into()).await?;
//!             }
//!             Ok(())
//!         }),
//!     )
//! });
//! channel.write_inbound(b"hello");
//! assert_eq!(channel.read_outbound(), b"hello");
//! ```
//!
//! # Where it runs
//! The future is polled by its stage, in the channel's own turns: no task, no thread and no turn
//! of the loop lies between a message and its answer. It need not be `Send`. What it sends leaves
//! through the stage's context, so the stage must be the last one that writes, as every inbound
//! handler whose `Out` is [`Never`](crate::Never) is.
//! When the channel ends first, the future goes on as a task of the loop until it has ended, too.
//! When the stage is removed from the pipeline, the future is dropped.
//!
//! # Back-pressure
//! Both ways, without being asked for. Reading is paused when
//! [so many messages](AsyncStage::inbound_messages) wait for the future. [`send`] waits while the
//! channel is above its high water mark.
//!
//! # The end
//! | what happens | what the future sees |
//! |---|---|
//! | the peer sends its end | [`next`] gives what is queued, then `None`; sending goes on until the future ends |
//! | an error arrives | the same; [`try_next`] gives the error instead of `None`. An error that nobody takes is handled as if no handler had taken it: logged, and the channel closes when the future ends |
//! | the loop shuts down | `None` behind what is queued; the future has time until the deadline |
//! | the channel is closed | `None`; [`send`] and what waits for [`flush`] fail |
//! | **the future ends** | what was sent is sent, then the channel closes; with an `Err`, the error is logged, too |
//!
//! # Order
//! Messages leave in the order in which they were sent here. What a [`Sender`](crate::Sender) of
//! the same channel has sent goes first when the stage has not had its turn in between.
//!
//! [`send`]: AsyncChannel::send
//! [`next`]: AsyncChannel::next
//! [`try_next`]: AsyncChannel::try_next
//! [`flush`]: AsyncChannel::flush

mod kick;
mod live;
mod stage;
mod state;

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use futures_sink::Sink;

use self::state::{Shared, Waiters};
use crate::channel::{Channel, SendError, SendFailure};
use crate::error::{Error, Result};

pub(crate) use kick::Kicked;
pub use stage::AsyncStage;

/// How much may wait between a channel and its future.
#[derive(Clone, Copy, Debug)]
struct Limits {
    inbound_low: usize,
    inbound_high: usize,
    outbound_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { inbound_low: 8, inbound_high: 32, outbound_max: 32 }
    }
}

/// A channel for code in a future: messages of type `In` come, messages of type `Out` go. See the
/// [module](self).
///
/// It lives on its loop (`!Send`) and is cheap to clone; clones may be used by other futures of the
/// same loop. For other threads there is [`channel`](Self::channel). It is a
/// [`Stream`] of `In` and a [`Sink`] of `Out`; its own methods take `&self`, so that one future can
/// wait for several of them.
pub struct AsyncChannel<In, Out> {
    shared: Rc<Shared<In, Out>>,
}

impl<In: 'static, Out: 'static> AsyncChannel<In, Out> {
    /// The last stage of a pipeline: calls `serve` when the channel is connected and runs the
    /// future that it gives.
    pub fn serve<F, Fut>(serve: F) -> AsyncStage<In, Out, F, Fut>
    where
        F: FnOnce(Self) -> Fut + 'static,
        Fut: Future<Output = Result<()>> + 'static,
    {
        AsyncStage::new(serve)
    }
}

impl<In, Out> AsyncChannel<In, Out> {
    fn new(shared: Rc<Shared<In, Out>>) -> Self {
        Self { shared }
    }

    /// A handle of the channel for any thread: its addresses, typed senders, why it closed.
    #[must_use]
    pub fn channel(&self) -> &Channel {
        self.shared.kick.channel()
    }

    // ---- receiving ----

    fn poll_receive(&self, waker: &Waker) -> Poll<Option<In>> {
        let (message, nudge) = self.shared.state.borrow_mut().poll_next(waker);
        if nudge {
            self.shared.kick.nudge();
        }
        message
    }

    /// The next message; `None` when no more will come. Nothing is lost when this is dropped
    /// half-way.
    pub async fn next(&self) -> Option<In> {
        poll_fn(|cx| self.poll_receive(cx.waker())).await
    }

    /// The next message; `None` when no more will come and there was no error.
    ///
    /// # Errors
    /// The error that ended the input, once. The channel stays open, for a last word to the peer,
    /// until the future ends (unless it was the connection that failed).
    pub async fn try_next(&self) -> Result<Option<In>> {
        match self.next().await {
            Some(message) => Ok(Some(message)),
            None => self.take_error().map_or(Ok(None), Err),
        }
    }

    /// The error that ended the input, if one did and nobody has taken it yet. Taking it is
    /// handling it.
    #[must_use]
    pub fn take_error(&self) -> Option<Error> {
        self.shared.state.borrow_mut().error.take()
    }

    // ---- sending ----

    /// Sends a message once the channel is below its high water mark and fewer than
    /// [so many](AsyncStage::outbound_messages_max) messages were sent just now.
    ///
    /// That it is done says that the message is on its way, in order; [`flush`](Self::flush) waits
    /// until the transport has taken it. When this is dropped half-way, the message goes with it;
    /// [`reserve`](Self::reserve) is for `select`.
    ///
    /// # Errors
    /// When nothing can be sent any more.
    pub async fn send(&self, message: Out) -> Result<()> {
        Ok(self.reserve().await?.send(message)?)
    }

    /// Sends a message if that is possible now.
    ///
    /// # Errors
    /// The message again, when the channel is closed, or above its high water mark.
    pub fn try_send(&self, message: Out) -> Result<(), SendError<Out>> {
        if !self.is_closed() && !self.shared.state.borrow().has_room() {
            return Err(SendError { message, reason: SendFailure::Full });
        }
        self.push(message)
    }

    /// Waits until a message can be sent, and keeps the place free for it. Nothing is lost when
    /// this is dropped half-way: the message is not given away before the permit is there.
    ///
    /// # Errors
    /// When nothing can be sent any more.
    pub async fn reserve(&self) -> Result<AsyncPermit<'_, In, Out>> {
        poll_fn(|cx| self.poll_room(cx.waker())).await?;
        self.shared.state.borrow_mut().reserved += 1;
        Ok(AsyncPermit { channel: self })
    }

    fn poll_room(&self, waker: &Waker) -> Poll<Result<()>> {
        self.shared.state.borrow_mut().poll_room(waker).map(|open| match open {
            true => Ok(()),
            false => Err(Error::closed()),
        })
    }

    fn push(&self, message: Out) -> Result<(), SendError<Out>> {
        let mut state = self.shared.state.borrow_mut();
        if state.refuses() {
            return Err(SendError { message, reason: SendFailure::Closed });
        }
        state.output.push_back(message);
        drop(state);
        self.shared.kick.nudge();
        Ok(())
    }

    /// Waits until the transport has taken everything that was sent here (also what is sent by
    /// others meanwhile). The turn sends by itself; this is for knowing.
    ///
    /// Messages have no promises unless somebody waits, so waiting costs most (a few milliseconds
    /// with a slow peer) when it begins long after sending, and least right behind it.
    ///
    /// # Errors
    /// Why the last message could not be sent; that the channel is closed when it was closed
    /// before anybody asked.
    pub async fn flush(&self) -> Result<()> {
        poll_fn(|cx| self.poll_flushed(cx.waker())).await
    }

    fn poll_flushed(&self, waker: &Waker) -> Poll<Result<()>> {
        let flushed = self.shared.state.borrow_mut().poll_flushed(waker);
        if flushed.is_pending() {
            self.shared.kick.nudge();
        }
        flushed
    }

    // ---- ending ----

    /// Sends our end behind what was sent, and waits until the transport has taken all that. The
    /// peer may go on.
    ///
    /// # Errors
    /// Those of [`flush`](Self::flush).
    pub async fn shutdown(&self) -> Result<()> {
        let senders = self.shared.state.borrow_mut().begin_shutdown();
        senders.wake();
        self.shared.kick.nudge();
        self.flush().await
    }

    /// Closes the channel behind what was sent, and waits until the transport has taken all that.
    ///
    /// # Errors
    /// Those of [`flush`](Self::flush): the peer has not got everything.
    pub async fn close(&self) -> Result<()> {
        self.begin_close();
        self.flush().await
    }

    fn begin_close(&self) {
        let waiters = self.shared.state.borrow_mut().begin_close();
        waiters.into_iter().for_each(Waiters::wake);
        self.shared.kick.nudge();
    }

    /// Whether nothing can be sent any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.state.borrow().refuses()
    }

    /// Whether the loop shuts down: the future is to come to an end.
    #[must_use]
    pub fn is_shutting_down(&self) -> bool {
        self.shared.state.borrow().shutting_down
    }
}

/// So that a future can end with `?` when something cannot be sent. The message is dropped.
impl<M> From<SendError<M>> for Error {
    fn from(error: SendError<M>) -> Self {
        match error.reason {
            SendFailure::Closed => Self::closed(),
            SendFailure::Full => Self::handler(error.to_string()),
        }
    }
}

impl<In, Out> Clone for AsyncChannel<In, Out> {
    fn clone(&self) -> Self {
        Self { shared: Rc::clone(&self.shared) }
    }
}

impl<In, Out> Stream for AsyncChannel<In, Out> {
    type Item = In;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<In>> {
        self.poll_receive(cx.waker())
    }
}

/// `close` ends the channel, as [`AsyncChannel::close`] does.
impl<In, Out> Sink<Out> for AsyncChannel<In, Out> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_room(cx.waker())
    }

    fn start_send(self: Pin<&mut Self>, message: Out) -> Result<()> {
        Ok(self.push(message)?)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_flushed(cx.waker())
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.begin_close();
        self.poll_flushed(cx.waker())
    }
}

impl<In, Out> fmt::Debug for AsyncChannel<In, Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncChannel").field("channel", self.channel()).finish_non_exhaustive()
    }
}

/// A place for one message. See [`AsyncChannel::reserve`]. Dropped, the place is free again.
#[must_use = "a permit is for sending"]
pub struct AsyncPermit<'a, In, Out> {
    channel: &'a AsyncChannel<In, Out>,
}

impl<In, Out> AsyncPermit<'_, In, Out> {
    /// Sends the message.
    ///
    /// # Errors
    /// The message again, when the channel was closed meanwhile.
    pub fn send(self, message: Out) -> Result<(), SendError<Out>> {
        self.channel.push(message)
    }
}

impl<In, Out> Drop for AsyncPermit<'_, In, Out> {
    fn drop(&mut self) {
        let mut state = self.channel.shared.state.borrow_mut();
        state.reserved -= 1;
        let senders = if state.has_room() { state.senders.take() } else { Default::default() };
        drop(state);
        senders.wake();
    }
}

impl<In, Out> fmt::Debug for AsyncPermit<'_, In, Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncPermit").field("channel", self.channel.channel()).finish()
    }
}
