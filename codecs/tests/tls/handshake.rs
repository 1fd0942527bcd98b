//! Handshakes that succeed, and what they come to.

use std::sync::{Arc, Mutex};

use fyke_buffer::ByteBuf;
use fyke_codecs::tls::{
    ClientAuth, Resumption, TlsCertificates, TlsHandler, TlsHandshakeCompleted, TlsServerConfig,
    TlsVersion,
};
use fyke_core::embedded::EmbeddedChannel;
use fyke_core::{
    ChannelOptions, Context, Event, EventFilter, InboundHandler, Never, Outgoing, Result,
};

use crate::certs::ROOT;
use crate::support::{
    NAME, carry, carry_in_pieces, client, client_builder, client_config, client_with, done, pair,
    received, server, server_builder, server_config, write,
};

#[test]
fn both_sides_agree() {
    let (mut client, mut server) = pair();
    carry(&mut client, &mut server);
    let of_client = done(&mut client).expect("it is done");
    let of_server = done(&mut server).expect("it is done");
    assert_eq!(of_client.version, TlsVersion::Tls13);
    assert_eq!(of_client.cipher, of_server.cipher);
    assert!(of_client.cipher.starts_with("TLS13_"), "{}", of_client.cipher);
    assert_eq!(of_server.server_name.as_deref(), Some(NAME));
    assert_eq!(of_client.server_name.as_deref(), Some(NAME));
    assert!(!of_client.resumed && !of_server.resumed);
    // The server has shown two certificates, the client none.
    assert_eq!(of_client.peer_certificates.len(), 2);
    assert!(of_server.peer_certificates.is_empty());
    assert_eq!(of_server.alpn, None);
}

#[test]
fn bytes_pass_both_ways() {
    let (mut client, mut server) = pair();
    carry(&mut client, &mut server);
    drop(write(&mut client, "ping"));
    carry(&mut client, &mut server);
    assert_eq!(received(&mut server), b"ping");
    drop(write(&mut server, "pong"));
    carry(&mut client, &mut server);
    assert_eq!(received(&mut client), b"pong");
}

#[test]
fn every_split_of_the_bytes() {
    for size in [1, 2, 3, 4, 5, 6, 7, 11, 64, 255, 1000] {
        let (mut client, mut server) = pair();
        drop(write(&mut client, "early"));
        carry_in_pieces(&mut client, &mut server, size);
        drop(write(&mut server, "late"));
        carry_in_pieces(&mut client, &mut server, size);
        assert_eq!(received(&mut server), b"early", "pieces of {size}");
        assert_eq!(received(&mut client), b"late", "pieces of {size}");
    }
}

/// The client's first flight, and then its second one with data, cut in two at every place.
#[test]
fn every_cut_of_a_flight() {
    let hello = client(&client_config()).read_outbound();
    for at in 0..hello.readable() {
        let (mut client, mut server) = pair();
        let hello = client.read_outbound();
        let at = at.min(hello.readable());
        server.write_inbound(&hello[..at]);
        server.write_inbound(&hello[at..]);
        client.write_inbound(server.read_outbound());
        drop(write(&mut client, "hello"));
        let second = client.read_outbound();
        let at = at.min(second.readable());
        server.write_inbound(&second[..at]);
        server.write_inbound(&second[at..]);
        assert_eq!(received(&mut server), b"hello", "cut at {at}");
    }
}

#[test]
fn application_protocols() {
    let server_config = server_builder().alpn(&["h2", "http/1.1"]).build().unwrap();
    for (offered, agreed) in [
        (&["http/1.1"][..], Some(&b"http/1.1"[..])),
        (&["http/1.1", "h2"], Some(b"h2")),
        (&[], None),
    ] {
        let client_config = client_builder().alpn(offered).build().unwrap();
        let (mut client, mut server) = (client(&client_config), server(&server_config));
        carry(&mut client, &mut server);
        assert_eq!(done(&mut server).unwrap().alpn.as_deref(), agreed);
        assert_eq!(done(&mut client).unwrap().alpn.as_deref(), agreed);
    }
    // A name that is none is refused when the configuration is built.
    assert!(server_builder().alpn(&[""]).build().is_err());
    assert!(client_builder().alpn(&[&"x".repeat(256)]).build().is_err());
}

#[test]
fn certificates_by_name() {
    let certificates = TlsCertificates::by_name()
        .with_name("one.test", ROOT.identity(&["one.test"]))
        .with_name("*.Wild.test", ROOT.identity(&["*.wild.test"]));
    let server_config = TlsServerConfig::builder(&certificates).build().unwrap();
    for (name, found) in [
        ("one.test", true),
        ("ONE.test", true),
        ("a.wild.test", true),
        ("a.b.wild.test", false),
        ("wild.test", false),
        ("other.test", false),
    ] {
        let mut client = client_with(&client_config(), name, ChannelOptions::default());
        let mut server = server(&server_config);
        carry(&mut client, &mut server);
        assert_eq!(done(&mut client).is_some(), found, "{name}");
        if !found {
            let text = server.take_error().unwrap().to_string();
            assert!(text.contains(&format!("no certificate for {name}")), "{text}");
        }
    }
}

#[test]
fn a_function_chooses_the_certificate() {
    let identity = ROOT.identity(&[NAME]);
    let certificates =
        TlsCertificates::resolver(move |name| (name == Some(NAME)).then(|| identity.clone()));
    let config = TlsServerConfig::builder(&certificates).build().unwrap();
    let (mut client, mut server) = (client(&client_config()), server(&config));
    carry(&mut client, &mut server);
    assert!(done(&mut client).is_some());
}

