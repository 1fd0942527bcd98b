//! What goes out, for both roles.

use crate::support::KEY;
use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder, Encoder};
use fyke_codecs::Payload;
use fyke_codecs::websocket::{
    CloseCode, CloseFrame, Frame, Limits, Message, MessageCodec, OpCode, WebSocketError,
};

fn server(messages: Vec<Message>) -> Result<Vec<u8>, CodecError> {
    let mut codec = MessageCodec::server(Limits::new());
    let mut dst = ByteBuf::new();
    for message in messages {
        codec.encode(message, &mut dst)?;
    }
    Ok(dst.to_vec())
}

fn goodbye(code: CloseCode, reason: &'static str) -> Message {
    Message::Close(Some(CloseFrame::new(code, reason)))
}

#[test]
fn the_rfc_s_own_examples_5_7() {
    let sent = |message| server(vec![message]).expect("good");
    assert_eq!(sent(Message::text("Hello")), b"\x81\x05Hello");
    assert_eq!(sent(Message::Ping(b"Hello".into())), b"\x89\x05Hello");
    assert_eq!(sent(Message::Pong(Payload::new())), b"\x8a\x00");
    assert_eq!(sent(Message::Close(None)), b"\x88\x00");
    assert_eq!(sent(goodbye(CloseCode::GOING_AWAY, "bye")), b"\x88\x05\x03\xe9bye");
    let binary = sent(Message::binary(vec![0; 256]));
    assert_eq!((&binary[..4], binary.len()), (&b"\x82\x7e\x01\x00"[..], 260));
    let binary = sent(Message::binary(vec![0; 65_536]));
    assert_eq!((&binary[..10], binary.len()), (&b"\x82\x7f\0\0\0\0\0\x01\0\0"[..], 65_546));
}

#[test]
fn a_client_masks_with_the_keys_it_is_given() {
    let mut next = 0;
    let mut codec = MessageCodec::client(Limits::new(), move || {
        next += 1;
        if next == 1 { KEY } else { [0, 0, 0, 1] }
    });
    let mut dst = ByteBuf::from(b"before");
    codec.encode(Message::text("Hello"), &mut dst).expect("good");
    assert_eq!(dst, b"before\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"[..]);
    dst.clear();
    let kept = codec.encode_gather(Message::binary(b"\0\0\0\0"), &mut dst, 0).expect("good");
    assert!(kept.is_none(), "what is masked is copied");
    assert_eq!(dst, b"\x82\x84\0\0\0\x01\0\0\0\x01"[..]);
}

#[test]
fn what_a_client_alone_has_is_masked_where_it_lies() {
    let mut codec = MessageCodec::client(Limits::new(), || KEY);
    let mut read = ByteBuf::from(b"front, content, behind");
    let (front, content) = (read.split_to(7), read.split_to(7));
    let address = content.as_ptr();
    let mut dst = ByteBuf::new();
    let rest = codec.encode_gather(Message::binary(content), &mut dst, 3).expect("good");
    let rest = rest.expect("longer than is copied");
    assert_eq!(dst, b"\x82\x87\x37\xfa\x21\x3d"[..]);
    assert_eq!(rest.as_ptr(), address);
    let plain: Vec<u8> =
        rest.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    assert_eq!(plain, b"content");
    assert_eq!((front, read), (ByteBuf::from(b"front, "), ByteBuf::from(b", behind")));
}

#[test]
fn what_cannot_be_sent() {
    let long = || vec![0; 126];
    for (name, messages) in [
        ("long ping", vec![Message::Ping(long().into())]),
        ("long pong", vec![Message::Pong(long().into())]),
        (
            "long reason",
            vec![Message::Close(Some(CloseFrame::new(CloseCode::NORMAL, "x".repeat(124))))],
        ),
        ("text behind a close", vec![Message::Close(None), Message::text("x")]),
        ("ping behind a close", vec![Message::Close(None), Message::Ping(Payload::new())]),
        ("two closes", vec![Message::Close(None), Message::Close(None)]),
    ] {
        assert!(matches!(server(messages), Err(CodecError::Unencodable { .. })), "{name}");
    }
    let mut small = ByteBuf::with_max_capacity(16);
    let encoded = MessageCodec::server(Limits::new()).encode(Message::binary(long()), &mut small);
    assert!(matches!(encoded, Err(CodecError::Unencodable { .. })), "no room");
}

#[test]
fn fragments_keep_their_order_5_4() {
    let frame = |opcode, fin| Frame { fin, opcode, payload: "x".into() };
    let run = |frames: &[Frame]| {
        let mut codec = MessageCodec::server(Limits::new());
        let mut dst = ByteBuf::new();
        frames.iter().try_for_each(|frame| codec.encode(frame.clone(), &mut dst)).map(|()| dst)
    };
    use OpCode::{Binary, Continuation, Ping, Text};
    let sent = run(&[frame(Text, false), frame(Ping, true), frame(Continuation, true)]);
    assert_eq!(sent.expect("good"), b"\x01\x01x\x89\x01x\x80\x01x"[..]);
    for frames in [
        &[frame(Continuation, true)][..],
        &[frame(Text, false), frame(Binary, true)],
        &[frame(Text, true), frame(Continuation, true)],
        &[frame(Ping, false)],
    ] {
        assert!(run(frames).is_err(), "{frames:?}");
    }
}

#[test]
fn one_payload_for_many() {
    let message = Message::text("news ".repeat(100)).share();
    let Message::Text(text) = &message else { panic!("no text") };
    let address = text.as_bytes().as_ptr();
    for _ in 0..3 {
        let mut codec = MessageCodec::server(Limits::new());
        let mut dst = ByteBuf::new();
        let rest = codec.encode_gather(message.clone(), &mut dst, 256).expect("good");
        assert_eq!(dst, b"\x81\x7e\x01\xf4"[..]);
        assert_eq!(rest.map(|payload| payload.as_ptr()), Some(address));
    }
}

#[test]
fn an_error_makes_its_own_close() {
    let mut codec = MessageCodec::server(Limits::new());
    let error = codec.decode(&mut ByteBuf::from(b"\x81\x00")).expect_err("no mask");
    let close = WebSocketError::of(&error).expect("an error of the protocol").close_frame();
    assert_eq!(close.code, CloseCode::PROTOCOL_ERROR);
    let mut dst = ByteBuf::new();
    codec.encode(Message::Close(Some(close)), &mut dst).expect("short enough");
    assert!(codec.close_sent());
    assert_eq!(dst[..4], [0x88, dst.len() as u8 - 2, 0x03, 0xea]);
}
