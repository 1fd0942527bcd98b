//! From messages to records, and what waits: for the handshake, or behind a file.

use std::io;

use fyke_buffer::{ByteBuf, CompositeBuf};
use fyke_core::{ErrorKind, FileRegion, Outgoing, Promise};

use super::room::Waiting;
use super::{Cx, Phase, TlsHandler};
use crate::tls::error::TlsError;
use crate::tls::session::{RECORD_PLAIN_BYTES, encrypted_bytes};

/// At most so many plain bytes make the records of one buffer of 64 KiB.
const PIECE_BYTES_MAX: usize = 65_344;
/// What does not fit is cut behind the last full record, so that no small one follows.
const PIECE_BYTES: usize = 3 * RECORD_PLAIN_BYTES;
/// Up to so many plain bytes are encrypted right behind what waits to be sent.
const APPENDED_BYTES_MAX: usize = 2048;
/// A message of several buffers is copied together if it makes one record then.
const GATHERED_BYTES_MAX: usize = RECORD_PLAIN_BYTES;

impl TlsHandler {
    /// Sends a message that needs not wait. `passing`: it is the one that `write` was called for,
    /// and not one that was held.
    pub(super) fn send(&mut self, cx: &mut Cx<'_>, msg: Outgoing, promise: Promise, passing: bool) {
        let sealed = match &msg {
            Outgoing::Buf(buf) => self.seal(cx, buf, passing),
            Outgoing::Bytes(bytes) => self.seal(cx, bytes, passing),
            Outgoing::Composite(rope) => self.seal_rope(cx, rope, passing),
            // What lies outside of the program cannot be encrypted here.
            _ => {
                promise.fail(io::Error::from(io::ErrorKind::Unsupported).into());
                return self.fail_with(cx, io::Error::from(io::ErrorKind::Unsupported).into());
            }
        };
        match sealed {
            Ok(()) => cx.promise_behind(promise),
            Err(error) => {
                promise.fail(ErrorKind::Closed.into());
                self.fail(cx, error);
            }
        }
    }

    fn seal_rope(
        &mut self,
        cx: &mut Cx<'_>,
        rope: &CompositeBuf,
        passing: bool,
    ) -> Result<(), TlsError> {
        if rope.len() <= GATHERED_BYTES_MAX {
            let mut all = cx.buffer(rope.len());
            rope.chunks().for_each(|chunk| all.write_slice(chunk));
            return self.seal(cx, &all, passing);
        }
        rope.chunks().try_for_each(|chunk| self.seal(cx, chunk, passing))
    }

    /// Encrypts bytes and writes the records.
    fn seal(&mut self, cx: &mut Cx<'_>, plain: &[u8], passing: bool) -> Result<(), TlsError> {
        let Some(session) = &mut self.session else { return Ok(()) };
        self.sent += plain.len() as u64;
        if passing && plain.len() <= APPENDED_BYTES_MAX {
            return cx.encode(|out| session.encrypt(plain, out));
        }
        let mut rest = plain;
        while !rest.is_empty() {
            let piece;
            (piece, rest) = first_piece(rest);
            let mut out = cx.buffer(encrypted_bytes(piece.len()));
            session.encrypt(piece, &mut out)?;
            if passing {
                cx.write(out.into());
            } else {
                // Records are numbered: nothing that is encrypted later may leave earlier.
                cx.write_ahead(out.into());
            }
        }
        Ok(())
    }

    /// Keeps a message for later.
    pub(super) fn hold(&mut self, cx: &mut Cx<'_>, msg: Outgoing, promise: Promise) {
        let bytes = msg.bytes_in_memory();
        let (pending, limit) = (cx.pending_bytes(), cx.options().outbound_bytes_max);
        if pending > 0 && pending.saturating_add(bytes) > limit as u64 {
            let pending = usize::try_from(pending).unwrap_or(usize::MAX);
            promise.fail(ErrorKind::OutboundFull { pending, limit }.into());
            // The stream has a hole from here on, so it must not go on.
            return self.fail_with(cx, ErrorKind::OutboundFull { pending, limit }.into());
        }
        self.held_bytes += bytes;
        cx.account(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.held.push_back((msg, promise));
    }

    /// Lets what is held leave, as far as it can.
    pub(super) fn release(&mut self, cx: &mut Cx<'_>) {
        while self.phase == Phase::Open {
            if self.waiting.as_mut().is_some_and(|waiting| !waiting.is_over()) {
                return;
            }
            self.waiting = None;
            match self.held.pop_front() {
                None => break,
                Some((Outgoing::File(region), promise)) => self.send_piece(cx, region, promise),
                Some((msg, promise)) => {
                    self.release_count(cx, msg.bytes_in_memory());
                    self.send(cx, msg, promise, false);
                }
            }
        }
        if self.phase == Phase::Open
            && let Some(end) = self.ending
        {
            self.stop_timer(cx);
            self.end_now(cx, end);
        }
    }

    pub(super) fn release_count(&mut self, cx: &mut Cx<'_>, bytes: u64) {
        self.held_bytes -= bytes;
        cx.account(-i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Sends the next piece of a file; the rest is the first of what is held again.
    fn send_piece(&mut self, cx: &mut Cx<'_>, mut region: FileRegion, promise: Promise) {
        if region.is_empty() {
            return promise.succeed();
        }
        let piece = match read_piece(cx, &mut region, self.options.file_bytes_per_write) {
            Ok(piece) => piece,
            Err(error) => {
                promise.fail(ErrorKind::Closed.into());
                // The peer was promised more: it must not take this for the end.
                self.fail_with(cx, error.into());
                return cx.abort();
            }
        };
        if let Err(error) = self.seal(cx, &piece, false) {
            promise.fail(ErrorKind::Closed.into());
            return self.fail(cx, error);
        }
        if region.is_empty() {
            return cx.promise_behind(promise);
        }
        let (taken, waiting) = Waiting::new(cx.channel());
        cx.promise_behind(taken);
        self.waiting = Some(waiting);
        self.held.push_front((Outgoing::File(region), promise));
    }
}

/// What becomes one buffer of records, and what follows it.
fn first_piece(plain: &[u8]) -> (&[u8], &[u8]) {
    let bytes = if plain.len() <= PIECE_BYTES_MAX { plain.len() } else { PIECE_BYTES };
    plain.split_at(bytes)
}

fn read_piece(cx: &Cx<'_>, region: &mut FileRegion, bytes_max: usize) -> io::Result<ByteBuf> {
    let bytes = usize::try_from(region.len()).unwrap_or(usize::MAX).min(bytes_max);
    let mut piece = cx.buffer(bytes);
    let read = region.source().read_at(region.offset(), &mut piece.spare_mut()[..bytes])?;
    if read == 0 {
        let text = "a file became shorter while it was being sent";
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
    }
    piece.advance_writer(read);
    region.advance(read as u64);
    Ok(piece)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_fits_into_a_block() {
        assert!(encrypted_bytes(PIECE_BYTES_MAX) <= 64 * 1024);
    }

    #[test]
    fn pieces_are_full_records() {
        for (len, expected) in [
            (1, &[1][..]),
            (65_344, &[65_344]),
            (65_345, &[49_152, 16_193]),
            (65_536, &[49_152, 16_384]),
            (131_072, &[49_152, 49_152, 32_768]),
        ] {
            let plain = vec![0; len];
            let (mut rest, mut pieces) = (&plain[..], Vec::new());
            while !rest.is_empty() {
                let piece;
                (piece, rest) = first_piece(rest);
                pieces.push(piece.len());
            }
            assert_eq!(pieces, expected, "{len}");
        }
    }
}
