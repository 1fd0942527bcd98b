//! Rooms without connections: what each member gets, word for word.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use serde_json::{Value, json};

use super::*;
use crate::protocol::Code;

/// A member that notes what it gets, and takes only so much.
#[derive(Clone, Default)]
struct Ear(Rc<Inner>);

struct Inner {
    heard: RefCell<Vec<Message>>,
    takes: Cell<usize>,
}

impl Default for Inner {
    fn default() -> Self {
        Self { heard: RefCell::default(), takes: Cell::new(usize::MAX) }
    }
}

impl Outlet for Ear {
    fn send(&self, message: &Message) -> bool {
        let Some(left) = self.0.takes.get().checked_sub(1) else { return false };
        self.0.takes.set(left);
        self.0.heard.borrow_mut().push(message.clone());
        true
    }
}

/// Somebody with an ear.
#[derive(Default)]
struct Person {
    ear: Ear,
    seat: Option<Seat>,
}

impl Person {
    fn in_room(rooms: &mut Rooms<Ear>, room: &str, name: &str) -> Self {
        let mut person = Self::default();
        person.join(rooms, room, name).expect("there is a place");
        person
    }

    fn join(&mut self, rooms: &mut Rooms<Ear>, room: &str, name: &str) -> Result<(), Refusal> {
        rooms.join(&mut self.seat, self.ear.clone(), room, name)
    }

    fn say(&self, rooms: &mut Rooms<Ear>, text: &str) -> Result<(), Refusal> {
        let seat = self.seat.as_ref().expect("is in a room");
        rooms.say(seat, text.to_owned(), Stamp { time: 0xabc, random: 7 })
    }

    fn leave(&mut self, rooms: &mut Rooms<Ear>) -> Option<String> {
        rooms.leave(&self.seat.take()?)
    }

    fn heard(&self) -> Vec<Value> {
        self.ear.0.heard.take().iter().map(value).collect()
    }

    /// The name in the last welcome.
    fn name(&self) -> String {
        let heard = self.ear.0.heard.borrow();
        let welcome = heard.iter().rev().map(value).find(|told| told["type"] == "welcome");
        welcome.expect("was welcome")["name"].as_str().expect("a name").to_owned()
    }

    fn takes(&self, messages: usize) {
        self.ear.0.takes.set(messages);
    }
}

fn value(message: &Message) -> Value {
    let Message::Text(text) = message else { panic!("{message:?}") };
    serde_json::from_str(text.as_str()).expect("rooms send JSON")
}

fn said(number: u64, name: &str, text: &str) -> Value {
    json!({"type": "said", "id": format!("abc-7-{number}"), "name": name, "text": text, "time": 0xabc})
}

#[test]
fn all_members_see_one_order() {
    let rooms = &mut Rooms::default();
    let mut ada = Person::in_room(rooms, "lobby", " Ada ");
    assert_eq!(
        ada.heard(),
        [
            json!({"type": "welcome", "room": "lobby", "name": "Ada", "members": ["Ada"], "history": []})
        ]
    );
    ada.say(rooms, "first").expect("is in the room");
    let bob = Person::in_room(rooms, "lobby", "Bob");
    bob.say(rooms, "second").expect("is in the room");
    let history = json!([{"id": "abc-7-1", "name": "Ada", "text": "first", "time": 0xabc}]);
    assert_eq!(
        bob.heard(),
        [
            json!({"type": "welcome", "room": "lobby", "name": "Bob", "members": ["Ada", "Bob"], "history": history}),
            said(2, "Bob", "second"),
        ]
    );
    let joined = json!({"type": "joined", "name": "Bob"});
    assert_eq!(ada.heard(), [said(1, "Ada", "first"), joined, said(2, "Bob", "second")]);
    assert_eq!(ada.leave(rooms).as_deref(), Some("Ada"));
    assert_eq!(ada.heard(), Vec::<Value>::new());
    assert_eq!(bob.heard(), [json!({"type": "left", "name": "Ada"})]);
    assert_eq!(ada.leave(rooms), None);
}

#[test]
fn names_are_unique_in_a_room() {
    let rooms = &mut Rooms::default();
    let long = "🐟".repeat(32);
    let cut = format!("{}-2", "🐟".repeat(30));
    let mut here = Vec::new();
    for (wanted, got) in [
        ("Ada", "Ada"),
        ("Ada", "Ada-2"),
        ("Ada", "Ada-3"),
        ("ada", "ada"),
        ("Ada-2", "Ada-2-2"),
        (&long, &long),
        (&long, &cut),
    ] {
        let person = Person::in_room(rooms, "r", wanted);
        assert_eq!(person.name(), got);
        here.push(person);
    }
    here[1].leave(rooms);
    assert_eq!(Person::in_room(rooms, "r", "Ada").name(), "Ada-2", "the smallest that is free");
    assert_eq!(Person::in_room(rooms, "other", "Ada").name(), "Ada");
    for _ in here.len()..101 {
        here.push(Person::in_room(rooms, "r", &long));
    }
    let last = here.last().expect("many").name();
    assert_eq!((last.chars().count(), last.ends_with("-96")), (32, true), "{last}");
}

