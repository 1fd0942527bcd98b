//! Errors: to the handler's own `error`, then behind, then to the tail, where they close the
//! channel.

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Encoder};
use fyke_core::embedded::EmbeddedChannel;
use fyke_core::{
    CloseReason, Ctx, DuplexContext, DuplexHandler, Error, ErrorKind, Fault, InboundHandler, Never,
    OutboundContext, OutboundHandler, Promise, Result,
};

use crate::support::{Frames, Letters, Log, Watch, on_read};

/// Fails at certain letters, in both directions, and logs its own errors.
struct Fragile(Log);

impl Fragile {
    fn check(msg: u8) -> Result<()> {
        match msg {
            b'!' => Err(Error::handler("exclaimed")),
            _ => Ok(()),
        }
    }
}

impl DuplexHandler for Fragile {
    type In = u8;
    type Out = u8;
    type WriteIn = u8;
    type WriteOut = u8;

    fn read(&mut self, cx: &mut DuplexContext<'_, Self>, msg: u8) -> Result<()> {
        cx.fire_read(msg);
        Self::check(msg)
    }

    fn write(&mut self, cx: &mut DuplexContext<'_, Self>, msg: u8, promise: Promise) -> Result<()> {
        Self::check(msg)?;
        cx.write_with(msg, promise);
        Ok(())
    }

    fn error(&mut self, cx: &mut DuplexContext<'_, Self>, error: Error) -> Result<()> {
        self.0.add(format!("own({error})"));
        cx.fire_error(error);
        Ok(())
    }
}

fn fragile(log: &Log) -> EmbeddedChannel {
    let l = log.clone();
    let channel = EmbeddedChannel::new(move |ch| {
        ch.pipeline()
            .codec("letters", Letters)
            .inbound("front", Watch::<u8, u8>::new("front", &l))
            .duplex("fragile", Fragile(l.clone()))
            .inbound("behind", Watch::<u8, u8>::new("behind", &l))
    });
    log.take();
    channel
}

fn errors(log: &Log) -> Vec<String> {
    log.take().into_iter().filter(|line| line.contains('(')).collect()
}

#[test]
fn an_error_of_read_goes_to_oneself_then_behind_then_closes() {
    let log = Log::new();
    let mut channel = fragile(&log);
    channel.write_inbound("ab!cd");
    assert_eq!(channel.drain_inbound::<u8>(), b"ab!", "what it fired before it failed has left");
    assert_eq!(errors(&log), ["own(exclaimed)", "behind.error(exclaimed)"]);
    let error = channel.take_error().unwrap();
    assert_eq!(error.fault(), Fault::Us);
    assert!(channel.take_error().is_none());
    channel.finish_inbound();
    assert_eq!(channel.close_reason(), Some(CloseReason::Handler));
}

#[test]
fn an_error_of_write_goes_the_same_way() {
    let log = Log::new();
    let mut channel = fragile(&log);
    let mut future = channel.write_outbound(b'!').unwrap();
    assert!(matches!(future.try_result().unwrap().unwrap_err().kind(), ErrorKind::Dropped));
    assert_eq!(errors(&log), ["own(exclaimed)", "behind.error(exclaimed)"]);
    channel.finish_inbound();
    assert_eq!(channel.close_reason(), Some(CloseReason::Handler));
}

#[test]
fn an_outbound_handler_hears_its_own_errors() {
    struct Out(Log);
    impl OutboundHandler for Out {
        type In = u8;
        type Out = u8;

        fn write(&mut self, _: &mut OutboundContext<'_, Self>, _: u8, _: Promise) -> Result<()> {
            Err(Error::handler("will not"))
        }

        fn error(&mut self, cx: &mut OutboundContext<'_, Self>, error: Error) -> Result<()> {
            self.0.add(format!("own({error})"));
            cx.fire_error(error);
            Ok(())
        }
    }
    let log = Log::new();
    let l = log.clone();
    let mut channel = EmbeddedChannel::new(move |ch| {
        ch.pipeline()
            .codec("letters", Letters)
            .outbound("out", Out(l.clone()))
            .inbound("behind", Watch::<u8, u8>::new("behind", &l))
    });
    log.take();
    drop(channel.write_outbound(b'x').unwrap());
    assert_eq!(errors(&log), ["own(will not)", "behind.error(will not)"]);
}

