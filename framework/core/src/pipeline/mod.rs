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
//! | `stage`   | handlers, decoders and encoders in one internal form |
//! | `cell`    | how a stage runs: deliver, return, let leave, pull |
//! | `context` | what a handler can do |
//! | `edit`    | transactions of changes |
//! | `slot`    | the order of stages |

pub(crate) mod builder;
pub(crate) mod cell;
pub mod context;
pub(crate) mod edit;
pub(crate) mod link;
pub(crate) mod shape;
pub(crate) mod slot;
pub(crate) mod stage;

pub use builder::{IntoStages, PipelineBuilder, Stage, Stages};
pub use context::Ctx;
pub use edit::Edit;