#[test]
fn moving_is_one_step() {
    let rooms = &mut Rooms::default();
    let ada = Person::in_room(rooms, "one", "Ada");
    let mut bob = Person::in_room(rooms, "one", "Bob");
    let cy = Person::in_room(rooms, "two", "Cy");
    for person in [&ada, &bob, &cy] {
        person.heard();
    }
    for (room, name, code) in
        [("", "Bob", Code::BadRoom), ("two", "\n", Code::BadName), ("", "", Code::BadRoom)]
    {
        assert_eq!(bob.join(rooms, room, name).map_err(|refusal| refusal.code), Err(code));
    }
    bob.say(rooms, "still here").expect("is still here");
    bob.join(rooms, "two", "Cy").expect("there is a place");
    assert_eq!(ada.heard(), [said(1, "Bob", "still here"), json!({"type": "left", "name": "Bob"})]);
    assert_eq!(cy.heard(), [json!({"type": "joined", "name": "Cy-2"})]);
    assert_eq!(bob.heard()[1]["members"], json!(["Cy", "Cy-2"]));
    bob.join(rooms, "two", "Cy-2").expect("there is a place");
    assert_eq!(bob.name(), "Cy-2", "one does not collide with oneself");
    let left_and_back =
        [json!({"type": "left", "name": "Cy-2"}), json!({"type": "joined", "name": "Cy-2"})];
    assert_eq!(cy.heard(), left_and_back);
}

#[test]
fn history_is_bounded_and_outlives_the_members() {
    let rooms = &mut Rooms::default();
    let mut ada = Person::in_room(rooms, "r", "Ada");
    for number in 1..=HISTORY_MESSAGES_MAX + 10 {
        ada.say(rooms, &number.to_string()).expect("is in the room");
    }
    assert_eq!(ada.say(rooms, " ").map_err(|refusal| refusal.code), Err(Code::BadText));
    ada.leave(rooms);
    let welcome = Person::in_room(rooms, "r", "Bob").heard().remove(0);
    let history = welcome["history"].as_array().expect("a list");
    let texts: Vec<_> = history.iter().map(|said| said["text"].as_str().expect("text")).collect();
    let expected: Vec<_> = (11..=60).map(|number: u32| number.to_string()).collect();
    assert_eq!(texts, expected);
}

#[test]
fn a_room_has_its_limit() {
    let rooms = &mut Rooms::default();
    let mut here: Vec<_> =
        (0..ROOM_MEMBERS_MAX).map(|n| Person::in_room(rooms, "r", &n.to_string())).collect();
    let mut late = Person::in_room(rooms, "other", "Late");
    assert_eq!(late.join(rooms, "r", "Late"), Err(Refusal::ROOM_FULL));
    late.say(rooms, "still in the other one").expect("is there");
    here[0].join(rooms, "r", "renamed").expect("one's own place is free");
    here[1].leave(rooms);
    assert_eq!(late.join(rooms, "r", "Late"), Ok(()));
}

#[test]
fn the_room_that_was_left_first_gives_way() {
    let rooms = &mut Rooms::default();
    let mut people: Vec<_> =
        (0..ROOMS_MAX).map(|n| Person::in_room(rooms, &format!("room {n}"), "P")).collect();
    let mut late = Person::default();
    assert_eq!(late.join(rooms, "one more", "Late"), Err(Refusal::NO_MORE_ROOMS));
    assert_eq!(late.seat, None);
    for index in [7, 3] {
        people[index].say(rooms, "remember me").expect("is in the room");
        people[index].leave(rooms);
    }
    late.join(rooms, "one more", "Late").expect("a room gave way");
    let history = |rooms: &mut Rooms<Ear>, room: &str| {
        let mut person = Person::in_room(rooms, room, "P");
        let told = person.heard().remove(0);
        person.leave(rooms);
        told["history"].as_array().map(Vec::len)
    };
    assert_eq!(history(rooms, "room 3"), Some(1), "left second, and kept");
    assert_eq!(history(rooms, "room 7"), Some(0), "left first, forgotten and made anew");
    assert_eq!(rooms.rooms.len(), ROOMS_MAX);
}

#[test]
fn who_is_too_slow_has_left() {
    let rooms = &mut Rooms::default();
    let ada = Person::in_room(rooms, "r", "Ada");
    let slow = Person::in_room(rooms, "r", "Slow");
    let slower = Person::in_room(rooms, "r", "Slower");
    for person in [&ada, &slow, &slower] {
        person.heard();
    }
    slow.takes(1);
    slower.takes(0);
    ada.say(rooms, "x").expect("is in the room");
    // The one that is just fast enough for the message is too slow for the notice behind it.
    let left = |name: &str| json!({"type": "left", "name": name});
    assert_eq!(ada.heard(), [said(1, "Ada", "x"), left("Slower"), left("Slow")]);
    assert_eq!(slow.heard(), [said(1, "Ada", "x")]);
    assert!(slower.heard().is_empty());
    assert_eq!(slow.say(rooms, "y"), Err(Refusal::NOT_JOINED));
    assert_eq!(rooms.leave(slow.seat.as_ref().expect("a seat")), None);
    let mut deaf = Person::default();
    deaf.takes(0);
    deaf.join(rooms, "r", "Deaf").expect("there was a place");
    assert_eq!(ada.heard(), [json!({"type": "joined", "name": "Deaf"}), left("Deaf")]);
}
