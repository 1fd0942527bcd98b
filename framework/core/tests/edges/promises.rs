//! Promises: kept in order, when the last byte has gone, or failed.

use std::io;

use fyke_codec::{CodecError, Encoder};
use fyke_core::embedded::EmbeddedChannel;
use fyke_core::{
    CloseReason, Ctx, ErrorKind, Never, Outgoing, Promise, Result, Sender, WriteFuture,
};

use crate::support::{Letters, Log, Watch, on_write, outcome};

fn raw() -> EmbeddedChannel {
    EmbeddedChannel::new(|ch| ch.pipeline())
}

fn write(channel: &mut EmbeddedChannel, text: &'static str) -> WriteFuture {
    channel.write_outbound(Outgoing::from(text)).unwrap()
}

fn outcomes(futures: &mut [WriteFuture]) -> Vec<Option<bool>> {
    futures.iter_mut().map(outcome).collect()
}

#[test]
fn partial_writes_keep_promises_in_order() {
    let mut channel = raw();
    channel.set_room(Some(0));
    let mut futures = ["ab", "cd", "", "ef"].map(|text| write(&mut channel, text));
    assert_eq!(outcomes(&mut futures), [None; 4]);
    channel.set_room(Some(1));
    assert_eq!(outcomes(&mut futures), [None; 4], "half a message is no message");
    channel.set_room(Some(1));
    assert_eq!(outcomes(&mut futures), [Some(true), None, None, None]);
    channel.set_room(Some(3));
    assert_eq!(outcomes(&mut futures[1..]), [Some(true), Some(true), None]);
    channel.set_room(None);
    assert_eq!(outcome(&mut futures[3]), Some(true));
    assert_eq!(channel.read_outbound(), b"abcdef");
}

#[test]
fn writes_in_flight_keep_promises_when_they_are_done() {
    let mut channel = raw();
    channel.hold_writes(true);
    let mut futures = ["ab", "cd", "ef"].map(|text| write(&mut channel, text));
    assert_eq!(channel.write_calls(), 1, "one write at a time");
    channel.complete_write(Some(1));
    assert_eq!(outcomes(&mut futures), [None; 3]);
    assert_eq!(channel.write_calls(), 2);
    channel.complete_write(Some(3));
    assert_eq!(outcomes(&mut futures), [Some(true), Some(true), None]);
    // Closing waits for what is in flight.
    channel.channel().close();
    channel.run_pending();
    channel.finish_inbound();
    assert!(!channel.output_ended());
    assert_eq!(channel.close_reason(), None);
    channel.complete_write(None);
    assert_eq!(outcome(&mut futures[2]), Some(true));
    assert_eq!(channel.read_outbound(), b"abcdef");
    assert_eq!(channel.close_reason(), Some(CloseReason::Local));
}

#[test]
fn a_close_that_cannot_wait_fails_them() {
    type End = fn(&mut EmbeddedChannel);
    let ends: [End; 3] = [
        |ch| ch.channel().abort(),
        |ch| ch.break_connection(io::ErrorKind::ConnectionReset.into()),
        |ch| ch.run(|cx| cx.abort()),
    ];
    for end in ends {
        let mut channel = raw();
        channel.set_room(Some(3));
        let mut futures = ["ab", "cd", "ef"].map(|text| write(&mut channel, text));
        end(&mut channel);
        channel.run_pending();
        assert_eq!(outcomes(&mut futures), [Some(true), Some(false), Some(false)]);
        assert_eq!(channel.read_outbound(), b"abc");
    }
}

#[test]
fn a_write_after_close_fails() {
    let mut channel = raw();
    channel.set_room(Some(0));
    let mut before = write(&mut channel, "before");
    let sender: Sender<Outgoing> = channel.channel().sender().unwrap();
    let mut behind = {
        channel.channel().close();
        sender.send_with_promise("behind".into()).unwrap()
    };
    channel.run_pending();
    let error = behind.try_result().unwrap().unwrap_err();
    assert!(error.is_closed());
    let mut after = write(&mut channel, "after");
    assert_eq!(outcome(&mut after), Some(false));
    assert_eq!(outcome(&mut before), None, "it was issued before the close");
    channel.set_room(None);
    assert_eq!(outcome(&mut before), Some(true));
    channel.finish_inbound();
    let mut late = write(&mut channel, "late");
    assert_eq!(outcome(&mut late), Some(false));
    assert!(sender.send("x".into()).is_err());
    assert_eq!(channel.read_outbound(), b"before");
}

#[test]
fn a_dropped_message_fails_its_promise() {
    let mut channel = EmbeddedChannel::new(|ch| {
        let drop_it = |_: &mut Ctx<'_, Never, Outgoing>, _: u8, _: Promise| Ok(());
        ch.pipeline().outbound("drop", on_write(drop_it))
    });
    let mut future = channel.write_outbound(b'x').unwrap();
    let error = future.try_result().unwrap().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Dropped));
}

/// Encodes small letters only, after it has written half of the message.
struct Picky;

impl Encoder<u8> for Picky {
    fn encode(&mut self, msg: u8, dst: &mut fyke_buffer::ByteBuf) -> Result<(), CodecError> {
        dst.write_u8(b'<');
        if !msg.is_ascii_lowercase() {
            return Err(CodecError::Unencodable { what: "no small letter" });
        }
        dst.write_u8(msg);
        Ok(())
    }
}

#[test]
fn an_encoder_that_fails_leaves_no_trace_in_the_stream() {
    let log = Log::new();
    let l = log.clone();
    let mut channel = EmbeddedChannel::new(move |ch| {
        ch.pipeline()
            .encoder::<u8, _>("picky", Picky)
            .inbound("watch", Watch::<fyke_buffer::ByteBuf, u8>::new("", &l))
    });
    log.take();
    channel.set_room(Some(0));
    let mut futures = [b'a', b'B', b'c'].map(|msg| channel.write_outbound(msg).unwrap());
    assert!(matches!(
        futures[1].try_result().unwrap().unwrap_err().kind(),
        ErrorKind::Codec(CodecError::Unencodable { .. })
    ));
    channel.set_room(None);
    assert_eq!(outcome(&mut futures[0]), Some(true));
    assert_eq!(outcome(&mut futures[2]), Some(true));
    assert_eq!(channel.read_outbound(), b"<a<c");
    assert_eq!(log.text(), "", "who observes the promise is told by it");

    // Nobody observes this one: it is an error of the pipeline, and closes the channel.
    let sender: Sender<u8> = channel.channel().sender().unwrap();
    sender.send(b'D').unwrap();
    channel.run_pending();
    channel.finish_inbound();
    assert!(log.take()[0].starts_with("error("));
    assert_eq!(channel.close_reason(), Some(CloseReason::Handler));
}

/// A promise travels through every stage to the last byte.
#[test]
fn promises_pass_through_encoders() {
    let mut channel = EmbeddedChannel::new(|ch| ch.pipeline().codec::<u8, _>("letters", Letters));
    channel.set_room(Some(1));
    let mut first = channel.write_outbound(b'a').unwrap();
    let mut second = channel.write_outbound(b'b').unwrap();
    assert_eq!((outcome(&mut first), outcome(&mut second)), (Some(true), None));
    channel.set_room(None);
    assert_eq!(outcome(&mut second), Some(true));
}
