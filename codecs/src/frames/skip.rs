//! Skipping a frame whose length is known and too large, without keeping any of it.

use bytes::Buf;
use fyke_buffer::ByteBuf;
use fyke_codec::CodecError;

/// What of a refused frame is still to come.
#[derive(Clone, Debug)]
pub(super) struct Skip {
    left: u64,
    /// The error that waits until the frame is skipped.
    late: Option<Refused>,
}

#[derive(Clone, Copy, Debug)]
struct Refused {
    size: u64,
    limit: u64,
}

impl Refused {
    fn error(self) -> CodecError {
        CodecError::TooLarge { what: "a frame", size: self.size, limit: self.limit }
    }
}

impl Skip {
    /// Nothing to skip.
    pub(super) const NONE: Self = Self { left: 0, late: None };

    /// Whether a refused frame is being skipped.
    #[inline]
    pub(super) const fn is_active(&self) -> bool {
        self.left != 0
    }

    /// Refuses the frame of `size` bytes at the front of `src` and skips what is there of it.
    ///
    /// `Ok(())`: the error comes later, from [`run`](Self::run).
    #[cold]
    pub(super) fn start(
        &mut self,
        size: u64,
        limit: usize,
        fail_fast: bool,
        src: &mut ByteBuf,
    ) -> Result<(), CodecError> {
        let refused = Refused { size, limit: limit as u64 };
        self.left = size;
        self.late = (!fail_fast).then_some(refused);
        self.run(src)?;
        if fail_fast { Err(refused.error()) } else { Ok(()) }
    }

    /// Drops what has arrived of the refused frame; `true` when it is gone.
    ///
    /// # Errors
    /// The late one, once the frame is gone.
    #[cold]
    pub(super) fn run(&mut self, src: &mut ByteBuf) -> Result<bool, CodecError> {
        let here = usize::try_from(self.left).map_or(src.readable(), |n| n.min(src.readable()));
        src.advance(here);
        self.left -= here as u64;
        if self.left > 0 {
            src.discard_read(); // nothing is left in it: the room is used again
            return Ok(false);
        }
        match self.late.take() {
            Some(refused) => Err(refused.error()),
            None => Ok(true),
        }
    }

    /// The stream ended inside a refused frame: nothing is left to wait for.
    ///
    /// # Errors
    /// The late one.
    #[cold]
    pub(super) fn end(&mut self) -> Result<(), CodecError> {
        self.left = 0;
        self.late.take().map_or(Ok(()), |refused| Err(refused.error()))
    }
}
