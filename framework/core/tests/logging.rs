//! `LoggingHandler`, watched by a subscriber that keeps what it is told.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex};

use fyke_buffer::ByteBuf;
use fyke_core::embedded::{EmbeddedChannel, MessageChannel};
use fyke_core::handlers::{ByteFormat, LogMessage, LogStyle, LoggingHandler, read_fn};
use fyke_core::{Address, Ctx, Datagram, Error, Never, Outgoing};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

#[derive(Clone)]
struct Keep {
    lines: Arc<Mutex<Vec<(Level, String)>>>,
    max: Level,
}

#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.0, "{value:?}");
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "channel" {
            assert!(value.starts_with("[id: "), "{value}");
            assert!(value.contains("embedded"), "{value}");
        }
    }
}

impl Subscriber for Keep {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.max && metadata.target().contains("logging")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        self.lines.lock().unwrap().push((*event.metadata().level(), line.0));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// What is logged up to `max` while `run` runs.
fn logged(max: Level, run: impl FnOnce()) -> Vec<(Level, String)> {
    let keep = Keep { lines: Arc::default(), max };
    let lines = Arc::clone(&keep.lines);
    tracing::subscriber::with_default(keep, run);
    let mut lines = lines.lock().unwrap();
    std::mem::take(&mut *lines)
}

fn texts(lines: &[(Level, String)]) -> Vec<&str> {
    lines.iter().map(|(_, text)| text.as_str()).collect()
}

fn echo() -> impl fyke_core::InboundHandler<In = ByteBuf, Out = Never, Write = Outgoing> {
    read_fn(|cx: &mut Ctx<'_, Never, Outgoing>, msg: ByteBuf| {
        cx.write(msg.into());
        Ok(())
    })
}

fn logging_echo(log: LoggingHandler<ByteBuf, Outgoing>) -> EmbeddedChannel {
    let log = Mutex::new(Some(log));
    EmbeddedChannel::new(move |ch| {
        let log = log.lock().unwrap().take().unwrap();
        ch.pipeline().duplex("log", log).inbound("echo", echo())
    })
}

#[test]
fn everything_that_passes_is_logged_and_passed_on() {
    let lines = logged(Level::TRACE, || {
        let mut channel = logging_echo(LoggingHandler::new(Level::INFO));
        channel.write_inbound(b"hello");
        assert_eq!(channel.read_outbound(), b"hello");
        channel.fire_event("a user's event");
        channel.channel().flush().unwrap();
        channel.channel().shutdown().unwrap();
        channel.run_pending();
        channel.finish_inbound();
        assert!(channel.close_reason().is_some());
    });
    assert!(lines.iter().all(|(level, _)| *level == Level::INFO));
    assert_eq!(
        texts(&lines),
        [
            "REGISTERED",
            "ACTIVE",
            "READ: 5B",
            "WRITE: 5B",
            "READ COMPLETE",
            "USER EVENT: Event { outbound: false, .. }",
            "FLUSH",
            "SHUTDOWN",
            "READ CLOSED",
            "CLOSE",
            "INACTIVE",
            "UNREGISTERED",
        ]
    );
}

#[test]
fn errors_and_closing() {
    fn failing() -> EmbeddedChannel {
        EmbeddedChannel::new(|ch| {
            let fail = |_: &mut Ctx<'_, Never, Outgoing>, _: ByteBuf| Err(Error::handler("oh"));
            let log = LoggingHandler::new(Level::WARN);
            ch.pipeline().duplex("log", log).inbound("fail", read_fn(fail))
        })
    }
    // The handler behind fails: its error goes to the tail, and what comes back is the close.
    let lines = logged(Level::WARN, || failing().write_inbound(b"x"));
    assert_eq!(texts(&lines), ["REGISTERED", "ACTIVE", "READ: 1B", "CLOSE", "READ COMPLETE"]);
    // The connection fails: that passes here.
    let lines = logged(Level::WARN, || {
        failing().break_connection(std::io::ErrorKind::ConnectionReset.into());
    });
    let expected =
        ["REGISTERED", "ACTIVE", "ERROR: connection reset", "CLOSE", "INACTIVE", "UNREGISTERED"];
    assert_eq!(texts(&lines), expected);
}

