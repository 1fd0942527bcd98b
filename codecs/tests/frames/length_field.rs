//! The cases of Netty's documentation, then what a peer may do wrong.

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder, Fault};
use fyke_codecs::frames::{DEFAULT_MAX_FRAME_BYTES, LengthField, Width};

use crate::{error_of, failure, frames, refusal, run, wire};

/// One frame in, one item out, twice in a row on one stream.
#[track_caller]
fn case(codec: LengthField, frame: &[u8], item: &[u8]) {
    let twice = [frame, frame].concat();
    assert_eq!(frames(codec, &twice), [item, item]);
}

#[test]
fn two_bytes_at_the_front_nothing_stripped() {
    case(LengthField::new(Width::U16), b"\x00\x0CHELLO, WORLD", b"\x00\x0CHELLO, WORLD");
}

#[test]
fn two_bytes_at_the_front_stripped() {
    case(LengthField::new(Width::U16).strip(2), b"\x00\x0CHELLO, WORLD", b"HELLO, WORLD");
    case(LengthField::u16(), b"\x00\x0CHELLO, WORLD", b"HELLO, WORLD");
}

#[test]
fn the_length_counts_the_whole_message() {
    let codec = LengthField::new(Width::U16).adjustment(-2);
    case(codec, b"\x00\x0EHELLO, WORLD", b"\x00\x0EHELLO, WORLD");
}

#[test]
fn three_bytes_at_the_end_of_a_header_of_five() {
    let codec = LengthField::new(Width::U24).offset(2);
    case(codec, b"\xCA\xFE\x00\x00\x0CHELLO, WORLD", b"\xCA\xFE\x00\x00\x0CHELLO, WORLD");
}

#[test]
fn three_bytes_at_the_front_of_a_header_of_five() {
    let codec = LengthField::new(Width::U24).adjustment(2);
    case(codec, b"\x00\x00\x0C\xCA\xFEHELLO, WORLD", b"\x00\x00\x0C\xCA\xFEHELLO, WORLD");
}

#[test]
fn two_bytes_in_the_middle_of_a_header_of_four_first_part_stripped() {
    let codec = LengthField::new(Width::U16).offset(1).adjustment(1).strip(3);
    case(codec, b"\xCA\x00\x0C\xFEHELLO, WORLD", b"\xFEHELLO, WORLD");
}

#[test]
fn the_same_where_the_length_counts_the_whole_message() {
    let codec = LengthField::new(Width::U16).offset(1).adjustment(-3).strip(3);
    case(codec, b"\xCA\x00\x10\xFEHELLO, WORLD", b"\xFEHELLO, WORLD");
}

#[test]
fn every_width_in_both_byte_orders() {
    let big: [(LengthField, &[u8]); 5] = [
        (LengthField::u8(), b"\x02ok"),
        (LengthField::u16(), b"\0\x02ok"),
        (LengthField::u24(), b"\0\0\x02ok"),
        (LengthField::u32(), b"\0\0\0\x02ok"),
        (LengthField::u64(), b"\0\0\0\0\0\0\0\x02ok"),
    ];
    for (codec, frame) in big {
        case(codec.clone(), frame, b"ok");
        assert_eq!(wire(codec.clone(), "ok"), frame);

        let mut reversed = frame.to_vec();
        let width = frame.len() - 2;
        reversed[..width].reverse();
        case(codec.clone().little_endian(), &reversed, b"ok");
        assert_eq!(wire(codec.little_endian(), "ok"), reversed);
    }
}

