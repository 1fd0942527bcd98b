//! Members of a room who listen to each other.

use serde_json::{Value, json};
use tungstenite::{Error, Message, WebSocket};

use super::wire::Wire;
use super::{Client, Outcome, Side};

const MEMBERS_MAX: usize = 4;
const SAID_MAX: usize = 12;
const TEXT_CHARS_MAX: usize = 200;
/// Messages beside those that count: joined, left, what others say.
const OTHERS_MAX: usize = 10_000;

type Member = WebSocket<Wire>;

fn ask(member: &mut Member, what: &Value) -> Result<(), String> {
    let sent = member.send(Message::text(what.to_string()));
    sent.map_err(|error| format!("chat takes nothing: {error}"))
}

/// The next message of this type.
fn told(member: &mut Member, kind: &str) -> Result<Value, String> {
    for _ in 0..OTHERS_MAX {
        let message = member.read().map_err(|error| format!("no `{kind}` came: {error}"))?;
        let Message::Text(text) = message else { continue };
        let value: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        match value["type"].as_str() {
            Some(found) if found == kind => return Ok(value),
            Some("error") => return Err(format!("the chat says {value}")),
            _ => {}
        }
    }
    Err(format!("no `{kind}` came among {OTHERS_MAX} messages"))
}

impl Client<'_> {
    pub(super) fn chat(&mut self) -> Outcome {
        // Always the same, so that histories are soon full.
        let room = format!("room {}", self.id);
        // Two servers: they share no rooms.
        let side = self.side();
        let mut members = Vec::new();
        for at in 0..self.rng.usize(1..=MEMBERS_MAX) {
            members.push(self.join(side, &room, &format!("member {at}"))?);
        }
        let mut texts: Vec<String> = Vec::new();
        for _ in 0..self.rng.usize(1..=SAID_MAX) {
            let text = self.text();
            let speaker = self.rng.usize(..members.len());
            ask(&mut members[speaker], &json!({"type": "say", "text": text}))?;
            // The speaker hears itself first: so the order is known when the next one speaks.
            let heard = told(&mut members[speaker], "said")?;
            for (at, member) in members.iter_mut().enumerate() {
                let said = if at == speaker { heard.clone() } else { told(member, "said")? };
                if said["text"].as_str() != Some(&text) {
                    return Err("a member has heard another text".to_owned());
                }
            }
            self.answered();
            texts.push(text);
            self.pause();
        }
        self.history(side, &room, &texts)?;
        members.into_iter().try_for_each(|member| self.leave(member))
    }

    /// Who comes later gets what was said.
    fn history(&mut self, side: Side, room: &str, texts: &[String]) -> Outcome {
        let mut late = self.websocket(side)?;
        ask(&mut late, &json!({"type": "join", "room": room, "name": "late"}))?;
        let welcome = told(&mut late, "welcome")?;
        let history = welcome["history"].as_array().map(Vec::as_slice).unwrap_or_default();
        let known: Vec<_> = history.iter().filter_map(|said| said["text"].as_str()).collect();
        if !known.ends_with(&texts.iter().map(String::as_str).collect::<Vec<_>>()) {
            return Err("the history is another one".to_owned());
        }
        self.answered();
        self.leave(late)
    }

    fn websocket(&self, side: Side) -> Result<Member, String> {
        let wire = self.connect(self.targets.chat, side)?;
        let made = tungstenite::client("ws://soak/ws", wire);
        made.map(|(member, _)| member).map_err(|error| format!("no WebSocket: {error}"))
    }

    fn join(&mut self, side: Side, room: &str, name: &str) -> Result<Member, String> {
        let mut member = self.websocket(side)?;
        ask(&mut member, &json!({"type": "join", "room": room, "name": name}))?;
        told(&mut member, "welcome")?;
        if self.rng.bool() {
            member.send(Message::Ping(vec![1, 2, 3].into())).map_err(|error| error.to_string())?;
            ask(&mut member, &json!({"type": "ping"}))?;
            told(&mut member, "pong")?;
        }
        Ok(member)
    }

    fn leave(&mut self, mut member: Member) -> Outcome {
        match self.rng.u8(..4) {
            0 => drop(member),
            1 => member.into_inner().reset(),
            _ => {
                member.close(None).map_err(|error| format!("no close: {error}"))?;
                loop {
                    match member.read() {
                        Ok(_) => {}
                        Err(Error::ConnectionClosed) => break,
                        Err(error) => return Err(format!("the close is not answered: {error}")),
                    }
                }
            }
        }
        Ok(())
    }

    fn text(&mut self) -> String {
        let chars = self.rng.usize(1..=TEXT_CHARS_MAX);
        let text: String = (0..chars).map(|_| self.rng.char(' '..'\u{2fff}')).collect();
        // Not white space or control characters alone, which are refused.
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        format!("x{text}")
    }
}
