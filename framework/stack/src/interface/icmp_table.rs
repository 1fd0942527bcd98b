//! ICMP endpoints: whose echo an answer is for, and what waits to be read.
//!
//! An endpoint is what `ping` and `traceroute` open. It owns an identifier, which is to echoes what
//! a port is to datagrams; without an endpoint answers and errors are counted and dropped.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use bytes::Bytes;

use crate::stack::arena::Arena;
use crate::stack::ids::IcmpId;
use crate::wire::IpProtocol;

/// What an ICMP endpoint hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct IcmpOptions {
    /// The identifier of its echo requests; one nobody can guess when `None`.
    pub identifier: Option<u16>,
    /// Hear errors about everything this stack sent, and not only about the endpoint's echoes:
    /// what a `traceroute` with datagrams needs. Sockets hear theirs all the same.
    pub errors: bool,
    /// Broadcasts may be asked.
    pub broadcast: bool,
}

/// An echo request to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EchoRequest {
    /// Who is asked.
    pub destination: IpAddr,
    /// From which address of ours; chosen by route when `None`.
    pub source: Option<IpAddr>,
    /// Which request it is; the answer says it, too.
    pub sequence: u16,
    /// What the answer shall repeat. When it is longer than the path carries it leaves in pieces.
    pub payload: Bytes,
    /// Its TTL or hop limit; that of the stack when `None`, and 1 for groups.
    pub hop_limit: Option<u8>,
    /// Its traffic class.
    pub traffic_class: u8,
    /// Refuse what is longer than the path carries, and let no router cut it.
    pub dont_fragment: bool,
}

impl EchoRequest {
    /// A request with nothing special.
    #[must_use]
    pub const fn new(destination: IpAddr, sequence: u16, payload: Bytes) -> Self {
        Self {
            destination,
            source: None,
            sequence,
            payload,
            hop_limit: None,
            traffic_class: 0,
            dont_fragment: false,
        }
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IcmpReport {
    /// Who says it: the host that was asked, a router on the way, or this stack itself about a
    /// neighbour that does not answer.
    pub from: IpAddr,
    /// To which address of ours.
    pub to: IpAddr,
    /// The TTL or hop limit with which it arrived.
    pub hop_limit: u8,
    /// What it says.
    pub content: IcmpContent,
}

/// What a report says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum IcmpContent {
    /// The answer to an echo request.
    EchoReply {
        /// The endpoint's.
        identifier: u16,
        /// The request's.
        sequence: u16,
        /// What was sent, if the peer is honest.
        payload: Bytes,
    },
    /// Something we sent did not arrive. Anybody can say so.
    Error {
        /// Why, in words that mean the same in both families.
        failure: IcmpFailure,
        /// The message's type.
        kind: u8,
        /// The message's code.
        code: u8,
        /// What did not arrive.
        about: QuotedFlow,
    },
}

/// Why something did not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IcmpFailure {
    /// No route leads to the network.
    NetworkUnreachable,
    /// The host does not answer.
    HostUnreachable,
    /// Nobody there speaks the protocol.
    ProtocolUnreachable,
    /// Nobody is at the port.
    PortUnreachable,
    /// A filter says no.
    Prohibited,
    /// The path carries so much, as the router says.
    TooBig {
        /// The MTU of the next link.
        mtu: u16,
    },
    /// The TTL or hop limit came to zero on the way.
    HopLimitExceeded,
    /// Fragments were missing for too long.
    ReassemblyTimeout,
    /// Anything else.
    Other,
}

impl fmt::Display for IcmpFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooBig { mtu } => return write!(f, "too big, the next link carries {mtu}"),
            Self::NetworkUnreachable => "network unreachable",
            Self::HostUnreachable => "host unreachable",
            Self::ProtocolUnreachable => "protocol unreachable",
            Self::PortUnreachable => "port unreachable",
            Self::Prohibited => "prohibited by a filter",
            Self::HopLimitExceeded => "hop limit exceeded on the way",
            Self::ReassemblyTimeout => "fragments were missing for too long",
            Self::Other => "not delivered",
        })
    }
}

/// What is known about a packet of ours from the piece of it that came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct QuotedFlow {
    /// From which address of ours it came.
    pub source: IpAddr,
    /// Where it was going.
    pub destination: IpAddr,
    /// What it carried.
    pub protocol: IpProtocol,
    /// Our port and the peer's, of TCP and UDP.
    pub ports: Option<(u16, u16)>,
    /// Identifier and sequence number, of an echo request.
    pub echo: Option<(u16, u16)>,
}

