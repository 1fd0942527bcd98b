//! The bytes that wait in a stage that decodes, and where it stands with them.

use fyke_buffer::{ByteBuf, Pool};
use fyke_codec::Decoder;

use crate::error::Result;
use crate::pipeline::stage::Rest;

/// The bytes that a decoder has not used yet, and where it stands.
pub(super) struct Intake<D> {
    pub(super) decoder: D,
    rest: ByteBuf,
    /// The decoder may have more to give, without further bytes too: it has not said otherwise
    /// since the last bytes came.
    more: bool,
    /// The peer has sent its last byte, which the decoder is told before the stages behind it.
    ending: bool,
    /// The decoder has failed and is not called again.
    failed: bool,
}

/// An incomplete message is moved out of the loop's block when it leaves more than this unused.
const KEEP_SPARE_BYTES_MAX: usize = 512;
/// And out of bytes that somebody has lent when it is less than this: nobody knows what it keeps alive.
const KEEP_LENT_BYTES_MIN: usize = 32 * 1024;

impl<D> Intake<D> {
    pub(super) fn new(decoder: D) -> Self {
        Self { decoder, rest: ByteBuf::new(), more: false, ending: false, failed: false }
    }

    #[inline(always)]
    pub(super) fn take_in(&mut self, bytes: ByteBuf) {
        if self.failed {
            return;
        }
        self.more = true;
        if self.rest.is_empty() {
            self.rest = bytes;
        } else {
            self.rest.write_slice(bytes.as_slice());
        }
    }

    /// The peer has sent its last byte.
    pub(super) fn end(&mut self) {
        self.ending = true;
    }

    /// The next message, as `decode` finds it; it is told whether nothing will follow what is there.
    #[inline(always)]
    pub(super) fn pull<T>(
        &mut self,
        decode: impl FnOnce(&mut D, &mut ByteBuf, bool) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        if self.ending || self.failed {
            return self.pull_last(decode);
        }
        if !self.more && self.rest.is_empty() {
            return Ok(None);
        }
        // Looked at where it lies: a message is passed on without a copy.
        let decoded = decode(&mut self.decoder, &mut self.rest, false);
        match &decoded {
            Ok(Some(_)) => {}
            Ok(None) => self.more = false,
            Err(_) => self.fail(),
        }
        decoded
    }

    /// Nothing will follow what is there.
    #[cold]
    fn pull_last<T>(
        &mut self,
        decode: impl FnOnce(&mut D, &mut ByteBuf, bool) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        if self.failed {
            return Ok(None);
        }
        let decoded = decode(&mut self.decoder, &mut self.rest, true);
        match &decoded {
            Ok(Some(_)) => {}
            Ok(None) => self.rest = ByteBuf::new(),
            // The end is told behind the error, if the channel survives that.
            Err(_) => self.fail(),
        }
        decoded
    }

    #[cold]
    fn fail(&mut self) {
        self.failed = true;
        self.rest = ByteBuf::new();
    }

    /// Whether the peer's last byte has been decoded, which is to be told now.
    pub(super) fn take_ended(&mut self) -> bool {
        std::mem::take(&mut self.ending)
    }

    pub(super) fn settle(&mut self, pool: &Pool) {
        let spare = self.rest.capacity() - self.rest.readable();
        if self.rest.is_empty() {
            pool.give(std::mem::take(&mut self.rest));
        } else if spare > KEEP_SPARE_BYTES_MAX && self.rest.readable() < self.rest.capacity() / 2
            || self.rest.is_lent() && self.rest.readable() < KEEP_LENT_BYTES_MIN
        {
            self.rest = ByteBuf::from(self.rest.as_slice());
        }
    }

    pub(super) fn has_rest(&self) -> bool {
        self.ending || ((self.more || !self.rest.is_empty()) && !self.failed)
    }

    pub(super) fn take_rest(&mut self) -> Option<Rest> {
        let (bytes, ended) = (std::mem::take(&mut self.rest), self.take_ended());
        (ended || !bytes.is_empty()).then_some(Rest { bytes, ended })
    }
}

impl<D: Decoder> Intake<D> {
    /// The next message of a decoder. Written out instead of by [`pull`](Self::pull), as the error is of
    /// another type here: to change it in a whole result costs a copy of the message.
    #[inline(always)]
    pub(super) fn decode(&mut self) -> Result<Option<D::Item>> {
        if self.ending || self.failed {
            return self.decode_last();
        }
        if !self.more && self.rest.is_empty() {
            return Ok(None);
        }
        match self.decoder.decode(&mut self.rest) {
            Ok(Some(item)) => Ok(Some(item)),
            Ok(None) => {
                self.more = false;
                Ok(None)
            }
            Err(error) => {
                self.fail();
                Err(error.into())
            }
        }
    }

    #[cold]
    fn decode_last(&mut self) -> Result<Option<D::Item>> {
        self.pull_last(|decoder, src, _| Ok(decoder.decode_eof(src)?))
    }
}
