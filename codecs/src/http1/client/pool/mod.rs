//! Connections kept for the next request, per origin.
//!
//! | what | where |
//! |---|---|
//! | [`Origin`]: scheme-less `(host, port)` | `origin` |
//! | who gets which connection, without any I/O | `shelf` |
//! | [`HttpPool`]: calls over pooled connections | `http_pool` |

mod http_pool;
mod origin;
mod shelf;
mod wait;

pub use http_pool::{Connector, HttpPool, pooled_client};
pub use origin::{Origin, split_url};
pub use shelf::PoolLimits;
