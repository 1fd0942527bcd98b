//! HTTP/1.1 through a whole pipeline, on an embedded channel.
#![cfg(feature = "pipeline")]

mod aggregator;
mod connection;
mod files;
mod ranges;
mod refusals;
mod service;
mod shutdown;
mod splits;
mod streams;
mod support;
#[path = "../http1/table/mod.rs"]
mod table;
mod timeouts;
