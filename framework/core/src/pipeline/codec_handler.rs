//! Handlers that decode and encode themselves: [`CodecHandler`].

use std::any::TypeId;
use std::fmt;

use fyke_buffer::{ByteBuf, Pool};

use crate::channel::core::ChannelCore;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::event::{Event, EventFilter, Notice, Offloaded, Signal};
use crate::event_loop::state::LoopState;
use crate::handler::{inbound_methods, outbound_methods};
use crate::options::ChannelOptions;
use crate::outgoing::Outgoing;
use crate::pipeline::context::Ctx;
use crate::pipeline::intake::Intake;
use crate::pipeline::stage::{Rest, Runs};
use crate::promise::Promise;

/// The context of a [`CodecHandler`].
pub type CodecContext<'a, H> = Ctx<'a, <H as CodecHandler>::Out, Outgoing>;

/// A codec that is a handler, too: for protocols whose two directions have to know of each other, of
/// the time, or of the channel (HTTP pairs its answers with its requests, and closes behind the last).
///
/// Its messages are pulled like those of a [`Decoder`](fyke_codec::Decoder): one at a time, and only while
/// nothing has paused the channel, in the middle of a buffer, too.
///
/// ```
/// use fyke_buffer::ByteBuf;
/// use fyke_core::embedded::EmbeddedChannel;
/// use fyke_core::{CodecContext, CodecHandler, Decoding, Outgoing, Promise, Result};
///
/// /// Bytes as messages, of which at most three are taken in.
/// struct ThreeBytes(u8);
///
/// impl CodecHandler for ThreeBytes {
///     type Out = u8;
///     type WriteIn = u8;
///
///     fn decode(&mut self, cx: &mut Decoding<'_>, src: &mut ByteBuf) -> Result<Option<u8>> {
///         let byte = src.read_u8().ok();
///         self.0 -= u8::from(byte.is_some());
///         if self.0 == 0 {
///             cx.set_auto_read(false);
///         }
///         Ok(byte)
///     }
///
///     fn decode_eof(&mut self, cx: &mut Decoding<'_>, src: &mut ByteBuf) -> Result<Option<u8>> {
///         self.decode(cx, src)
///     }
///
///     fn write(
///         &mut self,
///         cx: &mut CodecContext<'_, Self>,
///         byte: u8,
///         promise: Promise,
///     ) -> Result<()> {
///         cx.write_with(Outgoing::from(vec![byte]), promise);
///         Ok(())
///     }
/// }
///
/// let mut channel = EmbeddedChannel::new(|ch| ch.pipeline().codec_handler("bytes", ThreeBytes(3)));
/// channel.write_inbound(b"abcd");
/// assert_eq!(channel.drain_inbound::<u8>(), *b"abc");
/// ```
pub trait CodecHandler: Sized + 'static {
    /// What is decoded.
    type Out: 'static;
    /// What arrives from the application's side, to be encoded.
    type WriteIn: 'static;

    /// Takes the next message off `src`; `None` when there is none without more bytes. Called again
    /// after each message, until there is none.
    ///
    /// # Errors
    /// When the bytes are not what they should be. It comes to [`error`](Self::error), and nothing more
    /// is decoded.
    fn decode(&mut self, cx: &mut Decoding<'_>, src: &mut ByteBuf) -> Result<Option<Self::Out>>;

    /// The same when the peer has sent its last byte. What is left behind the last message is dropped.
    ///
    /// # Errors
    /// Those of [`decode`](Self::decode), and when the last message is not whole.
    fn decode_eof(&mut self, cx: &mut Decoding<'_>, src: &mut ByteBuf)
    -> Result<Option<Self::Out>>;

    /// Appends a message to what is to be sent, when that is all there is to do for it: the short way,
    /// which nearly all messages should go. `false`: nothing has happened, and it is for
    /// [`write`](Self::write). Called only when nobody waits for the message's promise.
    fn encode(&mut self, env: &Env, msg: &Self::WriteIn, dst: &mut ByteBuf) -> bool {
        let _ = (env, msg, dst);
        false
    }

    /// A message is to be sent. Pass the promise on with the (last) message it becomes; a promise that
    /// is dropped fails.
    ///
    /// # Errors
    /// Whatever the handler cannot cope with.
    fn write(
        &mut self,
        cx: &mut CodecContext<'_, Self>,
        msg: Self::WriteIn,
        promise: Promise,
    ) -> Result<()>;

    inbound_methods!(CodecContext);
    outbound_methods!(CodecContext);
}

/// What a [`CodecHandler`] may do while it decodes.
pub struct Decoding<'a> {
    core: &'a mut ChannelCore,
    state: &'a mut LoopState,
}