#[test]
fn a_reloaded_certificate_is_seen_by_the_next_connection() {
    let certificates = TlsCertificates::new(ROOT.identity(&[NAME]));
    let config = TlsServerConfig::builder(&certificates).build().unwrap();
    let shown = || {
        let (mut client, mut server) = (client(&client_config()), server(&config));
        carry(&mut client, &mut server);
        let shown = done(&mut client).unwrap().peer_certificates[0].clone();
        (client, server, shown)
    };
    let (mut old_client, mut old_server, first) = shown();
    assert_eq!(shown().2, first);
    certificates.reload(TlsCertificates::new(ROOT.identity(&[NAME])));
    assert_ne!(shown().2, first);
    // One that is open goes on.
    drop(write(&mut old_client, "still here"));
    carry(&mut old_client, &mut old_server);
    assert_eq!(received(&mut old_server), b"still here");
}

#[test]
fn both_sides_show_certificates() {
    let me = ROOT.identity(&["me.test"]);
    for auth in [ClientAuth::Required(ROOT.roots()), ClientAuth::Optional(ROOT.roots())] {
        let server_config = server_builder().client_auth(auth).build().unwrap();
        let client_config = client_builder().identity(me.clone()).build().unwrap();
        let (mut client, mut server) = (client(&client_config), server(&server_config));
        carry(&mut client, &mut server);
        assert_eq!(done(&mut server).unwrap().peer_certificates.len(), 2);
    }
    let auth = ClientAuth::Optional(ROOT.roots());
    let server_config = server_builder().client_auth(auth).build().unwrap();
    let (mut client, mut server) = (client(&client_config()), server(&server_config));
    carry(&mut client, &mut server);
    assert_eq!(done(&mut server).unwrap().peer_certificates.len(), 0);
}

#[test]
fn sessions_are_resumed() {
    for (resumption, version, resumed) in [
        (Resumption::Tickets, TlsVersion::Tls13, true),
        (Resumption::Sessions(16), TlsVersion::Tls13, true),
        (Resumption::Off, TlsVersion::Tls13, false),
    ] {
        let server_config = server_builder().resumption(resumption).version_min(version);
        let server_config = server_config.build().unwrap();
        let client_config = client_config();
        for round in 0..3 {
            let (mut client, mut server) = (client(&client_config), server(&server_config));
            carry(&mut client, &mut server);
            let resumed = resumed && round > 0;
            assert_eq!(done(&mut client).unwrap().resumed, resumed, "{resumption:?} {round}");
            assert_eq!(done(&mut server).unwrap().resumed, resumed, "{resumption:?} {round}");
        }
    }
    // A client that keeps none.
    let client_config = client_builder().sessions_max(0).build().unwrap();
    let server_config = server_config();
    for _ in 0..2 {
        let (mut client, mut server) = (client(&client_config), server(&server_config));
        carry(&mut client, &mut server);
        assert!(!done(&mut client).unwrap().resumed);
    }
}

#[test]
fn keys_are_logged_when_asked_for() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&lines);
    let config = server_builder().key_log(move |line| log.lock().unwrap().push(line.to_owned()));
    let (mut client, mut server) = (client(&client_config()), server(&config.build().unwrap()));
    carry(&mut client, &mut server);
    let lines = lines.lock().unwrap();
    for label in ["CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_TRAFFIC_SECRET_0"] {
        let line = lines.iter().find(|line| line.starts_with(label)).expect(label);
        let fields: Vec<_> = line.split(' ').collect();
        assert_eq!((fields.len(), fields[1].len()), (3, 64), "{line}");
    }
}

/// Hears what a handler behind TLS hears.
struct Order(Arc<Mutex<Vec<&'static str>>>);

impl Order {
    fn note(&self, what: &'static str) {
        self.0.lock().unwrap().push(what);
    }
}

impl InboundHandler for Order {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn active(&mut self, _: &mut Context<'_, Self>) -> Result<()> {
        self.note("active");
        Ok(())
    }

    fn read(&mut self, _: &mut Context<'_, Self>, _: ByteBuf) -> Result<()> {
        self.note("read");
        Ok(())
    }

    fn events(&self) -> EventFilter {
        EventFilter::of::<TlsHandshakeCompleted>()
    }

    fn event(&mut self, _: &mut Context<'_, Self>, event: Event) -> Result<()> {
        assert!(event.is::<TlsHandshakeCompleted>());
        self.note("handshake");
        Ok(())
    }

    fn inactive(&mut self, _: &mut Context<'_, Self>) -> Result<()> {
        self.note("inactive");
        Ok(())
    }
}

#[test]
fn those_behind_hear_of_it_when_it_is_done() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (config, log) = (server_config(), Arc::clone(&heard));
    let mut server = EmbeddedChannel::new(move |ch| {
        ch.pipeline()
            .duplex("tls", TlsHandler::server(&config))
            .inbound("order", Order(Arc::clone(&log)))
    });
    let mut client = client(&client_config());
    drop(write(&mut client, "at once"));
    server.write_inbound(client.read_outbound());
    assert!(heard.lock().unwrap().is_empty());
    client.write_inbound(server.read_outbound());
    server.write_inbound(client.read_outbound());
    server.channel().close();
    server.run_pending();
    server.finish_inbound();
    assert_eq!(*heard.lock().unwrap(), ["handshake", "active", "read", "inactive"]);
}
