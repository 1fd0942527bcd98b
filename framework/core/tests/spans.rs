//! What a channel's handlers log carries the channel: its span, seen by a subscriber that keeps what
//! it is told.
#![allow(missing_docs, reason = "a test")]

mod support;

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use fyke_buffer::ByteBuf;
use fyke_core::embedded::EmbeddedChannel;
use fyke_core::{ChannelOptions, Context, InboundHandler, Never, Offloaded, Outgoing, Result};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

use support::world::World;

type Fields = BTreeMap<&'static str, String>;

#[derive(Default)]
struct Kept {
    /// Of each span, by its number less one.
    spans: Vec<Fields>,
    /// In which the thread is, innermost last.
    entered: Vec<u64>,
    closed: Vec<u64>,
    /// Each event's message, and in which span it happened.
    events: Vec<(String, Option<u64>)>,
}

#[derive(Clone)]
struct Keep(Arc<Mutex<Kept>>, Level);

struct Record<'a>(&'a mut Fields);

impl Visit for Record<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

impl Keep {
    fn at(level: Level) -> Self {
        Self(Arc::default(), level)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap()
    }

    fn run(&self, run: impl FnOnce()) {
        tracing::subscriber::with_default(self.clone(), run);
    }

    /// The messages that `mark` has logged, each with the `id` of the span it was logged in.
    fn marks(&self) -> Vec<String> {
        let kept = self.kept();
        let id = |span: &u64| kept.spans[*span as usize - 1]["id"].clone();
        let marks = kept.events.iter().filter_map(|(message, span)| {
            let what = message.strip_prefix("mark ")?;
            Some(format!("{what}@{}", span.as_ref().map_or_else(|| "none".into(), id)))
        });
        marks.collect()
    }
}

impl Subscriber for Keep {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.1
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        assert_eq!(attributes.metadata().name(), "channel");
        assert_eq!(attributes.metadata().target(), "fyke::channel");
        let mut fields = Fields::new();
        attributes.record(&mut Record(&mut fields));
        let mut kept = self.kept();
        kept.spans.push(fields);
        span::Id::from_u64(kept.spans.len() as u64)
    }

    fn record(&self, span: &span::Id, values: &span::Record<'_>) {
        values.record(&mut Record(&mut self.kept().spans[span.into_u64() as usize - 1]));
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::new();
        event.record(&mut Record(&mut fields));
        let mut kept = self.kept();
        let span = kept.entered.last().copied();
        assert!(event.is_contextual(), "{fields:?}");
        kept.events.push((fields.remove("message").unwrap_or_default(), span));
    }

    fn enter(&self, span: &span::Id) {
        self.kept().entered.push(span.into_u64());
    }

    fn exit(&self, span: &span::Id) {
        assert_eq!(self.kept().entered.pop(), Some(span.into_u64()));
    }

    fn try_close(&self, span: span::Id) -> bool {
        self.kept().closed.push(span.into_u64());
        true
    }
}

fn mark(what: impl fmt::Display) {
    tracing::info!("mark {what}");
}

/// Marks each of its methods; what it reads tells it what else to do.
struct Marker;

impl InboundHandler for Marker {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        mark("active");
        cx.schedule(Duration::from_secs(1), 0);
        Ok(())
    }

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
        mark("read");
        match msg.first() {
            Some(b's') => cx.spawn(async { mark("future") }),
            Some(b'o') => cx.offload(|| mark("work")),
            Some(b'p') => panic!("expected"),
            _ => cx.write(msg.into()),
        }
        Ok(())
    }

    fn offloaded(&mut self, _: &mut Context<'_, Self>, _: Offloaded) -> Result<()> {
        mark("offloaded");
        Ok(())
    }

    fn timer(&mut self, _: &mut Context<'_, Self>, _: u64) -> Result<()> {
        mark("timer");
        Ok(())
    }

    fn inactive(&mut self, _: &mut Context<'_, Self>) -> Result<()> {
        mark("inactive");
        Ok(())
    }
}

impl Drop for Marker {
    fn drop(&mut self) {
        mark("drop");
    }
}

fn channel(options: ChannelOptions) -> EmbeddedChannel {
    EmbeddedChannel::with_options(options, |ch| {
        mark("init");
        ch.pipeline().inbound("marker", Marker)
    })
}