#[derive(Debug)]
pub(crate) struct IcmpEndpoint {
    pub(crate) identifier: u16,
    pub(crate) options: IcmpOptions,
    received: VecDeque<IcmpReport>,
    received_bytes: usize,
    /// Stands in the queue of events.
    pub(crate) queued: bool,
}

impl IcmpEndpoint {
    /// Keeps a report for the application unless there are `(count, bytes)` already.
    fn push(&mut self, report: IcmpReport, (count_max, bytes_max): (usize, usize)) -> bool {
        let bytes = self.received_bytes + report.bytes();
        if self.received.len() >= count_max || bytes > bytes_max {
            return false;
        }
        self.received_bytes = bytes;
        self.received.push_back(report);
        true
    }

    pub(crate) fn pop(&mut self) -> Option<IcmpReport> {
        let report = self.received.pop_front()?;
        self.received_bytes -= report.bytes();
        Some(report)
    }

    pub(crate) fn has_reports(&self) -> bool {
        !self.received.is_empty()
    }
}

impl IcmpReport {
    fn bytes(&self) -> usize {
        match &self.content {
            IcmpContent::EchoReply { payload, .. } => payload.len(),
            IcmpContent::Error { .. } => 0,
        }
    }
}

/// How a delivery went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivered {
    /// To an endpoint whose event must be queued, or that had one queued.
    To(IcmpId, bool),
    /// Its queue is full.
    Full,
    /// Nobody wants it.
    Nobody,
}

/// The endpoints, by identifier.
#[derive(Debug)]
pub(crate) struct IcmpTable {
    endpoints: Arena<IcmpEndpoint>,
    by_identifier: BTreeMap<u16, u32>,
    /// Those that hear all errors.
    listeners: Vec<u32>,
    /// Reports and bytes of them that wait in one endpoint.
    limits: (usize, usize),
}

impl IcmpTable {
    pub(crate) const fn new(limits: (usize, usize)) -> Self {
        Self {
            endpoints: Arena::new(),
            by_identifier: BTreeMap::new(),
            listeners: Vec::new(),
            limits,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.endpoints.len()
    }

    pub(crate) fn is_taken(&self, identifier: u16) -> bool {
        self.by_identifier.contains_key(&identifier)
    }

    pub(crate) fn insert(&mut self, identifier: u16, options: IcmpOptions) -> IcmpId {
        let endpoint = IcmpEndpoint {
            identifier,
            options,
            received: VecDeque::new(),
            received_bytes: 0,
            queued: false,
        };
        let id = IcmpId::new(self.endpoints.insert(endpoint));
        self.by_identifier.insert(identifier, id.index);
        if options.errors {
            self.listeners.push(id.index);
        }
        id
    }

    pub(crate) fn remove(&mut self, id: IcmpId) -> Option<IcmpEndpoint> {
        let identifier = self.get(id)?.identifier;
        self.by_identifier.remove(&identifier);
        self.listeners.retain(|index| *index != id.index);
        self.endpoints.remove(id.index)
    }

    pub(crate) fn get(&self, id: IcmpId) -> Option<&IcmpEndpoint> {
        self.endpoints.get(id.index, id.generation)
    }

    pub(crate) fn get_mut(&mut self, id: IcmpId) -> Option<&mut IcmpEndpoint> {
        self.endpoints.get_mut(id.index, id.generation)
    }

    /// How many endpoints hear all errors.
    pub(crate) fn listeners(&self) -> usize {
        self.listeners.len()
    }

    /// The `n`th of the endpoints that hear all errors.
    pub(crate) fn listener(&self, n: usize) -> Option<u32> {
        self.listeners.get(n).copied()
    }

    /// The endpoint of an identifier.
    pub(crate) fn lookup(&self, identifier: u16) -> Option<u32> {
        self.by_identifier.get(&identifier).copied()
    }

    /// Gives a report to an endpoint.
    pub(crate) fn deliver(&mut self, index: u32, report: IcmpReport) -> Delivered {
        let generation = self.endpoints.generation(index);
        let limits = self.limits;
        let Some(endpoint) = self.endpoints.at_mut(index) else { return Delivered::Nobody };
        if !endpoint.push(report, limits) {
            return Delivered::Full;
        }
        let first = !core::mem::replace(&mut endpoint.queued, true);
        Delivered::To(IcmpId { index, generation }, first)
    }
}
