//! Ends: from inside, slow ones, and the peer's.

use std::time::Duration;

use fyke_buffer::ByteBuf;
use fyke_codec::CodecError;
use fyke_core::embedded::EmbeddedChannel;
use fyke_core::{
    ChannelOptions, CloseReason, Context, Ctx, DuplexContext, DuplexHandler, Error, ErrorKind,
    InboundHandler, Never, Outgoing, Promise, Result,
};

use crate::support::{Frames, Letters, Log, Watch, frame, on_read, outcome};

fn second() -> Duration {
    Duration::from_secs(1)
}

fn raw(options: ChannelOptions) -> EmbeddedChannel {
    EmbeddedChannel::with_options(options, |ch| ch.pipeline())
}

/// Closes (or aborts) at `!` after an answer.
fn closing(abort: bool) -> EmbeddedChannel {
    EmbeddedChannel::new(move |ch| {
        let end = move |cx: &mut Ctx<'_, u8, u8>, msg: u8| {
            cx.write(msg.to_ascii_uppercase());
            match (msg, abort) {
                (b'!', false) => cx.close(),
                (b'!', true) => cx.abort(),
                _ => {}
            }
            cx.write(b'-');
            cx.fire_read(msg);
            Ok(())
        };
        ch.pipeline().codec("letters", Letters).inbound("end", on_read(end))
    })
}

#[test]
fn close_inside_read_stops_the_messages_of_the_buffer() {
    let mut channel = closing(false);
    channel.write_inbound("ab!cd");
    assert_eq!(channel.drain_inbound::<u8>(), b"ab!");
    assert_eq!(channel.read_outbound(), b"A-B-!", "what is written behind a close is refused");
    assert!(!channel.is_open() && channel.output_ended());
    channel.write_inbound("ef");
    channel.finish_inbound();
    assert_eq!(channel.close_reason(), Some(CloseReason::Local));
}

#[test]
fn abort_inside_read_drops_what_waits() {
    let mut channel = closing(true);
    channel.write_inbound("ab!cd");
    assert_eq!(channel.read_outbound(), b"", "nothing had been flushed");
    assert_eq!(channel.close_reason(), Some(CloseReason::Local));
}

#[test]
fn the_lifecycle_is_told_in_order_and_once() {
    let log = Log::new();
    let l = log.clone();
    let mut channel = EmbeddedChannel::new(move |ch| {
        ch.pipeline().inbound("watch", Watch::<ByteBuf, Outgoing>::new("", &l))
    });
    assert_eq!(log.text(), "added registered active");
    channel.write_inbound("x");
    assert_eq!(log.text(), "read_complete");
    channel.channel().close();
    channel.channel().close();
    channel.run_pending();
    assert_eq!(log.text(), "");
    channel.write_inbound("late");
    assert_eq!(log.text(), "", "bytes behind our end are dropped in silence");
    channel.finish_inbound();
    channel.channel().close();
    channel.break_connection(std::io::ErrorKind::ConnectionReset.into());
    assert_eq!(log.text(), "inactive unregistered removed");
}

#[test]
fn lingering_reads_and_drops_until_the_peer_ends() {
    let mut channel = raw(ChannelOptions::new().close_linger(second() * 2));
    channel.channel().close();
    channel.run_pending();
    assert!(channel.output_ended(), "our end is sent");
    assert_eq!(channel.close_reason(), None, "and the peer's is waited for");
    channel.write_inbound("the rest of an upload");
    channel.advance(second());
    assert_eq!(channel.close_reason(), None);
    channel.finish_inbound();
    assert_eq!(channel.close_reason(), Some(CloseReason::Local));
    assert_eq!(channel.read_inbound::<ByteBuf>(), None);
}

