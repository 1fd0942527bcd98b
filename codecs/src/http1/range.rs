//! Ranges of bytes (RFC 9110 section 14).

use super::chars::trim;
use super::{Method, RequestHead};

/// Bytes `start..end` of a representation, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// The first byte.
    pub start: u64,
    /// The byte behind the last one.
    pub end: u64,
}

impl ByteRange {
    /// Number of bytes.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "it is never empty")]
    pub const fn len(&self) -> u64 {
        self.end - self.start
    }

    /// The value of a `Content-Range` field, for a representation of `total` bytes.
    #[must_use]
    pub fn content_range(&self, total: u64) -> String {
        format!("bytes {}-{}/{total}", self.start, self.end - 1)
    }
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ranges {
    /// All of it: there is no `Range`, or none that counts.
    Whole,
    /// These parts, at least one, that neither touch nor overlap; answer 206.
    Parts(Vec<ByteRange>),
    /// Nothing that there is; answer 416.
    Unsatisfiable,
}

impl Ranges {
    /// Reads the `Range` of a request for a representation of `total` bytes.
    ///
    /// A field of another unit, a malformed one, several of them, and one of more than `ranges_max`
    /// ranges is ignored, which RFC 9110 section 14.2 permits: whoever asks for so many pieces wants
    /// to make work. Pieces that overlap or touch become one (section 15.3.7.2).
    #[must_use]
    pub fn of(head: &RequestHead, total: u64, ranges_max: usize) -> Self {
        let mut fields = head.header_all("range");
        let (Some(value), None) = (fields.next(), fields.next()) else { return Self::Whole };
        // There is no way to name a piece of nothing.
        if head.method() != Method::Get || total == 0 {
            return Self::Whole;
        }
        Self::parse(value, total, ranges_max).unwrap_or(Self::Whole)
    }

    fn parse(value: &[u8], total: u64, ranges_max: usize) -> Option<Self> {
        let (unit, set) = value.split_at_checked(6)?;
        if !unit.eq_ignore_ascii_case(b"bytes=") {
            return None;
        }
        let mut parts = Vec::new();
        let mut count = 0;
        for spec in set.split(|&b| b == b',').map(trim).filter(|spec| !spec.is_empty()) {
            count += 1;
            if count > ranges_max {
                return None;
            }
            if let Some(range) = satisfiable(spec, total)? {
                add(&mut parts, range);
            }
        }
        match (count, parts.is_empty()) {
            (0, _) => None,
            (_, true) => Some(Self::Unsatisfiable),
            (_, false) => Some(Self::Parts(parts)),
        }
    }
}

/// One `range-spec`: `None` when it is malformed, `Some(None)` when there are no such bytes.
#[allow(clippy::option_option, reason = "malformed and unsatisfiable are two things")]
fn satisfiable(spec: &[u8], total: u64) -> Option<Option<ByteRange>> {
    let dash = spec.iter().position(|&b| b == b'-')?;
    let (first, last) = (&spec[..dash], &spec[dash + 1..]);
    if first.is_empty() {
        let len = number(last)?.min(total);
        return Some((len > 0).then_some(ByteRange { start: total - len, end: total }));
    }
    let start = number(first)?;
    let end = match last {
        [] => total,
        _ => {
            let last = number(last)?;
            if last < start {
                return None;
            }
            last.saturating_add(1).min(total)
        }
    };
    Some((start < total).then_some(ByteRange { start, end }))
}

/// A number of any size; one that is too large for any file stays that.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value =
        digits.iter().fold(0_u64, |n, b| n.saturating_mul(10).saturating_add(u64::from(b - b'0')));
    Some(value)
}

