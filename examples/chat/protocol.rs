//! What travels, and the rules for what may stand in it. See `PROTOCOL.md`.

use std::collections::VecDeque;

use fyke_codecs::websocket::Message;
use serde::{Deserialize, Serialize};

pub(crate) const NAME_CHARS_MAX: usize = 32;
pub(crate) const ROOM_CHARS_MAX: usize = 32;
pub(crate) const TEXT_CHARS_MAX: usize = 2000;
pub(crate) const MESSAGE_BYTES_MAX: u64 = 32_768;

/// What a client asks for.
#[derive(Deserialize, PartialEq, Eq, Debug)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Asked {
    Join { room: String, name: String },
    Say { text: String },
    Leave,
    Ping,
}

/// What the server says.
#[derive(Serialize, Debug)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Told<'a> {
    Welcome { room: &'a str, name: &'a str, members: Vec<&'a str>, history: &'a VecDeque<Said> },
    Joined { name: &'a str },
    Left { name: &'a str },
    Said(&'a Said),
    Pong,
    Error(Refusal),
}

/// Something that was said.
#[derive(Serialize, Debug)]
pub(crate) struct Said {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) text: String,
    /// Milliseconds since 1970.
    pub(crate) time: u64,
}

/// Why a request had no effect.
#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    /// For people.
    pub(crate) message: &'static str,
}

/// The same for programs.
#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Code {
    BadMessage,
    BadName,
    BadRoom,
    BadText,
    NotJoined,
    Full,
}

impl Refusal {
    pub(crate) const BAD_MESSAGE: Self =
        Self::new(Code::BadMessage, "This is no message that a chat client sends.");
    pub(crate) const NOT_JOINED: Self = Self::new(Code::NotJoined, "You are in no room.");
    pub(crate) const ROOM_FULL: Self = Self::new(Code::Full, "The room is full.");
    pub(crate) const NO_MORE_ROOMS: Self =
        Self::new(Code::Full, "There are as many rooms as there can be.");

    const fn new(code: Code, message: &'static str) -> Self {
        Self { code, message }
    }
}

impl Told<'_> {
    /// Encoded once, to be sent to as many as may be.
    pub(crate) fn message(&self) -> Message {
        let text = serde_json::to_string(self).expect("text and numbers can always be written");
        Message::text(text).share()
    }
}

/// Reads a client's message.
pub(crate) fn parse(text: &str) -> Result<Asked, Refusal> {
    // A list of the fields' values would do for serde, but not for the protocol.
    if !text.trim_ascii_start().starts_with('{') {
        return Err(Refusal::BAD_MESSAGE);
    }
    serde_json::from_str(text).map_err(|_| Refusal::BAD_MESSAGE)
}

/// A name as it counts: without the white space around it.
pub(crate) fn name(value: &str) -> Result<&str, Refusal> {
    const REFUSAL: Refusal =
        Refusal::new(Code::BadName, "A name has 1 to 32 characters and no control characters.");
    label(value, NAME_CHARS_MAX).ok_or(REFUSAL)
}

/// A room's name as it counts.
pub(crate) fn room(value: &str) -> Result<&str, Refusal> {
    const REFUSAL: Refusal = Refusal::new(
        Code::BadRoom,
        "A room has a name of 1 to 32 characters and no control characters.",
    );
    label(value, ROOM_CHARS_MAX).ok_or(REFUSAL)
}

fn label(value: &str, chars_max: usize) -> Option<&str> {
    let label = value.trim();
    let chars = label.chars().take(chars_max + 1).count();
    let good = (1..=chars_max).contains(&chars) && !label.contains(char::is_control);
    good.then_some(label)
}

