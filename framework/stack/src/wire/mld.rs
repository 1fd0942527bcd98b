//! Multicast listener discovery: version 1 (RFC 2710) and 2 (RFC 3810), messages of ICMPv6.

use core::net::Ipv6Addr;

use super::emit::Emit;
use super::multicast::{self, decode, encode};
pub use super::multicast::{Addresses, RecordKind};
use super::{Error, icmpv6};

/// Where reports of version 2 go.
pub const ALL_MLDV2_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);

/// A record of a report that was received.
pub type RecordView<'a> = multicast::RecordView<'a, Ipv6Addr>;
/// The records of a report that was received.
pub type Records<'a> = multicast::Records<'a, Ipv6Addr>;
/// A record to emit.
pub type Record<'a> = multicast::Record<'a, Ipv6Addr>;

const QUERY: u8 = 130;
const REPORT_V1: u8 = 131;
const DONE: u8 = 132;
const REPORT_V2: u8 = 143;

/// What a querier wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query {
    /// Answers may take so long.
    pub max_response_ms: u32,
    /// About which group; unspecified means about all.
    pub group: Ipv6Addr,
    /// What only version 2 has.
    pub v2: Option<QueryV2>,
}

/// What a query of version 2 says besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryV2 {
    /// Other routers shall not update their timers.
    pub suppress: bool,
    /// The querier's robustness variable, up to 7.
    pub robustness: u8,
    /// The querier's interval.
    pub interval_s: u32,
}

/// A message that was received, whose lengths have been checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Packet<'a> {
    /// Who listens to what?
    Query(Query, Addresses<'a, Ipv6Addr>),
    /// Version 1: I listen to the group.
    ReportV1(Ipv6Addr),
    /// Version 1: I listen no more.
    Done(Ipv6Addr),
    /// Version 2: what I listen to.
    ReportV2(Records<'a>),
}

impl<'a> Packet<'a> {
    /// From an ICMPv6 message.
    ///
    /// # Errors
    /// When it is another message or too short. A query between the lengths of both versions is
    /// of neither (RFC 3810, section 8.1).
    pub fn parse(packet: &icmpv6::Packet<'a>) -> Result<Self, Error> {
        let body = packet.as_bytes().get(4..).ok_or(Error::Truncated)?;
        let (&[a, b, c, d], body) = body.split_first_chunk().ok_or(Error::Truncated)?;
        if packet.kind() == REPORT_V2 {
            return Records::parse(body, u16::from_be_bytes([c, d])).map(Self::ReportV2);
        }
        if !matches!(packet.kind(), QUERY | REPORT_V1 | DONE) {
            return Err(Error::Unsupported);
        }
        let (group, body) = body.split_first_chunk::<16>().ok_or(Error::Truncated)?;
        let group = Ipv6Addr::from_octets(*group);
        match packet.kind() {
            REPORT_V1 => return Ok(Self::ReportV1(group)),
            DONE => return Ok(Self::Done(group)),
            _ => {}
        }
        let code = u32::from(u16::from_be_bytes([a, b]));
        let none = Addresses::split(&[], 0)?.0;
        if body.is_empty() {
            return Ok(Self::Query(Query { max_response_ms: code, group, v2: None }, none));
        }
        let (&[flags, interval, a, b], body) = body.split_first_chunk().ok_or(Error::Length)?;
        let (sources, _) = Addresses::split(body, u16::from_be_bytes([a, b]))?;
        let v2 = QueryV2 {
            suppress: flags & 8 != 0,
            robustness: flags & 7,
            interval_s: decode(u32::from(interval), 8),
        };
        let max_response_ms = decode(code, 16);
        Ok(Self::Query(Query { max_response_ms, group, v2: Some(v2) }, sources))
    }
}

/// A message to emit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message<'a> {
    /// Who listens to what? Sources are written in version 2 only. Times that their fields cannot
    /// express are rounded down.
    Query(Query, &'a [Ipv6Addr]),
    /// Version 1: I listen to the group.
    ReportV1(Ipv6Addr),
    /// Version 1: I listen no more.
    Done(Ipv6Addr),
    /// Version 2: what I listen to.
    ReportV2(&'a [Record<'a>]),
}

impl Emit for Message<'_> {
    fn wire_len(&self) -> usize {
        match self {
            Self::Query(Query { v2: Some(_), .. }, sources) => 28 + 16 * sources.len(),
            Self::Query(..) | Self::ReportV1(_) | Self::Done(_) => 24,
            Self::ReportV2(records) => 8 + records.iter().map(Emit::wire_len).sum::<usize>(),
        }
    }

    /// The checksum field is zero; see [`icmpv6::fill_checksum`].
    fn emit(&self, out: &mut [u8]) {
        let length = self.wire_len();
        let out = &mut out[..length];
        out[..8].fill(0);
        match self {
            Self::Query(query, sources) => {
                out[0] = QUERY;
                out[8..24].copy_from_slice(&query.group.octets());
                let code = match query.v2 {
                    None => query.max_response_ms.min(0xffff),
                    Some(v2) => {
                        out[24] = if v2.suppress { 8 } else { 0 } | v2.robustness.min(7);
                        out[25] = encode(v2.interval_s, 8) as u8;
                        out[26..28].copy_from_slice(&multicast::count(sources.len()));
                        multicast::emit_addresses(sources, &mut out[28..]);
                        encode(query.max_response_ms, 16)
                    }
                };
                out[4..6].copy_from_slice(&(code as u16).to_be_bytes());
            }
            Self::ReportV1(group) | Self::Done(group) => {
                out[0] = if matches!(self, Self::Done(_)) { DONE } else { REPORT_V1 };
                out[8..24].copy_from_slice(&group.octets());
            }
            Self::ReportV2(records) => {
                out[0] = REPORT_V2;
                out[6..8].copy_from_slice(&multicast::count(records.len()));
                multicast::emit_records(records, &mut out[8..]);
            }
        }
    }
}
