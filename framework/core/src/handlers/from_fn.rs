//! Handlers made of closures, for servers that fit on a page.

use std::fmt;
use std::marker::PhantomData;

use crate::error::Result;
use crate::handler::{Context, InboundHandler, Never, OutboundContext, OutboundHandler};
use crate::pipeline::Ctx;
use crate::promise::Promise;

/// The last handler of a pipeline as a closure that is called with every message.
///
/// ```
/// use fyke_buffer::ByteBuf;
/// use fyke_core::embedded::EmbeddedChannel;
/// use fyke_core::handlers::read_fn;
/// use fyke_core::{Ctx, Never, Outgoing};
///
/// let mut channel = EmbeddedChannel::new(|ch| {
///     let echo = |cx: &mut Ctx<'_, Never, Outgoing>, msg: ByteBuf| {
///         cx.write(msg.into());
///         Ok(())
///     };
///     ch.pipeline().inbound("echo", read_fn(echo))
/// });
/// channel.write_inbound(b"hello");
/// assert_eq!(channel.read_outbound(), b"hello");
/// ```
pub fn read_fn<R, W, F>(read: F) -> ReadFn<R, W, F>
where
    R: 'static,
    W: 'static,
    F: FnMut(&mut Ctx<'_, Never, W>, R) -> Result<()> + 'static,
{
    ReadFn { read, types: PhantomData }
}

/// The handler that [`read_fn`] makes.
pub struct ReadFn<R, W, F> {
    read: F,
    types: PhantomData<fn(R) -> W>,
}

impl<R, W, F> InboundHandler for ReadFn<R, W, F>
where
    R: 'static,
    W: 'static,
    F: FnMut(&mut Ctx<'_, Never, W>, R) -> Result<()> + 'static,
{
    type In = R;
    type Out = Never;
    type Write = W;

    #[inline]
    fn read(&mut self, cx: &mut Context<'_, Self>, msg: R) -> Result<()> {
        (self.read)(cx, msg)
    }
}

impl<R, W, F> fmt::Debug for ReadFn<R, W, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadFn").finish_non_exhaustive()
    }
}

/// A handler of what goes out as a closure that turns `M` into `W`. The promise goes with the
/// (last) message that `M` becomes.
///
/// ```
/// use fyke_buffer::ByteBuf;
/// use fyke_core::embedded::EmbeddedChannel;
/// use fyke_core::handlers::{read_fn, write_fn};
/// use fyke_core::{Ctx, Never, Outgoing, Promise};
///
/// let mut channel = EmbeddedChannel::new(|ch| {
///     let line = |cx: &mut Ctx<'_, Never, Outgoing>, n: usize, promise: Promise| {
///         cx.write_with(format!("{n}\n").into_bytes().into(), promise);
///         Ok(())
///     };
///     let count = |cx: &mut Ctx<'_, Never, usize>, msg: ByteBuf| {
///         cx.write(msg.readable());
///         Ok(())
///     };
///     ch.pipeline().outbound("line", write_fn(line)).inbound("count", read_fn(count))
/// });
/// channel.write_inbound(b"hello");
/// assert_eq!(channel.read_outbound(), b"5\n");
/// ```
pub fn write_fn<M, W, F>(write: F) -> WriteFn<M, W, F>
where
    M: 'static,
    W: 'static,
    F: FnMut(&mut Ctx<'_, Never, W>, M, Promise) -> Result<()> + 'static,
{
    WriteFn { write, types: PhantomData }
}

/// The handler that [`write_fn`] makes.
pub struct WriteFn<M, W, F> {
    write: F,
    types: PhantomData<fn(M) -> W>,
}

impl<M, W, F> OutboundHandler for WriteFn<M, W, F>
where
    M: 'static,
    W: 'static,
    F: FnMut(&mut Ctx<'_, Never, W>, M, Promise) -> Result<()> + 'static,
{
    type In = M;
    type Out = W;

    #[inline]
    fn write(
        &mut self,
        cx: &mut OutboundContext<'_, Self>,
        msg: M,
        promise: Promise,
    ) -> Result<()> {
        (self.write)(cx, msg, promise)
    }
}

impl<M, W, F> fmt::Debug for WriteFn<M, W, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteFn").finish_non_exhaustive()
    }
}
