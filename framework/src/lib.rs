//! fyke: an event-driven networking framework. A server is a pipeline of handlers: bytes come in,
//! decoders turn them into messages, your handler answers, encoders turn answers into bytes.
//!
//! ```no_run
//! use fyke::prelude::*;
//!
//! struct Echo;
//!
//! impl InboundHandler for Echo {
//!     type In = ByteBuf;
//!     type Out = Never;
//!     type Write = Outgoing;
//!     fn read(&mut self, cx: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
//!         cx.write(msg.into());
//!         Ok(())
//!     }
//! }
//!
//! fn main() -> std::io::Result<()> {
//!     let server = ServerBootstrap::new(EventLoopGroup::new(1)?)
//!         .child(|ch| ch.pipeline().inbound("echo", Echo))
//!         .bind("127.0.0.1:7000")?;
//!     println!("listening on {}", server.local_address());
//!     server.run_until_signal(std::time::Duration::from_secs(5))?;
//!     Ok(())
//! }
//! ```
//!
//! | what | where |
//! |---|---|
//! | servers, clients, loops | [`ServerBootstrap`], [`Bootstrap`], [`EventLoopGroup`] |
//! | handlers | [`InboundHandler`], [`OutboundHandler`], [`DuplexHandler`], [`Ctx`] |
//! | async code as the last handler | [`AsyncChannel`] |
//! | a channel from other threads | [`Channel`], [`Sender`], [`ChannelGroup`] |
//! | a pipeline that changes | [`Ctx::edit`], [`Edit`], [`Stage`] |
//! | time, randomness, work that blocks | [`Env`], [`Ctx::schedule`], [`Ctx::offload`] |
//! | limits and socket options, with their defaults | [`ChannelOptions`], [`SocketOptions`] |
//! | bytes | [`ByteBuf`], [`buffer`] |
//! | protocols | [`codec`], and the crate `fyke-codecs` |
//! | transports | [`Kernel`], [`Blocking`], [`Local`], [`transport`] |
//! | tests | [`embedded`] |
//! | a network in virtual time | `sim`, with the feature of that name |
#![forbid(unsafe_code)]

/// The README's examples, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

mod client;
mod connect;
mod group;
mod loop_thread;
mod offload;
pub mod prelude;
mod reconnect;
mod resolve;
mod seeds;
mod server;
mod signals;
#[cfg(feature = "sim")]
pub mod sim;
mod threads;
mod ticker;
mod waiting;

/// Buffers: [`ByteBuf`], composite buffers, pools.
pub use fyke_buffer as buffer;
/// Time: instants, clocks, the timer wheel.
pub use fyke_clock as clock;
/// What a codec needs without a loop, and the check that every decoder must pass.
pub use fyke_codec as codec;
/// Everything of the core that is not re-exported here by name.
pub use fyke_core as core;
/// The operating system: readiness, signals, and system calls that are safe to make.
pub use fyke_poller as poller;
/// fyke's own TCP/IP stack as a value: frames in, frames out, time as an argument.
pub use fyke_stack as stack;
/// Everything of the transports that is not re-exported here by name.
pub use fyke_transport as transport;

pub use bytes::Bytes;
pub use client::{Bootstrap, Handler};
pub use connect::Connect;
pub use fyke_buffer::ByteBuf;
pub use fyke_codec::{Decoder, Encoder};
pub use fyke_core::async_channel::AsyncChannel;
pub use fyke_core::channel::ChannelGroup;
pub use fyke_core::event_loop::{
    AcceptGate, ChannelInit, ChannelSpec, Cidr, IpRules, ShutdownReport,
};
pub use fyke_core::{
    Address, Channel, ChannelId, ChannelOptions, CloseCounts, CloseReason, CodecContext,
    CodecError, CodecHandler, Context, Ctx, Datagram, Decoding, DuplexContext, DuplexHandler, Edit,
    Env, Error, ErrorKind, Event, EventFilter, Fault, FileRegion, InboundHandler, IntoStages,
    Keepalive, LinkError, LoopCore, LoopHandle, LoopStats, Never, Offloaded, OutboundContext,
    OutboundHandler, Outgoing, Permit, PipelineBuilder, Promise, Result, SendError, SendFailure,
    Sender, SocketOptions, Stage, Stages, TurnTimes, WriteFuture, WriteProgress, embedded,
    handlers,
};
pub use fyke_poller::{Backend, Signal, Signals, SystemClock, pin_to_cpu, raise_descriptor_limit};
/// Channels over fyke's own stack. Here two stacks of one process talk over a cable; a TAP device in
/// its place connects them with everybody else.
///
/// ```
/// use fyke::prelude::*;
/// use fyke::{Cable, StackOptions, Userspace};
///
/// struct Echo;
///
/// impl InboundHandler for Echo {
///     type In = ByteBuf;
///     type Out = Never;
///     type Write = Outgoing;
///
///     fn read(&mut self, cx: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
///         cx.write(msg.into());
///         Ok(())
///     }
/// }
///
/// struct Tell(std::sync::mpsc::Sender<Vec<u8>>);
///
/// impl InboundHandler for Tell {
///     type In = ByteBuf;
///     type Out = Never;
///     type Write = Outgoing;
///
///     fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
///         cx.write("hello".into());
///         Ok(())
///     }
///
///     fn read(&mut self, _: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
///         self.0.send(msg.to_vec()).map_err(Error::handler)
///     }
/// }
///
/// # fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
/// let cable = Cable::new();
/// let host = |address: &str| StackOptions::new().address(address.parse().unwrap());
/// let one = Userspace::over(host("10.0.0.1/24"), cable.left());
/// let other = Userspace::over(host("10.0.0.2/24"), cable.right());
///
/// let server = ServerBootstrap::new(EventLoopGroup::new(1)?)
///     .transport(one)
///     .child(|ch| ch.pipeline().inbound("echo", Echo))
///     .bind("0.0.0.0:7")?;
/// let (tell, told) = std::sync::mpsc::channel();
/// let client = Bootstrap::new(EventLoopGroup::new(1)?)
///     .transport(other)
///     .handler(move |ch| ch.pipeline().inbound("tell", Tell(tell.clone())));
/// client.connect("10.0.0.1:7").wait()?;
/// assert_eq!(told.recv()?, b"hello");
/// # drop(server);
/// # Ok(())
/// # }
/// ```
pub use fyke_transport::userspace::Userspace;
pub use fyke_transport::userspace::{Cable, Offer, StackHandle, StackOptions};
pub use fyke_transport::{Blocking, FileSource, Kernel, Local, LocalNetwork};
pub use group::{EventLoopGroup, GroupBuilder};
pub use reconnect::{Backoff, ReconnectConfig, ReconnectEvent, ReconnectState, ReconnectingClient};
pub use resolve::ToAddresses;
pub use server::{Child, NoPipeline, Server, ServerBootstrap};
pub use signals::{EndSignals, run_until_signal};
