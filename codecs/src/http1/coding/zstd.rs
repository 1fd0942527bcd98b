//! zstd, by the crate of that name.

use fyke_codec::CodecError;
use zstd::stream::raw::{CParameter, DParameter, Decoder, Encoder, InBuffer, Operation, OutBuffer};

use super::step::{Compress, Decompress, Op, Step, failed, malformed};

/// RFC 9659: 8 MiB, the largest window for the content coding.
const WINDOW_LOG_MAX: u32 = 23;
/// 256 KiB of window for what we send.
const WINDOW_LOG: u32 = 18;

/// A compressor.
pub(super) struct ZstdEncoder(Encoder<'static>);

impl ZstdEncoder {
    pub(super) fn new(level: u32) -> Result<Self, CodecError> {
        let level = i32::try_from(level.clamp(1, 19)).unwrap_or(3);
        let mut encoder = Encoder::new(level).map_err(|_| failed())?;
        encoder.set_parameter(CParameter::WindowLog(WINDOW_LOG)).map_err(|_| failed())?;
        Ok(Self(encoder))
    }
}

impl Compress for ZstdEncoder {
    fn step(&mut self, input: &[u8], output: &mut [u8], op: Op) -> Result<Step, CodecError> {
        let mut source = InBuffer::around(input);
        let mut sink = OutBuffer::around(output);
        self.0.run(&mut source, &mut sink).map_err(|_| failed())?;
        let mut done = source.pos() == input.len() && sink.pos() < sink.capacity();
        if done && op != Op::Run {
            let left = match op {
                Op::Finish => self.0.finish(&mut sink, true),
                Op::Run | Op::Flush => self.0.flush(&mut sink),
            };
            done = left.map_err(|_| failed())? == 0;
        }
        Ok(Step { read: source.pos(), written: sink.pos(), done })
    }
}

/// A decompressor.
pub(super) struct ZstdDecoder(Decoder<'static>);

impl ZstdDecoder {
    pub(super) fn new() -> Result<Self, CodecError> {
        let mut decoder = Decoder::new().map_err(|_| failed())?;
        decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX)).map_err(|_| failed())?;
        Ok(Self(decoder))
    }
}

impl Decompress for ZstdDecoder {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, CodecError> {
        let mut source = InBuffer::around(input);
        let mut sink = OutBuffer::around(output);
        let hint = self.0.run(&mut source, &mut sink).map_err(|_| malformed())?;
        Ok(Step { read: source.pos(), written: sink.pos(), done: hint == 0 })
    }

    /// RFC 8878 section 3: frames may follow each other.
    fn restart(&mut self) -> bool {
        self.0.reinit().is_ok()
    }
}
