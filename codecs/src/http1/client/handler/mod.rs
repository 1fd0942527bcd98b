//! HTTP/1.1 as stages of a pipeline, the client's side.
//!
//! ```text
//!   http -- http-requests -- [http-responses] -- [http-calls] -- the caller
//! ```

mod aggregator;
mod answer;
mod calls;
mod stages;

pub use aggregator::{ClientResponse, HttpResponseAggregator};
pub use answer::{CallError, HttpCall, ResponseFuture};
pub use calls::{CallLimits, HttpClientHandler};
pub use stages::{
    CLIENT_REQUEST_STAGE, CLIENT_RESPONSE_STAGE, HttpRequestEncoder, HttpResponseDecoder, client,
    client_stages,
};
