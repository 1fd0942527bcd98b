//! A panic in any method of a handler closes that channel only, and says whose it was.

use std::time::Duration;

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder, Encoder};
use fyke_core::{
    ChannelOptions, CloseReason, Ctx, DuplexContext, DuplexHandler, Error, Event, EventFilter,
    Never, Offloaded, Promise, Result,
};

use crate::support::world::World;
use crate::support::{Letters, Log, Tell, Watch, on_read, quietly};

/// Panics in the method of that name.
struct Bad(&'static str);

impl Bad {
    fn at(&self, method: &str) {
        assert!(self.0 != method, "expected: {method}");
        if self.0 == method {
            unreachable!()
        }
    }
}

struct Poke;

type Cx<'a> = DuplexContext<'a, Bad>;

macro_rules! passing {
    ($($method:ident => $pass:ident,)*) => {
        $(fn $method(&mut self, cx: &mut Cx<'_>) -> Result<()> {
            self.at(stringify!($method));
            cx.$pass();
            Ok(())
        })*
    };
}

impl DuplexHandler for Bad {
    type In = u8;
    type Out = u8;
    type WriteIn = u8;
    type WriteOut = u8;

    fn added(&mut self, _: &mut Cx<'_>) -> Result<()> {
        self.at("added");
        Ok(())
    }

    fn read(&mut self, cx: &mut Cx<'_>, msg: u8) -> Result<()> {
        match msg {
            b't' => _ = cx.schedule(Duration::from_secs(1), 0),
            b'o' => cx.offload(|| ()),
            b'!' => return Err(Error::handler("for `error`")),
            _ => {}
        }
        self.at("read");
        cx.fire_read(msg);
        Ok(())
    }

    fn write(&mut self, cx: &mut Cx<'_>, msg: u8, promise: Promise) -> Result<()> {
        self.at("write");
        cx.write_with(msg, promise);
        Ok(())
    }

    passing! {
        registered => fire_registered,
        unregistered => fire_unregistered,
        active => fire_active,
        inactive => fire_inactive,
        read_complete => fire_read_complete,
        read_closed => fire_read_closed,
        writability_changed => fire_writability_changed,
        shutting_down => fire_shutting_down,
        flush => flush,
        close => close,
        shutdown => shutdown,
    }

    fn events(&self) -> EventFilter {
        EventFilter::of::<Poke>()
    }

    fn event(&mut self, _: &mut Cx<'_>, _: Event) -> Result<()> {
        self.at("event");
        Ok(())
    }

    fn error(&mut self, cx: &mut Cx<'_>, error: Error) -> Result<()> {
        self.at("error");
        cx.fire_error(error);
        Ok(())
    }

    fn timer(&mut self, _: &mut Cx<'_>, _: u64) -> Result<()> {
        self.at("timer");
        Ok(())
    }

    fn offloaded(&mut self, _: &mut Cx<'_>, _: Offloaded) -> Result<()> {
        self.at("offloaded");
        Ok(())
    }

    fn removed(&mut self) {
        self.at("removed");
    }
}

/// What makes a handler's method run.
enum Cause {
    Bytes(&'static [u8]),
    End,
    Handle(fn(&fyke_core::Channel)),
    Shutdown,
    /// It has run when the channel was made.
    Made,
}

fn causes() -> Vec<(&'static str, Cause)> {
    use Cause::{Bytes, End, Handle, Made, Shutdown};
    vec![
        ("added", Made),
        ("registered", Made),
        ("active", Made),
        ("read", Bytes(b"x")),
        ("read_complete", Bytes(b"x")),
        ("timer", Bytes(b"t")),
        ("offloaded", Bytes(b"o")),
        ("error", Bytes(b"!")),
        ("write", Bytes(b"e")),
        ("writability_changed", Bytes(b"eeeee")),
        ("read_closed", End),
        ("close", End),
        ("inactive", End),
        ("unregistered", End),
        ("removed", End),
        ("event", Handle(|ch| ch.fire_event(Poke).unwrap())),
        ("flush", Handle(|ch| ch.flush().unwrap())),
        ("shutdown", Handle(|ch| ch.shutdown().unwrap())),
        ("shutting_down", Shutdown),
    ]
}

#[test]
fn a_panic_in_any_method_closes_that_channel_only() {
    for (method, cause) in causes() {
        let mut world = World::new();
        let (tell, told) = std::sync::mpsc::channel();
        let spec = |bad: &'static str, log: &Log| {
            let (tell, log) = (tell.clone(), log.clone());
            let options = ChannelOptions::new().water_marks(2, 4);
            fyke_core::event_loop::ChannelSpec::new(options, move |ch| {
                let echo = |cx: &mut Ctx<'_, Never, u8>, msg: u8| {
                    if msg == b'e' {
                        cx.write(msg);
                    }
                    Ok(())
                };
                ch.pipeline()
                    .codec("letters", Letters)
                    .inbound("tell", Tell::<u8, u8>::new(&tell))
                    .duplex("bad", Bad(bad))
                    .inbound("watch", Watch::<u8, u8>::new("", &log))
                    .inbound("echo", on_read(echo))
            })
        };
        let (log, other_log) = (Log::new(), Log::new());
        let other = world.adopt(&spec("", &other_log));
        let _ = told.recv().unwrap();
        let line = quietly(|| world.adopt(&spec(method, &log)));
        let channel = told.recv().unwrap();
        world.line(line, |l| l.room = Some(0));
        quietly(|| {
            match cause {
                Cause::Bytes(bytes) => world.feed(line, bytes),
                Cause::End => world.end(line),
                Cause::Handle(act) => act(&channel),
                Cause::Shutdown => {
                    let core = world.event_loop.core();
                    core.shutdown(Duration::from_secs(5), |_| {});
                }
                Cause::Made => {}
            }
            world.settle();
            world.advance(Duration::from_secs(1));
        });
        let reason = channel.close_reason();
        let late = ["inactive", "unregistered", "removed", "read_closed", "close"];
        match method {
            // It was closing already, for that reason.
            _ if late.contains(&method) && method != "read_closed" => assert!(reason.is_some()),
            "error" => assert_eq!(reason, Some(CloseReason::Panic), "{method}"),
            _ => assert_eq!(reason, Some(CloseReason::Panic), "{method}"),
        }
        let lines = log.text();
        let expected = format!("error(the handler `bad` panicked: expected: {method})");
        let told = lines.contains(&expected);
        assert!(told || ["inactive", "unregistered", "removed"].contains(&method), "{lines}");
        assert!(lines.contains("removed"), "the others are let go in order: {method}: {lines}");
        if method == "shutting_down" {
            continue;
        }
        // The other one lives, in the same loop.
        world.feed(other, b"eee");
        world.settle();
        assert_eq!(world.sent(other), b"eee", "{method}");
    }
}

