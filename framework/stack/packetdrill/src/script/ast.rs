//! A script as a value.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// A script that was read: options, then events in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    /// Where it came from.
    pub path: PathBuf,
    /// A word before everything else, which means nothing.
    pub stray: Option<String>,
    /// `--name=value` lines.
    pub options: Vec<ScriptOption>,
    /// A command before the first event.
    pub init: Option<String>,
    /// What happens, in order.
    pub events: Vec<Event>,
    /// A command after the last event.
    pub cleanup: Option<String>,
}

/// A `--name=value` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptOption {
    /// The name, without hyphens.
    pub name: String,
    /// The value, if there is one.
    pub value: Option<String>,
    /// The line it stands on.
    pub line: u32,
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The line its time stands on.
    pub line: u32,
    /// When it happens.
    pub when: When,
    /// What happens.
    pub action: Action,
}

/// When an event happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// `*`: at any time (only for packets that are expected).
    Any,
    /// `1.5`: so long after the start.
    At(Duration),
    /// `+1.5`: so long after the event before.
    After(Duration),
    /// `1~2`: between two times after the start.
    Between(Duration, Duration),
    /// `+1~+2`: between two times after the event before.
    AfterBetween(Duration, Duration),
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// A packet arrives, or is expected.
    Packet(PacketSpec),
    /// A system call is made.
    Call(CallSpec),
    /// A shell command is run.
    Command(String),
    /// Assertions about `tcp_info`.
    Code(String),
}

/// Which way a packet travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// `<`: into the stack.
    Inbound,
    /// `>`: out of the stack.
    Outbound,
}

/// A packet as a script writes it.
#[derive(Debug, Clone, PartialEq)]
pub struct PacketSpec {
    /// Which way it travels.
    pub direction: Direction,
    /// Headers around the one under test (tunnels), outermost first.
    pub outer: Vec<OuterHeader>,
    /// Fields of the IP header.
    pub ip: IpSpec,
    /// What is in it.
    pub body: Body,
}

/// A header around the packet under test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OuterHeader {
    /// `ipv4 A > B:` or `ipv6 A > B:`
    Ip {
        /// Its source.
        source: IpAddr,
        /// Its destination.
        destination: IpAddr,
    },
    /// Generic routing encapsulation.
    Gre,
    /// A stack of labels.
    Mpls,
    /// PSP encryption.
    Psp,
}

/// Fields of the IP header that a script can set or check.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IpSpec {
    /// Type of service, or the part of it that counts.
    pub tos: TosSpec,
    /// Time to live or hop limit.
    pub ttl: Option<u8>,
    /// The IPv6 flow label.
    pub flow_label: Option<u32>,
}

/// Type of service, or the part of it that counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TosSpec {
    /// All eight bits.
    pub all: Option<u8>,
    /// The upper six.
    pub dscp: Option<u8>,
    /// The lower two.
    pub ecn: Option<EcnSpec>,
}

/// The two bits of explicit congestion notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EcnSpec {
    /// Exactly these.
    Bits(u8),
    /// ECT(0) or ECT(1).
    Ect01,
}

/// What a packet carries.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// A TCP segment.
    Tcp(TcpSpec),
    /// A UDP datagram.
    Udp {
        /// Source and destination port.
        ports: Option<(u16, u16)>,
        /// Bytes of payload.
        length: u16,
    },
    /// An ICMP message.
    Icmp(IcmpSpec),
    /// Another protocol, by its name; what the script says of it is not looked at.
    Other(String),
}

/// A TCP segment.
#[derive(Debug, Clone, PartialEq)]
pub struct TcpSpec {
    /// Source and destination port.
    pub ports: Option<(u16, u16)>,
    /// Its flags.
    pub flags: FlagSpec,
    /// Sequence number and length.
    pub seq: SeqSpec,
    /// The acknowledgment number.
    pub ack: Option<u32>,
    /// The window, as on the wire.
    pub window: Option<u16>,
    /// The urgent pointer.
    pub urgent: u16,
    /// Options.
    pub options: OptionsSpec,
    /// The cause code a reset carries.
    pub reset_cause: Option<(u16, u32)>,
    /// UDP around it: source and destination port.
    pub udp: Option<(u16, u16)>,
}

