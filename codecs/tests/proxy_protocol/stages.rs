//! The stages: they tell who the client is, and are gone.

use std::time::Duration;

use fyke_buffer::ByteBuf;
use fyke_codecs::proxy_protocol::{
    ProxiedAddresses, ProxyHeader, ProxyProtocolClientHandler, ProxyProtocolHandler, ProxyVersion,
};
use fyke_core::embedded::EmbeddedChannel;
use fyke_core::{
    Address, CloseReason, Context, Event, EventFilter, Fault, InboundHandler, Never, Outgoing,
    Result,
};

const LINE: &str = "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n";

/// Answers with what it hears, in order.
struct Hears;

impl InboundHandler for Hears {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        let known = cx.attribute::<ProxiedAddresses>().is_some();
        cx.write(if known { "active," } else { "active too early," }.into());
        Ok(())
    }

    fn read(&mut self, cx: &mut Context<'_, Self>, bytes: ByteBuf) -> Result<()> {
        cx.write(bytes.into());
        cx.write(",".into());
        Ok(())
    }

    fn events(&self) -> EventFilter {
        EventFilter::of::<ProxiedAddresses>()
    }

    fn event(&mut self, cx: &mut Context<'_, Self>, event: Event) -> Result<()> {
        let addresses = event.take::<ProxiedAddresses>().expect("no other was asked for");
        cx.write(format!("{:?},", addresses.source()).into_bytes().into());
        Ok(())
    }
}

fn server(handler: fn() -> ProxyProtocolHandler) -> EmbeddedChannel {
    EmbeddedChannel::new(move |ch| {
        ch.pipeline().inbound(ProxyProtocolHandler::NAME, handler()).inbound("hears", Hears)
    })
}

#[test]
fn every_split_of_a_connection() {
    let bytes = format!("{LINE}hello");
    for cut in 0..bytes.len() {
        let mut channel = server(ProxyProtocolHandler::new);
        assert!(channel.read_outbound().is_empty(), "nothing is known yet");
        channel.write_inbound(&bytes.as_bytes()[..cut]);
        channel.write_inbound(&bytes.as_bytes()[cut..]);
        let heard = channel.read_outbound().to_vec();
        let heard = String::from_utf8(heard).unwrap().replace(',', "");
        assert_eq!(heard, "Some(192.0.2.1:56324)activehello", "cut at {cut}");
        assert_eq!(channel.stages(), ["hears"]);
    }
}

#[test]
fn no_header_is_no_connection() {
    let mut channel = server(ProxyProtocolHandler::new);
    channel.write_inbound("GET / HTTP/1.1\r\n\r\n");
    let error = channel.take_error().expect("it is refused");
    assert_eq!(error.fault(), Fault::Peer);
    assert!(error.to_string().contains("does not begin with a header"), "{error}");
    assert!(channel.read_outbound().is_empty() && !channel.is_open());
    let mut channel = server(ProxyProtocolHandler::new);
    channel.write_inbound("PROXY TCP4 1");
    channel.finish_inbound();
    assert!(channel.take_error().is_some_and(|error| error.to_string().contains("12 bytes")));
    // A health check that only connects makes no noise.
    let mut channel = server(ProxyProtocolHandler::new);
    channel.finish_inbound();
    assert!(channel.take_error().is_none());
    assert_eq!(channel.close_reason(), Some(CloseReason::PeerEnd));
}

#[test]
fn a_header_that_does_not_come_in_time() {
    let mut channel = server(|| ProxyProtocolHandler::new().header_timeout(Duration::from_secs(3)));
    for byte in ["P", "R"] {
        channel.advance(Duration::from_secs(1));
        channel.write_inbound(byte);
        assert!(channel.is_open());
    }
    channel.advance(Duration::from_secs(1));
    assert!(channel.take_error().is_some_and(|error| error.is_timeout()));
    let mut channel = server(ProxyProtocolHandler::new);
    channel.write_inbound("PROXY ");
    channel.advance(Duration::from_millis(4999));
    assert!(channel.is_open());
    channel.advance(Duration::from_millis(1));
    assert!(channel.take_error().is_some_and(|error| error.is_timeout()));
    let mut channel = server(ProxyProtocolHandler::new);
    channel.write_inbound(LINE);
    channel.advance(Duration::from_secs(3600));
    assert!(channel.is_open());
}

#[test]
fn only_proxies_are_believed() {
    let local = |address: &Address| matches!(address, Address::Local(_));
    let channel = EmbeddedChannel::new(move |ch| {
        let handler = ProxyProtocolHandler::new().trusted(local);
        ch.pipeline().inbound(ProxyProtocolHandler::NAME, handler).inbound("hears", Hears)
    });
    let mut trusted = channel;
    trusted.write_inbound(LINE);
    assert!(trusted.read_outbound().ends_with(b"active,"));
    let mut stranger = server(|| ProxyProtocolHandler::new().trusted(|_| false));
    let error = stranger.take_error().expect("it is refused");
    assert!(error.to_string().contains("none of the proxies"), "{error}");
    stranger.write_inbound(LINE);
    assert!(stranger.read_outbound().is_empty());
    assert!(stranger.attribute::<ProxiedAddresses>().is_none());
}

#[test]
fn a_client_says_whom_it_speaks_for() {
    let header = ProxyHeader::tcp("[2001:db8::1]:9".parse().unwrap(), "[::1]:443".parse().unwrap());
    for (version, checksum) in
        [(ProxyVersion::V1, false), (ProxyVersion::V2, false), (ProxyVersion::V2, true)]
    {
        let says = header.clone();
        let mut client = EmbeddedChannel::new(move |ch| {
            let handler = ProxyProtocolClientHandler::new(says.clone(), version);
            ch.pipeline().inbound(ProxyProtocolClientHandler::NAME, handler.checksum(checksum))
        });
        assert!(client.stages().is_empty());
        drop(client.write_outbound::<Outgoing>("hello".into()).unwrap());
        let mut server = server(ProxyProtocolHandler::new);
        server.write_inbound(client.read_outbound());
        let addresses = server.attribute::<ProxiedAddresses>().expect("it has come");
        assert_eq!(addresses.source(), header.source());
        assert_eq!(addresses.destination(), header.destination());
        assert!(server.read_outbound().ends_with(b"active,hello,"));
    }
}