#[test]
fn every_byte_of_the_length_counts() {
    for (codec, field, length) in [
        (LengthField::u16(), &b"\x01\x02"[..], 0x0102),
        (LengthField::u24(), b"\x01\x02\x03", 0x01_0203),
        (LengthField::u32(), b"\x01\x02\x03\x04", 0x0102_0304),
        (LengthField::u64(), b"\x01\x02\x03\x04\x05\x06\x07\x08", 0x0102_0304_0506_0708),
    ] {
        let limit = field.len() + 1;
        let mut src = ByteBuf::from(field);
        match codec.max_frame(limit).decode(&mut src) {
            Err(CodecError::TooLarge { size, .. }) => assert_eq!(size, length + field.len() as u64),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn empty_messages_are_messages() {
    assert_eq!(frames(LengthField::u16(), b"\0\0\0\x01x\0\0"), [&b""[..], b"x", b""]);
}

#[test]
fn a_frame_of_the_limit_passes_one_byte_more_does_not() {
    let codec = LengthField::u16().max_frame(7);
    assert_eq!(frames(codec.clone(), b"\0\x05abcde"), [b"abcde"]);
    assert_eq!(failure(codec, b"\0\x06abcdef"), "a frame of 8 bytes is over the limit of 7 bytes");
    let huge = DEFAULT_MAX_FRAME_BYTES as u32 - 3;
    assert!(failure(LengthField::u32(), &huge.to_be_bytes()).contains("over the limit"));
}

#[test]
fn failing_fast_needs_only_the_header() {
    let mut codec = LengthField::u32();
    let error = codec.decode(&mut ByteBuf::from(b"\x7F\xFF\xFF\xFF")).expect_err("too large");
    assert_eq!(error.fault(), Fault::Peer);
    assert!(matches!(error, CodecError::TooLarge { size: 0x8000_0003, limit: 0x10_0000, .. }));
}

#[test]
fn failing_late_skips_the_frame_first_and_keeps_none_of_it() {
    let mut codec = LengthField::u16().max_frame(100).fail_fast(false);
    let mut src = ByteBuf::from(b"\x27\x10");
    for _ in 0..99 {
        src.write_slice(&[7; 100]);
        assert!(codec.decode(&mut src).expect("not yet").is_none());
        assert!(src.is_empty());
    }
    assert!(src.capacity() <= 1024, "{} bytes are held", src.capacity());
    src.write_slice(&[7; 100]);
    src.write_slice(b"\0\x02ok");
    let error = error_of(&mut codec, &mut src);
    assert!(matches!(error, CodecError::TooLarge { size: 10_002, limit: 100, .. }), "{error}");
    let next = codec.decode(&mut src).expect("the next frame").expect("whole");
    assert_eq!(next.as_slice(), b"ok");
}

#[test]
fn who_goes_on_after_failing_fast_gets_the_next_frame() {
    let mut codec = LengthField::u8().max_frame(3);
    let mut src = ByteBuf::from(b"\x01a\x05vw");
    let error = error_of(&mut codec, &mut src);
    assert!(matches!(error, CodecError::TooLarge { size: 6, limit: 3, .. }));
    src.write_slice(b"xyz\x02ok");
    assert_eq!(codec.decode(&mut src).expect("sound").expect("whole").as_slice(), b"ok");
}

#[test]
fn a_length_never_allocates() {
    let mut codec = LengthField::u32().max_frame(usize::MAX);
    let mut src = ByteBuf::from(b"\xFF\xFF\xFF\xFFabc");
    let before = src.capacity();
    assert!(codec.decode(&mut src).expect("it may come").is_none());
    assert_eq!(src.capacity(), before);
    assert_eq!(src.readable(), 7);
}

#[test]
fn impossible_lengths_are_malformed() {
    let negative = "malformed input: the length of a frame is negative";
    assert_eq!(failure(LengthField::u64(), &[0xFF; 8]), negative);
    let sum = LengthField::u64().adjustment(i64::MAX);
    assert_eq!(failure(sum, &u64::MAX.to_be_bytes()), negative);

    let adjusted = "malformed input: the adjusted length of a frame is negative";
    assert_eq!(failure(LengthField::u16().adjustment(-3), b"\0\x02abc"), adjusted);
    assert_eq!(failure(LengthField::u8().adjustment(i64::MIN), b"\xFFabc"), adjusted);

    let short = "malformed input: a frame is shorter than the bytes to strip off it";
    assert_eq!(failure(LengthField::u16().strip(5), b"\0\x02ab\0\x02ab"), short);
}

#[test]
fn the_largest_lengths_do_not_overflow() {
    for adjustment in [0, 1, -1, i64::MAX, i64::MIN] {
        for length in [0, 1, i64::MAX as u64 - 1, i64::MAX as u64, u64::MAX] {
            for fail_fast in [true, false] {
                let mut codec = LengthField::u64().adjustment(adjustment).fail_fast(fail_fast);
                let stream = [&length.to_be_bytes()[..], b"some bytes"].concat();
                let outcome = run(&mut codec, &[&stream]);
                // The text is the header of a frame that is too large, if not the first one.
                assert!(outcome.error.is_some() && outcome.items.len() <= 1, "{outcome:?}");
            }
        }
    }
}

#[test]
fn options_no_header_can_meet_do_not_panic() {
    let far = LengthField::new(Width::U8).offset(usize::MAX).strip(usize::MAX);
    assert!(failure(far, b"abc").contains("ended inside a message"));
    let none = LengthField::u8().max_frame(0);
    assert_eq!(failure(none, b"\0"), "a frame of 1 bytes is over the limit of 0 bytes");
}

#[test]
fn a_stream_that_ends_inside_a_frame_is_truncated() {
    let truncated = "the stream ended inside a message, ";
    assert_eq!(failure(LengthField::u32(), b"\0\0"), format!("{truncated}2 bytes are left over"));
    assert_eq!(
        failure(LengthField::u32(), b"\0\0\0\x02ab\0\0\0\x02a"),
        format!("{truncated}5 bytes are left over")
    );
    // Inside a frame that is being skipped the limit is what there is to report.
    let late = LengthField::u8().max_frame(4).fail_fast(false);
    assert_eq!(failure(late, b"\x09abc"), "a frame of 10 bytes is over the limit of 4 bytes");
}

#[test]
fn what_it_encodes_it_decodes() {
    let own = LengthField::u16().adjustment(-2);
    assert_eq!(wire(own.clone(), "abc"), b"\0\x05abc");
    assert_eq!(frames(own, b"\0\x05abc"), [b"abc"]);
    let less = LengthField::u16().adjustment(2);
    assert_eq!(wire(less, "abc"), b"\0\x01abc");
}

#[test]
fn a_message_with_its_own_header_is_checked() {
    let codec = LengthField::new(Width::U16).offset(1);
    assert_eq!(wire(codec.clone(), b"T\0\x02ok"), b"T\0\x02ok");
    let refused = "cannot be encoded: the length field in the message does not fit the message";
    assert_eq!(refusal(codec.clone(), b"T\0\x03ok"), refused);
    assert_eq!(refusal(codec.clone(), b"T\0"), refused);
    let lost = "cannot be encoded: the stripped header of a frame cannot be made again";
    assert_eq!(refusal(codec.strip(3), b"ok"), lost);
}

#[test]
fn what_the_field_cannot_say_is_refused() {
    assert_eq!(wire(LengthField::u8(), [0; 255]).len(), 256);
    let narrow = "cannot be encoded: the length field is too narrow for the frame";
    assert_eq!(refusal(LengthField::u8(), [0; 256]), narrow);
    let short = "cannot be encoded: the message is shorter than the length's adjustment";
    assert_eq!(refusal(LengthField::u8().adjustment(3), "ab"), short);
}

#[test]
fn a_full_outbound_buffer_is_an_error_and_takes_nothing() {
    use fyke_codec::Encoder;
    let mut dst = ByteBuf::with_max_capacity(8);
    let mut codec = LengthField::u32();
    codec.encode("1234", &mut dst).expect("it fits");
    let error = codec.encode("", &mut dst).expect_err("no room");
    assert_eq!(error.fault(), Fault::Caller);
    assert_eq!(dst.as_slice(), b"\0\0\0\x041234");
}

#[test]
fn every_kind_of_bytes_is_a_message() {
    let expected = b"\x02ok";
    assert_eq!(wire(LengthField::u8(), ByteBuf::from("ok")), expected);
    assert_eq!(wire(LengthField::u8(), bytes::Bytes::from_static(b"ok")), expected);
    assert_eq!(wire(LengthField::u8(), &b"ok"[..]), expected);
    assert_eq!(wire(LengthField::u8(), b"ok".to_vec()), expected);
    assert_eq!(wire(LengthField::u8(), String::from("ok")), expected);
}

#[test]
fn widths_have_their_numbers() {
    for bytes in 0..10 {
        let width = Width::from_bytes(bytes);
        assert_eq!(width.is_some(), [1, 2, 3, 4, 8].contains(&bytes));
        assert!(width.is_none_or(|width| width.bytes() == bytes));
    }
    let largest = [Width::U8, Width::U16, Width::U24, Width::U32, Width::U64].map(Width::max);
    assert_eq!(largest, [0xFF, 0xFFFF, 0xFF_FFFF, 0xFFFF_FFFF, u64::MAX]);
}
