//! One direction of a connection whose peer compresses.

use std::fmt;
use std::sync::Arc;

use flate2::{Decompress, FlushDecompress, Status};
use fyke_buffer::ByteBuf;

use super::pool::Pool;
use super::{DeflateConfig, DeflateParams, TAIL};
use crate::websocket::{Role, WebSocketError};

/// What one step may add, so that text is looked at as it comes out.
const STEP_BYTES_MAX: usize = 32 * 1024;
/// Room that is made for a step at least; a long input gets more at once.
const STEP_BYTES_MIN: usize = 128;

/// Inflates messages, a step at a time.
pub(crate) struct Inflater {
    pool: Arc<Pool>,
    /// There from the first message on; without takeover only while a message is being inflated.
    state: Option<Decompress>,
    bits: u8,
    takeover: bool,
    /// How much of the tail the message in progress has got.
    tail: usize,
    /// What came out in front of a fault has been passed on; the fault is next.
    broken: bool,
}

impl Inflater {
    /// For what the peer of `role` sends.
    pub(crate) fn new(config: &DeflateConfig, params: DeflateParams, role: Role) -> Self {
        let (bits, no_takeover) = match role {
            Role::Server => (params.client_max_window_bits(), params.client_no_context_takeover()),
            Role::Client => (params.server_max_window_bits(), params.server_no_context_takeover()),
        };
        let pool = Arc::clone(&config.pool);
        Self { pool, state: None, bits, takeover: !no_takeover, tail: 0, broken: false }
    }

    /// Inflates some of `input` onto `dst`, at most one byte more than `budget`, which is too much;
    /// whether there is more to be had. `ends` says that the message ends with this input.
    pub(crate) fn step(
        &mut self,
        input: &mut ByteBuf,
        ends: bool,
        dst: &mut ByteBuf,
        budget: u64,
    ) -> Result<bool, WebSocketError> {
        if self.broken {
            return Err(WebSocketError::deflate("compressed data is corrupt"));
        }
        let state = self.state.get_or_insert_with(|| self.pool.inflater(self.bits));
        let most = budget.saturating_add(1).min(STEP_BYTES_MAX as u64) as usize;
        let room = (4 * input.readable()).clamp(STEP_BYTES_MIN, STEP_BYTES_MAX).min(most);
        dst.ensure_writable(room)
            .map_err(|_| WebSocketError::too_big("message over what a buffer holds"))?;
        let room = dst.writable().min(most);
        let in_tail = input.is_empty() && ends;
        let source = if in_tail { &TAIL[self.tail..] } else { &input[..] };
        let (read, written) = (state.total_in(), state.total_out());
        let status = state.decompress(source, &mut dst.spare_mut()[..room], FlushDecompress::Sync);
        // Both are at most the lengths that were passed in.
        let read = (state.total_in() - read) as usize;
        let written = (state.total_out() - written) as usize;
        dst.advance_writer(written);
        let Ok(status) = status else {
            // Text in front of the fault may be wrong before that.
            self.broken = true;
            return Ok(true);
        };
        if status == Status::StreamEnd {
            // A block marked as the last one (section 7.2.3.4): what follows is read in the same
            // manner. The window is gone, which a sender who ends streams does not count on.
            state.reset(false);
        } else if read == 0 && written == 0 && !source.is_empty() {
            return Err(WebSocketError::deflate("compressed data leads nowhere"));
        }
        if in_tail {
            self.tail += read;
        } else {
            // At most as much as is there.
            let _ = input.skip(read);
        }
        let more = written == room || !input.is_empty() || (ends && self.tail < TAIL.len());
        if !more && ends {
            self.tail = 0;
            if !self.takeover {
                self.forget();
            }
        }
        Ok(more)
    }

    fn forget(&mut self) {
        if let Some(state) = self.state.take() {
            self.pool.put_inflater(self.bits, state);
        }
    }
}

impl Drop for Inflater {
    fn drop(&mut self) {
        self.forget();
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater")
            .field("bits", &self.bits)
            .field("takeover", &self.takeover)
            .finish_non_exhaustive()
    }
}
