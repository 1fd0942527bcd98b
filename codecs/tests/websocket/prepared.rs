//! One message for many: encoded once, compressed once for each size of window.

use crate::support::{DEFLATE, KEY, params};
use fyke_buffer::ByteBuf;
use fyke_codec::{Decoder, Encoder};
use fyke_codecs::websocket::{DeflateConfig, Limits, Message, MessageCodec, PreparedMessage};

const TAKES_OVER: &str = "permessage-deflate";
const ALONE: &str = "permessage-deflate; server_no_context_takeover";
const SMALL: &str = "permessage-deflate; server_max_window_bits=9";

fn server(agreed: Option<&str>) -> MessageCodec {
    let codec = MessageCodec::server(Limits::new());
    match agreed {
        Some(agreed) => codec.deflate(&DEFLATE, params(agreed)),
        None => codec,
    }
}

fn client(agreed: Option<&str>) -> MessageCodec {
    let codec = MessageCodec::client(Limits::new(), || KEY);
    match agreed {
        Some(agreed) => codec.deflate(&DEFLATE, params(agreed)),
        None => codec,
    }
}

fn news() -> PreparedMessage {
    PreparedMessage::text("all the news that is fit to print, ".repeat(40))
}

#[test]
fn all_of_a_kind_share_the_same_bytes() {
    let prepared = Message::from(news());
    let frame = |agreed| {
        let mut dst = ByteBuf::new();
        let rest = server(agreed).encode_gather(prepared.clone(), &mut dst, 16).expect("good");
        assert!(dst.is_empty(), "header and content are one piece");
        rest.expect("longer than is copied").into_bytes()
    };
    let (plain, large, small) = (frame(None), frame(Some(ALONE)), frame(Some(SMALL)));
    for (agreed, shared) in [(None, &plain), (Some(ALONE), &large), (Some(SMALL), &small)] {
        assert_eq!(frame(agreed).as_ptr(), shared.as_ptr(), "{agreed:?}");
    }
    assert_eq!(frame(Some(TAKES_OVER)).as_ptr(), large.as_ptr(), "the window is of the same size");
    assert_eq!((plain[0], large[0], small[0]), (0x81, 0xc1, 0xc1));
    assert!(large.len() < plain.len() / 5 && large.as_ptr() != small.as_ptr());
}

#[test]
fn everybody_reads_the_same_among_other_messages() {
    for agreed in [None, Some(TAKES_OVER), Some(ALONE), Some(SMALL)] {
        let (mut sender, mut reader) = (server(agreed), client(agreed));
        let own = Message::text("a message of one's own ".repeat(30));
        let prepared = Message::from(news());
        let mut wire = ByteBuf::new();
        for message in [&own, &prepared, &own, &own, &prepared, &prepared, &own] {
            sender.encode(message.clone(), &mut wire).expect("good");
            let read = reader.decode(&mut wire).expect("good");
            let expected = if message == &own { own.clone() } else { news().to_message() };
            assert_eq!(read, Some(expected), "{agreed:?}");
        }
    }
}

#[test]
fn short_and_incompressible_ones_stay_as_they_are() {
    let mut codec = server(Some(ALONE));
    let mut dst = ByteBuf::new();
    codec.encode(Message::from(PreparedMessage::text("short")), &mut dst).expect("good");
    assert_eq!(dst, b"\x81\x05short"[..]);
    let noise: Vec<u8> = (0..300_u32).map(|n| (n.wrapping_mul(0x9e37_79b9) >> 24) as u8).collect();
    dst.clear();
    codec.encode(Message::from(PreparedMessage::binary(noise)), &mut dst).expect("good");
    assert_eq!((dst[0], dst.readable()), (0x82, 304));
}

#[test]
fn a_client_masks_its_own() {
    let config = DeflateConfig::new().threshold_bytes(0);
    let mut sender = MessageCodec::client(Limits::new(), || KEY).deflate(&config, params(ALONE));
    let mut reader = MessageCodec::server(Limits::new()).deflate(&config, params(ALONE));
    let mut wire = ByteBuf::new();
    sender.encode(Message::from(news()), &mut wire).expect("good");
    assert_eq!(wire[0], 0xc1);
    assert_eq!(wire[1] & 0x80, 0x80);
    assert_eq!(reader.decode(&mut wire).expect("good"), Some(news().to_message()));
}

#[test]
fn the_rules_of_frames_hold() {
    let mut codec = server(None);
    let mut dst = ByteBuf::new();
    codec.encode(Message::Close(None), &mut dst).expect("good");
    assert!(codec.encode(Message::from(news()), &mut dst).is_err(), "behind a close");
    assert_eq!((news().len(), news().is_empty()), (1400, false));
    assert_eq!(news(), news());
}
