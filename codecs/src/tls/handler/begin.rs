//! From the first byte to the end of the handshake.

use fyke_core::{CodecError, ErrorKind, Result};

use super::{Cx, HANDSHAKE, Phase, Side, TlsHandler};
use crate::tls::engine::Io;
use crate::tls::error::TlsError;
use crate::tls::session::TlsSession;

impl TlsHandler {
    /// Begins the handshake, unless it has begun.
    pub(super) fn begin(&mut self, cx: &mut Cx<'_>) {
        if self.phase != Phase::New {
            return;
        }
        self.phase = Phase::Handshaking;
        // What is written waits for the peer's part of the handshake, which has to be read.
        cx.read_while_unwritable(true);
        self.timer = Some(cx.schedule(self.options.handshake_timeout, HANDSHAKE));
        if let Err(error) = self.make_session(cx) {
            self.fail(cx, error);
        }
    }

    fn make_session(&mut self, cx: &mut Cx<'_>) -> Result<(), TlsError> {
        let session = match &self.side {
            Side::Server(config) => TlsSession::server(config)?,
            Side::Client(config, name) => TlsSession::client(config, name.clone())?,
        };
        let session = self.session.insert(session);
        let date = cx.env().unix_time();
        let take = |n| cx.buffer(n);
        let mut io = Io::new(0, &take);
        session.start(date, &mut io)?;
        let out = io.out;
        if !out.is_empty() {
            cx.write_ahead(out.into());
        }
        Ok(())
    }

    /// When the handshake has just been done: tells, and lets what waited for it leave.
    pub(super) fn look_whether_open(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        let session = self.session.as_ref().filter(|session| session.is_open());
        let Some(info) = session.filter(|_| self.phase == Phase::Handshaking).map(TlsSession::info)
        else {
            return Ok(());
        };
        self.phase = Phase::Open;
        self.stop_timer(cx);
        cx.read_while_unwritable(false);
        if let Some(info) = info {
            tracing::debug!(
                version = %info.version,
                cipher = info.cipher,
                resumed = info.resumed,
                server_name = info.server_name,
                "TLS handshake done"
            );
            cx.set_attribute(info.clone());
            cx.fire_event(info);
        }
        if std::mem::take(&mut self.active) {
            cx.fire_active();
        }
        self.release(cx);
        Ok(())
    }

    pub(super) fn handshake_expired(&mut self, cx: &mut Cx<'_>) {
        self.timer = None;
        if self.phase == Phase::Handshaking {
            self.fail_with(cx, ErrorKind::TimedOut("the TLS handshake").into());
        }
    }

    pub(super) fn fail(&mut self, cx: &mut Cx<'_>, error: TlsError) {
        self.fail_with(cx, CodecError::from(error).into());
    }

    pub(super) fn stop_timer(&mut self, cx: &mut Cx<'_>) {
        if let Some(timer) = self.timer.take() {
            cx.cancel(timer);
        }
    }
}