/// Panics at `!`, after it has written half of a message.
struct Half;

impl Decoder for Half {
    type Item = u8;

    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<u8>, CodecError> {
        let letter = src.read_u8().ok();
        assert!(letter != Some(b'?'), "expected: decode");
        Ok(letter)
    }
}

impl Encoder<u8> for Half {
    fn encode(&mut self, msg: u8, dst: &mut ByteBuf) -> Result<(), CodecError> {
        dst.write_u8(b'<');
        assert!(msg != b'!', "expected: encode");
        dst.write_u8(msg);
        Ok(())
    }
}

#[test]
fn a_panic_in_a_codec_sends_no_half_message() {
    for (bytes, sent) in [(b"ab?c", b"<a<b".as_slice()), (b"ab!c", b"")] {
        let mut channel = fyke_core::embedded::EmbeddedChannel::new(|ch| {
            struct Echo;
            impl fyke_core::InboundHandler for Echo {
                type In = u8;
                type Out = Never;
                type Write = u8;

                fn read(&mut self, cx: &mut fyke_core::Context<'_, Self>, msg: u8) -> Result<()> {
                    cx.write(msg);
                    Ok(())
                }

                fn error(
                    &mut self,
                    cx: &mut fyke_core::Context<'_, Self>,
                    error: Error,
                ) -> Result<()> {
                    cx.write(b'x');
                    cx.flush();
                    cx.fire_error(error);
                    Ok(())
                }
            }
            ch.pipeline().codec("half", Half).inbound("echo", Echo)
        });
        quietly(|| channel.write_inbound(bytes.as_slice()));
        assert_eq!(channel.close_reason(), Some(CloseReason::Panic));
        // What waited when a handler panicked is not sent: the stream ends in a reset anyway.
        let got = channel.read_outbound();
        assert!(got.is_empty() || got == sent, "{got:?}");
    }
}

/// What a handler had fired when it panicked is dropped with it: nobody waits for it for ever.
#[test]
fn a_panic_breaks_the_promises_of_its_method() {
    for writes in 1..4 {
        let log = Log::new();
        let l = log.clone();
        let mut channel = fyke_core::embedded::EmbeddedChannel::new(move |ch| {
            let seen = l.clone();
            let fail = move |cx: &mut Ctx<'_, Never, u8>, msg: u8| {
                for _ in 0..writes {
                    let written = cx.write_with_promise(msg);
                    let seen = seen.clone();
                    cx.spawn(async move { seen.add(written.await.unwrap_err().to_string()) });
                }
                panic!("expected: read")
            };
            ch.pipeline().codec("letters", Letters).inbound("fail", on_read(fail))
        });
        quietly(|| channel.write_inbound("x"));
        assert_eq!(log.take().len(), writes, "each of them failed");
    }
}

#[test]
fn a_panic_of_a_task_or_a_future_ends_nothing() {
    let mut world = World::new();
    let line = world.connect(ChannelOptions::default(), |ch| {
        let echo = |cx: &mut Ctx<'_, Never, u8>, msg: u8| {
            if msg == b'!' {
                cx.spawn(async { panic!("expected: a future") });
            }
            cx.write(msg);
            Ok(())
        };
        ch.pipeline().codec("letters", Letters).inbound("echo", on_read(echo))
    });
    quietly(|| {
        let core = world.event_loop.core();
        core.schedule(Duration::ZERO, |_| panic!("expected: a timer"));
        core.handle().execute(|_| panic!("expected: a task")).unwrap();
        world.feed(line, b"a!b");
        world.settle();
    });
    assert_eq!(world.sent(line), b"a!b");
    world.feed(line, b"c");
    world.settle();
    assert_eq!(world.sent(line), b"c");
}

#[test]
fn a_panic_of_a_task_on_a_channel_is_no_handlers() {
    let mut channel = fyke_core::embedded::EmbeddedChannel::new(|ch| {
        ch.pipeline().codec::<u8, _>("letters", Letters)
    });
    channel.write_inbound("x");
    let handle = channel.channel();
    handle.execute(|_| panic!("expected: a task")).unwrap();
    quietly(|| channel.run_pending());
    assert_eq!(channel.close_reason(), Some(CloseReason::Panic));
    assert_eq!(handle.close_reason(), Some(CloseReason::Panic));
}
