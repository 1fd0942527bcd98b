//! The PROXY protocol of HAProxy, versions 1 and 2: a load balancer tells the server behind it, in
//! front of everything else, who the client really is.
//!
//! | file | idea |
//! |---|---|
//! | `header` | what a header says |
//! | `tlv` | what may stand behind the addresses of version 2 |
//! | `decoder` | which version it is, and when there are enough bytes |
//! | `v1`, `v2` | the two forms on the wire, read and written |
//! | `crc32c` | the checksum of version 2 |
//! | `handler` | the stages, with feature `pipeline` |
//!
//! A header is believed, whatever it says: read it only from peers that are known to be proxies
//! (section 2 of the specification), or anybody can claim to be anybody.

mod crc32c;
mod decoder;
#[cfg(feature = "pipeline")]
mod handler;
mod header;
mod tlv;
mod v1;
mod v2;

pub use decoder::{HEADER_BYTES_MAX, ProxyProtocolDecoder};
#[cfg(feature = "pipeline")]
pub use handler::{ProxiedAddresses, ProxyProtocolClientHandler, ProxyProtocolHandler};
pub use header::{ProxyCommand, ProxyEndpoints, ProxyHeader, ProxyTransport, ProxyVersion};
pub use tlv::{SslInfo, Tlv};
