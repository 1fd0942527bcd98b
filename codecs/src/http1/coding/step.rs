//! What every compression library is made into: bytes in, bytes out, as far as both go.

use fyke_codec::CodecError;

/// What an encoder is to do with what it has been given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// Take it in.
    Run,
    /// And put out all of it, so that the receiver can read it.
    Flush,
    /// And end the stream.
    Finish,
}

/// How far a step went.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) read: usize,
    pub(super) written: usize,
    /// An encoder: what was asked for is done. A decoder: the stream has ended.
    pub(super) done: bool,
}

/// A compressor of one stream.
pub(super) trait Compress: Send {
    fn step(&mut self, input: &[u8], output: &mut [u8], op: Op) -> Result<Step, CodecError>;
}

/// A decompressor of one stream.
pub(super) trait Decompress: Send {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, CodecError>;

    /// Makes it ready for another stream behind the one that has ended; `false` when there can be
    /// none.
    fn restart(&mut self) -> bool {
        false
    }
}

/// The error of any library about bytes that are no such stream.
pub(super) const fn malformed() -> CodecError {
    CodecError::malformed("compressed content")
}

/// Libraries fail on our own input only when something is wrong with them or the memory.
pub(super) const fn failed() -> CodecError {
    CodecError::Unencodable { what: "the compressor failed" }
}
