//! One connection: from a client's messages to rooms, and from rooms to the client.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fyke::prelude::*;
use fyke::{Event, EventFilter};
use fyke_codecs::websocket::{CloseCode, CloseFrame, Message};

use crate::outlet::{self, ClientOutlet, QUEUE_BYTES_MAX, Queue, TooSlow};
use crate::protocol::{self, Asked, Refusal, Told};
use crate::rooms::{Rooms, Seat, Stamp};

/// All rooms, behind one lock. What happens under it puts shared bytes into queues and never waits.
pub(crate) type SharedRooms = Arc<Mutex<Rooms<ClientOutlet>>>;

type Cx<'a> = DuplexContext<'a, Session>;

/// The last stage of a connection's pipeline. What rooms send comes in from behind, like what any
/// handle of the channel writes.
#[derive(Debug)]
pub(crate) struct Session {
    rooms: SharedRooms,
    /// Known from the beginning of the connection on.
    outlet: Option<ClientOutlet>,
    queue: Queue,
    seat: Option<Seat>,
    /// The connection is ending; nothing more is said or heard.
    over: bool,
}

impl Session {
    pub(crate) fn new(rooms: SharedRooms) -> Self {
        Self { rooms, outlet: None, queue: Queue::default(), seat: None, over: false }
    }

    fn rooms(&self) -> MutexGuard<'_, Rooms<ClientOutlet>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what a client asks for. Exactly one answer follows: the one given here, or, where rooms
    /// answer, the one that waits in front of whatever is written after this.
    fn answer(&mut self, cx: &mut Cx<'_>, text: &str) -> Result<Option<Message>, Refusal> {
        match protocol::parse(text)? {
            Asked::Ping => Ok(Some(Told::Pong.message())),
            Asked::Join { room, name } => {
                let outlet = self.outlet.clone().ok_or(Refusal::BAD_MESSAGE)?;
                let mut seat = self.seat.take();
                let joined = self.rooms().join(&mut seat, outlet, &room, &name);
                self.seat = seat;
                joined.map(|()| None)
            }
            Asked::Say { text } => {
                let seat = self.seat.as_ref().ok_or(Refusal::NOT_JOINED)?;
                let env = cx.env();
                let time = u64::try_from(env.unix_time().as_millis()).unwrap_or(u64::MAX);
                let stamp = Stamp { time, random: env.random() };
                self.rooms().say(seat, text, stamp).map(|()| None)
            }
            Asked::Leave => match self.leave() {
                Some(name) => Ok(Some(Told::Left { name: &name }.message())),
                None => Err(Refusal::NOT_JOINED),
            },
        }
    }

    fn leave(&mut self) -> Option<String> {
        let seat = self.seat.take()?;
        self.rooms().leave(&seat)
    }

    /// Ends the connection from our side.
    fn end(&mut self, cx: &mut Cx<'_>, code: CloseCode, reason: &'static str) {
        if !std::mem::replace(&mut self.over, true) {
            self.leave();
            cx.write(Message::Close(Some(CloseFrame::new(code, reason))));
        }
    }

    /// The connection has ended, or nearly so.
    fn ended(&mut self) {
        self.over = true;
        self.leave();
    }
}

impl DuplexHandler for Session {
    type In = Message;
    type Out = Never;
    type WriteIn = Message;
    type WriteOut = Message;

    fn added(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        let outlet = ClientOutlet::new(cx.sender()?);
        self.queue = outlet.queue();
        self.outlet = Some(outlet);
        Ok(())
    }

    /// From the client.
    fn read(&mut self, cx: &mut Cx<'_>, message: Message) -> Result<()> {
        match message {
            _ if self.over => {}
            Message::Text(text) => match self.answer(cx, text.as_str()) {
                Ok(Some(answer)) => cx.write(answer),
                Ok(None) => {}
                Err(refusal) => cx.write(Told::Error(refusal).message()),
            },
            Message::Binary(_) => self.end(cx, CloseCode::UNSUPPORTED, "text messages only"),
            Message::Close(_) => self.ended(),
            _ => {}
        }
        Ok(())
    }

    /// From rooms.
    fn write(&mut self, cx: &mut Cx<'_>, message: Message, promise: Promise) -> Result<()> {
        self.queue.arrived(&message);
        if self.over {
            return Ok(());
        }
        let waiting = cx.pending_bytes().saturating_add(self.queue.bytes() as u64);
        if waiting + outlet::len(&message) as u64 > QUEUE_BYTES_MAX as u64 {
            self.end(cx, CloseCode::TRY_AGAIN_LATER, "too slow");
            return Ok(());
        }
        cx.write_with(message, promise);
        Ok(())
    }

    fn events(&self) -> EventFilter {
        EventFilter::of::<TooSlow>()
    }

    fn event(&mut self, cx: &mut Cx<'_>, _: Event) -> Result<()> {
        self.end(cx, CloseCode::TRY_AGAIN_LATER, "too slow");
        Ok(())
    }

    /// The client broke the protocol; the stage in front has told it so.
    fn error(&mut self, cx: &mut Cx<'_>, error: Error) -> Result<()> {
        self.ended();
        cx.fire_error(error);
        Ok(())
    }

    fn inactive(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        self.ended();
        cx.fire_inactive();
        Ok(())
    }

    fn removed(&mut self) {
        self.ended();
    }
}

// By its path, as the soak takes this file from elsewhere.
#[cfg(test)]
#[path = "session/tests.rs"]
mod tests;
