//! Whatever goes wrong in one channel leaves a line in the log that says what it was.
#![allow(missing_docs, reason = "a test")]

mod support;

use std::fmt::{self, Write as _};
use std::io;
use std::sync::{Arc, Mutex};

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder};
use fyke_core::embedded::EmbeddedChannel;
use fyke_core::{ChannelOptions, Ctx, Error, Never, Outgoing};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

use support::on_read;

#[derive(Clone, Default)]
struct Keep(Arc<Mutex<Vec<String>>>);

#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, "{}={value:?} ", field.name());
    }
}

impl Subscriber for Keep {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        self.0.lock().unwrap().push(format!("{} {}", event.metadata().level(), line.0));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// The lines of `run`, of level info and above.
fn logged(run: impl FnOnce()) -> Vec<String> {
    let keep = Keep::default();
    let lines = Arc::clone(&keep.0);
    tracing::subscriber::with_default(keep, run);
    std::mem::take(&mut *lines.lock().unwrap())
}

/// Exactly one line, which holds all of `parts`.
#[track_caller]
fn one_line(lines: &[String], parts: &[&str]) {
    assert_eq!(lines.len(), 1, "{lines:#?}");
    for part in parts {
        assert!(lines[0].contains(part), "`{part}` is not in: {}", lines[0]);
    }
}

/// Refuses an `x`, and everything longer than eight bytes.
struct Strict;

impl Decoder for Strict {
    type Item = ByteBuf;

    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<ByteBuf>, CodecError> {
        match src.readable() {
            0 => Ok(None),
            _ if src.contains(&b'x') => Err(CodecError::malformed("there is an x")),
            n if n > 8 => Err(CodecError::TooLarge { what: "a frame", size: n as u64, limit: 8 }),
            n => Ok(Some(src.split_to(n))),
        }
    }
}

/// Panics at `p` and fails at `f`.
fn channel() -> EmbeddedChannel {
    EmbeddedChannel::with_options(ChannelOptions::new(), |ch| {
        let fragile = |_: &mut Ctx<'_, Never, Outgoing>, msg: ByteBuf| match msg.first() {
            Some(b'p') => panic!("as the test asks"),
            Some(b'f') => Err(Error::handler("as the test asks")),
            _ => Ok(()),
        };
        ch.pipeline().decoder("strict", Strict).inbound("fragile", on_read(fragile))
    })
}

fn given(bytes: &'static [u8]) -> Vec<String> {
    logged(|| channel().write_inbound(bytes))
}

#[test]
fn a_decoders_error() {
    one_line(&given(b"x"), &["WARN", "unhandled error", "there is an x", "Peer"]);
}

#[test]
fn an_oversized_frame() {
    one_line(&given(b"123456789"), &["WARN", "a frame", "9", "8", "Peer"]);
}

#[test]
fn a_handlers_error() {
    one_line(&given(b"f"), &["WARN", "unhandled error", "as the test asks"]);
}

#[test]
fn a_handlers_panic() {
    // The panic itself, and then an error like any other that no handler takes.
    let lines = given(b"p");
    one_line(&lines[..1], &["ERROR", "a handler panicked", "fragile", "as the test asks"]);
    one_line(&lines[1..], &["WARN", "closing", "fragile", "Us"]);
}

#[test]
fn a_reset_by_the_peer() {
    let lines = logged(|| channel().break_connection(io::ErrorKind::ConnectionReset.into()));
    one_line(&lines, &["INFO", "the peer reset the connection"]);
}

#[test]
fn a_broken_connection() {
    let lines = logged(|| channel().break_connection(io::ErrorKind::TimedOut.into()));
    one_line(&lines, &["WARN", "unhandled error"]);
}

/// Half a close is nothing that went wrong.
#[test]
fn an_orderly_end_says_nothing() {
    assert_eq!(logged(|| channel().finish_inbound()), Vec::<String>::new());
}
