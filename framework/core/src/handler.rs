//! The three kinds of handlers. Names are Netty's; messages are typed.
//!
//! A handler is a plain value with `&mut self` methods. It is never re-entered: what it fires or
//! writes leaves after its method has returned, in order, and what reaches it meanwhile waits.
//! It learns time, date and randomness from its context and from nowhere else.
//!
//! Every method has a default that passes on, so a handler names only what it cares for. An `Err`
//! from any method goes to the handler's own `error` first, and then towards the tail; an error
//! that nobody handles closes the channel and is logged.

use fyke_buffer::ByteBuf;

use crate::env::Env;
use crate::error::{Error, Result};
use crate::event::{Event, EventFilter, Offloaded};
use crate::pipeline::context::Ctx;
use crate::promise::Promise;

/// No message at all: the `Out` of the last handler in line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Never {}

/// The context of an [`InboundHandler`].
pub type Context<'a, H> = Ctx<'a, <H as InboundHandler>::Out, <H as InboundHandler>::Write>;
/// The context of an [`OutboundHandler`].
pub type OutboundContext<'a, H> = Ctx<'a, Never, <H as OutboundHandler>::Out>;
/// The context of a [`DuplexHandler`].
pub type DuplexContext<'a, H> = Ctx<'a, <H as DuplexHandler>::Out, <H as DuplexHandler>::WriteOut>;

macro_rules! inbound_methods {
    ($context:ident) => {
        /// The handler is in the pipeline, and the pipeline is on its loop. It comes before
        /// `registered` and `active`; a handler that an edit puts into a running pipeline hears
        /// this alone, as those have passed.
        ///
        /// # Errors
        /// Whatever the handler cannot cope with.
        fn added(&mut self, cx: &mut $context<'_, Self>) -> Result<()> {
            let _ = cx;
            Ok(())
        }

        /// The handler leaves the pipeline, or the channel is gone. Nothing can be fired any more.
        fn removed(&mut self) {}

        /// The channel has got its loop. Comes once, before `active`.
        ///
        /// # Errors
        /// Whatever the handler cannot cope with.
        fn registered(&mut self, cx: &mut $context<'_, Self>) -> Result<()> {
            cx.fire_registered();
            Ok(())
        }

        /// The channel leaves its loop: the last thing that a handler hears.
        ///
        /// # Errors
        /// Logged; there is nobody left to act on it.
        fn unregistered(&mut self, cx: &mut $context<'_, Self>) -> Result<()> {
            cx.fire_unregistered();
            Ok(())
        }

        /// The channel is connected.
        ///
        /// # Errors
        /// Whatever the handler cannot cope with.
        fn active(&mut self, cx: &mut $context<'_, Self>) -> Result<()> {
            cx.fire_active();
            Ok(())
        }

        /// The channel is closed; nothing can be written any more.
        ///
        /// # Errors
        /// Whatever the handler cannot cope with.
        fn inactive(&mut self, cx: &mut $context<'_, Self>) -> Result<()> {
            cx.fire_inactive();
            Ok(())
        }

        /// What was there to read in this turn has been read.
        ///
        /// # Errors
        /// Whatever the handler cannot cope with.
        fn read_complete(&mut self, cx: &mut $context<'_, Self>) -> Result<()> {
            cx.pass_read_complete::<Self>();
            Ok(())
        }

        /// The peer has sent its last message. Passed on to the end, the channel closes once all
        /// that was written has been sent, unless half closure is allowed.
        ///
        /// # Errors
        /// Whatever the handler cannot cope with.
        fn read_closed(&mut self, cx: &mut $context<'_, Self>) -> Result<()> {
            cx.fire_read_closed();
            Ok(())
        }

        /// [`Ctx::is_writable`] has changed.
        ///
        /// # Errors
        /// Whatever the handler cannot cope with.
        fn writability_changed(&mut self, cx: &mut $context<'_, Self>) -> Result<()> {
            cx.fire_writability_changed();
            Ok(())
        }

        /// The loop shuts down. Passed on to the end, the channel closes; a handler that has work
        /// to finish keeps this and closes later (until the deadline).
        ///
        /// # Errors
        /// Whatever the handler cannot cope with.
        fn shutting_down(&mut self, cx: &mut $context<'_, Self>) -> Result<()> {
            cx.fire_shutting_down();
            Ok(())
        }

        /// Which user events [`event`](Self::event) is for. None by default.
        fn events(&self) -> EventFilter {
            EventFilter::NONE
        }

        /// A user event of a type named by [`events`](Self::events).
        ///
        /// # Errors
        /// Whatever the handler cannot cope with.
        fn event(&mut self, cx: &mut $context<'_, Self>, event: Event) -> Result<()> {
            cx.pass_event(event);
            Ok(())
        }

        /// An error: of this handler's own methods, or passed on by the one before.
        ///
        /// # Errors
        /// The same error or another one, which goes on towards the tail.
        fn error(&mut self, cx: &mut $context<'_, Self>, error: Error) -> Result<()> {
            cx.fire_error(error);
            Ok(())
        }

        /// A timer of [`Ctx::schedule`] has expired.
        ///
        /// # Errors
        /// Whatever the handler cannot cope with.
        fn timer(&mut self, cx: &mut $context<'_, Self>, tag: u64) -> Result<()> {
            let _ = (cx, tag);
            Ok(())
        }

        /// Work of [`Ctx::offload`] is done; what arrived meanwhile follows.
        ///
        /// # Errors
        /// Whatever the handler cannot cope with.
        fn offloaded(&mut self, cx: &mut $context<'_, Self>, result: Offloaded) -> Result<()> {
            let _ = (cx, result);
            Ok(())
        }
    };
}

