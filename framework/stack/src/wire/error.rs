//! What is wrong with bytes that do not parse. It is always the sender's fault.

use core::fmt;

/// Why bytes are not a packet of the protocol they were taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Error {
    /// Fewer bytes than the header or its length field asks for.
    Truncated,
    /// The version field names another version.
    Version,
    /// A length field contradicts the header it stands in.
    Length,
    /// Another type than the parser is for, or a combination that is not supported.
    Unsupported,
    /// More extension headers or records than we are willing to walk through.
    TooMany,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the packet is shorter than its header says",
            Self::Version => "another version of the protocol",
            Self::Length => "a length field contradicts its header",
            Self::Unsupported => "not a packet of this kind",
            Self::TooMany => "more headers or records than allowed",
        })
    }
}

impl core::error::Error for Error {}
