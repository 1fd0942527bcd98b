//! HTTP/1.1 against its RFCs: what is accepted, what is refused and how, what is answered.

mod accepted;
mod conformance;
mod limits;
mod properties;
mod refused;
mod responses;
mod round_trip;
mod server;
mod support;
mod table;
