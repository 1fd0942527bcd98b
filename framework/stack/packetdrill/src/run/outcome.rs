//! What can become of a script.

use std::fmt;

/// What became of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// Everything was as the script says, to the microsecond.
    PassExact,
    /// Everything was as the script says within what it tolerates.
    PassRelaxed(Vec<Relaxation>),
    /// Something was not as the script says.
    Fail(Failure),
    /// The script needs what the stack does not have.
    Skip(SkipReason),
}

impl Outcome {
    /// Whether the script passed, exactly or not.
    #[must_use]
    pub fn is_pass(&self) -> bool {
        matches!(self, Self::PassExact | Self::PassRelaxed(_))
    }

    /// Whether it failed.
    #[must_use]
    pub fn is_fail(&self) -> bool {
        matches!(self, Self::Fail(_))
    }

    /// The word the report begins with.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::PassExact => "PASS-EXACT",
            Self::PassRelaxed(_) => "PASS-RELAXED",
            Self::Fail(_) => "FAIL",
            Self::Skip(_) => "SKIP",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())?;
        match self {
            Self::PassExact => Ok(()),
            Self::PassRelaxed(why) => {
                let why: Vec<_> = why.iter().map(|r| r.text()).collect();
                write!(f, " ({})", why.join(", "))
            }
            Self::Fail(failure) => write!(f, " {failure}"),
            Self::Skip(reason) => write!(f, " ({})", reason.text()),
        }
    }
}

/// In what a script was not followed to the letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Relaxation {
    /// A time was off, within the script's tolerance.
    Timing,
    /// A packet of the script stood for several smaller ones.
    Segmentation,
    /// More packets came at the end than the script looks at.
    Unread,
    /// The script has a word in it that means nothing.
    StrayWord,
    /// The script says nothing of buffers: the size that its window scale belongs to was assumed.
    AssumedBuffer,
    /// Settings were changed that the stack does not know and the script does not depend on.
    UnknownSetting,
}

impl Relaxation {
    /// A few words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Timing => "timing within tolerance",
            Self::Segmentation => "segmented differently",
            Self::Unread => "packets left unread",
            Self::StrayWord => "a stray word in the script",
            Self::AssumedBuffer => "the buffer its window scale needs",
            Self::UnknownSetting => "a setting without a meaning here",
        }
    }
}

/// Why a script cannot be run: the closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SkipReason {
    /// Data in a SYN without a cookie of fast open (RFC 7413, appendix B).
    FastOpenBare,
    /// The experimental option that fast open had before RFC 7413; it is read, and not sent.
    FastOpenExperiment,
    /// TCP within UDP (RFC 6951's way, for TCP).
    TcpOverUdp,
    /// MD5 signatures (RFC 2385), obsolete.
    Md5,
    /// PSP encryption.
    Psp,
    /// Headers of tunnels around the packets under test.
    Tunnel,
    /// Records that end where a call ended (MSG_EOR).
    EndOfRecord,
    /// Files and pipes as the source or sink of data.
    Files,
    /// Routes, modules, queues, counters and listings of a kernel that no settings of TCP are.
    Device,
    /// Probing for a larger path MTU (RFC 4821).
    MtuProbing,
    /// Accurate ECN (RFC 9768).
    AccurateEcn,
    /// A choice between several TCP implementations in one kernel.
    TcpFunctions,
    /// Other protocols than TCP, UDP and ICMP.
    Protocol,
    /// Multipath TCP (RFC 8684).
    Multipath,
    /// Sockets taken apart and put together elsewhere (TCP_REPAIR).
    Repair,
    /// Options, of a socket or on the wire, that only their author's own kernel had.
    PrivateKernel,
}

impl SkipReason {
    /// A few words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::FastOpenBare => "fast open without cookies",
            Self::FastOpenExperiment => "fast open's experimental option",
            Self::TcpOverUdp => "TCP over UDP",
            Self::Md5 => "MD5 signatures",
            Self::Psp => "PSP",
            Self::Tunnel => "tunnel headers",
            Self::EndOfRecord => "end of record",
            Self::Files => "files and pipes",
            Self::Device => "the kernel's own tables",
            Self::MtuProbing => "MTU probing",
            Self::AccurateEcn => "accurate ECN",
            Self::TcpFunctions => "several TCP implementations",
            Self::Protocol => "another protocol",
            Self::Multipath => "multipath TCP",
            Self::Repair => "repair of sockets",
            Self::PrivateKernel => "an option of a private kernel",
        }
    }
}

/// What was not as a script says, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The line.
    pub line: u32,
    /// The kind, for counting.
    pub cause: Cause,
    /// The details.
    pub detail: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: {}", self.line, self.cause.text(), self.detail)
    }
}

/// Kinds of failure, for counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The script is not in the language, or says what makes no sense.
    Script,
    /// An expected packet did not come.
    Missing,
    /// A packet came at another time.
    Time,
    /// A packet came with another header or other options.
    Packet,
    /// A packet came with other data.
    Data,
    /// A call returned something else.
    Call,
    /// A call is not known here.
    UnknownCall,
    /// A command did not say what it should.
    Command,
    /// A command is not known here.
    UnknownCommand,
    /// An assertion does not hold.
    Assertion,
    /// A field of `tcp_info` is not known here.
    UnknownField,
    /// Nothing in the script checks anything.
    NoCheck,
    /// The stack panicked or never came to rest.
    Crash,
}

impl Cause {
    /// A few words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Script => "script error",
            Self::Missing => "missing packet",
            Self::Time => "timing",
            Self::Packet => "wrong packet",
            Self::Data => "wrong data",
            Self::Call => "call",
            Self::UnknownCall => "unknown call",
            Self::Command => "command",
            Self::UnknownCommand => "unknown command",
            Self::Assertion => "assertion",
            Self::UnknownField => "unknown field",
            Self::NoCheck => "no check",
            Self::Crash => "crash",
        }
    }
}