/// Adds a range; it takes in those that it overlaps or touches, and stands where the first of them
/// stood. Those with a gap between them stay apart, however small it is: a client that asked for two
/// parts gets two.
fn add(parts: &mut Vec<ByteRange>, mut range: ByteRange) {
    let mut place = parts.len();
    let mut at = 0;
    while at < parts.len() {
        let other = parts[at];
        if range.start <= other.end && other.start <= range.end {
            range.start = range.start.min(other.start);
            range.end = range.end.max(other.end);
            place = place.min(at);
            parts.remove(at);
            // It has grown: it may touch those before now.
            at = 0;
        } else {
            at += 1;
        }
    }
    parts.insert(place.min(parts.len()), range);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(value: &str, total: u64) -> Option<Vec<(u64, u64)>> {
        match Ranges::parse(value.as_bytes(), total, 8) {
            None => None,
            Some(Ranges::Parts(parts)) => Some(parts.iter().map(|p| (p.start, p.end)).collect()),
            Some(_) => Some(Vec::new()),
        }
    }

    /// (RFC 9110 section, field, parts of 10000 bytes; none are unsatisfiable)
    #[test]
    #[rustfmt::skip]
    fn ranges() {
        type Row<'a> = (&'a str, &'a str, &'a [(u64, u64)]);
        let table: &[Row<'_>] = &[
            ("14.1.2 the first 500", "bytes=0-499", &[(0, 500)]),
            ("14.1.2 the second 500", "bytes=500-999", &[(500, 1000)]),
            ("14.1.2 the last 500", "bytes=-500", &[(9500, 10_000)]),
            ("14.1.2 from 9500 on", "bytes=9500-", &[(9500, 10_000)]),
            ("14.1.2 the first and last byte", "bytes=0-0,-1", &[(0, 1), (9999, 10_000)]),
            ("14.1.2 first, middle and last 1000", "bytes= 0-999, 4500-5499, -1000", &[(0, 1000), (4500, 5500), (9000, 10_000)]),
            ("14.1.2 two that touch", "bytes=500-600,601-999", &[(500, 1000)]),
            ("14.1.2 two that overlap", "bytes=500-700,601-999", &[(500, 1000)]),
            ("14.1.2 an end beyond", "bytes=9000-99999", &[(9000, 10_000)]),
            ("14.1.2 a number beyond 64 bits", "bytes=0-99999999999999999999999", &[(0, 10_000)]),
            ("14.1.2 a suffix longer than all", "bytes=-99999", &[(0, 10_000)]),
            ("14.1.2 a start beyond", "bytes=10000-", &[]),
            ("14.1.2 a start far beyond", "bytes=99999999999999999999999-", &[]),
            ("14.1.2 an empty suffix", "bytes=-0", &[]),
            ("14.1.2 one of two is there", "bytes=20000-, 0-0", &[(0, 1)]),
            ("14.1 the unit in other letters", "BYTES=0-0", &[(0, 1)]),
            ("14.1.1 empty members", "bytes=,0-0,,", &[(0, 1)]),
            ("15.3.7.2 the order asked for", "bytes=5000-5999,0-999", &[(5000, 6000), (0, 1000)]),
            ("15.3.7.2 a small gap", "bytes=0-9,11-20", &[(0, 10), (11, 21)]),
            ("15.3.7.2 one bridges two", "bytes=0-99,1000-1099,50-1010", &[(0, 1100)]),
            ("15.3.7.2 one bridges others in any order", "bytes=8000-8999,0-99,1000-1099,50-1010", &[(8000, 9000), (0, 1100)]),
            ("14.2 the same over and over", "bytes=0-,0-,0-,0-,0-,0-,0-,0-", &[(0, 10_000)]),
        ];
        for (clause, value, expected) in table {
            assert_eq!(parts(value, 10_000).as_deref(), Some(*expected), "{clause}");
        }
        for (clause, value) in [
            ("14.2 another unit", "items=0-1"),
            ("14.2 no unit", "0-1"),
            ("14.2 no range", "bytes="),
            ("14.2 only commas", "bytes=,,"),
            ("14.2 letters", "bytes=abc-xyz"),
            ("14.2 no dash", "bytes=5"),
            ("14.2 only a dash", "bytes=-"),
            ("14.2 two dashes", "bytes=1-2-3"),
            ("14.2 a minus", "bytes=--1"),
            ("14.2 a plus", "bytes=+1-2"),
            ("14.2 the end before the start", "bytes=5-4"),
            ("14.2 one of two malformed", "bytes=0-1,x"),
            ("14.2 space in the unit", "bytes =0-1"),
            ("14.2 space in the range", "bytes=0 -1"),
            ("14.2 nine of them", "bytes=0-,1-,2-,3-,4-,5-,6-,7-,8-"),
        ] {
            assert_eq!(parts(value, 10_000), None, "{clause}");
        }
    }
}
