//! What passes a pipeline, as a capture that Wireshark opens: packets of TCP over IP that never
//! were, around the bytes that were.
//!
//! | file | idea |
//! |---|---|
//! | `pcapng` | blocks of the file format |
//! | `packet` | headers of IP and TCP around bytes, with checksums |
//! | `flow` | the two directions of a connection, and their sequence numbers |
//! | `sink` | a bounded queue in front of a file |
//! | `handler` | the stage |
//!
//! Put the stage behind TLS, and the capture shows what was said in secret.

mod flow;
#[cfg(feature = "pipeline")]
mod handler;
mod packet;
mod pcapng;
#[cfg(feature = "pipeline")]
mod sink;

pub use flow::{Flow, Side};
#[cfg(feature = "pipeline")]
pub use handler::PcapWriteHandler;
pub use pcapng::{file_header, packet_block};
#[cfg(feature = "pipeline")]
pub use sink::PcapSink;
