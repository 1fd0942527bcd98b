//! What the tests of the pipeline share: a log, handlers made of closures, small codecs, and a loop
//! with several connections.
#![allow(dead_code)] // Each test file uses its own part of this.

pub(crate) mod world;

use std::marker::PhantomData;
use std::sync::{Arc, Mutex};

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder, Encoder};
use fyke_core::{
    Channel, Context, Ctx, DuplexContext, DuplexHandler, Error, Event, EventFilter, InboundHandler,
    Job, Never, Offload, OutboundContext, OutboundHandler, Promise, Result,
};

/// Lines, in the order in which they happened. Every clone is the same log.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn add(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    /// Takes all lines.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// Takes all lines as one, with blanks between.
    pub(crate) fn text(&self) -> String {
        self.take().join(" ")
    }
}

// ---- handlers made of closures ----

pub(crate) struct OnRead<F, I, O, W>(F, PhantomData<fn(I) -> (O, W)>);

/// An inbound handler that is nothing but its `read`.
pub(crate) fn on_read<I, O, W, F>(read: F) -> OnRead<F, I, O, W>
where
    F: FnMut(&mut Ctx<'_, O, W>, I) -> Result<()> + 'static,
{
    OnRead(read, PhantomData)
}

impl<F, I: 'static, O: 'static, W: 'static> InboundHandler for OnRead<F, I, O, W>
where
    F: FnMut(&mut Ctx<'_, O, W>, I) -> Result<()> + 'static,
{
    type In = I;
    type Out = O;
    type Write = W;

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: I) -> Result<()> {
        (self.0)(cx, msg)
    }
}

pub(crate) struct OnWrite<F, I, O>(F, PhantomData<fn(I) -> O>);

/// An outbound handler that is nothing but its `write`.
pub(crate) fn on_write<I, O, F>(write: F) -> OnWrite<F, I, O>
where
    F: FnMut(&mut Ctx<'_, Never, O>, I, Promise) -> Result<()> + 'static,
{
    OnWrite(write, PhantomData)
}

impl<F, I: 'static, O: 'static> OutboundHandler for OnWrite<F, I, O>
where
    F: FnMut(&mut Ctx<'_, Never, O>, I, Promise) -> Result<()> + 'static,
{
    type In = I;
    type Out = O;

    fn write(
        &mut self,
        cx: &mut OutboundContext<'_, Self>,
        msg: I,
        promise: Promise,
    ) -> Result<()> {
        (self.0)(cx, msg, promise)
    }
}

pub(crate) struct Both<R, W, A>(R, W, PhantomData<A>);

/// A duplex handler of one message type made of its `read` and its `write`.
pub(crate) fn both<T, R, W>(read: R, write: W) -> Both<R, W, T>
where
    R: FnMut(&mut Ctx<'_, T, T>, T) -> Result<()> + 'static,
    W: FnMut(&mut Ctx<'_, T, T>, T, Promise) -> Result<()> + 'static,
{
    Both(read, write, PhantomData)
}

impl<T: 'static, R, W> DuplexHandler for Both<R, W, T>
where
    R: FnMut(&mut Ctx<'_, T, T>, T) -> Result<()> + 'static,
    W: FnMut(&mut Ctx<'_, T, T>, T, Promise) -> Result<()> + 'static,
{
    type In = T;
    type Out = T;
    type WriteIn = T;
    type WriteOut = T;

    fn read(&mut self, cx: &mut DuplexContext<'_, Self>, msg: T) -> Result<()> {
        (self.0)(cx, msg)
    }

    fn write(&mut self, cx: &mut DuplexContext<'_, Self>, msg: T, promise: Promise) -> Result<()> {
        (self.1)(cx, msg, promise)
    }
}

/// Logs everything but messages that passes it on its way in, and lets it pass.
pub(crate) struct Watch<T, W> {
    name: &'static str,
    log: Log,
    types: PhantomData<fn() -> (T, W)>,
}

impl<T, W> Watch<T, W> {
    pub(crate) fn new(name: &'static str, log: &Log) -> Self {
        Self { name, log: log.clone(), types: PhantomData }
    }

    fn line(&self, what: &str) {
        self.log.add(if self.name.is_empty() {
            what.to_owned()
        } else {
            format!("{}.{what}", self.name)
        });
    }
}

macro_rules! watch {
    ($($method:ident => $pass:ident,)*) => {
        $(fn $method(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
            self.line(stringify!($method));
            cx.$pass();
            Ok(())
        })*
    };
}

impl<T: 'static, W: 'static> InboundHandler for Watch<T, W> {
    type In = T;
    type Out = T;
    type Write = W;

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: T) -> Result<()> {
        cx.fire_read(msg);
        Ok(())
    }

    fn added(&mut self, _: &mut Context<'_, Self>) -> Result<()> {
        self.line("added");
        Ok(())
    }

    fn removed(&mut self) {
        self.line("removed");
    }

    watch! {
        registered => fire_registered,
        unregistered => fire_unregistered,
        active => fire_active,
        inactive => fire_inactive,
        read_complete => fire_read_complete,
        read_closed => fire_read_closed,
        writability_changed => fire_writability_changed,
        shutting_down => fire_shutting_down,
    }

    fn events(&self) -> EventFilter {
        EventFilter::ALL
    }

    fn event(&mut self, cx: &mut Context<'_, Self>, event: Event) -> Result<()> {
        self.line("event");
        cx.pass_event(event);
        Ok(())
    }

    fn error(&mut self, cx: &mut Context<'_, Self>, error: Error) -> Result<()> {
        self.line(&format!("error({error})"));
        cx.fire_error(error);
        Ok(())
    }
}

/// Tells the test the channel's handle, and lets everything pass.
pub(crate) struct Tell<T, W>(std::sync::mpsc::Sender<Channel>, PhantomData<fn() -> (T, W)>);

impl<T, W> Tell<T, W> {
    pub(crate) fn new(told: &std::sync::mpsc::Sender<Channel>) -> Self {
        Self(told.clone(), PhantomData)
    }
}

impl<T: 'static, W: 'static> InboundHandler for Tell<T, W> {
    type In = T;
    type Out = T;
    type Write = W;

    fn added(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.0.send(cx.channel()).map_err(Error::handler)
    }

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: T) -> Result<()> {
        cx.fire_read(msg);
        Ok(())
    }
}

// ---- codecs ----

/// Each byte is a message.
#[derive(Default)]
pub(crate) struct Letters;

impl Decoder for Letters {
    type Item = u8;

    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<u8>, CodecError> {
        Ok(src.read_u8().ok())
    }
}

impl Encoder<u8> for Letters {
    fn encode(&mut self, msg: u8, dst: &mut ByteBuf) -> Result<(), CodecError> {
        dst.write_u8(msg);
        Ok(())
    }
}

/// Two bytes of length, then so many bytes. `0xFFFF` is malformed.
#[derive(Default)]
pub(crate) struct Frames;

impl Decoder for Frames {
    type Item = ByteBuf;

    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<ByteBuf>, CodecError> {
        let Ok(length) = src.get_u16(src.reader_index()) else { return Ok(None) };
        if length == u16::MAX {
            return Err(CodecError::malformed("a length of 65535"));
        }
        if src.readable() < 2 + usize::from(length) {
            return Ok(None);
        }
        src.skip(2).expect("it was looked at");
        Ok(Some(src.split_to(usize::from(length))))
    }
}

impl Encoder<ByteBuf> for Frames {
    fn encode(&mut self, msg: ByteBuf, dst: &mut ByteBuf) -> Result<(), CodecError> {
        let length = u16::try_from(msg.readable())
            .map_err(|_| CodecError::Unencodable { what: "a frame of more than 65535 bytes" })?;
        dst.write_u16(length);
        dst.write_slice(msg.as_slice());
        Ok(())
    }
}

/// The bytes of a frame for [`Frames`].
pub(crate) fn frame(payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u16).to_be_bytes().to_vec();
    bytes.extend_from_slice(payload);
    bytes
}

// ---- offloading ----

/// Keeps jobs until the test lets them run, each on its own.
#[derive(Clone, Default)]
pub(crate) struct Jobs(Arc<Mutex<Vec<Job>>>);

impl Jobs {
    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Runs the job at `index` of those that wait.
    pub(crate) fn run(&self, index: usize) {
        let job = self.0.lock().unwrap().remove(index);
        job();
    }

    /// Drops all jobs unrun.
    pub(crate) fn refuse(&self) {
        let jobs = std::mem::take(&mut *self.0.lock().unwrap());
        drop(jobs);
    }
}

impl Offload for Jobs {
    fn run(&self, job: Job) {
        self.0.lock().unwrap().push(job);
    }
}

/// How a promise stands: `None` while it is pending.
pub(crate) fn outcome(future: &mut fyke_core::WriteFuture) -> Option<bool> {
    future.try_result().map(|result| result.is_ok())
}

/// Lets a panic be without a trace in the test's output.
pub(crate) fn quietly<T>(run: impl FnOnce() -> T) -> T {
    use std::sync::Once;
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let text = info.payload().downcast_ref::<&str>().copied().unwrap_or("");
            if !text.starts_with("expected:") {
                before(info);
            }
        }));
    });
    run()
}