impl Decoding<'_> {
    /// Time, date and randomness.
    pub fn env(&mut self) -> &mut Env {
        &mut self.state.env
    }

    /// The channel's options.
    #[must_use]
    pub fn options(&self) -> &ChannelOptions {
        &self.core.options
    }

    /// Reads without being asked, or only on request. Nothing further is decoded while it is off.
    pub fn set_auto_read(&mut self, on: bool) {
        self.core.set_auto_read(on);
    }
}

impl fmt::Debug for Decoding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoding").field("channel", &self.core.key).finish_non_exhaustive()
    }
}

/// A codec handler as a stage.
pub(crate) struct CodecHandlerStage<H>(Intake<H>);

impl<H> CodecHandlerStage<H> {
    pub(crate) fn new(handler: H) -> Self {
        Self(Intake::new(handler))
    }
}

impl<H: CodecHandler> Runs for CodecHandlerStage<H> {
    type In = ByteBuf;
    type Out = H::Out;
    type WriteIn = H::WriteIn;
    type WriteOut = Outgoing;
    const READS: bool = true;
    const WRITES: bool = true;
    const PULLS: bool = true;
    const ENCODES: bool = true;

    #[inline(always)]
    fn read(&mut self, _: &mut CodecContext<'_, H>, bytes: ByteBuf) -> Result<()> {
        self.0.take_in(bytes);
        Ok(())
    }

    #[inline(always)]
    fn write(
        &mut self,
        cx: &mut CodecContext<'_, H>,
        msg: H::WriteIn,
        promise: Promise,
    ) -> Result<()> {
        self.0.decoder.write(cx, msg, promise)
    }

    #[inline(always)]
    fn encode(
        &mut self,
        env: &Env,
        msg: &mut Option<H::WriteIn>,
        dst: &mut ByteBuf,
    ) -> Result<bool> {
        // No closure: it would be called.
        let done = match msg {
            Some(msg) => self.0.decoder.encode(env, msg, dst),
            None => true,
        };
        if done {
            *msg = None;
        }
        Ok(done)
    }

    fn notice(&mut self, cx: &mut CodecContext<'_, H>, notice: Notice) -> Result<()> {
        let h = &mut self.0.decoder;
        match notice {
            Notice::Signal(signal) => match signal {
                Signal::Added => h.added(cx),
                Signal::Registered => h.registered(cx),
                Signal::Active => h.active(cx),
                Signal::Inactive => h.inactive(cx),
                Signal::Unregistered => h.unregistered(cx),
                Signal::ReadComplete => h.read_complete(cx),
                // Told when everything before it has been decoded.
                Signal::ReadClosed => {
                    self.0.end();
                    Ok(())
                }
                Signal::WritabilityChanged => h.writability_changed(cx),
                Signal::ShuttingDown => h.shutting_down(cx),
                Signal::Flush => h.flush(cx),
                Signal::Close => h.close(cx),
                Signal::Shutdown => h.shutdown(cx),
            },
            Notice::Error(error) => h.error(cx, error),
            Notice::Event(event) => h.event(cx, event),
            Notice::Timer(tag) => h.timer(cx, tag),
            Notice::Offloaded(result) => h.offloaded(cx, result),
        }
    }

    #[inline(always)]
    fn pull(&mut self, core: &mut ChannelCore, state: &mut LoopState) -> Result<Option<H::Out>> {
        let mut cx = Decoding { core, state };
        self.0.pull(|handler, src, last| {
            if last { handler.decode_eof(&mut cx, src) } else { handler.decode(&mut cx, src) }
        })
    }

    fn take_ended(&mut self) -> bool {
        self.0.take_ended()
    }

    fn ended(&mut self, cx: &mut CodecContext<'_, H>) -> Result<()> {
        self.0.decoder.read_closed(cx)
    }

    fn settle(&mut self, pool: &Pool) {
        self.0.settle(pool);
    }

    fn has_rest(&self) -> bool {
        self.0.has_rest()
    }

    fn take_rest(&mut self) -> Option<Rest> {
        self.0.take_rest()
    }

    fn removed(&mut self) {
        self.0.decoder.removed();
    }

    fn filter(&self) -> EventFilter {
        self.0.decoder.events()
    }

    fn handler() -> TypeId {
        TypeId::of::<H>()
    }
}
