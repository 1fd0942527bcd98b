//! What the stack sent against what the script expects.
//!
//! Everything that differs is told, not only the first thing: that is what makes a failure readable.

use crate::packet::{self, IpHeader, Segment, flag};
use crate::script::{EcnSpec, IpSpec, OptionSpec, OptionsSpec, TcpSpec};

/// What timestamps are allowed to be off by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TimestampRule {
    /// Microseconds a tick of the script's timestamps lasts; zero does not check values.
    pub(crate) tick_micros: u64,
    /// By how much a value may be off.
    pub(crate) tolerance_micros: u64,
}

/// Differences in the IP header.
pub(crate) fn ip(expected: &IpSpec, actual: &IpHeader, out: &mut Vec<String>) {
    let mut differ = |name: &str, wanted: u32, found: u32| {
        if wanted != found {
            out.push(format!("{name} is {found:#x}, expected {wanted:#x}"));
        }
    };
    if let Some(tos) = expected.tos.all {
        differ("type of service", tos.into(), actual.tos.into());
    }
    if let Some(dscp) = expected.tos.dscp {
        differ("DSCP", dscp.into(), (actual.tos >> 2).into());
    }
    match expected.tos.ecn {
        Some(EcnSpec::Bits(bits)) => differ("ECN", bits.into(), (actual.tos & 3).into()),
        Some(EcnSpec::Ect01) => differ("ECT", 1, u32::from(matches!(actual.tos & 3, 1 | 2))),
        None => {}
    }
    if let Some(ttl) = expected.ttl {
        differ("time to live", ttl.into(), actual.ttl.into());
    }
    if let Some(label) = expected.flow_label {
        differ("flow label", label, actual.flow_label);
    }
}

/// Differences in the segment, which is in the script's numbers already.
pub(crate) fn segment(
    expected: &TcpSpec,
    actual: &Segment,
    rule: TimestampRule,
    out: &mut Vec<String>,
) {
    flags(expected, actual, out);
    let mut differ = |name: &str, wanted: u32, found: u32| {
        if wanted != found {
            out.push(format!("{name} is {found}, expected {wanted}"));
        }
    };
    if let Some(start) = expected.seq.start {
        differ("seq", start, actual.seq);
    }
    differ("length", expected.seq.length.into(), actual.data.len() as u32);
    if expected.flags.bits & flag::ACK != 0 {
        differ("ack", expected.ack.unwrap_or(0), actual.ack);
    }
    if let Some(window) = expected.window {
        differ("window", window.into(), actual.window.into());
    }
    differ("urgent pointer", expected.urgent.into(), actual.urgent.into());
    options(&expected.options, &actual.options, rule, out);
}

fn flags(expected: &TcpSpec, actual: &Segment, out: &mut Vec<String>) {
    // Digits in the flags count marks of accurate ECN; otherwise its bit is not looked at apart.
    let ae = expected.flags.ae || expected.flags.ace.is_some();
    if expected.flags.bits != actual.flags || (ae && expected.flags.ae != actual.ae) {
        let wanted = packet::flags(expected.flags.bits, expected.flags.ae);
        let found = packet::flags(actual.flags, actual.ae);
        out.push(format!("flags are {found}, expected {wanted}"));
    }
}

fn options(
    expected: &OptionsSpec,
    actual: &[OptionSpec],
    rule: TimestampRule,
    out: &mut Vec<String>,
) {
    let OptionsSpec::Exact(expected) = expected else { return };
    let same = expected.len() == actual.len()
        && expected.iter().zip(actual).all(|(wanted, found)| option(wanted, found, rule));
    if !same {
        let (found, wanted) = (packet::options(actual), packet::options(expected));
        out.push(format!("options are <{found}>, expected <{wanted}>"));
    }
}

