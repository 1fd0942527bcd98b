//! Packets in the words of the scripts, for the trace.

use std::fmt::{self, Write};

use super::{Packet, Payload, Segment, flag};
use crate::script::OptionSpec;

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.payload {
            Payload::Tcp(segment) => write!(f, "{segment}"),
            Payload::Udp(datagram) => write!(
                f,
                "udp {} > {} ({})",
                datagram.source_port,
                datagram.destination_port,
                datagram.data.len()
            ),
            Payload::Icmp(icmp) => write!(f, "icmp type {} code {}", icmp.kind, icmp.code),
            Payload::Other(number, body) => write!(f, "protocol {number} ({})", body.len()),
        }
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&flags(self.flags, self.ae))?;
        write!(f, " {}:{}({})", self.seq, self.data_end(), self.data.len())?;
        if self.has(flag::ACK) {
            write!(f, " ack {}", self.ack)?;
        }
        write!(f, " win {}", self.window)?;
        if self.urgent != 0 {
            write!(f, " urg {}", self.urgent)?;
        }
        if !self.options.is_empty() {
            write!(f, " <{}>", options(&self.options))?;
        }
        Ok(())
    }
}

/// `SEW`, `FP.`, `-`.
pub(crate) fn flags(bits: u8, ae: bool) -> String {
    let letters = [
        (flag::FIN, 'F'),
        (flag::SYN, 'S'),
        (flag::RST, 'R'),
        (flag::PSH, 'P'),
        (flag::URG, 'U'),
        (flag::ECE, 'E'),
        (flag::CWR, 'W'),
    ];
    let set = letters.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, letter)| *letter);
    let mut out: String = set.chain(ae.then_some('A')).collect();
    if bits & flag::ACK != 0 {
        out.push('.');
    }
    if out.is_empty() { "-".to_owned() } else { out }
}

/// `mss 1460,nop,wscale 6`
pub(crate) fn options(options: &[OptionSpec]) -> String {
    options.iter().map(option).collect::<Vec<_>>().join(",")
}

fn option(option: &OptionSpec) -> String {
    match option {
        OptionSpec::End => "eol".to_owned(),
        OptionSpec::Nop => "nop".to_owned(),
        OptionSpec::Mss(mss) => format!("mss {mss}"),
        OptionSpec::WindowScale(shift) => format!("wscale {shift}"),
        OptionSpec::SackPermitted => "sackOK".to_owned(),
        OptionSpec::Sack(blocks) => {
            let blocks = blocks.iter().map(|(left, right)| format!(" {left}:{right}"));
            format!("sack{}", blocks.collect::<String>())
        }
        OptionSpec::Timestamp { value: Some(value), echo, .. } => {
            format!("TS val {value} ecr {echo}")
        }
        OptionSpec::Timestamp { value: None, echo, .. } => format!("TS val ... ecr {echo}"),
        OptionSpec::FastOpen(cookie) => format!("FO {}", hex(cookie)).trim_end().to_owned(),
        OptionSpec::FastOpenExperimental(cookie) => {
            format!("FOEXP {}", hex(cookie)).trim_end().to_owned()
        }
        OptionSpec::Md5(None) => "md5 valid".to_owned(),
        OptionSpec::Md5(Some(digest)) => format!("md5 {}", hex(digest)),
        OptionSpec::NoCheck => "nocheck".to_owned(),
        OptionSpec::Other(kind, data) => format!("gen-{kind} {}", hex(data)).trim_end().to_owned(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        // Writing to a string cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}
