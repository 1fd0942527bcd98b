//! What can go wrong with a buffer. None of these says whose fault it is: a decoder that runs
//! out of bytes waits or blames the peer, an encoder that runs out of room blames its caller.

use core::error::Error;
use core::fmt;

/// More bytes were asked for than there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OutOfBounds {
    /// How many bytes the call needed (or the index it was given).
    pub needed: usize,
    /// How many bytes there are (or the highest index allowed).
    pub available: usize,
}

impl fmt::Display for OutOfBounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "out of bounds: {} needed, {} available", self.needed, self.available)
    }
}

impl Error for OutOfBounds {}

/// A buffer would have to grow beyond its maximum capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CapacityExceeded {
    /// The capacity the call needed, in bytes.
    pub needed: usize,
    /// The maximum capacity of the buffer, in bytes.
    pub max: usize,
}

impl fmt::Display for CapacityExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "capacity of {} bytes needed, the maximum is {} bytes", self.needed, self.max)
    }
}

impl Error for CapacityExceeded {}

/// The bytes at the reader index are no varint of the type asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VarintError {
    /// The buffer ends inside the varint. Only `read_varint_*` report this; `peek_varint_*`
    /// answer `Ok(None)`, for decoders that can wait.
    Incomplete,
    /// The value does not fit the type.
    Overflow,
    /// The varint goes on longer than any value of the type can need (5 bytes for 32 bits,
    /// 10 bytes for 64 bits).
    TooLong,
}

impl fmt::Display for VarintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Incomplete => "the buffer ends inside a varint",
            Self::Overflow => "the varint does not fit its type",
            Self::TooLong => "the varint is longer than its type allows",
        })
    }
}

impl Error for VarintError {}
