//! What is encoded is decoded again, whatever the options, the message and the cut.

use fyke_buffer::ByteBuf;
use fyke_codec::{Decoder, Encoder};
use fyke_codecs::frames::{Delimiter, FixedLength, LengthField, Line, TextLines, Varint32, Width};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::run;
use crate::splits::decoders;

/// `stream` in pieces; each number is the length of one, wrapped to what is left.
fn cut<'a>(stream: &'a [u8], lengths: &[usize]) -> Vec<&'a [u8]> {
    let mut rest = stream;
    let mut chunks = Vec::new();
    for length in lengths {
        let (chunk, behind) = rest.split_at(length % (rest.len() + 1));
        chunks.push(chunk);
        rest = behind;
    }
    chunks.push(rest);
    chunks
}

/// Encodes `messages` and decodes them from a stream cut at `cuts`.
#[track_caller]
fn check<C>(codec: C, messages: &[Vec<u8>], cuts: &[usize])
where
    C: Clone + Encoder<Vec<u8>> + Decoder<Item: AsRef<[u8]>>,
{
    let mut dst = ByteBuf::new();
    let mut encoder = codec.clone();
    for message in messages {
        encoder.encode(message.clone(), &mut dst).expect("a message");
    }
    let outcome = run(&mut codec.clone(), &cut(&dst, cuts));
    assert_eq!(outcome.error, None);
    assert_eq!(outcome.items, messages);
}

fn messages() -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(vec(any::<u8>(), 0..200), 0..8)
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    vec(any::<usize>(), 0..6)
}

/// A byte that means something to one of the decoders, more often than not.
fn sly_byte() -> impl Strategy<Value = u8> {
    prop_oneof![Just(b'\n'), Just(b'\r'), Just(b'-'), 0u8..12, any::<u8>()]
}

fn width() -> impl Strategy<Value = Width> {
    (0..5usize).prop_map(|n| [Width::U8, Width::U16, Width::U24, Width::U32, Width::U64][n])
}

/// Messages without the bytes of any delimiter used here.
fn plain() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let byte = any::<u8>().prop_filter("no delimiter", |byte| !b"\n;-".contains(byte));
    vec(vec(byte, 0..60), 0..8)
}

proptest! {
    #[test]
    fn length_field(
        width in width(), little in any::<bool>(), adjustment in -50i64..=0, fail_fast in any::<bool>(),
        messages in messages(), cuts in cuts(),
    ) {
        let mut codec = LengthField::new(width)
            .strip(width.bytes())
            .adjustment(adjustment)
            .fail_fast(fail_fast);
        if little {
            codec = codec.little_endian();
        }
        check(codec, &messages, &cuts);
    }

    #[test]
    fn length_field_inside_a_header(
        width in width(), offset in 0usize..5, messages in messages(), cuts in cuts(),
    ) {
        let codec = LengthField::new(width).offset(offset);
        let with_headers: Vec<_> = messages.iter().map(|body| {
            let length = (body.len() as u64).to_be_bytes();
            [&b"HEADER"[..offset], &length[8 - width.bytes()..], body].concat()
        }).collect();
        check(codec, &with_headers, &cuts);
    }

    #[test]
    fn varint32(messages in messages(), cuts in cuts()) {
        check(Varint32::new(), &messages, &cuts);
    }

    #[test]
    fn fixed_length(messages in vec(vec(any::<u8>(), 7), 0..8), cuts in cuts()) {
        check(FixedLength::new(7), &messages, &cuts);
    }

    #[test]
    fn line(messages in plain(), crlf in any::<bool>(), cuts in cuts()) {
        check(Line::new().max_line(60).crlf(crlf), &messages, &cuts);
    }

    #[test]
    fn delimiter(messages in plain(), cuts in cuts()) {
        check(Delimiter::new("--").or(";").or("\r\n").max_frame(60), &messages, &cuts);
    }

    #[test]
    fn text_lines(messages in vec("[^\n]{0,40}", 0..8), cuts in cuts()) {
        let mut codec = TextLines::new();
        let mut dst = ByteBuf::new();
        for message in &messages {
            codec.encode(message.clone(), &mut dst).expect("a line");
        }
        let outcome = run(&mut codec, &cut(&dst, &cuts));
        prop_assert_eq!(outcome.error, None);
        let items: Vec<_> = messages.into_iter().map(String::into_bytes).collect();
        prop_assert_eq!(outcome.items, items);
    }

    /// Any bytes at all: whatever the cut, it gives what the whole gives.
    #[test]
    fn any_bytes_any_cut(bytes in vec(sly_byte(), 0..60), at in cuts()) {
        for (name, decoder) in decoders() {
            prop_assert_eq!(decoder.run(&cut(&bytes, &at)), decoder.run(&[&bytes]), "{}", name);
        }
    }
}
