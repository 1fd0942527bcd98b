//! How connections end: in order, cut, or by half.

use fyke_codecs::tls::TlsOptions;
use fyke_core::{ChannelOptions, CloseReason, Fault};

use crate::support::{
    NAME, carry, client, client_config, client_with, error_text, open_pair, pair, received, server,
    server_builder, server_config, server_with, write,
};

#[test]
fn close_notify_is_the_end_of_the_stream() {
    let (mut client, mut server) = open_pair();
    drop(write(&mut client, "last words"));
    client.channel().close();
    client.run_pending();
    // The transport's end has not come yet, only what was sent before it.
    server.write_inbound(client.read_outbound());
    assert_eq!(received(&mut server), b"last words");
    assert!(server.take_error().is_none());
    assert!(!server.is_open(), "nothing more will come, and nothing is to be said");
    assert!(!server.read_outbound().is_empty(), "the server's own close_notify");
    carry(&mut client, &mut server);
    assert_eq!(server.close_reason(), Some(CloseReason::PeerEnd));
    assert_eq!(client.close_reason(), Some(CloseReason::Local));
    assert!(client.take_error().is_none() && server.take_error().is_none());
}

#[test]
fn a_cut_stream_is_an_error() {
    let (mut client, mut server) = open_pair();
    drop(write(&mut client, "half a mess"));
    server.write_inbound(client.read_outbound());
    server.finish_inbound();
    assert_eq!(received(&mut server), b"half a mess");
    let error = server.take_error().expect("it was cut");
    assert!(error.to_string().contains("without close_notify"), "{error}");
    assert_eq!(error.fault(), Fault::Peer);
}

#[test]
fn a_stream_cut_inside_a_record() {
    let (mut client, mut server) = open_pair();
    drop(write(&mut client, "half a mess"));
    let bytes = client.read_outbound();
    server.write_inbound(&bytes[..bytes.readable() - 1]);
    server.finish_inbound();
    assert!(received(&mut server).is_empty());
    assert!(error_text(&mut server).contains("without close_notify"));
}

#[test]
fn who_knows_where_messages_end_need_not_mind() {
    let options = TlsOptions::new().ignore_truncation(true);
    let config = server_builder().options(options).build().unwrap();
    let (mut client, mut server) = (client(&client_config()), server(&config));
    carry(&mut client, &mut server);
    server.finish_inbound();
    assert!(server.take_error().is_none());
    assert_eq!(server.close_reason(), Some(CloseReason::PeerEnd));
}

#[test]
fn half_a_handshake() {
    let (mut client, mut server) = pair();
    let hello = client.read_outbound();
    server.write_inbound(&hello[..20]);
    server.finish_inbound();
    assert!(error_text(&mut server).contains("the peer ended the connection before it was done"));
    client.finish_inbound();
    assert!(error_text(&mut client).contains("the peer ended the connection before it was done"));
}

#[test]
fn somebody_who_only_looks_makes_no_noise() {
    let mut server = server(&server_config());
    server.finish_inbound();
    assert!(server.take_error().is_none());
    assert_eq!(server.close_reason(), Some(CloseReason::PeerEnd));
}

#[test]
fn one_direction_may_end_first() {
    let options = || ChannelOptions::default().allow_half_closure(true);
    let mut client = client_with(&client_config(), NAME, options());
    let mut server = server_with(&server_config(), options());
    carry(&mut client, &mut server);
    drop(write(&mut client, "question"));
    client.channel().shutdown().unwrap();
    client.run_pending();
    assert!(client.output_ended());
    let late = write(&mut client, "too late");
    assert!(late.wait().is_err());
    server.write_inbound(client.read_outbound());
    server.finish_inbound();
    assert_eq!(received(&mut server), b"question");
    assert!(server.is_open(), "{:?}", server.take_error());
    drop(write(&mut server, "answer"));
    client.write_inbound(server.read_outbound());
    assert_eq!(received(&mut client), b"answer");
    server.channel().close();
    server.run_pending();
    client.write_inbound(server.read_outbound());
    client.finish_inbound();
    assert!(client.take_error().is_none() && server.take_error().is_none());
}

#[test]
fn what_was_written_before_a_close_arrives() {
    // Both are asked for before the handshake has begun.
    let (mut client, mut server) = pair();
    let sent = write(&mut client, "in a hurry");
    client.channel().close();
    client.run_pending();
    assert!(client.is_open(), "the handshake comes first");
    carry(&mut client, &mut server);
    assert_eq!(received(&mut server), b"in a hurry");
    assert!(sent.wait().is_ok());
    assert!(!client.is_open());
    assert!(server.take_error().is_none());
}

#[test]
fn a_close_with_nothing_to_send_does_not_wait() {
    let (mut client, _server) = pair();
    client.channel().close();
    client.run_pending();
    assert!(!client.is_open());
    client.finish_inbound();
    assert!(client.take_error().is_none());
}

#[test]
fn a_shutdown_waits_for_the_handshake() {
    let options = ChannelOptions::default().allow_half_closure(true);
    let mut client = client_with(&client_config(), NAME, options);
    let mut server = server(&server_config());
    client.channel().shutdown().unwrap();
    client.run_pending();
    assert!(!client.output_ended());
    carry(&mut client, &mut server);
    assert!(client.output_ended());
    assert!(server.take_error().is_none());
}

#[test]
fn what_follows_close_notify_is_nothing() {
    let (mut client, mut server) = open_pair();
    client.channel().close();
    client.run_pending();
    let mut bytes = client.read_outbound();
    bytes.write_slice(b"GET / HTTP/1.1\r\n\r\n");
    server.write_inbound(bytes);
    server.write_inbound(b"and more");
    assert!(received(&mut server).is_empty());
    assert!(server.take_error().is_none());
}

#[test]
fn a_broken_connection_fails_what_waits() {
    let (mut client, _server) = pair();
    let sent = write(&mut client, "never");
    client.break_connection(std::io::ErrorKind::ConnectionReset.into());
    assert!(sent.wait().is_err());
    assert_eq!(client.close_reason(), Some(CloseReason::PeerReset));
}