fn option(expected: &OptionSpec, actual: &OptionSpec, rule: TimestampRule) -> bool {
    match (expected, actual) {
        (
            OptionSpec::Timestamp { value: wanted, echo: wanted_echo, .. },
            OptionSpec::Timestamp { value: Some(found), echo, .. },
        ) => {
            let off = wanted.map_or(0, |wanted| wanted.wrapping_sub(*found).cast_signed());
            let micros = u64::from(off.unsigned_abs()) * rule.tick_micros;
            wanted_echo == echo && micros <= rule.tolerance_micros
        }
        // A digest is as long as a digest is; who could check it has the key.
        (OptionSpec::Md5(None), OptionSpec::Md5(Some(digest))) => digest.len() == 16,
        _ => expected == actual,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;
    use crate::script::{Action, Body, parse};

    fn spec(text: &str) -> (IpSpec, TcpSpec) {
        let source = format!("0 > {text}");
        let script = parse(Path::new("t"), &source, &BTreeMap::new()).unwrap();
        let Action::Packet(packet) = script.events[0].action.clone() else { panic!() };
        let Body::Tcp(tcp) = packet.body else { panic!() };
        (packet.ip, tcp)
    }

    fn differences(text: &str, actual: &Segment, tick_micros: u64) -> Vec<String> {
        let mut out = Vec::new();
        let rule = TimestampRule { tick_micros, tolerance_micros: 1000 };
        segment(&spec(text).1, actual, rule, &mut out);
        out
    }

    #[test]
    fn what_is_the_same_makes_no_words() {
        let actual = Segment {
            seq: 1,
            ack: 2,
            flags: flag::ACK | flag::PSH,
            window: 100,
            data: vec![0; 5],
            options: vec![OptionSpec::Nop, OptionSpec::End],
            ..Segment::default()
        };
        assert!(differences("P. 1:6(5) ack 2 win 100 <nop,eol>", &actual, 0).is_empty());
        assert!(differences("P. 1:6(5) ack 2 <...>", &actual, 0).is_empty());
        assert!(differences("P. ...(5) ack 2 <...>", &actual, 0).is_empty());
    }

    #[test]
    fn every_difference_is_told() {
        let actual = Segment { seq: 1, ack: 2, flags: flag::ACK, window: 9, ..Segment::default() };
        let found = differences("F. 2:3(1) ack 3 win 10 urg 1 <nop>", &actual, 0);
        assert_eq!(found.len(), 7, "{found:?}");
        let order = Segment {
            flags: flag::ACK,
            options: vec![OptionSpec::End, OptionSpec::Nop],
            ..Segment::default()
        };
        assert_eq!(differences(". 0:0(0) ack 0 <nop,eol>", &order, 0).len(), 1);
    }

    #[test]
    fn timestamps_may_be_off_by_the_tolerance() {
        let stamp = OptionSpec::Timestamp { value: Some(101), echo: 7, echo_absolute: false };
        let actual = Segment { flags: flag::ACK, options: vec![stamp], ..Segment::default() };
        assert!(differences(". 0:0(0) ack 0 <TS val 100 ecr 7>", &actual, 1000).is_empty());
        assert_eq!(differences(". 0:0(0) ack 0 <TS val 99 ecr 7>", &actual, 1000).len(), 1);
        assert!(differences(". 0:0(0) ack 0 <TS val 9 ecr 7>", &actual, 0).is_empty());
        assert_eq!(differences(". 0:0(0) ack 0 <TS val 100 ecr 8>", &actual, 0).len(), 1);
    }

    #[test]
    fn ip_fields_are_looked_at_when_written() {
        let header = IpHeader {
            source: [192, 0, 2, 1].into(),
            destination: [192, 0, 2, 2].into(),
            tos: 0xe2,
            ttl: 64,
            flow_label: 0,
        };
        let count = |text: &str| {
            let mut out = Vec::new();
            ip(&spec(text).0, &header, &mut out);
            out.len()
        };
        assert_eq!(count(". 0:0(0)"), 0);
        assert_eq!(count("(tos 0xe2, ttl 64) . 0:0(0)"), 0);
        assert_eq!(count("(tos 0xe0, ttl 63) . 0:0(0)"), 2);
        assert_eq!(count("[ect0] . 0:0(0)") + count("[ect01] . 0:0(0)"), 0);
        assert_eq!(count("[noecn] . 0:0(0)") + count("[ect1] . 0:0(0)"), 2);
    }
}
