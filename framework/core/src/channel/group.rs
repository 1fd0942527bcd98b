//! Many channels at once: broadcast to all, close all, by predicate. Works across loops.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::channel::handle::{Channel, ChannelId};
use crate::channel::sender::{SendError, Sender};

/// A set of channels that messages of type `M` are sent to: `Clone + Send + Sync`, and every clone
/// is the same set. Members come in the order of their ids, so that a simulation replays. Channels
/// that have closed leave it by themselves, at the latest when it is used next. It is locked while
/// it sends, so what decides about members must not use it.
///
/// ```
/// use fyke_core::channel::ChannelGroup;
/// use fyke_core::embedded::EmbeddedChannel;
/// use fyke_core::handlers::write_fn;
/// use fyke_core::{Ctx, Never, Outgoing, Promise};
///
/// let mut channel = EmbeddedChannel::new(|ch| {
///     let line = |cx: &mut Ctx<'_, Never, Outgoing>, text: &'static str, promise: Promise| {
///         cx.write_with(text.into(), promise);
///         Ok(())
///     };
///     ch.pipeline().outbound("line", write_fn(line))
/// });
/// let room = ChannelGroup::<&'static str>::new();
/// room.add(channel.channel().sender()?);
/// assert_eq!(room.broadcast(&"hello").sent, 1);
/// channel.run_pending();
/// assert_eq!(channel.read_outbound(), b"hello");
/// # Ok::<(), fyke_core::LinkError>(())
/// ```
pub struct ChannelGroup<M> {
    members: Arc<Mutex<BTreeMap<ChannelId, Sender<M>>>>,
}

/// What became of a broadcast.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Broadcast {
    /// Channels that the message was given to.
    pub sent: usize,
    /// Channels that were not writable (only [`ChannelGroup::try_broadcast_if`]) or whose mailbox
    /// was full.
    pub refused: usize,
}

impl<M: Send + 'static> ChannelGroup<M> {
    /// An empty group.
    #[must_use]
    pub fn new() -> Self {
        Self { members: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ChannelId, Sender<M>>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a channel; `false` when it was in already.
    pub fn add(&self, sender: Sender<M>) -> bool {
        self.lock().insert(sender.channel().id(), sender).is_none()
    }

    /// Takes a channel out.
    pub fn remove(&self, id: ChannelId) -> Option<Sender<M>> {
        self.lock().remove(&id)
    }

    /// Whether a channel is in it.
    #[must_use]
    pub fn contains(&self, id: ChannelId) -> bool {
        self.lock().contains_key(&id)
    }

    /// How many open channels are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        let mut members = self.lock();
        members.retain(|_, sender| !sender.is_closed());
        members.len()
    }

    /// Whether no open channel is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Handles of all its channels.
    #[must_use]
    pub fn channels(&self) -> Vec<Channel> {
        self.lock().values().map(Sender::channel).collect()
    }

    /// Sends a copy to every channel: a clone and a short lock for each.
    pub fn broadcast(&self, message: &M) -> Broadcast
    where
        M: Clone,
    {
        self.broadcast_if(message, |_| true)
    }

    /// Sends a copy to every channel that `wanted` names.
    pub fn broadcast_if(&self, message: &M, wanted: impl FnMut(&Channel) -> bool) -> Broadcast
    where
        M: Clone,
    {
        self.send_to(wanted, |sender| sender.send(message.clone()))
    }

    /// Sends a copy to every channel that `wanted` names and that is writable.
    pub fn try_broadcast_if(&self, message: &M, wanted: impl FnMut(&Channel) -> bool) -> Broadcast
    where
        M: Clone,
    {
        self.send_to(wanted, |sender| sender.try_send(message.clone()))
    }

    fn send_to(
        &self,
        mut wanted: impl FnMut(&Channel) -> bool,
        mut send: impl FnMut(&Sender<M>) -> Result<(), SendError<M>>,
    ) -> Broadcast {
        let mut result = Broadcast::default();
        self.lock().retain(|_, sender| {
            if !wanted(&sender.channel()) {
                return true;
            }
            match send(sender) {
                Ok(()) => result.sent += 1,
                Err(_) if sender.is_closed() => return false,
                Err(_) => result.refused += 1,
            }
            true
        });
        result
    }

    /// Closes every channel after what was sent to it has left.
    pub fn close_all(&self) {
        self.close_if(|_| true);
    }

    /// Closes every channel that `wanted` names.
    pub fn close_if(&self, mut wanted: impl FnMut(&Channel) -> bool) {
        for channel in self.channels() {
            if wanted(&channel) {
                channel.close();
            }
        }
    }
}

impl<M: Send + 'static> Default for ChannelGroup<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M> Clone for ChannelGroup<M> {
    fn clone(&self) -> Self {
        Self { members: Arc::clone(&self.members) }
    }
}

impl<M> fmt::Debug for ChannelGroup<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChannelGroup")
    }
}
