//! Handshakes that fail: what the log says, and whose fault it is.

use std::time::Duration;

use fyke_codecs::tls::{ClientAuth, TlsCertificates, TlsHandler, TlsServerConfig};
use fyke_core::embedded::EmbeddedChannel;
use fyke_core::{ChannelOptions, CloseReason, Fault};

use crate::certs::{ROOT, STRANGER};
use crate::support::{
    NAME, carry, client, client_builder, client_config, client_with, done, server, server_builder,
    server_config,
};

/// The side that fails says `text` and blames; the other one hears an alert.
fn check(
    failing: &mut EmbeddedChannel,
    other: &mut EmbeddedChannel,
    (text, fault): (&str, Fault),
    (alert, others_fault): (&str, Fault),
) {
    carry(failing, other);
    let error = failing.take_error().expect("it fails");
    assert!(error.to_string().contains(text), "{error}");
    assert_eq!(error.fault(), fault, "{error}");
    let error = other.take_error().expect("it hears of it");
    assert!(error.to_string().contains(alert), "{error}");
    assert_eq!(error.fault(), others_fault, "{error}");
    assert!(!failing.is_open() && !other.is_open());
}

#[test]
fn wrong_name() {
    let mut client = client_with(&client_config(), "other.test", ChannelOptions::default());
    let mut server = server(&server_config());
    let said = ("not valid for name", Fault::Peer);
    check(&mut client, &mut server, said, ("BadCertificate", Fault::Caller));
}

#[test]
fn expired() {
    let certificates = TlsCertificates::new(ROOT.short_lived(&[NAME]));
    let mut server = server(&TlsServerConfig::builder(&certificates).build().unwrap());
    let mut client = client(&client_config());
    // The date is the loop's.
    client.advance(Duration::from_secs(2));
    let said = ("expired", Fault::Peer);
    check(&mut client, &mut server, said, ("CertificateExpired", Fault::Caller));
}

#[test]
fn unknown_authority() {
    let certificates = TlsCertificates::new(STRANGER.identity(&[NAME]));
    let mut server = server(&TlsServerConfig::builder(&certificates).build().unwrap());
    let mut client = client(&client_config());
    let said = ("nobody we trust has signed the peer's certificate", Fault::Peer);
    check(&mut client, &mut server, said, ("UnknownCA", Fault::Caller));
}

#[test]
fn any_certificate_when_one_insists() {
    let certificates = TlsCertificates::new(STRANGER.short_lived(&["elsewhere.test"]));
    let mut server = server(&TlsServerConfig::builder(&certificates).build().unwrap());
    let config = client_builder().danger_accept_any_certificate().build().unwrap();
    let mut client = client(&config);
    client.advance(Duration::from_secs(2));
    carry(&mut client, &mut server);
    assert!(done(&mut client).is_some());
}

#[test]
fn client_without_certificate() {
    let auth = ClientAuth::Required(ROOT.roots());
    let mut server = server(&server_builder().client_auth(auth).build().unwrap());
    let mut client = client(&client_config());
    let said = ("the peer shows no certificate", Fault::Peer);
    check(&mut server, &mut client, said, ("CertificateRequired", Fault::Caller));
}

#[test]
fn client_with_a_strangers_certificate() {
    for auth in [ClientAuth::Required(ROOT.roots()), ClientAuth::Optional(ROOT.roots())] {
        let mut server = server(&server_builder().client_auth(auth).build().unwrap());
        let me = STRANGER.identity(&["me.test"]);
        let mut client = client(&client_builder().identity(me).build().unwrap());
        let said = ("nobody we trust", Fault::Peer);
        check(&mut server, &mut client, said, ("UnknownCA", Fault::Caller));
    }
}

#[test]
fn no_common_application_protocol() {
    let mut server = server(&server_builder().alpn(&["h2"]).build().unwrap());
    let mut client = client(&client_builder().alpn(&["imap"]).build().unwrap());
    let said = ("the client wants none of our application protocols", Fault::Peer);
    check(&mut server, &mut client, said, ("NoApplicationProtocol", Fault::Caller));
}