#[test]
fn what_a_handler_logs_carries_the_channel() {
    let keep = Keep::at(Level::DEBUG);
    keep.run(|| {
        let mut channel = channel(ChannelOptions::new());
        channel.write_inbound(b"s");
        channel.write_inbound(b"o");
        channel.run(|_| mark("task"));
        channel.advance(Duration::from_secs(1));
        mark("outside");
        channel.channel().abort();
        channel.run_pending();
    });
    let in_span =
        ["init", "active", "read", "future", "read", "work", "offloaded", "task", "timer"];
    let mut expected: Vec<String> = in_span.iter().map(|what| format!("{what}@0.0.1")).collect();
    expected.push("outside@none".into());
    expected.extend(["inactive", "drop"].map(|what| format!("{what}@0.0.1")));
    assert_eq!(keep.marks(), expected);
    assert!(keep.kept().entered.is_empty());
}

#[test]
fn a_span_says_who_and_at_the_end_how_much_and_why() {
    let keep = Keep::at(Level::DEBUG);
    keep.run(|| {
        let mut channel = channel(ChannelOptions::new());
        channel.write_inbound(b"hello");
        let before = keep.kept().spans[0].clone();
        assert_eq!((before.get("bytes_in"), before.get("reason")), (None, None));
        channel.finish_inbound();
    });
    let kept = keep.kept();
    let fields: Vec<_> = kept.spans[0].iter().map(|(name, value)| (*name, &**value)).collect();
    let expected = [
        ("bytes_in", "5"),
        ("bytes_out", "5"),
        ("id", "0.0.1"),
        ("local", "local:embedded"),
        ("peer", "local:embedded-peer"),
        ("reason", "PeerEnd"),
        ("transport", "embedded"),
    ];
    assert_eq!(fields, expected);
    assert_eq!(kept.closed, [1], "it ends with its channel");
}

#[test]
fn each_channel_has_its_own() {
    let keep = Keep::at(Level::DEBUG);
    keep.run(|| {
        let mut world = World::new();
        let lines = [(); 2].map(|()| {
            world.connect(ChannelOptions::new(), |ch| ch.pipeline().inbound("marker", Marker))
        });
        for line in [lines[1], lines[0], lines[1]] {
            world.feed(line, b"x");
            world.turn();
        }
        assert!(keep.kept().entered.is_empty(), "between turns nobody is in a span");
    });
    let marks = keep.marks();
    let reads: Vec<&str> = marks.iter().filter_map(|mark| mark.strip_prefix("read@")).collect();
    let kept = keep.kept();
    let ids: Vec<&str> = kept.spans.iter().map(|span| &*span["id"]).collect();
    assert_ne!(ids[0], ids[1]);
    assert_eq!(reads, [ids[1], ids[0], ids[1]]);
}

#[test]
fn a_panic_leaves_the_span_behind_it() {
    let keep = Keep::at(Level::DEBUG);
    keep.run(|| {
        channel(ChannelOptions::new()).write_inbound(b"p");
        assert!(keep.kept().entered.is_empty());
        mark("outside");
    });
    let kept = keep.kept();
    let told = kept.events.iter().find(|(message, _)| message == "a handler panicked");
    assert_eq!(told, Some(&("a handler panicked".to_owned(), Some(1))));
    assert_eq!(kept.spans[0]["reason"], "Panic");
    drop(kept);
    assert_eq!(keep.marks().last().map(String::as_str), Some("outside@none"));
}

/// Off by the option, and off as nobody collects `DEBUG`.
#[test]
fn without_a_span_nothing_is_entered() {
    let off = (Level::TRACE, ChannelOptions::new().span(false));
    for (level, options) in [off, (Level::INFO, ChannelOptions::new())] {
        let keep = Keep::at(level);
        keep.run(|| {
            let mut channel = channel(options);
            channel.write_inbound(b"o");
            channel.finish_inbound();
        });
        assert!(keep.kept().spans.is_empty());
        let marks = keep.marks();
        assert_eq!(marks.len(), 7, "{marks:?}");
        assert!(marks.iter().all(|mark| mark.ends_with("@none")), "{marks:?}");
    }
}
