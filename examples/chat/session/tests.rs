//! Whole connections, from the bytes of the handshake to the last close frame, in virtual time.

use std::sync::Arc;
use std::time::Duration;

use fyke::embedded::EmbeddedChannel;
use fyke::{ByteBuf, ChannelOptions, CloseReason, Decoder};
use fyke_codecs::websocket::{CloseCode, CloseFrame, Limits, Message, MessageDecoder, Role, mask};
use fyke_examples::tls::ServerTls;
use serde_json::{Value, json};

use crate::outlet::QUEUE_BYTES_MAX;
use crate::{Chat, OUTBOUND_BYTES_MAX};

const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// A client's end of a connection.
struct Client {
    channel: EmbeddedChannel,
    decoder: MessageDecoder,
    received: ByteBuf,
}

impl Client {
    fn connect(chat: &Arc<Chat>) -> Self {
        let chat = Arc::clone(chat);
        let options = ChannelOptions::default().outbound_bytes_max(OUTBOUND_BYTES_MAX);
        let mut channel = EmbeddedChannel::with_options(options, move |ch| chat.serve(ch));
        channel.write_inbound(HANDSHAKE);
        assert!(channel.read_outbound().starts_with(b"HTTP/1.1 101 "));
        let decoder = MessageDecoder::new(Role::Client, Limits::new());
        Self { channel, decoder, received: ByteBuf::new() }
    }

    fn joined(chat: &Arc<Chat>, name: &str) -> Self {
        let mut client = Self::connect(chat);
        client.send(&json!({"type": "join", "room": "lobby", "name": name}));
        assert_eq!(client.told()[0]["type"], "welcome");
        client
    }

    fn send(&mut self, message: &Value) {
        self.send_frame(0x81, message.to_string().as_bytes());
    }

    fn say(&mut self, text: &str) {
        self.send(&json!({"type": "say", "text": text}));
    }

    fn send_frame(&mut self, first: u8, payload: &[u8]) {
        let mut bytes = vec![first, 0xff];
        bytes.extend((payload.len() as u64).to_be_bytes());
        match payload.len() {
            0..=125 => bytes.splice(1.., [0x80 | payload.len() as u8]).for_each(drop),
            126..=0xffff => {
                let len = payload.len() as u16;
                bytes.splice(1.., [&[0xfe][..], &len.to_be_bytes()].concat()).for_each(drop);
            }
            _ => {}
        }
        let key = [1, 2, 3, 4];
        bytes.extend(key);
        let start = bytes.len();
        bytes.extend(payload);
        mask(&mut bytes[start..], key);
        self.channel.write_inbound(bytes);
    }

    /// What has come since the last look.
    fn messages(&mut self) -> Vec<Message> {
        self.channel.run_pending();
        self.received.write_slice(&self.channel.read_outbound());
        let decode = || self.decoder.decode(&mut self.received).expect("servers send good frames");
        std::iter::from_fn(decode).collect()
    }

    /// The same, when it is nothing but text.
    fn told(&mut self) -> Vec<Value> {
        let text = |message: Message| match message {
            Message::Text(text) => serde_json::from_str(text.as_str()).expect("JSON"),
            other => panic!("{other:?}"),
        };
        self.messages().into_iter().map(text).collect()
    }
}

fn close(code: CloseCode, reason: &'static str) -> Message {
    Message::Close(Some(CloseFrame::new(code, reason)))
}

fn types(told: &[Value]) -> Vec<&str> {
    told.iter().map(|told| told["type"].as_str().expect("a type")).collect()
}

#[test]
fn two_clients_talk() {
    let chat = Arc::new(Chat::new(ServerTls::default()));
    let mut ada = Client::joined(&chat, "Ada");
    let mut bob = Client::joined(&chat, "Bob");
    bob.say("Grüße 🐟");
    let heard = ada.told();
    assert_eq!(types(&heard), ["joined", "said"]);
    assert_eq!((&heard[1]["name"], &heard[1]["text"]), (&json!("Bob"), &json!("Grüße 🐟")));
    assert_eq!(bob.told(), heard[1..]);
    bob.send(&json!({"type": "leave"}));
    assert_eq!(bob.told(), [json!({"type": "left", "name": "Bob"})]);
    assert_eq!(ada.told(), [json!({"type": "left", "name": "Bob"})]);
    bob.send(&json!({"type": "leave"}));
    bob.say("x");
    let refused = bob.told();
    assert_eq!(refused.len(), 2);
    assert!(refused.iter().all(|told| told["code"] == "not-joined"), "{refused:?}");
}

#[test]
fn each_message_has_one_answer_in_order() {
    let chat = Arc::new(Chat::new(ServerTls::default()));
    let mut ada = Client::joined(&chat, "Ada");
    for number in 0..10 {
        ada.say(&number.to_string());
        ada.say(" ");
        ada.send(&json!({"type": "ping"}));
        ada.send_frame(0x81, b"{");
    }
    let told = ada.told();
    assert_eq!(types(&told), ["said", "error", "pong", "error"].repeat(10));
    for (number, answers) in told.chunks(4).enumerate() {
        assert_eq!(answers[0]["text"], number.to_string());
        assert_eq!(answers[1]["code"], "bad-text");
        assert_eq!(answers[3]["code"], "bad-message");
    }
}