#[test]
fn lingering_ends_by_itself() {
    // After some time.
    let mut channel = raw(ChannelOptions::new().close_linger(second() * 2));
    channel.channel().close();
    channel.advance(Duration::from_millis(1999));
    assert_eq!(channel.close_reason(), None);
    channel.advance(Duration::from_millis(2));
    assert_eq!(channel.close_reason(), Some(CloseReason::Local));
    // After so many bytes.
    let mut options = ChannelOptions::new();
    options.close_linger_bytes_max = 10;
    let mut channel = raw(options);
    channel.channel().close();
    channel.run_pending();
    channel.write_inbound("0123456789");
    assert_eq!(channel.close_reason(), None);
    channel.write_inbound("!");
    assert_eq!(channel.close_reason(), Some(CloseReason::Local));
    // At once.
    let mut channel = raw(ChannelOptions::new().close_linger(Duration::ZERO));
    channel.channel().close();
    channel.run_pending();
    assert_eq!(channel.close_reason(), Some(CloseReason::Local));
}

#[test]
fn a_peer_that_takes_nothing_is_cut_after_a_while() {
    let options = ChannelOptions::new().close_timeout(second() * 30);
    let mut channel = raw(options);
    channel.set_room(Some(0));
    let mut rest = channel.write_outbound(Outgoing::from("0123456789")).unwrap();
    channel.advance(second() * 100);
    channel.channel().close();
    channel.advance(second() * 29);
    assert_eq!(channel.close_reason(), None);
    // It takes a little, so it gets as much time again.
    channel.set_room(Some(1));
    channel.advance(second() * 29);
    assert_eq!(channel.close_reason(), None);
    channel.advance(second() * 32);
    assert_eq!(channel.close_reason(), Some(CloseReason::Local));
    assert_eq!(outcome(&mut rest), Some(false));
    assert_eq!(channel.read_outbound(), b"0");
}

#[test]
fn the_end_inside_a_frame_is_an_error() {
    let log = Log::new();
    let l = log.clone();
    let mut channel = EmbeddedChannel::new(move |ch| {
        ch.pipeline()
            .codec("frames", Frames)
            .inbound("watch", Watch::<ByteBuf, ByteBuf>::new("", &l))
    });
    log.take();
    let mut bytes = frame(b"whole");
    bytes.extend_from_slice(b"\0\x05ha");
    channel.write_inbound(bytes);
    channel.finish_inbound();
    assert_eq!(channel.drain_inbound::<ByteBuf>(), [ByteBuf::from("whole")]);
    let lines = log.take();
    assert_eq!(lines[0], "read_complete");
    assert!(lines[1].starts_with("error(the stream ended inside a message, 4 bytes"), "{lines:?}");
    assert_eq!(lines[2..], ["read_closed", "inactive", "unregistered", "removed"]);
    assert_eq!(channel.close_reason(), Some(CloseReason::Protocol));
}

/// Takes errors as what happens.
struct Forgiving;

impl InboundHandler for Forgiving {
    type In = ByteBuf;
    type Out = ByteBuf;
    type Write = ByteBuf;

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
        cx.fire_read(msg);
        Ok(())
    }

    fn error(&mut self, cx: &mut Context<'_, Self>, error: Error) -> Result<()> {
        assert!(matches!(error.kind(), ErrorKind::Codec(CodecError::Truncated { left: 4 })));
        cx.write(ByteBuf::from("never mind"));
        Ok(())
    }
}

#[test]
fn an_end_whose_error_was_forgiven_is_still_an_end() {
    let mut channel = EmbeddedChannel::new(|ch| {
        ch.pipeline().codec("frames", Frames).inbound("forgiving", Forgiving)
    });
    channel.write_inbound(b"\0\x05ha".as_slice());
    channel.finish_inbound();
    assert_eq!(channel.read_outbound(), frame(b"never mind").as_slice());
    assert_eq!(channel.close_reason(), Some(CloseReason::PeerEnd));
}

/// Holds a close back until it is told the time.
struct Farewell;

impl DuplexHandler for Farewell {
    type In = u8;
    type Out = u8;
    type WriteIn = u8;
    type WriteOut = u8;