macro_rules! outbound_methods {
    ($context:ident) => {
        /// What was written is to be sent now.
        ///
        /// # Errors
        /// Whatever the handler cannot cope with.
        fn flush(&mut self, cx: &mut $context<'_, Self>) -> Result<()> {
            cx.flush();
            Ok(())
        }

        /// The channel is to be closed after what was written has been sent.
        ///
        /// # Errors
        /// Whatever the handler cannot cope with.
        fn close(&mut self, cx: &mut $context<'_, Self>) -> Result<()> {
            cx.close();
            Ok(())
        }

        /// Our direction is to be ended after what was written has been sent.
        ///
        /// # Errors
        /// Whatever the handler cannot cope with.
        fn shutdown(&mut self, cx: &mut $context<'_, Self>) -> Result<()> {
            cx.shutdown();
            Ok(())
        }
    };
}

pub(crate) use {inbound_methods, outbound_methods};

/// Handles what comes in.
///
/// ```
/// use std::time::Duration;
///
/// use fyke_buffer::ByteBuf;
/// use fyke_core::embedded::EmbeddedChannel;
/// use fyke_core::{Context, InboundHandler, Never, Outgoing, Result};
///
/// /// Echoes, and says every second that it is still there.
/// struct Ticking;
///
/// impl InboundHandler for Ticking {
///     type In = ByteBuf;
///     type Out = Never;
///     type Write = Outgoing;
///
///     fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
///         cx.schedule(Duration::from_secs(1), 0);
///         Ok(())
///     }
///
///     fn read(&mut self, cx: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
///         cx.write(msg.into());
///         Ok(())
///     }
///
///     fn timer(&mut self, cx: &mut Context<'_, Self>, _tag: u64) -> Result<()> {
///         cx.write("tick ".into());
///         cx.schedule(Duration::from_secs(1), 0);
///         Ok(())
///     }
/// }
///
/// let mut channel = EmbeddedChannel::new(|ch| ch.pipeline().inbound("ticking", Ticking));
/// channel.advance(Duration::from_secs(2));
/// channel.write_inbound(b"hello");
/// assert_eq!(channel.read_outbound(), b"tick tick hello");
/// ```
pub trait InboundHandler: Sized + 'static {
    /// What arrives from the transport's side.
    type In: 'static;
    /// What it passes on to the next handler ([`Never`] for the last in line).
    type Out: 'static;
    /// What it sends back towards the transport.
    type Write: 'static;

    /// A message has arrived.
    ///
    /// # Errors
    /// Whatever the handler cannot cope with.
    fn read(&mut self, cx: &mut Context<'_, Self>, msg: Self::In) -> Result<()>;

    inbound_methods!(Context);
}

