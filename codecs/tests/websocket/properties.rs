//! Round trips, arbitrary input, and any cut.

use crate::support::feed;
use fyke_buffer::ByteBuf;
use fyke_codec::Encoder;
use fyke_codecs::websocket::{CloseCode, CloseFrame, Limits, Message, MessageCodec, Role};
use proptest::collection::vec;
use proptest::prelude::*;

fn message() -> impl Strategy<Value = Message> {
    let control = || vec(any::<u8>(), 0..=125);
    prop_oneof![
        10 => "\\PC{0,80}".prop_map(Message::text),
        10 => vec(any::<u8>(), 0..300).prop_map(Message::binary),
        1 => vec(any::<u8>(), 65_530..65_540).prop_map(Message::binary),
        5 => control().prop_map(|payload| Message::Ping(payload.into())),
        5 => control().prop_map(|payload| Message::Pong(payload.into())),
    ]
}

fn close() -> impl Strategy<Value = Message> {
    let codes = (3000..5000_u16).prop_map(|code| CloseCode::new(code).expect("a private code"));
    prop::option::of((codes, "[a-z ]{0,123}"))
        .prop_map(|close| Message::Close(close.map(|(code, reason)| CloseFrame::new(code, reason))))
}

/// `input` in pieces of the given sizes, over and over.
fn cut<'a>(input: &'a [u8], sizes: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = input;
    sizes.iter().cycle().map_while(move |&size| {
        let (piece, behind) = rest.split_at(size.min(rest.len()));
        rest = behind;
        (!piece.is_empty()).then_some(piece)
    })
}

proptest! {
    #[test]
    fn messages_survive_both_ways(
        mut messages in vec(message(), 0..6),
        close in close(),
        sizes in vec(1..5000_usize, 1..10),
        seed in any::<u32>(),
    ) {
        messages.push(close);
        let mut state = seed;
        let masks = move || {
            state = state.wrapping_mul(0x9e37_79b9).wrapping_add(1);
            state.to_be_bytes()
        };
        for (mut codec, reader) in [
            (MessageCodec::server(Limits::new()), Role::Client),
            (MessageCodec::client(Limits::new(), masks), Role::Server),
        ] {
            let mut dst = ByteBuf::new();
            for message in &messages {
                codec.encode(message.clone(), &mut dst).expect("good");
            }
            let outcome = feed(reader, Limits::new(), cut(&dst, &sizes), true);
            prop_assert_eq!(&outcome.error, &None);
            prop_assert_eq!(&outcome.messages, &messages);
        }
    }

    #[test]
    fn any_input_is_read_the_same_however_it_is_cut(
        messages in vec(message(), 1..4),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..5),
        sizes in vec(1..3000_usize, 1..10),
    ) {
        let mut codec = MessageCodec::client(Limits::new(), || [1, 2, 3, 4]);
        let mut dst = ByteBuf::new();
        for message in messages {
            codec.encode(message, &mut dst).expect("good");
        }
        let mut input = dst.to_vec();
        for (at, byte) in changes {
            let at = at.index(input.len().min(200));
            input[at] = byte;
        }
        let whole = feed(Role::Server, Limits::new(), [&input[..]], false);
        let parts = feed(Role::Server, Limits::new(), cut(&input, &sizes), false);
        prop_assert_eq!(&parts.messages, &whole.messages);
        prop_assert_eq!(&parts.error, &whole.error);
    }

    #[test]
    fn noise_never_panics(input in vec(any::<u8>(), 0..400), client in any::<bool>()) {
        let role = if client { Role::Client } else { Role::Server };
        let whole = feed(role, Limits::new(), [&input[..]], true);
        let bytes = feed(role, Limits::new(), input.chunks(1), true);
        prop_assert_eq!(&bytes.messages, &whole.messages);
        prop_assert_eq!(bytes.code(), whole.code());
    }
}