#[test]
fn no_common_version() {
    use fyke_codecs::tls::{TlsClientConfig, TlsOptions, TlsVersion, rustls};
    let old = rustls::ClientConfig::builder_with_provider(crate::support::provider().into())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let mut client = client(&TlsClientConfig::from_rustls(old, TlsOptions::new()));
    let mut server = server(&server_builder().version_min(TlsVersion::Tls13).build().unwrap());
    let said = ("(the peer's fault)", Fault::Peer);
    check(&mut server, &mut client, said, ("ProtocolVersion", Fault::Caller));
}

#[test]
fn other_protocols_are_named() {
    for (bytes, text) in [
        (&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], "it does not speak TLS, but plain HTTP"),
        (b"POST /x HTTP/1.1\r\n", "plain HTTP"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "plain HTTP/2"),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", "the PROXY protocol"),
        (b"SSH-2.0-x\r\n", "SSH"),
        (b"\x00\x01\x02\x03\x04\x05\x06\x07\x08", "something else"),
    ] {
        for size in [1, bytes.len()] {
            let mut server = server(&server_config());
            for piece in bytes.chunks(size) {
                server.write_inbound(piece);
            }
            let error = server.take_error().expect("it is refused");
            assert!(error.to_string().contains(text), "{error}");
            assert_eq!(error.fault(), Fault::Peer);
            server.finish_inbound();
            assert_eq!(server.close_reason(), Some(CloseReason::Protocol));
        }
    }
}

#[test]
fn a_server_that_speaks_plainly() {
    let mut client = client(&client_config());
    client.write_inbound(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let error = client.take_error().expect("it is refused");
    assert!(error.to_string().contains("does not speak TLS, but plain HTTP"), "{error}");
}

#[test]
fn garbage_that_begins_like_a_handshake() {
    for bytes in [
        &b"\x16\x03\x01\xff\xff"[..],
        b"\x16\x03\x01\x00\x04\x01\xff\xff\xff",
        b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00",
        b"\x16\x09\x09\x00\x01\x01",
        b"\x15\x03\x01\x00\x02\x02\x28",
    ] {
        let mut server = server(&server_config());
        server.write_inbound(bytes);
        // Nothing of it makes a handshake; what is no whole message yet waits for more.
        assert!(done(&mut server).is_none());
        server.finish_inbound();
        let error = server.take_error().expect("it ends in an error");
        assert!(error.to_string().contains("the TLS handshake failed ("), "{error}");
        assert!(!server.is_open(), "{bytes:02x?}");
    }
}

#[test]
fn changed_bytes_end_the_connection() {
    let (mut client, mut server) = crate::support::open_pair();
    drop(crate::support::write(&mut client, "hello"));
    let mut bytes = client.read_outbound();
    let last = bytes.readable() - 1;
    bytes.as_mut_slice()[last] ^= 1;
    server.write_inbound(bytes);
    let error = server.take_error().expect("it is noticed");
    assert_eq!(error.fault(), Fault::Peer, "{error}");
    assert!(error.to_string().contains("the TLS connection failed (the peer's fault)"), "{error}");
    assert!(server.drain_inbound::<fyke_buffer::ByteBuf>().is_empty());
    carry(&mut client, &mut server);
    let error = client.take_error().expect("the alert arrives");
    assert!(error.to_string().contains("BadRecordMac"), "{error}");
}

#[test]
fn a_name_that_is_none() {
    for name in ["", "a b", "-", "fyke.test:443"] {
        let error = TlsHandler::client(&client_config(), name).expect_err(name);
        assert!(error.to_string().contains("names no server"), "{error}");
    }
    for name in ["fyke.test", "127.0.0.1", "::1", "[::1]"] {
        assert!(TlsHandler::client(&client_config(), name).is_ok(), "{name}");
    }
}
