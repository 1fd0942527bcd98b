//! Event loop, channel and pipeline of fyke, free of sockets, threads and wall clocks.
//!
//! The two halves of the waist are [`Driver`](driver::Driver), which waits, and
//! [`Transport`](transport::Transport), which moves bytes. Between a transport and the handlers
//! stands the [`pipeline`]. Users depend on the crate `fyke`, which re-exports all of this.
#![forbid(unsafe_code)]

mod address;
pub mod async_channel;
mod capabilities;
pub mod channel;
pub mod driver;
pub mod embedded;
mod env;
mod error;
mod event;
pub mod event_loop;
pub mod handler;
pub mod handlers;
mod options;
mod outgoing;
pub mod pipeline;
mod promise;
pub mod transport;
pub mod turner;

pub use address::{Address, ParseAddressError};
pub use capabilities::Capabilities;
pub use channel::outbound::{Front, Gather, Share};
pub use channel::progress::WriteProgress;
pub use channel::{Channel, ChannelId, ChannelKey, Permit, SendError, SendFailure, Sender};
pub use env::{Entropy, Env, Job, Offload, OffloadInline};
pub use error::{CloseReason, CodecError, Error, ErrorKind, Fault, LinkError, Result};
pub use event::{Event, EventFilter, Offloaded, PeerClosed, Spliced};
pub use event_loop::{
    CloseCounts, EventLoop, LoopCore, LoopEnded, LoopHandle, LoopOptions, LoopStats, TurnTimes,
};
pub use handler::{
    Context, DuplexContext, DuplexHandler, InboundHandler, Never, OutboundContext, OutboundHandler,
};
pub use options::{ChannelOptions, Keepalive, SocketOptions, ZeroCopy};
pub use outgoing::{Datagram, FileRegion, Outgoing, RegionSource};
pub use pipeline::{
    CodecContext, CodecHandler, Ctx, Decoding, Edit, IntoStages, PipelineBuilder, Stage, Stages,
};
pub use promise::{Promise, WriteFuture};
