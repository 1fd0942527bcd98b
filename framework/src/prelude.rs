//! What most programs need: `use fyke::prelude::*;`.

pub use crate::handlers::{LoggingHandler, read_fn};
pub use crate::{
    AsyncChannel, Backend, Bootstrap, ByteBuf, Channel, ChannelGroup, ChannelOptions, Context, Ctx,
    DuplexContext, DuplexHandler, Error, EventLoopGroup, InboundHandler, Kernel, Never,
    OutboundContext, OutboundHandler, Outgoing, Promise, Result, Sender, Server, ServerBootstrap,
    SocketOptions,
};
