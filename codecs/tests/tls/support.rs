//! Two embedded channels, and somebody who carries the bytes between them.

use fyke_buffer::ByteBuf;
use fyke_codecs::tls::{
    TlsCertificates, TlsClientBuilder, TlsClientConfig, TlsHandler, TlsHandshakeCompleted,
    TlsServerBuilder, TlsServerConfig, rustls,
};
use fyke_core::embedded::EmbeddedChannel;
use fyke_core::{ChannelOptions, Outgoing, WriteFuture};

use crate::certs::ROOT;

pub(crate) const NAME: &str = "fyke.test";

/// The cryptography that the features choose, for configurations made by rustls itself.
pub(crate) fn provider() -> rustls::crypto::CryptoProvider {
    #[cfg(feature = "tls-ring")]
    return rustls::crypto::ring::default_provider();
    #[cfg(not(feature = "tls-ring"))]
    rustls::crypto::aws_lc_rs::default_provider()
}

pub(crate) fn server_builder() -> TlsServerBuilder {
    TlsServerConfig::builder(&TlsCertificates::new(ROOT.identity(&[NAME])))
}

pub(crate) fn client_builder() -> TlsClientBuilder {
    TlsClientConfig::builder(ROOT.roots())
}

pub(crate) fn server_config() -> TlsServerConfig {
    server_builder().build().expect("a configuration")
}

pub(crate) fn client_config() -> TlsClientConfig {
    client_builder().build().expect("a configuration")
}

pub(crate) fn server_with(config: &TlsServerConfig, options: ChannelOptions) -> EmbeddedChannel {
    let config = config.clone();
    EmbeddedChannel::with_options(options, move |ch| {
        ch.pipeline().duplex("tls", TlsHandler::server(&config))
    })
}

pub(crate) fn client_with(
    config: &TlsClientConfig,
    name: &'static str,
    options: ChannelOptions,
) -> EmbeddedChannel {
    let config = config.clone();
    EmbeddedChannel::with_options(options, move |ch| {
        ch.pipeline().duplex("tls", TlsHandler::client(&config, name).expect("a name"))
    })
}

pub(crate) fn server(config: &TlsServerConfig) -> EmbeddedChannel {
    server_with(config, ChannelOptions::default())
}

pub(crate) fn client(config: &TlsClientConfig) -> EmbeddedChannel {
    client_with(config, NAME, ChannelOptions::default())
}

/// A client and a server that trust each other, before their first byte.
pub(crate) fn pair() -> (EmbeddedChannel, EmbeddedChannel) {
    (client(&client_config()), server(&server_config()))
}

/// The same, with their handshake done.
pub(crate) fn open_pair() -> (EmbeddedChannel, EmbeddedChannel) {
    let (mut client, mut server) = pair();
    carry(&mut client, &mut server);
    let failed = (client.take_error(), server.take_error());
    assert!(done(&mut client).is_some() && done(&mut server).is_some(), "{failed:?}");
    (client, server)
}

/// Carries bytes, and ends, to and fro until there are none.
pub(crate) fn carry(one: &mut EmbeddedChannel, other: &mut EmbeddedChannel) {
    carry_in_pieces(one, other, usize::MAX);
}

/// In pieces of `size` bytes at most. Each end is carried once.
pub(crate) fn carry_in_pieces(one: &mut EmbeddedChannel, other: &mut EmbeddedChannel, size: usize) {
    loop {
        let moved = carry_once(one, other, size) + carry_once(other, one, size);
        if moved == 0 {
            break;
        }
    }
    let ended = (one.output_ended(), other.output_ended());
    if ended.0 {
        other.finish_inbound();
    }
    if ended.1 {
        one.finish_inbound();
    }
}

fn carry_once(from: &mut EmbeddedChannel, to: &mut EmbeddedChannel, size: usize) -> usize {
    let bytes = from.read_outbound();
    for piece in bytes.chunks(size) {
        to.write_inbound(ByteBuf::from(piece));
    }
    bytes.readable()
}

/// What the handshake came to.
pub(crate) fn done(channel: &mut EmbeddedChannel) -> Option<TlsHandshakeCompleted> {
    channel.attribute()
}

pub(crate) fn write(channel: &mut EmbeddedChannel, msg: impl Into<Outgoing>) -> WriteFuture {
    channel.write_outbound::<Outgoing>(msg.into()).expect("it takes bytes")
}

/// All plain bytes that reached the tail.
pub(crate) fn received(channel: &mut EmbeddedChannel) -> Vec<u8> {
    channel.drain_inbound::<ByteBuf>().iter().flat_map(|bytes| bytes.to_vec()).collect()
}

/// The text of the first error at the tail.
pub(crate) fn error_text(channel: &mut EmbeddedChannel) -> String {
    channel.take_error().map(|error| error.to_string()).unwrap_or_default()
}

/// Bytes that repeat late, so that any mix-up shows.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len as u64).map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}
