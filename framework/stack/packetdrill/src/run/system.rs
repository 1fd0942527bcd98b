//! The two systems scripts are written for.

use std::path::Path;

use crate::script::{
    Action, Body, Direction, Event, OptionSpec, OptionsSpec, PacketSpec, Script, TcpSpec,
};

/// A system whose habits a script expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum System {
    /// Linux.
    Linux,
    /// FreeBSD.
    FreeBsd,
}

impl System {
    /// Which one a script is for: the settings it changes say it, the order of the options it expects
    /// in a SYN, the names above it, or what its comments call it.
    #[must_use]
    pub fn of(script: &Script, source: &str) -> Self {
        let text = format!("{:?}{:?}", script.init, script.events);
        if text.contains("net.inet.") || text.contains("kern.ipc.") {
            return Self::FreeBsd;
        }
        if text.contains("net.ipv4.") || text.contains("defaults.sh") || text.contains("/proc/sys")
        {
            return Self::Linux;
        }
        if let Some(system) = script.events.iter().find_map(Self::of_syn) {
            return system;
        }
        let names = |path: &Path| path.to_string_lossy().to_lowercase();
        let bsd = names(&script.path).contains("bsd") || source.to_lowercase().contains("freebsd");
        if bsd { Self::FreeBsd } else { Self::Linux }
    }

    /// Linux writes the window scale behind what it allows about SACK, FreeBSD before it.
    fn of_syn(event: &Event) -> Option<Self> {
        let Action::Packet(PacketSpec { direction: Direction::Outbound, body, .. }) = &event.action
        else {
            return None;
        };
        let Body::Tcp(TcpSpec { options: OptionsSpec::Exact(options), .. }) = body else {
            return None;
        };
        let place = |wanted: fn(&OptionSpec) -> bool| options.iter().position(wanted);
        let scale = place(|option| matches!(option, OptionSpec::WindowScale(_)))?;
        let sack = place(|option| *option == OptionSpec::SackPermitted)?;
        Some(if scale < sack { Self::FreeBsd } else { Self::Linux })
    }

    /// `O_NONBLOCK`, which `fcntl` shows as a number.
    pub(crate) fn nonblock(self) -> i64 {
        match self {
            Self::Linux => 0x800,
            Self::FreeBsd => 0x4,
        }
    }

    /// The value of a constant that scripts compare numbers with.
    pub(crate) fn constant(self, name: &str) -> Option<i64> {
        if let Some(value) = dscp_class(name) {
            return Some(value);
        }
        let (_, linux, freebsd) = CONSTANTS.iter().find(|(n, ..)| *n == name)?;
        Some(match self {
            Self::Linux => *linux,
            Self::FreeBsd => *freebsd,
        })
    }
}

/// `IPTOS_DSCP_CS4`, `IPTOS_DSCP_AF11`: the codepoint's place in the byte (RFC 2474, 2597, 3246).
fn dscp_class(name: &str) -> Option<i64> {
    let (class, number) = name.strip_prefix("IPTOS_DSCP_")?.split_at_checked(2)?;
    let number = number.parse::<i64>().ok();
    match class {
        "CS" => number.map(|n| n << 5),
        "AF" => number.map(|n| (n / 10) << 5 | (n % 10) << 3),
        "EF" => Some(0xb8),
        _ => None,
    }
}

