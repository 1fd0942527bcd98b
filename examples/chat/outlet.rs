//! How a room reaches a member, and how much may wait for one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fyke::Sender;
use fyke_codecs::websocket::Message;

use crate::rooms::Outlet;

/// What may wait for one client.
pub(crate) const QUEUE_BYTES_MAX: usize = 1_048_576;

/// The way from rooms, on whatever thread, to a session. Bytes wait in two places: here, until the
/// session's loop has its turn, and behind the session, until the kernel has taken them. A room
/// sees the first; the session sees both.
#[derive(Clone, Debug)]
pub(crate) struct ClientOutlet {
    sender: Sender<Message>,
    queue: Queue,
}

/// Bytes on the way from rooms to a session.
#[derive(Clone, Default, Debug)]
pub(crate) struct Queue(Arc<AtomicUsize>);

/// To a session: rooms have given it up.
#[derive(Debug)]
pub(crate) struct TooSlow;

impl Queue {
    /// Bytes that have not come to the session yet.
    pub(crate) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// A message has come to the session.
    pub(crate) fn arrived(&self, message: &Message) {
        self.0.fetch_sub(len(message), Ordering::Relaxed);
    }
}

pub(crate) fn len(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.len(),
        _ => 0,
    }
}

impl ClientOutlet {
    pub(crate) fn new(sender: Sender<Message>) -> Self {
        Self { sender, queue: Queue::default() }
    }

    pub(crate) fn queue(&self) -> Queue {
        self.queue.clone()
    }
}

impl Outlet for ClientOutlet {
    fn send(&self, message: &Message) -> bool {
        let len = len(message);
        let queued = self.queue.0.fetch_add(len, Ordering::Relaxed) + len;
        let sent = queued <= QUEUE_BYTES_MAX && self.sender.send(message.clone()).is_ok();
        if sent {
            return true;
        }
        self.queue.0.fetch_sub(len, Ordering::Relaxed);
        // A closed channel hears nothing of this; its session leaves the room by itself.
        self.sender.channel().fire_event(TooSlow).is_err()
    }
}
