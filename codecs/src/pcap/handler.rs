//! The stage that writes down what passes.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use fyke_buffer::ByteBuf;
use fyke_core::{Address, CloseReason, DuplexContext, DuplexHandler, Outgoing, Promise, Result};

use super::flow::{Flow, Side};
use super::sink::PcapSink;

type Cx<'a> = DuplexContext<'a, PcapWriteHandler>;

/// Writes down, as packets, the bytes that pass it in both directions.
///
/// It may stand anywhere between stages of bytes; behind TLS it sees the plain ones. Channels
/// without IP addresses get some of 192.0.2.0/24.
///
/// ```
/// use fyke_codecs::pcap::{PcapSink, PcapWriteHandler};
/// use fyke_core::embedded::EmbeddedChannel;
///
/// let sink = PcapSink::new(std::io::sink());
/// let shared = sink.clone();
/// let mut channel = EmbeddedChannel::new(move |ch| {
///     ch.pipeline().duplex("pcap", PcapWriteHandler::server(&shared))
/// });
/// channel.write_inbound("hello");
/// assert_eq!(sink.dropped(), 0);
/// ```
pub struct PcapWriteHandler {
    sink: PcapSink,
    client: Side,
    flow: Option<Flow>,
}

impl PcapWriteHandler {
    /// On a connection that the peer has opened.
    #[must_use]
    pub fn server(sink: &PcapSink) -> Self {
        Self { sink: sink.clone(), client: Side::Peer, flow: None }
    }

    /// On a connection that we have opened.
    #[must_use]
    pub fn client(sink: &PcapSink) -> Self {
        Self { sink: sink.clone(), client: Side::Us, flow: None }
    }

    /// Writes down what `note` says of the flow, which begins here if it has not begun.
    fn note(
        &mut self,
        cx: &mut Cx<'_>,
        note: impl FnOnce(&mut Flow, std::time::Duration, &mut Vec<u8>),
    ) {
        let flow = self.flow.get_or_insert_with(|| {
            let peer = inet(cx.peer_address(), Ipv4Addr::new(192, 0, 2, 1));
            let us = inet(cx.local_address().as_ref(), Ipv4Addr::new(192, 0, 2, 2));
            Flow::new(peer, us)
        });
        let at = cx.env().unix_time();
        let mut blocks = Vec::new();
        flow.open(at, self.client, &mut blocks);
        note(flow, at, &mut blocks);
        let offload = std::sync::Arc::clone(cx.env().offload());
        self.sink.put(blocks, &offload);
    }
}

/// The address, or another one for a channel that has none of IP.
fn inet(address: Option<&Address>, otherwise: Ipv4Addr) -> SocketAddr {
    match address {
        Some(Address::Inet(address)) => *address,
        _ => SocketAddr::from((otherwise, 1)),
    }
}

impl DuplexHandler for PcapWriteHandler {
    type In = ByteBuf;
    type Out = ByteBuf;
    type WriteIn = Outgoing;
    type WriteOut = Outgoing;

    fn active(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        self.note(cx, |_, _, _| {});
        cx.fire_active();
        Ok(())
    }

    fn read(&mut self, cx: &mut Cx<'_>, bytes: ByteBuf) -> Result<()> {
        self.note(cx, |flow, at, out| flow.data(at, Side::Peer, &bytes, out));
        cx.fire_read(bytes);
        Ok(())
    }

    fn write(&mut self, cx: &mut Cx<'_>, msg: Outgoing, promise: Promise) -> Result<()> {
        self.note(cx, |flow, at, out| match &msg {
            Outgoing::Buf(bytes) => flow.data(at, Side::Us, bytes, out),
            Outgoing::Bytes(bytes) => flow.data(at, Side::Us, bytes, out),
            Outgoing::Composite(rope) => {
                rope.chunks().for_each(|chunk| flow.data(at, Side::Us, chunk, out));
            }
            other => flow.unseen(at, Side::Us, other.len(), out),
        });
        cx.write_with(msg, promise);
        Ok(())
    }

    fn read_closed(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        self.note(cx, |flow, at, out| flow.end(at, Side::Peer, out));
        cx.fire_read_closed();
        Ok(())
    }

    fn shutdown(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        self.note(cx, |flow, at, out| flow.end(at, Side::Us, out));
        cx.shutdown();
        Ok(())
    }

    fn inactive(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        let reason = cx.close_reason();
        self.note(cx, |flow, at, out| match reason {
            Some(CloseReason::PeerReset) => flow.reset(at, Side::Peer, out),
            Some(CloseReason::Panic | CloseReason::ShutdownDeadline | CloseReason::Limit) => {
                flow.reset(at, Side::Us, out);
            }
            _ => {
                flow.end(at, Side::Us, out);
                flow.end(at, Side::Peer, out);
            }
        });
        cx.fire_inactive();
        Ok(())
    }
}

impl fmt::Debug for PcapWriteHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PcapWriteHandler").field("sink", &self.sink).finish_non_exhaustive()
    }
}
