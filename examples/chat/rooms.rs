//! Who is where, and who gets what.
//!
//! A room knows its members only as [`Outlet`]s, and time only as an argument. Whoever calls holds
//! the one lock around all rooms, so each room has one order of events, and every member gets them
//! in that order.

use std::collections::{HashMap, HashSet, VecDeque};

use fyke_codecs::websocket::Message;

use crate::protocol::{self, NAME_CHARS_MAX, Refusal, Said, Told};

pub(crate) const HISTORY_MESSAGES_MAX: usize = 50;
pub(crate) const ROOM_MEMBERS_MAX: usize = 1000;
pub(crate) const ROOMS_MAX: usize = 256;

/// The way to a member.
pub(crate) trait Outlet {
    /// Queues a message, without waiting. `false`: the member takes them too slowly and is not to
    /// be given more.
    fn send(&self, message: &Message) -> bool;
}

/// A member's place in a room.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Seat {
    room: String,
    member: u64,
}

/// When and with what chance something is said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    /// Milliseconds since 1970.
    pub(crate) time: u64,
    pub(crate) random: u64,
}

/// All rooms.
#[derive(Debug)]
pub(crate) struct Rooms<O> {
    rooms: HashMap<String, Room<O>>,
    /// Members so far.
    members: u64,
    /// How often a room became empty.
    emptied: u64,
    /// Different in each run of the server, so that ids are too. Known once something is said.
    id_prefix: Option<String>,
    said: u64,
}

#[derive(Debug)]
struct Room<O> {
    /// In the order in which they came.
    members: Vec<Member<O>>,
    history: VecDeque<Said>,
    /// The number of the occasion on which it became empty last.
    emptied: u64,
}

#[derive(Debug)]
struct Member<O> {
    id: u64,
    name: String,
    outlet: O,
}

impl<O> Default for Rooms<O> {
    fn default() -> Self {
        Self { rooms: HashMap::new(), members: 0, emptied: 0, id_prefix: None, said: 0 }
    }
}

impl<O: Outlet> Rooms<O> {
    /// Lets somebody into a room, out of another one if need be.
    pub(crate) fn join(
        &mut self,
        seat: &mut Option<Seat>,
        outlet: O,
        room: &str,
        name: &str,
    ) -> Result<(), Refusal> {
        let room = protocol::room(room)?;
        let name = protocol::name(name)?;
        let place_of = self.make_place(seat.as_ref(), room)?;
        if let Some(seat) = seat.take() {
            self.leave(&seat);
        }
        if let Some(forgotten) = place_of {
            self.rooms.remove(&forgotten);
        }
        self.members += 1;
        let member = self.members;
        let entered = self.rooms.entry(room.to_owned()).or_insert_with(Room::new);
        let name = entered.free_name(name);
        entered.tell(Told::Joined { name: &name }.message());
        entered.members.push(Member { id: member, name, outlet });
        entered.welcome(room);
        self.note_if_empty(room);
        *seat = Some(Seat { room: room.to_owned(), member });
        Ok(())
    }

    /// Whether there is a place; the room that has to be forgotten for it, if any.
    fn make_place(&self, seat: Option<&Seat>, room: &str) -> Result<Option<String>, Refusal> {
        if let Some(found) = self.rooms.get(room) {
            let own = seat.is_some_and(|seat| seat.room == room && found.has(seat.member));
            let others = found.members.len() - usize::from(own);
            return if others < ROOM_MEMBERS_MAX { Ok(None) } else { Err(Refusal::ROOM_FULL) };
        }
        if self.rooms.len() < ROOMS_MAX {
            return Ok(None);
        }
        let empty = self.rooms.iter().filter(|(_, room)| room.members.is_empty());
        match empty.min_by_key(|(_, room)| room.emptied) {
            Some((name, _)) => Ok(Some(name.clone())),
            None => Err(Refusal::NO_MORE_ROOMS),
        }
    }

    /// Lets somebody out. Answers the name, unless the member was not there any more.
    pub(crate) fn leave(&mut self, seat: &Seat) -> Option<String> {
        let room = self.rooms.get_mut(&seat.room)?;
        let at = room.members.iter().position(|member| member.id == seat.member)?;
        let Member { name, .. } = room.members.remove(at);
        room.tell(Told::Left { name: &name }.message());
        self.note_if_empty(&seat.room);
        Some(name)
    }

    /// Says something to all members of one's room.
    pub(crate) fn say(&mut self, seat: &Seat, text: String, stamp: Stamp) -> Result<(), Refusal> {
        let room = self.rooms.get_mut(&seat.room).ok_or(Refusal::NOT_JOINED)?;
        let speaker = room.members.iter().find(|member| member.id == seat.member);
        let name = speaker.ok_or(Refusal::NOT_JOINED)?.name.clone();
        protocol::check_text(&text)?;
        self.said += 1;
        let prefix = self.id_prefix.get_or_insert_with(|| {
            // The time alone could be the same again after the clock was set back.
            format!("{:x}-{:x}", stamp.time, stamp.random & 0xffff_ffff)
        });
        let said = Said { id: format!("{prefix}-{}", self.said), name, text, time: stamp.time };
        let message = Told::Said(&said).message();
        if room.history.len() == HISTORY_MESSAGES_MAX {
            room.history.pop_front();
        }
        room.history.push_back(said);
        room.tell(message);
        self.note_if_empty(&seat.room);
        Ok(())
    }

    fn note_if_empty(&mut self, room: &str) {
        if let Some(room) = self.rooms.get_mut(room)
            && room.members.is_empty()
        {
            self.emptied += 1;
            room.emptied = self.emptied;
        }
    }
}

impl<O: Outlet> Room<O> {
    fn new() -> Self {
        Self { members: Vec::new(), history: VecDeque::new(), emptied: 0 }
    }

    fn has(&self, member: u64) -> bool {
        self.members.iter().any(|other| other.id == member)
    }

    /// The name itself, or with the smallest number behind it that makes it free.
    fn free_name(&self, name: &str) -> String {
        let taken: HashSet<&str> = self.members.iter().map(|member| &*member.name).collect();
        let numbered = (2..).map(|number| {
            let number = format!("-{number}");
            let kept = name.chars().take(NAME_CHARS_MAX - number.len());
            kept.chain(number.chars()).collect()
        });
        let mut candidates = std::iter::once(name.to_owned()).chain(numbered);
        candidates
            .find(|candidate| !taken.contains(&**candidate))
            .expect("there are more numbers than members")
    }

    /// Tells the last one who came what there is to know.
    fn welcome(&mut self, room: &str) {
        let Some(newest) = self.members.last() else { return };
        let members = self.members.iter().map(|member| &*member.name).collect();
        let welcome = Told::Welcome { room, name: &newest.name, members, history: &self.history };
        if !newest.outlet.send(&welcome.message())
            && let Some(Member { name, .. }) = self.members.pop()
        {
            self.tell(Told::Left { name: &name }.message());
        }
    }

    /// Sends a message to all. Who is too slow for it has left, which all others are told in turn.
    fn tell(&mut self, message: Message) {
        let mut messages = VecDeque::from([message]);
        while let Some(message) = messages.pop_front() {
            self.members.retain(|member| {
                let takes = member.outlet.send(&message);
                if !takes {
                    messages.push_back(Told::Left { name: &member.name }.message());
                }
                takes
            });
        }
    }
}

// By its path, as the soak takes this file from elsewhere.
#[cfg(test)]
#[path = "rooms/tests.rs"]
mod tests;
