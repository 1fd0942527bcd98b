//! Group management for IPv4: versions 1 (RFC 1112), 2 (RFC 2236) and 3 (RFC 3376).

use core::net::Ipv4Addr;

use super::emit::Emit;
use super::multicast::{self, decode, encode};
pub use super::multicast::{Addresses, RecordKind};
use super::{Error, Sum};

/// Where reports of version 3 go.
pub const ALL_IGMPV3_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 22);
/// Where leaves of version 2 go.
pub const ALL_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 2);
/// Where general queries go.
pub const ALL_SYSTEMS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);

/// A record of a report that was received.
pub type RecordView<'a> = multicast::RecordView<'a, Ipv4Addr>;
/// The records of a report that was received.
pub type Records<'a> = multicast::Records<'a, Ipv4Addr>;
/// A record to emit.
pub type Record<'a> = multicast::Record<'a, Ipv4Addr>;

const QUERY: u8 = 0x11;
const REPORT_V1: u8 = 0x12;
const REPORT_V2: u8 = 0x16;
const LEAVE: u8 = 0x17;
const REPORT_V3: u8 = 0x22;

/// What a querier wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Query {
    /// Version 1: about all groups.
    V1,
    /// Version 2.
    V2 {
        /// Answers may take so long; in tenths of a second on the wire.
        max_response_ms: u32,
        /// About which group; unspecified means about all.
        group: Ipv4Addr,
    },
    /// Version 3.
    V3 {
        /// Answers may take so long; in tenths of a second on the wire.
        max_response_ms: u32,
        /// About which group; unspecified means about all.
        group: Ipv4Addr,
        /// Other routers shall not update their timers.
        suppress: bool,
        /// The querier's robustness variable, up to 7.
        robustness: u8,
        /// The querier's interval.
        interval_s: u32,
    },
}

/// A message that was received, whose lengths have been checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Packet<'a> {
    /// Who listens to what?
    Query(Query, Addresses<'a, Ipv4Addr>),
    /// Version 1: I listen to the group.
    ReportV1(Ipv4Addr),
    /// Version 2: I listen to the group.
    ReportV2(Ipv4Addr),
    /// Version 2: I listen no more.
    Leave(Ipv4Addr),
    /// Version 3: what I listen to.
    ReportV3(Records<'a>),
}

impl<'a> Packet<'a> {
    /// A message that fills `bytes`: the payload of an IPv4 datagram.
    ///
    /// # Errors
    /// When it is another message or too short. A query between the lengths of versions 2 and 3 is
    /// of neither (RFC 3376, section 7.1).
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let (&[kind, code, _, _, a, b, c, d], body) =
            bytes.split_first_chunk().ok_or(Error::Truncated)?;
        let group = Ipv4Addr::new(a, b, c, d);
        match kind {
            QUERY => Self::parse_query(code, group, body),
            REPORT_V1 => Ok(Self::ReportV1(group)),
            REPORT_V2 => Ok(Self::ReportV2(group)),
            LEAVE => Ok(Self::Leave(group)),
            REPORT_V3 => Records::parse(body, u16::from_be_bytes([c, d])).map(Self::ReportV3),
            _ => Err(Error::Unsupported),
        }
    }

    fn parse_query(code: u8, group: Ipv4Addr, body: &'a [u8]) -> Result<Self, Error> {
        let none = Addresses::split(&[], 0)?.0;
        let code = u32::from(code);
        if body.is_empty() {
            let query = match code {
                0 => Query::V1,
                _ => Query::V2 { max_response_ms: code * 100, group },
            };
            return Ok(Self::Query(query, none));
        }
        let (&[flags, interval, a, b], body) = body.split_first_chunk().ok_or(Error::Length)?;
        let (sources, _) = Addresses::split(body, u16::from_be_bytes([a, b]))?;
        let query = Query::V3 {
            max_response_ms: decode(code, 8) * 100,
            group,
            suppress: flags & 8 != 0,
            robustness: flags & 7,
            interval_s: decode(u32::from(interval), 8),
        };
        Ok(Self::Query(query, sources))
    }
}

/// Whether the checksum of a message is right; it covers the datagram's whole payload.
#[must_use]
pub fn checksum_is_valid(bytes: &[u8]) -> bool {
    Sum::new().with([bytes]).is_valid()
}

/// A message to emit. Its checksum is always filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message<'a> {
    /// Who listens to what? Sources are written in version 3 only. Times that their fields cannot
    /// express are rounded down.
    Query(Query, &'a [Ipv4Addr]),
    /// Version 1: I listen to the group.
    ReportV1(Ipv4Addr),
    /// Version 2: I listen to the group.
    ReportV2(Ipv4Addr),
    /// Version 2: I listen no more.
    Leave(Ipv4Addr),
    /// Version 3: what I listen to.
    ReportV3(&'a [Record<'a>]),
}

impl Emit for Message<'_> {
    fn wire_len(&self) -> usize {
        match self {
            Self::Query(Query::V3 { .. }, sources) => 12 + 4 * sources.len(),
            Self::ReportV3(records) => 8 + records.iter().map(Emit::wire_len).sum::<usize>(),
            _ => 8,
        }
    }

    fn emit(&self, out: &mut [u8]) {
        let length = self.wire_len();
        let out = &mut out[..length];
        out[..8].fill(0);
        match *self {
            Self::Query(Query::V1, _) => out[0] = QUERY,
            Self::Query(Query::V2 { max_response_ms, group }, _) => {
                // A zero would make a query of version 1 of it.
                out[..2].copy_from_slice(&[QUERY, (max_response_ms / 100).clamp(1, 255) as u8]);
                out[4..8].copy_from_slice(&group.octets());
            }
            Self::Query(
                Query::V3 { max_response_ms, group, suppress, robustness, interval_s },
                sources,
            ) => {
                out[..2].copy_from_slice(&[QUERY, encode(max_response_ms / 100, 8) as u8]);
                out[4..8].copy_from_slice(&group.octets());
                out[8] = if suppress { 8 } else { 0 } | robustness.min(7);
                out[9] = encode(interval_s, 8) as u8;
                out[10..12].copy_from_slice(&multicast::count(sources.len()));
                multicast::emit_addresses(sources, &mut out[12..]);
            }
            Self::ReportV1(group) | Self::ReportV2(group) | Self::Leave(group) => {
                out[0] = match self {
                    Self::ReportV1(_) => REPORT_V1,
                    Self::ReportV2(_) => REPORT_V2,
                    _ => LEAVE,
                };
                out[4..8].copy_from_slice(&group.octets());
            }
            Self::ReportV3(records) => {
                out[0] = REPORT_V3;
                out[6..8].copy_from_slice(&multicast::count(records.len()));
                multicast::emit_records(records, &mut out[8..]);
            }
        }
        let checksum = super::checksum::checksum(out);
        out[2..4].copy_from_slice(&checksum.to_be_bytes());
    }
}
