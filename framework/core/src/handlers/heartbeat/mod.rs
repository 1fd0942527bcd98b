//! Heartbeats: a connection stays alive through NAT boxes, and a peer that is gone is found out.
//!
//! | file | idea |
//! |---|---|
//! | `codec` | what a ping and a pong are, told by the protocol |
//! | `ready` | protocols that are ready to use: payloads, datagrams, TCP's own keep-alive |
//! | `config` | options and counters |
//! | `handler` | [`HeartbeatHandler`]: when to ask, when to give up |
//! | `late` | answers that are asked for later: how intervals are learned over datagrams |
//! | `adaptive` | how long an interval may be, learned: no loop, no clock |
//! | `memory` | what was learned, by network |

mod adaptive;
mod codec;
mod config;
mod handler;
mod late;
mod memory;
mod ready;

pub use adaptive::{AdaptiveConfig, AdaptiveInterval, LearnedInterval, ParseLearnedError};
pub use codec::{Beat, BeatFns, HeartbeatCodec, beat_fns};
pub use config::{HeartbeatConfig, HeartbeatCounters, HeartbeatIdle};
pub use handler::HeartbeatHandler;
pub use memory::IntervalMemory;
pub use ready::{DatagramHeartbeat, PayloadHeartbeat, tcp_keepalive};