    fn read(&mut self, cx: &mut DuplexContext<'_, Self>, msg: u8) -> Result<()> {
        cx.fire_read(msg);
        Ok(())
    }

    fn write(&mut self, cx: &mut DuplexContext<'_, Self>, msg: u8, promise: Promise) -> Result<()> {
        cx.write_with(msg, promise);
        Ok(())
    }

    fn close(&mut self, cx: &mut DuplexContext<'_, Self>) -> Result<()> {
        cx.write(b'f');
        cx.schedule(second(), 0);
        Ok(())
    }

    fn timer(&mut self, cx: &mut DuplexContext<'_, Self>, _: u64) -> Result<()> {
        cx.write(b'w');
        cx.close();
        Ok(())
    }
}

#[test]
fn handlers_hear_of_a_close_and_may_put_it_off() {
    type End = fn(&mut EmbeddedChannel);
    let ends: [(End, CloseReason); 3] = [
        (|ch| ch.channel().close(), CloseReason::Local),
        // The peer's end, too, is a close that a handler may have something to say to.
        (|_| {}, CloseReason::PeerEnd),
        (|ch| ch.channel().close_with(CloseReason::TimedOut), CloseReason::TimedOut),
    ];
    for (end, reason) in ends {
        let mut channel = EmbeddedChannel::new(|ch| {
            ch.pipeline().codec("letters", Letters).duplex("farewell", Farewell)
        });
        end(&mut channel);
        channel.run_pending();
        channel.finish_inbound();
        assert_eq!(channel.read_outbound(), b"f");
        assert_eq!(channel.close_reason(), None);
        channel.advance(second());
        assert_eq!(channel.read_outbound(), b"w");
        assert_eq!(channel.close_reason(), Some(reason));
    }
}

/// Fails whenever it is asked to close.
struct Stubborn;

impl DuplexHandler for Stubborn {
    type In = u8;
    type Out = Never;
    type WriteIn = u8;
    type WriteOut = u8;

    fn read(&mut self, _: &mut DuplexContext<'_, Self>, _: u8) -> Result<()> {
        Err(Error::handler("no"))
    }

    fn write(&mut self, cx: &mut DuplexContext<'_, Self>, msg: u8, promise: Promise) -> Result<()> {
        cx.write_with(msg, promise);
        Ok(())
    }

    fn close(&mut self, _: &mut DuplexContext<'_, Self>) -> Result<()> {
        Err(Error::handler("never"))
    }
}

#[test]
fn a_handler_that_fails_at_its_close_does_not_keep_the_channel() {
    for by_error in [true, false] {
        let mut channel = EmbeddedChannel::new(|ch| {
            ch.pipeline().codec("letters", Letters).duplex("stubborn", Stubborn)
        });
        match by_error {
            true => channel.write_inbound("x"),
            false => channel.channel().close(),
        }
        channel.run_pending();
        channel.finish_inbound();
        assert!(channel.close_reason().is_some());
    }
}

/// `inactive` and `unregistered` may fail; there is nobody left to act on it.
#[test]
fn errors_at_the_end_change_nothing() {
    struct Sore;
    impl InboundHandler for Sore {
        type In = ByteBuf;
        type Out = ByteBuf;
        type Write = Outgoing;

        fn read(&mut self, _: &mut Context<'_, Self>, _: ByteBuf) -> Result<()> {
            Ok(())
        }

        fn inactive(&mut self, _: &mut Context<'_, Self>) -> Result<()> {
            Err(Error::handler("sore"))
        }

        fn unregistered(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
            cx.write("too late".into());
            cx.close();
            Err(Error::handler("very sore"))
        }
    }
    let mut channel = EmbeddedChannel::new(|ch| ch.pipeline().inbound("sore", Sore));
    channel.finish_inbound();
    assert_eq!(channel.close_reason(), Some(CloseReason::PeerEnd));
    assert_eq!(channel.read_outbound(), b"");
}
