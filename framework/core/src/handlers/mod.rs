//! Handlers that every server can use. Names are Netty's where Netty has one.
//!
//! | handler | what it does |
//! |---|---|
//! | [`LoggingHandler`] | logs everything that passes, bytes as a hex dump |
//! | [`IdleStateHandler`] | tells when nothing has come or gone for a while |
//! | [`ReadTimeoutHandler`], [`WriteTimeoutHandler`] | close channels whose peer sends nothing, or takes nothing |
//! | [`ChunkedFiles`] | turns files into bytes, a piece at a time, away from the loop |
//! | [`HeartbeatHandler`] | keeps a connection alive, and finds out when its peer is gone |
//! | [`TrafficShapingHandler`] | lets bytes through as fast as limits allow, of a channel and of many |
//! | [`read_fn`], [`write_fn`] | make handlers of closures |

mod chunked_files;
mod from_fn;
mod heartbeat;
mod idle;
mod logging;
mod shaping;
mod silence;
mod timeout;

pub use chunked_files::ChunkedFiles;
pub use from_fn::{ReadFn, WriteFn, read_fn, write_fn};
pub use heartbeat::{
    AdaptiveConfig, AdaptiveInterval, Beat, BeatFns, DatagramHeartbeat, HeartbeatCodec,
    HeartbeatConfig, HeartbeatCounters, HeartbeatHandler, HeartbeatIdle, IntervalMemory,
    LearnedInterval, ParseLearnedError, PayloadHeartbeat, beat_fns, tcp_keepalive,
};
pub use idle::{IdleState, IdleStateEvent, IdleStateHandler};
pub use logging::{ByteFormat, LogMessage, LogStyle, LoggingHandler};
pub use shaping::{
    RateLimit, ShapedRead, ShapedWrite, TrafficCounters, TrafficShapingConfig,
    TrafficShapingHandler,
};
pub use timeout::{ReadTimeoutHandler, TimeoutCounter, WriteTimeoutHandler};