#[test]
fn an_end_of_any_kind_leaves_the_room_at_once() {
    type End = fn(&mut Client);
    let ends: [(&str, End, Option<Message>); 7] = [
        (
            "binary",
            |c| c.send_frame(0x82, b"x"),
            Some(close(CloseCode::UNSUPPORTED, "text messages only")),
        ),
        (
            "too big",
            |c| c.send_frame(0x81, &[b'x'; 32_769]),
            Some(close(CloseCode::TOO_BIG, "message over the limit")),
        ),
        (
            "no text",
            |c| c.send_frame(0x81, b"\xff"),
            Some(close(CloseCode::INVALID_PAYLOAD, "text is not UTF-8")),
        ),
        ("close", |c| c.send_frame(0x88, b"\x03\xe8bye"), Some(close(CloseCode::NORMAL, ""))),
        ("end", |c| c.channel.finish_inbound(), None),
        ("reset", |c| c.channel.break_connection(std::io::ErrorKind::ConnectionReset.into()), None),
        (
            "shutdown",
            |c| c.channel.event_loop().shutdown(Duration::from_secs(5), |_| {}),
            Some(close(CloseCode::GOING_AWAY, "")),
        ),
    ];
    for (what, end, last) in ends {
        let chat = Arc::new(Chat::new(ServerTls::default()));
        let mut ada = Client::joined(&chat, "Ada");
        let mut bob = Client::joined(&chat, "Bob");
        ada.told();
        end(&mut bob);
        assert_eq!(bob.messages(), Vec::from_iter(last), "{what}");
        if what == "shutdown" {
            // Nothing but time is missing to the end of the connection.
            bob.channel.advance(Duration::from_secs(1));
        }
        assert_eq!(ada.told(), [json!({"type": "left", "name": "Bob"})], "{what}");
        ada.say("alone");
        assert_eq!(types(&ada.told()), ["said"], "{what}");
    }
}

/// Lets `ada` talk until `slow` is out; answers how many bytes of text that took.
fn talk_until_it_leaves(ada: &mut Client, mut after_each: impl FnMut()) -> usize {
    let text = "x".repeat(2000);
    for said in 1.. {
        ada.say(&text);
        after_each();
        let told = ada.told();
        if told.iter().any(|told| told["type"] == "left") {
            assert_eq!(told.last(), Some(&json!({"type": "left", "name": "Slow"})));
            return said * text.len();
        }
        assert!(said * text.len() < 2 * QUEUE_BYTES_MAX, "never found too slow");
    }
    unreachable!("the limit is reached")
}

#[test]
fn a_client_that_does_not_read_is_dropped() {
    for reads_again in [true, false] {
        let chat = Arc::new(Chat::new(ServerTls::default()));
        let mut ada = Client::joined(&chat, "Ada");
        let mut slow = Client::joined(&chat, "Slow");
        ada.told();
        slow.channel.set_room(Some(0));
        let mut pending = 0;
        let bytes = talk_until_it_leaves(&mut ada, || {
            slow.channel.run_pending();
            pending = slow.channel.pending_bytes() as usize;
            assert!(pending <= QUEUE_BYTES_MAX + 64, "{pending} bytes wait");
        });
        assert!(bytes > QUEUE_BYTES_MAX / 2, "a burst of {bytes} bytes is no reason yet");
        ada.say("nobody waits for the slow one");
        slow.channel.run_pending();
        assert_eq!(slow.channel.pending_bytes() as usize, pending, "nothing more is queued");
        if reads_again {
            slow.channel.set_room(None);
            let messages = slow.messages();
            assert_eq!(messages.last(), Some(&close(CloseCode::TRY_AGAIN_LATER, "too slow")));
            slow.send_frame(0x88, &[]);
            slow.channel.finish_inbound();
            assert_eq!(slow.channel.close_reason(), Some(CloseReason::Local));
        } else {
            slow.channel.advance(Duration::from_millis(10_100));
            assert_eq!(slow.channel.close_reason(), Some(CloseReason::TimedOut));
        }
    }
}

#[test]
fn a_client_whose_loop_stands_still_is_dropped() {
    let chat = Arc::new(Chat::new(ServerTls::default()));
    let mut ada = Client::joined(&chat, "Ada");
    let mut slow = Client::joined(&chat, "Slow");
    ada.told();
    let bytes = talk_until_it_leaves(&mut ada, || {});
    assert!(bytes <= QUEUE_BYTES_MAX);
    let messages = slow.messages();
    assert_eq!(messages.last(), Some(&close(CloseCode::TRY_AGAIN_LATER, "too slow")));
}

#[test]
fn pages_and_refusals() {
    let chat = Arc::new(Chat::new(ServerTls::default()));
    let options = ChannelOptions::default();
    let mut channel = EmbeddedChannel::with_options(options, move |ch| chat.serve(ch));
    let mut ask = |request: &str| {
        channel.write_inbound(request);
        String::from_utf8(channel.read_outbound().to_vec()).expect("the page is text")
    };
    let cases = [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\n", "text/html; charset=utf-8"),
        ("GET /app.js?x HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\n", "text/javascript"),
        ("GET /../main.rs HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 404 Not Found\r\n", "not found"),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
            "HTTP/1.1 405 ",
            "Allow: GET, HEAD",
        ),
        ("GET /ws HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 426 ", "Upgrade: websocket"),
        (
            "GET /ws HTTP/1.1\r\nHost: a\r\nOrigin: http://b\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Version: 13\r\n\r\n",
            "HTTP/1.1 403 ",
            "origin",
        ),
    ];
    for (request, start, part) in cases {
        let answer = ask(request);
        assert!(answer.starts_with(start) && answer.contains(part), "{request}{answer}");
    }
    let page = ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = ask("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(head.ends_with("\r\n\r\n") && page.starts_with(&head), "{head}");
    assert!(head.contains("Content-Security-Policy: default-src 'none'; script-src 'self';"));
}
