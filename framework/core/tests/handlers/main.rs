//! Handlers that every server can use, on virtual time.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "a test")]

#[path = "../support/mod.rs"]
mod support;

mod adaptive;
mod gate;
mod heartbeat;
mod idle;
mod late;
mod progress;
mod shaping;
mod timeouts;

use std::time::Duration;

use fyke_core::embedded::EmbeddedChannel;
use fyke_core::{Datagram, Outgoing};

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn send(channel: &mut EmbeddedChannel, bytes: impl Into<Outgoing>) {
    drop(channel.write_outbound(bytes.into()).expect("the tail takes bytes"));
}

fn send_datagram(channel: &mut EmbeddedChannel, datagram: Datagram) {
    drop(channel.write_outbound(datagram).expect("the tail takes datagrams"));
}