#[test]
fn errors_of_codecs_say_whose_fault_it_is() {
    struct Never16;
    impl Encoder<u16> for Never16 {
        fn encode(&mut self, _: u16, _: &mut ByteBuf) -> Result<(), CodecError> {
            Err(CodecError::Unencodable { what: "anything" })
        }
    }
    let mut channel = EmbeddedChannel::new(|ch| {
        let write = |cx: &mut Ctx<'_, Never, u16>, _: ByteBuf| {
            cx.write(1);
            Ok(())
        };
        ch.pipeline().encoder::<u16, _>("never", Never16).inbound("write", on_read(write))
    });
    channel.write_inbound("x");
    assert_eq!(channel.take_error().unwrap().fault(), Fault::Caller);

    let mut channel = EmbeddedChannel::new(|ch| ch.pipeline().codec("frames", Frames));
    channel.write_inbound(b"\0\x01a\xff\xff\0\x01b".as_slice());
    assert_eq!(channel.drain_inbound::<ByteBuf>().len(), 1, "nothing behind what is malformed");
    assert_eq!(channel.take_error().unwrap().fault(), Fault::Peer);
    channel.finish_inbound();
    assert_eq!(channel.close_reason(), Some(CloseReason::Protocol));
}

#[test]
fn an_error_of_error_goes_on_in_its_place() {
    struct Worse;
    impl InboundHandler for Worse {
        type In = u8;
        type Out = u8;
        type Write = u8;

        fn read(&mut self, _: &mut fyke_core::Context<'_, Self>, _: u8) -> Result<()> {
            Err(Error::handler("bad"))
        }

        fn error(&mut self, _: &mut fyke_core::Context<'_, Self>, error: Error) -> Result<()> {
            Err(Error::handler(format!("worse than {error}")))
        }
    }
    let log = Log::new();
    let l = log.clone();
    let mut channel = EmbeddedChannel::new(move |ch| {
        ch.pipeline()
            .codec("letters", Letters)
            .inbound("worse", Worse)
            .inbound("behind", Watch::<u8, u8>::new("behind", &l))
    });
    log.take();
    channel.write_inbound("x");
    assert_eq!(errors(&log), ["behind.error(worse than bad)"]);
}

#[test]
fn an_error_that_a_handler_takes_closes_nothing() {
    struct Taker(Log);
    impl InboundHandler for Taker {
        type In = u8;
        type Out = u8;
        type Write = u8;

        fn read(&mut self, cx: &mut fyke_core::Context<'_, Self>, msg: u8) -> Result<()> {
            cx.fire_read(msg);
            if msg == b'!' { Err(Error::handler("mine")) } else { Ok(()) }
        }

        fn error(&mut self, _: &mut fyke_core::Context<'_, Self>, error: Error) -> Result<()> {
            self.0.add(error.to_string());
            Ok(())
        }
    }
    let log = Log::new();
    let l = log.clone();
    let mut channel = EmbeddedChannel::new(move |ch| {
        ch.pipeline().codec("letters", Letters).inbound("taker", Taker(l.clone()))
    });
    channel.write_inbound("a!b!c");
    assert_eq!(channel.drain_inbound::<u8>(), b"a!b!c");
    assert_eq!(log.text(), "mine mine");
    assert!(channel.is_open());
}

/// A pipeline that cannot be built, and an initialiser that fails or panics.
#[test]
fn a_channel_that_cannot_be_built_is_an_error() {
    use crate::support::quietly;
    use fyke_core::{ChannelOptions, PipelineBuilder};
    let options = ChannelOptions::new;
    let failed = EmbeddedChannel::try_new(options(), |_| -> Result<PipelineBuilder> {
        Err(Error::handler("not for you"))
    });
    assert!(failed.unwrap_err().to_string().contains("not for you"));
    let panicked = quietly(|| {
        EmbeddedChannel::try_new(options(), |_| -> PipelineBuilder { panic!("expected: init") })
    });
    assert!(panicked.unwrap_err().to_string().contains("`initialiser` panicked: expected: init"));
    let twice = EmbeddedChannel::try_new(options(), |ch| {
        let pass = || {
            on_read(|cx: &mut Ctx<'_, u8, u8>, msg: u8| {
                cx.fire_read(msg);
                Ok(())
            })
        };
        ch.pipeline().codec("letters", Letters).inbound("pass", pass()).inbound("pass", pass())
    });
    assert!(twice.unwrap_err().to_string().contains("there is already a stage `pass`"));
}