/// Checks what somebody wants to say.
pub(crate) fn check_text(text: &str) -> Result<(), Refusal> {
    let refusal = |message| Err(Refusal::new(Code::BadText, message));
    if text.chars().nth(TEXT_CHARS_MAX).is_some() {
        return refusal("A message has at most 2000 characters.");
    }
    if text.trim().is_empty() {
        return refusal("A message is not blank.");
    }
    if text.contains(|c: char| c.is_control() && c != '\t' && c != '\n') {
        return refusal("A message has no control characters.");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_objects_with_their_fields() {
        let join = Asked::Join { room: "r".into(), name: "n".into() };
        assert_eq!(parse(r#" {"more":1,"name":"n","room":"r","type":"join"}"#), Ok(join));
        assert_eq!(parse(r#"{"type":"leave","text":7}"#), Ok(Asked::Leave));
        assert_eq!(parse(r#"{"type":"ping"}"#), Ok(Asked::Ping));
        assert_eq!(
            parse(r#"{"type":"say","text":"\ud83d\udc1f"}"#),
            Ok(Asked::Say { text: "🐟".into() })
        );
        let bad = [
            "",
            "{",
            "null",
            "7",
            "[]",
            r#""ping""#,
            r#"["ping"]"#,
            r#"["say","x"]"#,
            "{}",
            r#"{"type":7}"#,
            r#"{"type":"Ping"}"#,
            r#"{"type":"say"}"#,
            r#"{"type":"ping"} x"#,
            r#"{"type":"say","text":null}"#,
            r#"{"type":"say","text":"\ud83d"}"#,
            r#"{"type":"join","room":"x","name":7}"#,
        ];
        for text in
            bad.map(str::to_owned).into_iter().chain(["[".repeat(30_000), "{\"a\":".repeat(5_000)])
        {
            assert_eq!(parse(&text), Err(Refusal::BAD_MESSAGE), "{text:.60}");
        }
    }

    #[test]
    fn labels() {
        let long = "🐟".repeat(32);
        assert_eq!(name(" \t Ada "), Ok("Ada"));
        assert_eq!(room(&long), Ok(&*long));
        for bad in ["", " ", "a\nb", "a\0b", "a\u{85}b", "a\u{7f}", &"é".repeat(33)] {
            assert_eq!(name(bad).map_err(|refusal| refusal.code), Err(Code::BadName), "{bad:?}");
            assert_eq!(room(bad).map_err(|refusal| refusal.code), Err(Code::BadRoom), "{bad:?}");
        }
    }

    #[test]
    fn texts() {
        for good in ["x", " two\nlines\t", &"🐟".repeat(2000), "\u{feff}.", "\u{202e}"] {
            assert_eq!(check_text(good), Ok(()), "{good:?}");
        }
        for bad in ["", " \n\t", &"x".repeat(2001), "a\r", "a\u{1b}[31m", "\u{9b}", "\0"] {
            assert!(check_text(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn answers_are_what_the_protocol_says() {
        let said =
            Said { id: "a-1".into(), name: "Ada".into(), text: "Hi \"you\"\n".into(), time: 7 };
        let history = VecDeque::from([said]);
        let cases = [
            (
                Told::Welcome {
                    room: "r",
                    name: "Ada",
                    members: vec!["Bob", "Ada"],
                    history: &history,
                },
                r#"{"type":"welcome","room":"r","name":"Ada","members":["Bob","Ada"],"history":[{"id":"a-1","name":"Ada","text":"Hi \"you\"\n","time":7}]}"#,
            ),
            (Told::Joined { name: "Ada" }, r#"{"type":"joined","name":"Ada"}"#),
            (Told::Left { name: "Ada" }, r#"{"type":"left","name":"Ada"}"#),
            (
                Told::Said(&history[0]),
                r#"{"type":"said","id":"a-1","name":"Ada","text":"Hi \"you\"\n","time":7}"#,
            ),
            (Told::Pong, r#"{"type":"pong"}"#),
            (
                Told::Error(Refusal::NOT_JOINED),
                r#"{"type":"error","code":"not-joined","message":"You are in no room."}"#,
            ),
        ];
        for (told, text) in cases {
            assert_eq!(told.message(), Message::text(text.to_owned()), "{told:?}");
        }
    }
}
