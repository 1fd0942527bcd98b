//! What a peer cannot do: take for ever, or send without end.

use std::time::Duration;

use fyke_codecs::tls::{ClientAuth, TlsOptions};
use fyke_core::{CloseReason, Fault};

use crate::certs::ROOT;
use crate::support::{
    carry, carry_in_pieces, client, client_builder, client_config, done, error_text, pair, server,
    server_builder, server_config,
};

#[test]
fn a_slow_handshake_is_cut() {
    let mut server = server(&server_config());
    let hello = client(&client_config()).read_outbound();
    // A byte a second keeps nobody alive.
    for byte in hello.iter().take(9) {
        server.advance(Duration::from_secs(1));
        server.write_inbound(&[*byte][..]);
    }
    assert!(server.is_open());
    server.advance(Duration::from_secs(1));
    let error = server.take_error().expect("it is cut");
    assert!(error.is_timeout(), "{error}");
    assert_eq!(error.to_string(), "the TLS handshake timed out");
    assert!(!server.is_open());
    server.finish_inbound();
    assert_eq!(server.close_reason(), Some(CloseReason::TimedOut));
}

#[test]
fn the_time_is_an_option() {
    let options = TlsOptions::new().handshake_timeout(Duration::from_millis(300));
    let config = client_builder().options(options).build().unwrap();
    let mut client = client(&config);
    client.advance(Duration::from_millis(299));
    assert!(client.is_open());
    client.advance(Duration::from_millis(1));
    assert!(client.take_error().is_some_and(|error| error.is_timeout()));
}

#[test]
fn the_time_ends_with_the_handshake() {
    let (mut client, mut server) = pair();
    carry(&mut client, &mut server);
    for channel in [&mut client, &mut server] {
        channel.advance(Duration::from_secs(3600));
        assert!(channel.is_open());
    }
}

#[test]
fn a_handshake_has_a_limit_of_bytes() {
    // A client whose certificates are over it.
    let auth = ClientAuth::Required(ROOT.roots());
    let limited = |bytes| {
        let options = TlsOptions::new().handshake_bytes_max(bytes);
        server_builder().client_auth(auth.clone()).options(options).build().unwrap()
    };
    let config = client_builder().identity(ROOT.identity(&["me.test"])).build().unwrap();
    let (mut one, mut server_one) = (client(&config), server(&limited(600)));
    carry_in_pieces(&mut one, &mut server_one, 100);
    let error = server_one.take_error().expect("it is too much");
    assert!(error.to_string().contains("over the limit of 600 bytes"), "{error}");
    assert_eq!(error.fault(), Fault::Peer);
    let (mut one, mut server_one) = (client(&config), server(&limited(64 * 1024)));
    carry_in_pieces(&mut one, &mut server_one, 100);
    assert!(done(&mut server_one).is_some());
}

#[test]
fn a_record_that_never_ends_is_within_the_limit() {
    let options = TlsOptions::new().handshake_bytes_max(1000);
    let mut server = server(&server_builder().options(options).build().unwrap());
    // A record of 16 KiB is announced.
    server.write_inbound(b"\x16\x03\x01\x40\x00\x01\x00\x3f\xf0");
    for _ in 0..100 {
        server.write_inbound(&[0; 10][..]);
    }
    assert!(error_text(&mut server).contains("over the limit of 1000 bytes"));
}

/// RFC 5246 section 7.2.2: a server may refuse, and rustls does; a flood of requests is an error.
#[test]
fn renegotiation_is_refused() {
    let (mut client, mut server) = tls12_pair();
    carry(&mut client, &mut server);
    assert_eq!(done(&mut server).unwrap().version, fyke_codecs::tls::TlsVersion::Tls12);
    // A new ClientHello inside of the connection, which only a peer's own TLS could encrypt: so it
    // comes in the plain, and is refused for that already.
    let hello = crate::support::client(&client_config()).read_outbound();
    server.write_inbound(hello);
    let error = server.take_error().expect("it is refused");
    assert_eq!(error.fault(), Fault::Peer, "{error}");
    assert!(!server.is_open());
}

fn tls12_pair() -> (fyke_core::embedded::EmbeddedChannel, fyke_core::embedded::EmbeddedChannel) {
    use fyke_codecs::tls::{TlsClientConfig, rustls};
    // A client of rustls that speaks TLS 1.2 only.
    let config = rustls::ClientConfig::builder_with_provider(crate::support::provider().into())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(std::sync::Arc::new(Trusting))
        .with_no_client_auth();
    let config = TlsClientConfig::from_rustls(config, TlsOptions::new());
    (client(&config), server(&server_config()))
}

/// The date of rustls's own clock is of no use here, so nothing is judged.
#[derive(Debug)]
struct Trusting;

use fyke_codecs::tls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use fyke_codecs::tls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use fyke_codecs::tls::rustls::{DigitallySignedStruct, Error, SignatureScheme};

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

#[test]
fn tls_1_2_carries_bytes_too() {
    let (mut client, mut server) = tls12_pair();
    drop(crate::support::write(&mut client, "old but good"));
    carry_in_pieces(&mut client, &mut server, 7);
    assert_eq!(crate::support::received(&mut server), b"old but good");
    let info = done(&mut client).unwrap();
    assert!(info.cipher.starts_with("TLS_ECDHE_"), "{}", info.cipher);
}
