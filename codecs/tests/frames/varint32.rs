//! `Varint32`.

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder};
use fyke_codecs::frames::Varint32;

use crate::{error_of, failure, frames, wire};

/// Lengths and how they are written.
const LENGTHS: [(u32, &[u8]); 9] = [
    (0, b"\x00"),
    (1, b"\x01"),
    (0x7F, b"\x7F"),
    (0x80, b"\x80\x01"),
    (0x3FFF, b"\xFF\x7F"),
    (0x4000, b"\x80\x80\x01"),
    (0x1F_FFFF, b"\xFF\xFF\x7F"),
    (0x0FFF_FFFF, b"\xFF\xFF\xFF\x7F"),
    (0xFFFF_FFFF, b"\xFF\xFF\xFF\xFF\x0F"),
];

#[test]
fn lengths_of_one_to_five_bytes() {
    for (length, header) in LENGTHS {
        if length <= 0x4000 {
            let body = vec![7; length as usize];
            let stream = [header, &body].concat();
            assert_eq!(wire(Varint32::new(), body.clone()), stream);
            assert_eq!(frames(Varint32::new(), &stream), [body]);
        }
        // The limit below: the error names the length that was read.
        if length > 0 {
            let mut codec = Varint32::new().max_frame(length as usize - 1);
            match codec.decode(&mut ByteBuf::from(header)) {
                Err(CodecError::TooLarge { size, .. }) => assert_eq!(size, u64::from(length)),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_length_over_32_bits_is_malformed() {
    let malformed = "malformed input: the varint length of a frame is over 32 bits";
    for header in [&b"\xFF\xFF\xFF\xFF\x10"[..], b"\x80\x80\x80\x80\x80\x00", &[0xFF; 10]] {
        assert_eq!(failure(Varint32::new(), header), malformed, "{header:?}");
    }
}

#[test]
fn a_longer_spelling_is_accepted() {
    assert_eq!(frames(Varint32::new(), b"\x82\x80\x80\x80\x00ok"), [b"ok"]);
}

#[test]
fn the_limit_counts_the_message() {
    let codec = Varint32::new().max_frame(2);
    assert_eq!(frames(codec.clone(), b"\x02ok\x00"), [&b"ok"[..], b""]);
    assert_eq!(failure(codec, b"\x03"), "a frame of 3 bytes is over the limit of 2 bytes");
}

#[test]
fn a_length_never_allocates() {
    let mut codec = Varint32::new().max_frame(usize::MAX);
    let mut src = ByteBuf::from(b"\xFF\xFF\xFF\xFF\x0Fabc");
    let before = src.capacity();
    assert!(codec.decode(&mut src).expect("it may come").is_none());
    assert_eq!((src.capacity(), src.readable()), (before, 8));
}

#[test]
fn failing_late_skips_the_frame_first() {
    let mut codec = Varint32::new().max_frame(2).fail_fast(false);
    let mut src = ByteBuf::from(b"\x04ab");
    assert!(codec.decode(&mut src).expect("not yet").is_none());
    assert!(src.is_empty());
    src.write_slice(b"cd\x02ok");
    let error = error_of(&mut codec, &mut src);
    assert!(matches!(error, CodecError::TooLarge { size: 4, limit: 2, .. }));
    assert_eq!(codec.decode(&mut src).expect("sound").expect("whole").as_slice(), b"ok");
}

#[test]
fn a_stream_that_ends_inside_a_frame_is_truncated() {
    let truncated = "the stream ended inside a message, 2 bytes are left over";
    assert_eq!(failure(Varint32::new(), b"\x80\x80"), truncated);
    assert_eq!(failure(Varint32::new(), b"\x02ok\x02a"), truncated);
    assert!(frames(Varint32::new(), b"").is_empty());
    let late = Varint32::new().max_frame(2).fail_fast(false);
    assert_eq!(failure(late, b"\x05ab"), "a frame of 5 bytes is over the limit of 2 bytes");
}
