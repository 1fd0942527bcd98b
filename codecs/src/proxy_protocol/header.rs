//! What a header says.

use std::net::SocketAddr;

use fyke_buffer::ByteBuf;
use fyke_codec::CodecError;

use super::tlv::Tlv;
use super::{v1, v2};

/// The form of a header on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ProxyVersion {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ProxyCommand {
    /// The proxy's own, a health check say: the connection's own addresses are the real ones.
    Local,
    /// It carries a client's.
    Proxy,
}

/// The kind of the client's connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ProxyTransport {
    /// TCP, or a stream socket.
    Stream,
    /// UDP, or a datagram socket.
    Datagram,
}

/// Who is connected to whom on the client's side of the proxy.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ProxyEndpoints {
    /// The proxy does not say.
    Unknown,
    /// Addresses of IPv4 or of IPv6, both of the same family.
    Inet {
        /// The kind of the connection.
        transport: ProxyTransport,
        /// The client.
        source: SocketAddr,
        /// What the client has connected to.
        destination: SocketAddr,
    },
    /// Paths of Unix sockets, without the NULs that fill them up.
    Unix {
        /// The kind of the connection.
        transport: ProxyTransport,
        /// The client.
        source: Vec<u8>,
        /// What the client has connected to.
        destination: Vec<u8>,
    },
}

/// A header.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct ProxyHeader {
    /// What the connection is for.
    pub command: ProxyCommand,
    /// Who is connected to whom.
    pub endpoints: ProxyEndpoints,
    /// What else is said; version 2 only.
    pub tlvs: Vec<Tlv>,
}

impl ProxyHeader {
    /// The header of a client's TCP connection.
    #[must_use]
    pub fn tcp(source: SocketAddr, destination: SocketAddr) -> Self {
        let transport = ProxyTransport::Stream;
        Self::proxy(ProxyEndpoints::Inet { transport, source, destination })
    }

    /// The header of a client's connection.
    #[must_use]
    pub fn proxy(endpoints: ProxyEndpoints) -> Self {
        Self { command: ProxyCommand::Proxy, endpoints, tlvs: Vec::new() }
    }

    /// The header of a connection that carries nobody's.
    #[must_use]
    pub fn local() -> Self {
        let (command, endpoints) = (ProxyCommand::Local, ProxyEndpoints::Unknown);
        Self { command, endpoints, tlvs: Vec::new() }
    }

    /// Says one more thing.
    #[must_use]
    pub fn tlv(mut self, tlv: Tlv) -> Self {
        self.tlvs.push(tlv);
        self
    }

    /// The client's address, if it is one of IP and the connection is a client's.
    #[must_use]
    pub fn source(&self) -> Option<SocketAddr> {
        match (self.command, &self.endpoints) {
            (ProxyCommand::Proxy, ProxyEndpoints::Inet { source, .. }) => Some(*source),
            _ => None,
        }
    }

    /// What the client has connected to, likewise.
    #[must_use]
    pub fn destination(&self) -> Option<SocketAddr> {
        match (self.command, &self.endpoints) {
            (ProxyCommand::Proxy, ProxyEndpoints::Inet { destination, .. }) => Some(*destination),
            _ => None,
        }
    }

    /// Appends the header to `out`. With `checksum`, version 2 carries one.
    ///
    /// # Errors
    /// When the version cannot say it: version 1 knows TCP only (the rest is `UNKNOWN` there, but
    /// no TLVs), and version 2 has 65535 bytes for everything.
    pub fn encode(
        &self,
        version: ProxyVersion,
        checksum: bool,
        out: &mut ByteBuf,
    ) -> Result<(), CodecError> {
        match version {
            ProxyVersion::V1 => v1::encode(self, out),
            ProxyVersion::V2 => v2::encode(self, checksum, out),
        }
    }
}