#[test]
fn nothing_is_made_for_a_level_that_is_off() {
    struct Untold;
    impl LogMessage for Untold {
        fn fmt_log(&self, _: &mut fmt::Formatter<'_>, _: &LogStyle) -> fmt::Result {
            panic!("nobody wants to see this");
        }
    }
    let lines = logged(Level::INFO, || {
        let mut channel = MessageChannel::<Untold, Untold>::new(|p| {
            p.duplex("log", LoggingHandler::new(Level::DEBUG))
        });
        channel.feed(Untold);
        assert!(channel.read_inbound::<Untold>().is_some());
    });
    assert!(lines.is_empty());
}

#[test]
fn at_trace_bytes_are_dumped_up_to_the_limit() {
    let lines = logged(Level::TRACE, || {
        let log = LoggingHandler::new(Level::TRACE).message_bytes_max(16);
        let mut channel = logging_echo(log);
        channel.write_inbound(b"0123456789abcdefghij");
        assert_eq!(channel.read_outbound(), b"0123456789abcdefghij");
    });
    let read = lines.iter().find(|(_, text)| text.starts_with("READ: ")).unwrap().1.clone();
    assert!(read.starts_with("READ: 20B\n"), "{read}");
    assert!(read.contains("|00000000| 30 31 32 33"), "{read}");
    assert!(read.contains("|0123456789abcdef|"), "{read}");
    assert!(!read.contains("00000010"), "{read}");
    assert!(read.ends_with("\n... and 4 bytes more"), "{read}");
    assert!(lines.iter().any(|(_, text)| text.starts_with("WRITE: 20B\n         +--")));
}

#[test]
fn the_default_limit_is_a_kibibyte() {
    let lines = logged(Level::TRACE, || {
        let log = LoggingHandler::new(Level::ERROR).format(ByteFormat::HexDump);
        logging_echo(log).write_inbound([0_u8; 5000].as_slice());
    });
    let read = &lines.iter().find(|(_, text)| text.starts_with("READ: ")).unwrap().1;
    assert!(read.contains("|000003f0|") && !read.contains("|00000400|"));
    assert!(read.ends_with("\n... and 3976 bytes more"));
}

#[test]
fn every_kind_of_byte_message_is_shown() {
    struct Show<'a, M>(&'a M);
    impl<M: LogMessage> fmt::Display for Show<'_, M> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.fmt_log(f, &LogStyle::default())
        }
    }
    let peer: Address = "192.0.2.1:9".parse().unwrap();
    let mut datagram = Datagram::to(peer, b"abc".as_slice());
    assert_eq!(Show(&datagram).to_string(), "(192.0.2.1:9) 3B");
    datagram.truncated = true;
    datagram.peer = None;
    assert_eq!(Show(&datagram).to_string(), "(cut) 3B");
    assert_eq!(Show(&Outgoing::from("abcd")).to_string(), "4B");
    assert_eq!(Show(&ByteBuf::new()).to_string(), "0B");
}

#[test]
fn other_messages_go_by_debug_with_a_limit() {
    let lines = logged(Level::TRACE, || {
        let mut channel = MessageChannel::<Vec<u32>, String>::new(|p| {
            p.duplex("log", LoggingHandler::debug(Level::DEBUG).message_bytes_max(10))
        });
        channel.feed(vec![1, 2]);
        channel.feed((0..1000).collect());
        drop(channel.write_outbound("ää".repeat(100)).unwrap());
        assert_eq!(channel.written().unwrap().len(), 400);
    });
    let messages: Vec<_> = texts(&lines)
        .into_iter()
        .filter(|t| t.starts_with("READ: ") || t.starts_with("W"))
        .collect();
    assert_eq!(messages, ["READ: [1, 2]", "READ: [0, 1, 2, ...", "WRITE: \"ääää..."]);
}