/// TCP flags; `ace` is the count of accurate ECN when a script writes digits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FlagSpec {
    /// The eight flag bits of the header: CWR ECE URG ACK PSH RST SYN FIN.
    pub bits: u8,
    /// The ninth, AE.
    pub ae: bool,
    /// Digits that stand for AE, CWR and ECE.
    pub ace: Option<u8>,
}

/// Sequence number and length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeqSpec {
    /// The number; `None` for `...`, which matches any.
    pub start: Option<u32>,
    /// Bytes of payload.
    pub length: u16,
    /// `!`: the number stands on the wire as it is.
    pub absolute: bool,
}

/// Options of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OptionsSpec {
    /// These, in this order.
    Exact(Vec<OptionSpec>),
    /// `<...>`: any.
    Any,
    /// Bytes.
    Raw(Vec<u8>),
}

/// One option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OptionSpec {
    /// End of the list.
    End,
    /// Padding.
    Nop,
    /// Maximum segment size.
    Mss(u16),
    /// Window scale.
    WindowScale(u8),
    /// SACK is understood.
    SackPermitted,
    /// Blocks of a selective acknowledgment.
    Sack(Vec<(u32, u32)>),
    /// Timestamps.
    Timestamp {
        /// Its value; `None` for `...`.
        value: Option<u32>,
        /// The echoed one.
        echo: u32,
        /// `!`: the echo stands on the wire as it is.
        echo_absolute: bool,
    },
    /// Fast open, with the cookie.
    FastOpen(Vec<u8>),
    /// Fast open by the experimental option, with the cookie.
    FastOpenExperimental(Vec<u8>),
    /// MD5 signature; `None` asks for a valid one.
    Md5(Option<Vec<u8>>),
    /// `nocheck`, which only a kernel of its author's sends.
    NoCheck,
    /// Any other: kind and data.
    Other(u8, Vec<u8>),
}

/// An ICMP message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IcmpSpec {
    /// Its type, by name.
    pub kind: String,
    /// Its code, by name.
    pub code: Option<String>,
    /// The size a router reports.
    pub mtu: Option<u32>,
    /// The identifier of an echo.
    pub id: Option<u16>,
    /// The packet it quotes.
    pub quoted: Option<Quoted>,
}

/// A packet quoted in an ICMP message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Quoted {
    /// TCP, perhaps within UDP.
    Tcp {
        /// Where it begins and how long it is.
        seq: SeqSpec,
        /// UDP around it: source and destination port.
        udp: Option<(u16, u16)>,
    },
    /// UDP with so many bytes.
    Udp(u16),
    /// So many bytes.
    Raw(u16),
    /// Another protocol, by its name.
    Other(String),
}

/// A system call.
#[derive(Debug, Clone, PartialEq)]
pub struct CallSpec {
    /// When a blocking call returns: `t1...t2`, in the terms of the event's time.
    pub end: Option<Duration>,
    /// Its name.
    pub name: String,
    /// Its arguments.
    pub arguments: Vec<Expr>,
    /// What it must return.
    pub result: Expr,
    /// The error it must end with.
    pub errno: Option<String>,
    /// What stands in parentheses behind the result.
    pub note: Option<String>,
}

/// An expression in a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// `...`
    Ellipsis,
    /// A number.
    Integer(i64),
    /// A constant.
    Word(String),
    /// A text (escapes resolved); several in a row are one.
    Text(Vec<u8>),
    /// `a | b`
    Or(Box<Expr>, Box<Expr>),
    /// `name = value`
    Assign(String, Box<Expr>),
    /// `name(arguments)`, like `htons(80)`.
    Apply(String, Vec<Expr>),
    /// `[a, b]`
    List(Vec<Expr>),
    /// `{a = 1, b(2) = 3, 4}`
    Struct(Vec<Field>),
}

/// A member of a `{...}`.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: Option<String>,
    /// What stands in parentheses behind the name.
    pub index: Option<Expr>,
    /// Its value.
    pub value: Expr,
}
