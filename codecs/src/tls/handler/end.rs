//! How a connection ends: `close_notify` both ways, a stream that was cut, and failures.

use fyke_buffer::ByteBuf;
use fyke_core::{CloseReason, CodecError, Error, ErrorKind};

use super::{Cx, ENDING, Phase, Side, TlsHandler};
use crate::tls::error::TlsError;

/// What is to follow what is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    Close,
    Shutdown,
}

impl TlsHandler {
    /// Ends our direction, or the channel, behind what was written.
    pub(super) fn end(&mut self, cx: &mut Cx<'_>, end: End) {
        if self.must_wait(cx, end) {
            if self.ending.is_none() && self.phase == Phase::Open {
                self.watch(cx);
            }
            // A close goes beyond a shutdown that waits.
            if self.ending != Some(End::Close) {
                self.ending = Some(end);
            }
            return;
        }
        self.end_now(cx, end);
    }

    /// Whether something has to leave first.
    fn must_wait(&self, cx: &Cx<'_>, end: End) -> bool {
        let handshaking = self.phase == Phase::Handshaking;
        let may = handshaking || self.phase == Phase::Open;
        match end {
            // The handshake needs both directions.
            End::Shutdown => may && (handshaking || !self.held.is_empty()),
            End::Close => {
                let orderly = matches!(
                    cx.close_reason(),
                    None | Some(CloseReason::Local | CloseReason::PeerEnd | CloseReason::Shutdown)
                );
                may && orderly && !self.held.is_empty()
            }
        }
    }

    pub(super) fn end_now(&mut self, cx: &mut Cx<'_>, end: End) {
        self.ending = None;
        self.notify(cx);
        match end {
            End::Shutdown => cx.shutdown(),
            End::Close => {
                self.let_go(cx);
                cx.close();
            }
        }
    }

    /// Says that nothing more will come (RFC 8446 section 6.1), once.
    fn notify(&mut self, cx: &mut Cx<'_>) {
        if self.phase != Phase::Open || std::mem::replace(&mut self.notified, true) {
            return;
        }
        let Some(session) = &mut self.session else { return };
        let mut out = ByteBuf::new();
        match session.close_notify(&mut out) {
            Ok(()) => cx.write_ahead(out.into()),
            // There is nothing that could be done about it, and the transport's end follows.
            Err(error) => tracing::debug!(%error, "close_notify could not be sent"),
        }
    }

    /// Looks now and then whether what has to leave first gets on.
    fn watch(&mut self, cx: &mut Cx<'_>) {
        self.sent_before = self.sent;
        let limit = cx.options().close_timeout;
        self.timer = Some(cx.schedule(limit, ENDING));
    }

    pub(super) fn ending_expired(&mut self, cx: &mut Cx<'_>) {
        self.timer = None;
        match self.ending {
            Some(_) if self.sent > self.sent_before => self.watch(cx),
            Some(_) => {
                tracing::info!("the peer did not take the rest in time");
                self.let_go(cx);
                cx.abort();
            }
            None => {}
        }
    }

    /// The peer's `close_notify`: told once.
    pub(super) fn tell_end(&mut self, cx: &mut Cx<'_>) {
        if !std::mem::replace(&mut self.told_end, true) {
            cx.fire_read_closed();
        }
    }

    /// The transport has nothing more to read.
    pub(super) fn transport_ended(&mut self, cx: &mut Cx<'_>) {
        if self.told_end {
            return;
        }
        let heard = self.session.as_ref().is_some_and(|session| session.heard_anything());
        match self.phase {
            // Somebody has looked whether the port is open: no reason to make a noise.
            Phase::Handshaking if !heard && matches!(self.side, Side::Server(_)) => {
                self.let_go(cx);
            }
            Phase::Handshaking => return self.fail(cx, TlsError::HandshakeCut),
            Phase::Open if !self.options.ignore_truncation => {
                cx.fire_error(CodecError::from(TlsError::Truncated).into());
            }
            _ => {}
        }
        self.tell_end(cx);
    }

    /// The connection cannot go on: those behind are told why, and the channel closes. The alert
    /// for the peer is on its way already.
    pub(super) fn fail_with(&mut self, cx: &mut Cx<'_>, error: Error) {
        if self.phase == Phase::Over {
            return;
        }
        self.let_go(cx);
        let reason = CloseReason::of(&error);
        cx.fire_error(error);
        cx.close_with(reason);
    }

    /// Nothing more is sent or understood.
    pub(super) fn let_go(&mut self, cx: &mut Cx<'_>) {
        self.phase = Phase::Over;
        self.ending = None;
        self.waiting = None;
        self.stop_timer(cx);
        cx.read_while_unwritable(false);
        for (_, promise) in self.held.drain(..) {
            promise.fail(ErrorKind::Closed.into());
        }
        self.release_count(cx, self.held_bytes);
    }
}
