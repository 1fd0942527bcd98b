//! HTTP/1.1 as stages of a pipeline, the server's side.
//!
//! ```text
//!   http -- [ws-upgrade] -- [aggregator] -- the service
//! ```
//!
//! | what | where |
//! |---|---|
//! | [`server`]: the first stage, which speaks [`RequestPart`](super::RequestPart) and [`ResponsePart`](super::ResponsePart) | `server`, `codec` |
//! | [`ServerOptions`], [`Timeouts`]: how much a client may send, and how long it may take | `options`, `watch` |
//! | [`HttpObjectAggregator`]: whole [`Request`]s of a bounded size | `aggregator` |
//! | [`HttpServerHandler`]: a function from requests to replies, the last stage | `service` |
//! | [`HttpService`]: these two in one stage | `http_service` |
//! | [`StaticFiles`]: the files below a directory | `files` |

mod aggregator;
mod codec;
#[cfg(unix)]
mod files;
mod http_service;
mod options;
mod server;
mod service;
mod watch;

pub use aggregator::{HttpObjectAggregator, Request};
pub use codec::HttpServerCodec;
#[cfg(unix)]
pub use files::StaticFiles;
pub use http_service::HttpService;
pub use options::{ServerOptions, Timeouts};
pub use server::{HTTP_STAGE, server};
pub use service::{HttpServerHandler, Reply, ServiceContext};
