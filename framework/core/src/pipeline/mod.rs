//! The pipeline: typed to build, erased to run, never re-entered.
//!
//! ```text
//!   transport -> head -> [stage] -> [stage] -> [stage] -> tail      inbound: first to last
//!   transport <- head <- [stage] <- [stage] <- [stage] <- senders   outbound: last to first
//! ```
//!
//! | file | idea |
//! |---|---|
//! | `builder` | neighbours that do not fit do not compile |
//! | `shape`   | what is checked when a pipeline is changed at run time, shared by channels |
//! | `link`    | a hop is a typed function pointer |
//! | `stage`   | handlers in one internal form |
//! | `codec`   | the same form for decoders and encoders, whose messages are pulled |
//! | `codec_handler` | and for handlers that are both |
//! | `intake`  | the bytes that wait in a stage that decodes |
//! | `cell`    | a stage in its slot, with what it has fired and what waits for it |
//! | `deliver` | how a message comes to a stage, or into its inbox |
//! | `run`     | how a stage runs: call, return, let leave |
//! | `pull`    | how messages are pulled out of a decoder |
//! | `inbox`   | what waits for a busy stage |
//! | `context`, `signals`, `progress` | what a handler can do |
//! | `handshake` | for stages that agree on something with the peer first |
//! | `edit`    | transactions of changes |
//! | `slot`    | the order of stages |

pub(crate) mod builder;
pub(crate) mod cell;
pub(crate) mod codec;
pub(crate) mod codec_handler;
pub mod context;
mod deliver;
pub(crate) mod edit;
mod handshake;
mod inbox;
mod intake;
pub(crate) mod link;
mod progress;
mod pull;
mod run;
pub(crate) mod shape;
mod signals;
pub(crate) mod slot;
pub(crate) mod stage;

pub use builder::{IntoStages, PipelineBuilder, Stage, Stages};
pub use codec_handler::{CodecContext, CodecHandler, Decoding};
pub use context::Ctx;
pub use edit::Edit;