/// Handles what goes out.
pub trait OutboundHandler: Sized + 'static {
    /// What arrives from the application's side.
    type In: 'static;
    /// What it passes on towards the transport.
    type Out: 'static;

    /// A message is to be sent. Pass the promise on with the (last) message it becomes;
    /// a promise that is dropped fails.
    ///
    /// # Errors
    /// Whatever the handler cannot cope with.
    fn write(
        &mut self,
        cx: &mut OutboundContext<'_, Self>,
        msg: Self::In,
        promise: Promise,
    ) -> Result<()>;

    /// The handler is in the pipeline, and the pipeline is on its loop.
    ///
    /// # Errors
    /// Whatever the handler cannot cope with.
    fn added(&mut self, cx: &mut OutboundContext<'_, Self>) -> Result<()> {
        let _ = cx;
        Ok(())
    }

    /// The handler leaves the pipeline, or the channel is gone.
    fn removed(&mut self) {}

    outbound_methods!(OutboundContext);

    /// Which user events [`event`](Self::event) is for. None by default.
    fn events(&self) -> EventFilter {
        EventFilter::NONE
    }

    /// A user event of a type named by [`events`](Self::events), on its way out.
    ///
    /// # Errors
    /// Whatever the handler cannot cope with.
    fn event(&mut self, cx: &mut OutboundContext<'_, Self>, event: Event) -> Result<()> {
        cx.pass_event(event);
        Ok(())
    }

    /// An error of this handler's own methods.
    ///
    /// # Errors
    /// The same error or another one, which goes on towards the tail.
    fn error(&mut self, cx: &mut OutboundContext<'_, Self>, error: Error) -> Result<()> {
        cx.fire_error(error);
        Ok(())
    }

    /// A timer of [`Ctx::schedule`] has expired.
    ///
    /// # Errors
    /// Whatever the handler cannot cope with.
    fn timer(&mut self, cx: &mut OutboundContext<'_, Self>, tag: u64) -> Result<()> {
        let _ = (cx, tag);
        Ok(())
    }

    /// Work of [`Ctx::offload`] is done; what arrived meanwhile follows.
    ///
    /// # Errors
    /// Whatever the handler cannot cope with.
    fn offloaded(&mut self, cx: &mut OutboundContext<'_, Self>, result: Offloaded) -> Result<()> {
        let _ = (cx, result);
        Ok(())
    }
}

/// Handles both directions with one `&mut self`: TLS, WebSocket control frames, HTTP pairing.
pub trait DuplexHandler: Sized + 'static {
    /// What arrives from the transport's side.
    type In: 'static;
    /// What it passes on to the next handler.
    type Out: 'static;
    /// What arrives from the application's side.
    type WriteIn: 'static;
    /// What it passes on towards the transport.
    type WriteOut: 'static;

    /// A message has arrived.
    ///
    /// # Errors
    /// Whatever the handler cannot cope with.
    fn read(&mut self, cx: &mut DuplexContext<'_, Self>, msg: Self::In) -> Result<()>;

    /// A message is to be sent. Pass the promise on with the (last) message it becomes;
    /// a promise that is dropped fails.
    ///
    /// # Errors
    /// Whatever the handler cannot cope with.
    fn write(
        &mut self,
        cx: &mut DuplexContext<'_, Self>,
        msg: Self::WriteIn,
        promise: Promise,
    ) -> Result<()>;

    /// Whether [`passes`](Self::passes) is asked.
    const PASSES: bool = false;

    /// Whether [`read`](Self::read) would do nothing with a message but fire it as it is. It then goes on
    /// to the next handler from where it lies, which costs a fraction of a hop. `read` has to cope with
    /// such messages all the same: those that have waited come to it. Asked only where `In` and `Out` are
    /// one type.
    fn passes(&self, msg: &Self::In) -> bool {
        let _ = msg;
        false
    }

    /// Whether [`encode`](Self::encode) is asked.
    const ENCODES: bool = false;

    /// Appends a message to what is to be sent, when that is all there is to do for it. `false`: nothing
    /// has happened, and it is for [`write`](Self::write), which has to cope with all messages. Called
    /// only of a handler next to the transport, when nobody waits for the message's promise.
    fn encode(&mut self, env: &Env, msg: &Self::WriteIn, dst: &mut ByteBuf) -> bool {
        let _ = (env, msg, dst);
        false
    }

    inbound_methods!(DuplexContext);
    outbound_methods!(DuplexContext);
}
