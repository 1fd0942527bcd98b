//! br, by the crate brotli.

use brotli::enc::StandardAlloc;
use brotli::enc::encode::{
    BrotliEncoderOperation, BrotliEncoderParameter, BrotliEncoderStateStruct,
};
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState};
use fyke_codec::CodecError;

use super::step::{Compress, Decompress, Op, Step, failed, malformed};

/// 256 KiB of window: more takes memory for each stream and gains little with pages.
const WINDOW_BITS: u32 = 18;

/// A compressor.
pub(super) struct BrotliEncoder(Box<BrotliEncoderStateStruct<StandardAlloc>>);

impl BrotliEncoder {
    pub(super) fn new(quality: u32) -> Self {
        let mut state = Box::new(BrotliEncoderStateStruct::new(StandardAlloc::default()));
        for (parameter, value) in [
            (BrotliEncoderParameter::BROTLI_PARAM_QUALITY, quality.min(11)),
            (BrotliEncoderParameter::BROTLI_PARAM_LGWIN, WINDOW_BITS),
        ] {
            // Only refused once the stream has begun.
            state.set_parameter(parameter, value);
        }
        Self(state)
    }
}

impl Compress for BrotliEncoder {
    fn step(&mut self, input: &[u8], output: &mut [u8], op: Op) -> Result<Step, CodecError> {
        let op_code = match op {
            Op::Run => BrotliEncoderOperation::BROTLI_OPERATION_PROCESS,
            Op::Flush => BrotliEncoderOperation::BROTLI_OPERATION_FLUSH,
            Op::Finish => BrotliEncoderOperation::BROTLI_OPERATION_FINISH,
        };
        let (mut left, mut room) = (input.len(), output.len());
        let (mut read, mut written) = (0, 0);
        let went_well = self.0.compress_stream(
            op_code,
            &mut left,
            input,
            &mut read,
            &mut room,
            output,
            &mut written,
            &mut None,
            &mut |_, _, _, _| (),
        );
        if !went_well {
            return Err(failed());
        }
        let drained = left == 0 && !self.0.has_more_output();
        let done = if op == Op::Finish { self.0.is_finished() } else { drained };
        Ok(Step { read, written, done })
    }
}

type State = BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>;

/// A decompressor. Windows larger than RFC 7932 allows (16 MiB) are refused.
pub(super) struct BrotliDecoder(Box<State>);

impl BrotliDecoder {
    pub(super) fn new() -> Self {
        let alloc = StandardAlloc::default;
        Self(Box::new(BrotliState::new_strict(alloc(), alloc(), alloc())))
    }
}

impl Decompress for BrotliDecoder {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, CodecError> {
        let (mut left, mut room) = (input.len(), output.len());
        let (mut read, mut written, mut total) = (0, 0, 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut read,
            input,
            &mut room,
            &mut written,
            output,
            &mut total,
            &mut self.0,
        );
        match result {
            BrotliResult::ResultFailure => Err(malformed()),
            result => {
                Ok(Step { read, written, done: matches!(result, BrotliResult::ResultSuccess) })
            }
        }
    }
}