/// Name, Linux's value, FreeBSD's.
const CONSTANTS: &[(&str, i64, i64)] = &[
    ("O_RDONLY", 0, 0),
    ("O_WRONLY", 1, 1),
    ("O_RDWR", 2, 2),
    ("O_NONBLOCK", 0x800, 4),
    ("IPTOS_LOWDELAY", 0x10, 0x10),
    ("IPTOS_THROUGHPUT", 8, 8),
    ("IPTOS_RELIABILITY", 4, 4),
    ("IPTOS_MINCOST", 2, 2),
    ("IP_PMTUDISC_DONT", 0, 0),
    ("IP_PMTUDISC_WANT", 1, 1),
    ("IP_PMTUDISC_DO", 2, 2),
    ("IP_PMTUDISC_PROBE", 3, 3),
    ("SOF_TIMESTAMPING_TX_HARDWARE", 1, 1),
    ("SOF_TIMESTAMPING_TX_SOFTWARE", 1 << 1, 0),
    ("SOF_TIMESTAMPING_RX_HARDWARE", 1 << 2, 0),
    ("SOF_TIMESTAMPING_RX_SOFTWARE", 1 << 3, 0),
    ("SOF_TIMESTAMPING_SOFTWARE", 1 << 4, 0),
    ("SOF_TIMESTAMPING_RAW_HARDWARE", 1 << 6, 0),
    ("SOF_TIMESTAMPING_OPT_ID", 1 << 7, 0),
    ("SOF_TIMESTAMPING_TX_SCHED", 1 << 8, 0),
    ("SOF_TIMESTAMPING_TX_ACK", 1 << 9, 0),
    ("SOF_TIMESTAMPING_OPT_CMSG", 1 << 10, 0),
    ("SOF_TIMESTAMPING_OPT_TSONLY", 1 << 11, 0),
    ("SHUT_RD", 0, 0),
    ("SHUT_WR", 1, 1),
    ("SHUT_RDWR", 2, 2),
    ("INT_MAX", i32::MAX as i64, i32::MAX as i64),
    ("UINT_MAX", u32::MAX as i64, u32::MAX as i64),
];

/// The names of states in `tcp_info`, by system, and their numbers.
pub(crate) fn state_numbers(system: System) -> &'static [(&'static str, u32)] {
    match system {
        System::Linux => &[
            ("TCP_ESTABLISHED", 1),
            ("TCP_SYN_SENT", 2),
            ("TCP_SYN_RECV", 3),
            ("TCP_FIN_WAIT1", 4),
            ("TCP_FIN_WAIT2", 5),
            ("TCP_TIME_WAIT", 6),
            ("TCP_CLOSE", 7),
            ("TCP_CLOSE_WAIT", 8),
            ("TCP_LAST_ACK", 9),
            ("TCP_LISTEN", 10),
            ("TCP_CLOSING", 11),
        ],
        System::FreeBsd => &[
            ("TCPI_CLOSED", 0),
            ("TCPI_LISTEN", 1),
            ("TCPI_SYN_SENT", 2),
            ("TCPI_SYN_RECEIVED", 3),
            ("TCPI_ESTABLISHED", 4),
            ("TCPI_CLOSE_WAIT", 5),
            ("TCPI_FIN_WAIT_1", 6),
            ("TCPI_CLOSING", 7),
            ("TCPI_LAST_ACK", 8),
            ("TCPI_FIN_WAIT_2", 9),
            ("TCPI_TIME_WAIT", 10),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_differ_by_system() {
        assert_eq!(System::Linux.constant("O_NONBLOCK"), Some(2048));
        assert_eq!(System::FreeBsd.constant("O_NONBLOCK"), Some(4));
        assert_eq!(System::Linux.constant("IPTOS_DSCP_CS4"), Some(0x80));
        assert_eq!(System::Linux.constant("IPTOS_DSCP_AF11"), Some(0x28));
        assert_eq!(System::Linux.constant("NOTHING"), None);
    }

    #[test]
    fn the_order_of_options_in_a_syn_tells_the_system() {
        let system = |source: &str| {
            let script =
                crate::script::parse(Path::new("t"), source, &std::collections::BTreeMap::new());
            System::of(&script.unwrap(), source)
        };
        assert_eq!(
            system("0 > S. 0:0(0) ack 1 <mss 1460,nop,wscale 6,sackOK,eol,eol>"),
            System::FreeBsd
        );
        assert_eq!(
            system("0 > S. 0:0(0) ack 1 <mss 1460,sackOK,nop,nop,nop,wscale 6>"),
            System::Linux
        );
        assert_eq!(system("// FreeBSD throws it away\n0 > . 1:1(0) ack 1"), System::FreeBsd);
    }
}
