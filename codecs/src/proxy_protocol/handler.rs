//! The PROXY protocol as stages: one that reads the header and goes, one that sends it and goes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fyke_buffer::ByteBuf;
use fyke_clock::TimerKey;
use fyke_codec::{CodecError, Decoder, Fault};
use fyke_core::{Address, CloseReason, Context, ErrorKind, InboundHandler, Outgoing, Result};

use super::decoder::ProxyProtocolDecoder;
use super::header::{ProxyHeader, ProxyVersion};

/// A header that does not come in this time ends the connection.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// A user event, and an attribute of the channel: what the proxy says of the client. It comes
/// before `active`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProxiedAddresses(Arc<ProxyHeader>);

impl ProxiedAddresses {
    /// The header.
    #[must_use]
    pub fn header(&self) -> &ProxyHeader {
        &self.0
    }

    /// The client's address; `None` when the connection is the proxy's own, or it does not say.
    #[must_use]
    pub fn source(&self) -> Option<std::net::SocketAddr> {
        self.0.source()
    }

    /// What the client has connected to, likewise.
    #[must_use]
    pub fn destination(&self) -> Option<std::net::SocketAddr> {
        self.0.destination()
    }
}

type Trusts = Arc<dyn Fn(&Address) -> bool + Send + Sync>;

/// Reads the header in front of a connection as the first stage, tells it to the stages behind
/// (see [`ProxiedAddresses`]; then they hear `active`), and takes itself out of the pipeline.
///
/// The header is believed, so say which peers are proxies: by [`trusted`](Self::trusted), or by
/// listening where nobody else can connect.
///
/// ```
/// use fyke_buffer::ByteBuf;
/// use fyke_codecs::proxy_protocol::{ProxiedAddresses, ProxyProtocolHandler};
/// use fyke_core::embedded::EmbeddedChannel;
///
/// let mut channel = EmbeddedChannel::new(|ch| {
///     ch.pipeline().inbound(ProxyProtocolHandler::NAME, ProxyProtocolHandler::new())
/// });
/// channel.write_inbound("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\nhello");
/// let client = channel.attribute::<ProxiedAddresses>().expect("it has come");
/// assert_eq!(client.source(), Some("192.0.2.1:56324".parse().unwrap()));
/// assert_eq!(channel.read_inbound::<ByteBuf>().unwrap(), b"hello"[..]);
/// assert!(channel.stages().is_empty());
/// ```
#[derive(Clone)]
pub struct ProxyProtocolHandler {
    decoder: ProxyProtocolDecoder,
    timeout: Duration,
    trusted: Option<Trusts>,
    rest: ByteBuf,
    timer: Option<TimerKey>,
    /// The header has come, or never will.
    done: bool,
}

impl ProxyProtocolHandler {
    /// The name under which the stage takes itself out.
    pub const NAME: &'static str = "proxy-protocol";

    /// With the default limits: 4 KiB, 5 s.
    #[must_use]
    pub fn new() -> Self {
        Self {
            decoder: ProxyProtocolDecoder::new(),
            timeout: HEADER_TIMEOUT,
            trusted: None,
            rest: ByteBuf::new(),
            timer: None,
            done: false,
        }
    }

    /// Bytes that a header may have (4096).
    #[must_use]
    pub fn header_bytes_max(mut self, bytes: usize) -> Self {
        self.decoder = self.decoder.header_bytes_max(bytes);
        self
    }

    /// A header that takes longer ends the connection (5 s).
    #[must_use]
    pub fn header_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Only peers for which this says yes are proxies; the connections of others are closed. All
    /// are, by default.
    #[must_use]
    pub fn trusted(mut self, trusts: impl Fn(&Address) -> bool + Send + Sync + 'static) -> Self {
        self.trusted = Some(Arc::new(trusts));
        self
    }

    fn fail(&mut self, cx: &mut Context<'_, Self>, error: fyke_core::Error) {
        self.finish(cx);
        let reason = CloseReason::of(&error);
        cx.fire_error(error);
        cx.close_with(reason);
    }

    fn finish(&mut self, cx: &mut Context<'_, Self>) {
        self.done = true;
        self.rest = ByteBuf::new();
        if let Some(timer) = self.timer.take() {
            cx.cancel(timer);
        }
    }

