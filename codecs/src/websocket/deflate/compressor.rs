//! One direction of a connection that compresses.

use std::fmt;
use std::sync::Arc;

use flate2::{Compress, FlushCompress};
use fyke_buffer::ByteBuf;

use super::pool::Pool;
use super::{DeflateConfig, DeflateParams, TAIL};
use crate::websocket::Role;

/// The least room that is offered at a time. With less than six bytes a flush may be written twice.
const ROOM_BYTES_MIN: usize = 256;

/// Compresses messages.
pub(crate) struct Compressor {
    pool: Arc<Pool>,
    /// There from the first message on; without takeover only while a message is being compressed.
    state: Option<Compress>,
    bits: u8,
    takeover: bool,
    pub(crate) threshold_bytes: usize,
}

/// The compressor could not go on, which no input can cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CompressFailed;

impl Compressor {
    /// For what `role` sends.
    pub(crate) fn new(config: &DeflateConfig, params: DeflateParams, role: Role) -> Self {
        let (bits, no_takeover) = match role {
            Role::Server => (params.server_max_window_bits(), params.server_no_context_takeover()),
            Role::Client => (params.client_max_window_bits(), params.client_no_context_takeover()),
        };
        let (pool, threshold_bytes) = (Arc::clone(&config.pool), config.threshold_bytes);
        Self { pool, state: None, bits, takeover: !no_takeover, threshold_bytes }
    }

    /// The window's size, as a power of two.
    pub(crate) fn bits(&self) -> u8 {
        self.bits
    }

    /// Whether the receiver's window must see everything that is compressed.
    pub(crate) fn takes_over(&self) -> bool {
        self.takeover
    }

    /// Appends the next piece of a message to `dst`, the last one without its tail.
    pub(crate) fn piece(
        &mut self,
        piece: &[u8],
        last: bool,
        dst: &mut ByteBuf,
    ) -> Result<(), CompressFailed> {
        let state = self.state.get_or_insert_with(|| self.pool.compressor(self.bits));
        let before = dst.readable();
        let done = deflate(state, piece, dst);
        if last && done.is_ok() {
            if dst[before..].ends_with(&TAIL) {
                dst.truncate(dst.readable() - TAIL.len());
            } else {
                // An empty piece behind a flush writes nothing. The first byte of an empty block
                // does (section 7.2.3.6): the receiver adds the rest of it.
                dst.write_u8(0);
            }
        }
        if (last && !self.takeover) || done.is_err() {
            self.forget();
        }
        done
    }

    /// Begins the next message with an empty window, which is always allowed.
    pub(crate) fn forget(&mut self) {
        if let Some(state) = self.state.take() {
            self.pool.put_compressor(self.bits, state);
        }
    }
}

/// Compresses all of `input` and flushes.
fn deflate(
    state: &mut Compress,
    mut input: &[u8],
    dst: &mut ByteBuf,
) -> Result<(), CompressFailed> {
    loop {
        let room = ROOM_BYTES_MIN.max(input.len() / 4);
        dst.ensure_writable(room).map_err(|_| CompressFailed)?;
        let (read, written) = (state.total_in(), state.total_out());
        let spare = dst.spare_mut();
        let offered = spare.len();
        let status = state.compress(input, spare, FlushCompress::Sync);
        status.map_err(|_| CompressFailed)?;
        // Both are at most the lengths that were passed in.
        let read = (state.total_in() - read) as usize;
        let written = (state.total_out() - written) as usize;
        dst.advance_writer(written);
        input = &input[read..];
        if input.is_empty() && written < offered {
            return Ok(());
        }
        if read == 0 && written == 0 {
            return Err(CompressFailed);
        }
    }
}

impl Drop for Compressor {
    fn drop(&mut self) {
        self.forget();
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor")
            .field("bits", &self.bits)
            .field("takeover", &self.takeover)
            .field("threshold_bytes", &self.threshold_bytes)
            .finish_non_exhaustive()
    }
}
