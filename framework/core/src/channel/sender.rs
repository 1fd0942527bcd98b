//! Typed senders: messages for a channel from any thread.

use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::{Arc, PoisonError};

use crate::channel::mailbox::{ChannelShared, Entry, MAILBOX_ENTRIES_MAX, Mailbox, TypedQueue};
use crate::error::{Error, Result};
use crate::promise::{Promise, WriteFuture};

/// Sends messages of type `M` into a channel from any thread: `Clone + Send`.
///
/// Messages of all handles of a channel leave in the order in which they were sent. Sending never
/// blocks and, once warm, allocates nothing; the channel's loop is woken once for a batch.
pub struct Sender<M> {
    shared: Arc<ChannelShared>,
    queue: Arc<TypedQueue<M>>,
    index: u32,
}

/// A message that could not be sent, and why.
pub struct SendError<M> {
    /// The message.
    pub message: M,
    /// Why.
    pub reason: SendFailure,
}

/// Why a message could not be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SendFailure {
    /// The channel is closed.
    Closed,
    /// The channel is above its high water mark (only [`Sender::try_send`]), or its mailbox is
    /// full.
    Full,
}

impl<M: Send + 'static> Sender<M> {
    pub(super) fn new(shared: Arc<ChannelShared>, queue: Arc<TypedQueue<M>>, index: u32) -> Self {
        Self { shared, queue, index }
    }

    /// Sends a message, also above the high water mark (up to the channel's limit).
    ///
    /// # Errors
    /// The message again, when the channel is closed or the mailbox full
    /// ([`MAILBOX_ENTRIES_MAX`]).
    pub fn send(&self, message: M) -> Result<(), SendError<M>> {
        self.send_with(message, Promise::NONE).map_err(|(refused, _)| refused)
    }

    /// Sends a message if the channel is below its high water mark.
    ///
    /// # Errors
    /// The message again, when the channel is closed, not writable, or the mailbox full.
    pub fn try_send(&self, message: M) -> Result<(), SendError<M>> {
        if !self.shared.is_writable() {
            return Err(SendError { message, reason: SendFailure::Full });
        }
        self.send(message)
    }

    /// Sends a message; the future is ready when the transport has taken it.
    ///
    /// # Errors
    /// The message again, when the channel is closed or the mailbox full.
    pub fn send_with_promise(&self, message: M) -> Result<WriteFuture, SendError<M>> {
        let (promise, future) = Promise::new();
        match self.send_with(message, promise) {
            Ok(()) => Ok(future),
            Err((refused, _)) => Err(refused),
        }
    }

    /// Sends a message with a promise that somebody observes already.
    ///
    /// # Errors
    /// Both again, when the channel is closed or the mailbox full.
    pub fn send_with(&self, message: M, promise: Promise) -> Result<(), (SendError<M>, Promise)> {
        self.put(message, promise)
    }

    /// Waits until the channel is writable. Nothing is lost when this is dropped half-way: the
    /// message is not given away before the permit is there.
    ///
    /// A permit says that there is room now; it keeps none free. Of many senders that wait, all go
    /// on at once, and may take the channel above its high water mark by a message each.
    ///
    /// # Errors
    /// When the channel is closed.
    ///
    /// # Example
    /// ```
    /// use fyke_core::embedded::EmbeddedChannel;
    /// use fyke_core::{Outgoing, Sender};
    ///
    /// let mut channel = EmbeddedChannel::new(|ch| ch.pipeline());
    /// let sender: Sender<Outgoing> = channel.channel().sender()?;
    /// channel.event_loop().spawn(async move {
    ///     if let Ok(permit) = sender.reserve().await {
    ///         permit.send(Outgoing::from("hello")).expect("it is open");
    ///     }
    /// });
    /// channel.run_pending();
    /// assert_eq!(channel.read_outbound(), b"hello");
    /// # Ok::<(), fyke_core::LinkError>(())
    /// ```
    pub fn reserve(&self) -> impl Future<Output = Result<Permit<'_, M>>> + Send + '_ {
        poll_fn(|cx| {
            self.shared.poll_writable(cx.waker()).map(|writable| match writable {
                true => Ok(Permit(self)),
                false => Err(Error::closed()),
            })
        })
    }

    /// Whether the channel is below its high water mark.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.shared.is_writable()
    }

    /// Whether the channel is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.closed().is_some()
    }

    /// The channel that this sends to.
    #[must_use]
    pub fn channel(&self) -> super::Channel {
        super::Channel::of(Arc::clone(&self.shared))
    }

    fn put(&self, message: M, promise: Promise) -> Result<(), (SendError<M>, Promise)> {
        let mailbox = self.shared.lock();
        let reason = match &*mailbox {
            Mailbox { closed: Some(_), .. } => Some(SendFailure::Closed),
            Mailbox { entries, .. } if entries.len() >= MAILBOX_ENTRIES_MAX => {
                Some(SendFailure::Full)
            }
            _ => None,
        };
        if let Some(reason) = reason {
            return Err((SendError { message, reason }, promise));
        }
        self.queue.0.lock().unwrap_or_else(PoisonError::into_inner).push_back((message, promise));
        // A loop that has just ended fails the promises itself.
        let _ = self.shared.put_locked(mailbox, Entry::Message(self.index));
        Ok(())
    }
}

/// The right to send one message now. See [`Sender::reserve`].
#[derive(Debug)]
pub struct Permit<'a, M>(&'a Sender<M>);

impl<M: Send + 'static> Permit<'_, M> {
    /// Sends it.
    ///
    /// # Errors
    /// The message again, when the channel has been closed, or its mailbox filled, meanwhile.
    pub fn send(self, message: M) -> Result<(), SendError<M>> {
        self.0.send(message)
    }
}

impl<M> Clone for Sender<M> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), queue: Arc::clone(&self.queue), index: self.index }
    }
}

impl<M> fmt::Debug for Sender<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("channel", &self.shared.key).finish_non_exhaustive()
    }
}

impl<M> fmt::Debug for SendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendError").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl<M> fmt::Display for SendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason {
            SendFailure::Closed => f.write_str("the channel is closed"),
            SendFailure::Full => f.write_str("the channel takes no more messages now"),
        }
    }
}

impl<M> std::error::Error for SendError<M> {}
