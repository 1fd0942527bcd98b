//! What is written while it cannot leave: before the handshake, and to a peer that does not read.

use fyke_buffer::ByteBuf;
use fyke_codecs::tls::TlsHandler;
use fyke_core::embedded::EmbeddedChannel;
use fyke_core::{ChannelOptions, Context, ErrorKind, InboundHandler, Outgoing, Result};

use crate::support::{
    NAME, carry, client_config, client_with, open_pair, pair, received, server, server_config,
    write,
};

#[test]
fn what_is_held_counts_and_does_not_stop_the_handshake() {
    let options = ChannelOptions::default().water_marks(1000, 2000);
    let mut client = client_with(&client_config(), NAME, options);
    let mut server = server(&server_config());
    drop(write(&mut client, vec![7; 5000]));
    assert!(!client.is_writable());
    assert!(client.pending_bytes() >= 5000);
    assert!(client.is_reading(), "the server's answer has to be read");
    carry(&mut client, &mut server);
    assert!(received(&mut server) == [7; 5000]);
    assert!(client.is_writable());
    assert_eq!(client.pending_bytes(), 0);
}

#[test]
fn too_much_before_the_handshake_is_refused() {
    let options = ChannelOptions::default().outbound_bytes_max(10_000);
    let mut client = client_with(&client_config(), NAME, options);
    let first = write(&mut client, vec![0; 8000]);
    let second = write(&mut client, vec![0; 8000]);
    let error = second.wait().expect_err("it is too much");
    assert!(matches!(error.kind(), ErrorKind::OutboundFull { .. }), "{error}");
    assert!(first.wait().is_err(), "the stream has a hole");
    assert!(!client.is_open());
}

#[test]
fn a_peer_that_does_not_read_stops_the_writer() {
    let (mut client, mut server) = open_pair();
    client.set_room(Some(0));
    let mut written = 0;
    while client.is_writable() {
        drop(write(&mut client, vec![1; 10_000]));
        written += 10_000;
    }
    assert!(written <= 80_000, "{written}");
    assert!(!client.is_reading());
    client.set_room(None);
    assert!(client.is_writable());
    carry(&mut client, &mut server);
    assert_eq!(received(&mut server).len(), written);
}

#[test]
fn promises_are_kept_when_the_transport_has_taken_the_records() {
    let (mut client, mut server) = pair();
    let mut held = write(&mut client, "held");
    assert!(held.try_result().is_none());
    carry(&mut client, &mut server);
    assert!(held.try_result().is_some_and(|r| r.is_ok()));
    client.set_room(Some(0));
    let mut small = write(&mut client, "small");
    let mut large = write(&mut client, vec![0; 100_000]);
    client.run_pending();
    assert!(small.try_result().is_none() && large.try_result().is_none());
    client.set_room(None);
    assert!(small.try_result().is_some_and(|r| r.is_ok()));
    assert!(large.try_result().is_some_and(|r| r.is_ok()));
}

/// In front of TLS: writes through a handle when the first bytes come.
struct Whisper(bool);

impl InboundHandler for Whisper {
    type In = ByteBuf;
    type Out = ByteBuf;
    type Write = Outgoing;

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
        if !std::mem::replace(&mut self.0, true) {
            assert!(cx.sender::<Outgoing>()?.send("from a handle".into()).is_ok());
        }
        cx.fire_read(msg);
        Ok(())
    }
}

/// Records are numbered. What handles have written and the stage has not seen yet must not come
/// between the number that a held message's record gets and the record's leaving.
#[test]
fn records_leave_in_the_order_of_their_numbers() {
    let config = client_config();
    let mut client = EmbeddedChannel::new(move |ch| {
        ch.pipeline()
            .inbound("whisper", Whisper(false))
            .duplex("tls", TlsHandler::client(&config, NAME).expect("a name"))
    });
    let mut server = server(&server_config());
    drop(write(&mut client, "held "));
    carry(&mut client, &mut server);
    let error = server.take_error();
    assert!(error.is_none(), "a number was missing: {error:?}");
    let text = String::from_utf8(received(&mut server)).expect("text");
    assert_eq!(text, "held from a handle");
}