    fn is_trusted(&self, cx: &Context<'_, Self>) -> bool {
        match (&self.trusted, cx.peer_address()) {
            (None, _) => true,
            (Some(trusts), Some(peer)) => trusts(peer),
            (Some(_), None) => false,
        }
    }
}

impl Default for ProxyProtocolHandler {
    fn default() -> Self {
        Self::new()
    }
}

/// A peer that is no proxy.
#[derive(Debug)]
struct NotTrusted;

impl fmt::Display for NotTrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PROXY: the peer is none of the proxies that are trusted")
    }
}

impl std::error::Error for NotTrusted {}

impl InboundHandler for ProxyProtocolHandler {
    type In = ByteBuf;
    type Out = ByteBuf;
    type Write = Outgoing;

    /// Passed on when the client is known.
    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        if !self.is_trusted(cx) {
            let error = CodecError::Protocol { fault: Fault::Peer, source: Box::new(NotTrusted) };
            self.fail(cx, error.into());
            return Ok(());
        }
        self.timer = Some(cx.schedule(self.timeout, 0));
        Ok(())
    }

    fn read(&mut self, cx: &mut Context<'_, Self>, bytes: ByteBuf) -> Result<()> {
        if self.done {
            return Ok(());
        }
        if self.rest.is_empty() {
            self.rest = bytes;
        } else {
            self.rest.write_slice(&bytes);
        }
        let header = match self.decoder.decode(&mut self.rest) {
            // The rest is short: it must not keep the whole block of a read.
            Ok(None) => {
                self.rest = ByteBuf::from(self.rest.as_slice());
                return Ok(());
            }
            Ok(Some(header)) => header,
            Err(error) => {
                self.fail(cx, error.into());
                return Ok(());
            }
        };
        let rest = std::mem::take(&mut self.rest);
        self.finish(cx);
        tracing::debug!(source = ?header.source(), "the proxy's header");
        let addresses = ProxiedAddresses(Arc::new(header));
        cx.set_attribute(addresses.clone());
        cx.fire_event(addresses);
        cx.fire_active();
        if !rest.is_empty() {
            cx.fire_read(rest);
        }
        cx.edit(|edit| {
            edit.remove(Self::NAME);
        })?;
        Ok(())
    }

    fn read_closed(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        if !self.done && !self.rest.is_empty() {
            let left = self.rest.readable();
            self.fail(cx, CodecError::Truncated { left }.into());
        }
        cx.fire_read_closed();
        Ok(())
    }

    fn timer(&mut self, cx: &mut Context<'_, Self>, _: u64) -> Result<()> {
        self.timer = None;
        self.fail(cx, ErrorKind::TimedOut("the PROXY header").into());
        Ok(())
    }
}

impl fmt::Debug for ProxyProtocolHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyProtocolHandler")
            .field("decoder", &self.decoder)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// Sends a header in front of everything else, as the first stage of a client, and takes itself out
/// of the pipeline.
#[derive(Clone, Debug)]
pub struct ProxyProtocolClientHandler {
    header: ProxyHeader,
    version: ProxyVersion,
    checksum: bool,
}

impl ProxyProtocolClientHandler {
    /// The name under which the stage takes itself out.
    pub const NAME: &'static str = "proxy-protocol";

    /// Sends this header, in this version.
    #[must_use]
    pub fn new(header: ProxyHeader, version: ProxyVersion) -> Self {
        Self { header, version, checksum: false }
    }

    /// Whether a header of version 2 carries a checksum. It does not by default.
    #[must_use]
    pub fn checksum(mut self, checksum: bool) -> Self {
        self.checksum = checksum;
        self
    }
}

impl InboundHandler for ProxyProtocolClientHandler {
    type In = ByteBuf;
    type Out = ByteBuf;
    type Write = Outgoing;

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        let mut out = ByteBuf::new();
        self.header.encode(self.version, self.checksum, &mut out)?;
        cx.write(out.into());
        cx.fire_active();
        cx.edit(|edit| {
            edit.remove(Self::NAME);
        })?;
        Ok(())
    }

    fn read(&mut self, cx: &mut Context<'_, Self>, bytes: ByteBuf) -> Result<()> {
        cx.fire_read(bytes);
        Ok(())
    }
}
