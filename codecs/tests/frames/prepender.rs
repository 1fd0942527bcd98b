//! `LengthFieldPrepender` with Netty's options.

use fyke_codecs::frames::{LengthField, LengthFieldPrepender, Width};

use crate::{frames, refusal, wire};

#[test]
fn the_length_of_the_message_in_front_of_it() {
    let plain = LengthFieldPrepender::new(Width::U16);
    assert_eq!(wire(plain, "HELLO, WORLD"), b"\x00\x0CHELLO, WORLD");
}

#[test]
fn the_length_may_count_itself() {
    let own = LengthFieldPrepender::new(Width::U16).includes_length(true);
    assert_eq!(wire(own, "HELLO, WORLD"), b"\x00\x0EHELLO, WORLD");
}

#[test]
fn the_adjustment_is_added() {
    let less = LengthFieldPrepender::new(Width::U32).adjustment(-1);
    assert_eq!(wire(less, "abc"), b"\0\0\0\x02abc");
    let both = LengthFieldPrepender::new(Width::U32).includes_length(true).adjustment(-2);
    assert_eq!(wire(both, "abc"), b"\0\0\0\x05abc");
}

#[test]
fn little_endian() {
    let codec = LengthFieldPrepender::new(Width::U24).little_endian();
    assert_eq!(wire(codec, "abc"), b"\x03\0\0abc");
}

#[test]
fn lengths_the_field_cannot_say_are_refused() {
    let negative = "cannot be encoded: the adjusted length is negative";
    let codec = LengthFieldPrepender::new(Width::U16).adjustment(-4);
    assert_eq!(refusal(codec, "abc"), negative);
    let narrow = "cannot be encoded: the length field is too narrow for the frame";
    let codec = LengthFieldPrepender::new(Width::U8).includes_length(true);
    assert_eq!(refusal(codec, [0; 255]), narrow);
}

#[test]
fn the_matching_decoder_has_the_adjustment_with_the_other_sign() {
    let sent = wire(LengthFieldPrepender::new(Width::U32).includes_length(true), "abc");
    let decoder = LengthField::u32().adjustment(-4);
    assert_eq!(frames(decoder, &sent), [b"abc"]);
}
