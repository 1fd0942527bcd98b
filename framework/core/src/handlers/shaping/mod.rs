//! Traffic shaping: how fast bytes come and go.
//!
//! | file | idea |
//! |---|---|
//! | `limit` | [`RateLimit`]: a token bucket for one or many channels, on any loops |
//! | `message` | what is shaped: [`ShapedRead`], [`ShapedWrite`] |
//! | `handler` | [`TrafficShapingHandler`] |

mod handler;
mod limit;
mod message;

pub use handler::{TrafficCounters, TrafficShapingConfig, TrafficShapingHandler};
pub use limit::RateLimit;
pub use message::{ShapedRead, ShapedWrite};
