//! A check that cannot fail proves nothing: here are good decoders that pass, and broken ones,
//! each with one fault, that do not.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use fyke_buffer::ByteBuf;

use super::*;
use crate::Encoder;

/// A byte of length, then that many bytes; lengths above 100 are refused. The good one.
#[derive(Debug)]
struct Frames;

const FRAME_BYTES_MAX: u8 = 100;

fn decode_frame(src: &mut ByteBuf) -> Result<Option<ByteBuf>, CodecError> {
    let Some(&length) = src.first() else { return Ok(None) };
    if length > FRAME_BYTES_MAX {
        return Err(CodecError::malformed("length"));
    }
    if src.readable() <= usize::from(length) {
        return Ok(None);
    }
    let mut frame = src.split_to(1 + usize::from(length));
    frame.skip(1).map_err(CodecError::peer)?;
    Ok(Some(frame))
}

impl Decoder for Frames {
    type Item = ByteBuf;

    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<ByteBuf>, CodecError> {
        decode_frame(src)
    }
}

impl Encoder<&'static [u8]> for Frames {
    fn encode(&mut self, msg: &'static [u8], dst: &mut ByteBuf) -> Result<(), CodecError> {
        let length = u8::try_from(msg.len()).ok().filter(|length| *length <= FRAME_BYTES_MAX);
        let length = length.ok_or(CodecError::Unencodable { what: "too long" })?;
        dst.write_u8(length);
        dst.write_slice(msg);
        Ok(())
    }
}

/// The same format by a decoder that keeps its place in between. A good one, too.
#[derive(Debug, Default)]
struct Stateful {
    missing: Option<usize>,
    body: Vec<u8>,
}

impl Decoder for Stateful {
    type Item = Vec<u8>;

    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<Vec<u8>>, CodecError> {
        let missing = match self.missing {
            Some(missing) => missing,
            None if src.is_empty() => return Ok(None),
            None => usize::from(src.read_u8().map_err(CodecError::peer)?),
        };
        let part = src.split_to(missing.min(src.readable()));
        self.body.extend_from_slice(&part);
        self.missing = Some(missing - part.readable());
        if self.missing != Some(0) {
            return Ok(None);
        }
        self.missing = None;
        Ok(Some(core::mem::take(&mut self.body)))
    }
}

/// A decoder from a function and a state, for faults that fit on a few lines.
struct Broken<S, F> {
    state: S,
    decode: F,
}

impl<S, F> Decoder for Broken<S, F>
where
    S: 'static,
    F: FnMut(&mut S, &mut ByteBuf) -> Result<Option<ByteBuf>, CodecError> + 'static,
{
    type Item = ByteBuf;

    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<ByteBuf>, CodecError> {
        (self.decode)(&mut self.state, src)
    }
}

fn violation_of<S: Default + 'static>(
    decode: fn(&mut S, &mut ByteBuf) -> Result<Option<ByteBuf>, CodecError>,
    input: &[u8],
) -> Violation {
    let make = || Broken { state: S::default(), decode };
    every_split(make, input).expect_err("the fault was not found")
}

fn feeding_of(violation: &Violation) -> Feeding {
    match violation {
        Violation::Differs { feeding, .. }
        | Violation::NoProgress { feeding }
        | Violation::Tampered { feeding } => *feeding,
    }
}

#[test]
fn good_decoders_pass() {
    let input = b"\x03abc\x00\x01d\x0512345";
    let frames: [&[u8]; 4] = [b"abc", b"", b"d", b"12345"];
    assert_every_split(|| Frames, input, &frames);
    assert_every_split(Stateful::default, input, &frames);
    assert_every_split(|| Frames, b"", &[] as &[&[u8]]);

    let outcome = every_split(|| Frames, input).unwrap();
    assert_eq!(outcome.items_before_eof, Some(4));
    assert_eq!(outcome.into_result().unwrap().len(), 4);
}

#[test]
fn errors_are_outcomes_with_the_items_before_them() {
    let before: [&[u8]; 2] = [b"abc", b"d"];
    assert_every_split_fails(
        || Frames,
        b"\x03abc\x01d\xFFrest",
        &before,
        |error| matches!(error, CodecError::Malformed { what: "length" }),
    );
    assert_every_split_fails(
        || Frames,
        b"\x03abc\x01d\x04res",
        &before,
        |error| matches!(error, CodecError::Truncated { left: 4 }),
    );
    let outcome = every_split(|| Frames, b"\xFF").unwrap();
    assert_eq!(outcome.items_before_eof, None);
    assert!(outcome.into_result().is_err());
}

#[test]
fn items_that_cannot_be_compared_have_keys() {
    struct Opaque(ByteBuf);
    struct Opaques;
    impl Decoder for Opaques {
        type Item = Opaque;
        fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<Opaque>, CodecError> {
            Ok(decode_frame(src)?.map(Opaque))
        }
    }
    let outcome = every_split_by(|| Opaques, b"\x02ab\x03cde", |item| item.0.readable()).unwrap();
    assert_eq!(outcome.items, [2, 3]);
}

#[test]
fn finds_a_byte_lost_at_a_cut() {
    // Takes the length at once and forgets it when the body is not there yet.
    let violation = violation_of::<()>(
        |(), src| {
            let Ok(length) = src.read_u8() else { return Ok(None) };
            Ok(src.try_split_to(usize::from(length)).ok())
        },
        b"\x02ab\x01c",
    );
    assert!(matches!(violation, Violation::Differs { .. }), "{violation}");
}

#[test]
fn finds_an_item_that_comes_twice() {
    // Having waited, it leaves the frame in the buffer the first time.
    let violation = violation_of::<bool>(
        |waited, src| {
            let copy = ByteBuf::from(&src[..]);
            match decode_frame(src)? {
                Some(frame) if *waited => {
                    *waited = false;
                    *src = copy;
                    Ok(Some(frame))
                }
                None if !src.is_empty() => {
                    *waited = true;
                    Ok(None)
                }
                other => Ok(other),
            }
        },
        b"\x02ab",
    );
    let Violation::Differs { difference, .. } = &violation else { panic!("{violation}") };
    assert!(difference.starts_with("2 items instead of 1"), "{violation}");
}

#[test]
fn finds_an_order_that_depends_on_the_arrival() {
    // Takes all frames there are and gives the last one out first.
    let violation = violation_of::<Vec<ByteBuf>>(
        |stack, src| {
            while let Some(frame) = decode_frame(src)? {
                stack.push(frame);
            }
            Ok(stack.pop())
        },
        b"\x01a\x01b",
    );
    let Violation::Differs { difference, .. } = &violation else { panic!("{violation}") };
    assert!(difference.starts_with("item 0 is"), "{violation}");
}

#[test]
fn finds_what_only_a_cut_into_two_shows() {
    // Fails when exactly five bytes of a frame were there before, and no other number.
    let violation = violation_of::<Vec<usize>>(
        |seen, src| {
            let decoded = decode_frame(src)?;
            match decoded {
                None => seen.push(src.readable()),
                Some(_) if *seen == [5] => return Err(CodecError::malformed("five")),
                Some(_) => seen.clear(),
            }
            Ok(decoded)
        },
        b"\x08abcdefgh",
    );
    assert_eq!(feeding_of(&violation), Feeding::Two { cut: 5 });
}

#[test]
fn finds_what_only_a_cut_into_three_shows() {
    // Survives one wait and many, but not two.
    let violation = violation_of::<u32>(
        |waits, src| {
            let decoded = decode_frame(src)?;
            match decoded {
                None => *waits += 1,
                Some(_) if *waits == 2 => return Err(CodecError::malformed("two waits")),
                Some(_) => *waits = 0,
            }
            Ok(decoded)
        },
        b"\x08abcdefgh",
    );
    assert_eq!(feeding_of(&violation), Feeding::Three { cuts: [1, 2] });
}

#[test]
fn finds_a_decoder_that_counts_calls() {
    // Takes a call without news for a fault of the peer.
    let violation = violation_of::<Vec<u8>>(
        |last, src| {
            if !src.is_empty() && *last == src[..] {
                return Err(CodecError::malformed("no news"));
            }
            *last = src.to_vec();
            decode_frame(src)
        },
        b"\x02ab",
    );
    assert_eq!(feeding_of(&violation), Feeding::IdleDrip);
}

#[test]
fn finds_an_error_that_depends_on_the_arrival() {
    let violation = violation_of::<()>(
        |(), src| match decode_frame(src) {
            Err(_) => {
                let size = src.readable() as u64;
                Err(CodecError::TooLarge { what: "frame", size, limit: 100 })
            }
            decoded => decoded,
        },
        b"\x01a\xFFbcd",
    );
    let Violation::Differs { difference, .. } = &violation else { panic!("{violation}") };
    assert!(difference.starts_with("the error is Some"), "{violation}");
}

#[test]
fn finds_an_end_that_depends_on_the_arrival() {
    /// Gives out at the end how often it was called.
    #[derive(Default)]
    struct Calls(u32);
    impl Decoder for Calls {
        type Item = u32;
        fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<u32>, CodecError> {
            self.0 += 1;
            src.clear();
            Ok(None)
        }
        fn decode_eof(&mut self, _: &mut ByteBuf) -> Result<Option<u32>, CodecError> {
            let calls = core::mem::take(&mut self.0);
            Ok((calls > 0).then_some(calls))
        }
    }
    let violation = every_split(Calls::default, b"abc").unwrap_err();
    assert_eq!(
        violation.to_string(),
        "the input byte after byte is decoded otherwise than all at once: item 0 is 3 instead of 1"
    );
}

#[test]
fn finds_an_item_that_waits_for_the_end_only_sometimes() {
    /// Gives the last byte out before the end when it came alone, and at the end otherwise.
    #[derive(Default)]
    struct Late;
    impl Decoder for Late {
        type Item = u8;
        fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<u8>, CodecError> {
            Ok(if src.readable() == 2 { src.read_u8().ok() } else { None })
        }
        fn decode_eof(&mut self, src: &mut ByteBuf) -> Result<Option<u8>, CodecError> {
            Ok(src.read_u8().ok())
        }
    }
    let violation = every_split(Late::default, b"abc").unwrap_err();
    let Violation::Differs { difference, .. } = &violation else { panic!("{violation}") };
    assert!(difference.starts_with("the end of the stream was seen after Some(2)"), "{violation}");
}

#[test]
fn finds_a_decoder_that_never_stops() {
    let violation = violation_of::<()>(|(), _| Ok(Some(ByteBuf::new())), b"");
    assert_eq!(violation, Violation::NoProgress { feeding: Feeding::Whole });

    /// Stops while the stream lasts, and not at its end.
    struct Endless;
    impl Decoder for Endless {
        type Item = ();
        fn decode(&mut self, _: &mut ByteBuf) -> Result<Option<()>, CodecError> {
            Ok(None)
        }
        fn decode_eof(&mut self, _: &mut ByteBuf) -> Result<Option<()>, CodecError> {
            Ok(Some(()))
        }
    }
    let violation = every_split(|| Endless, b"a").unwrap_err();
    assert_eq!(violation, Violation::NoProgress { feeding: Feeding::Whole });
}

#[test]
fn several_items_from_one_byte_are_fine() {
    /// Repeats a byte as often as it says.
    #[derive(Default)]
    struct Unpack(Vec<u8>);
    impl Decoder for Unpack {
        type Item = u8;
        fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<u8>, CodecError> {
            if self.0.is_empty() {
                let Ok(count) = src.read_u8() else { return Ok(None) };
                self.0 = vec![count; usize::from(count)];
            }
            Ok(self.0.pop())
        }
    }
    assert_every_split(Unpack::default, &[3, 1, 200], &[&[3; 3][..], &[1], &[200; 200]].concat());
}

#[test]
fn finds_a_decoder_that_tampers_with_its_buffer() {
    let adds = violation_of::<()>(
        |(), src| {
            src.write_u8(0);
            Ok(None)
        },
        b"\x01a",
    );
    assert_eq!(adds, Violation::Tampered { feeding: Feeding::Whole });

    let changes = violation_of::<()>(
        |(), src| {
            if let Some(first) = src.first_mut() {
                *first = b'x';
            }
            Ok(None)
        },
        b"a",
    );
    assert_eq!(changes, Violation::Tampered { feeding: Feeding::Whole });

    let takes_from_the_end = violation_of::<()>(
        |(), src| {
            src.truncate(1);
            Ok(None)
        },
        b"ab",
    );
    assert_eq!(takes_from_the_end, Violation::Tampered { feeding: Feeding::Whole });
}

#[test]
#[should_panic(expected = "decoded otherwise than all at once")]
fn the_assertion_panics_for_a_violation() {
    let make = || Broken {
        state: (),
        decode: |(): &mut (), src: &mut ByteBuf| {
            if src.is_empty() { Ok(None) } else { Ok(Some(src.split())) }
        },
    };
    assert_every_split(make, b"ab", &[b"ab"]);
}

#[test]
#[should_panic(expected = "are not the expected ones")]
fn the_assertion_panics_for_other_items() {
    assert_every_split(|| Frames, b"\x01a", &[b"b"]);
}

#[test]
#[should_panic(expected = "the stream ended inside a message")]
fn the_assertion_panics_for_an_error() {
    assert_every_split(|| Frames, b"\x01a\x01", &[b"a"]);
}

#[test]
#[should_panic(expected = "expected an error")]
fn the_assertion_of_failure_panics_for_success() {
    assert_every_split_fails(|| Frames, b"\x01a", &[b"a"], |_| true);
}

#[test]
#[should_panic(expected = "another error than the expected one")]
fn the_assertion_of_failure_panics_for_another_error() {
    assert_every_split_fails(
        || Frames,
        b"\x01a\xFF",
        &[b"a"],
        |error| matches!(error, CodecError::Truncated { .. }),
    );
}

#[test]
#[should_panic(expected = "items before the error")]
fn the_assertion_of_failure_panics_for_other_items() {
    assert_every_split_fails(|| Frames, b"\x01a\xFF", &[b"b"], |_| true);
}

#[test]
fn messages_go_round() {
    let messages: [&'static [u8]; 3] = [b"hello", b"", b"x"];
    assert_eq!(assert_round_trip(Frames, || Frames, &messages), b"\x05hello\x00\x01x");
    assert_eq!(assert_round_trip(Frames, || Frames, &[] as &[&'static [u8]]), b"");
}

#[test]
fn a_round_trip_can_fail_in_every_way() {
    /// What [`Frames`] sends, with one fault each.
    struct Faulty(&'static str);
    impl Encoder<&'static [u8]> for Faulty {
        fn encode(&mut self, msg: &'static [u8], dst: &mut ByteBuf) -> Result<(), CodecError> {
            if self.0 == "overwrites" {
                dst.clear();
            }
            Frames.encode(msg, dst)?;
            match self.0 {
                "changes" if msg.len() > 1 => dst.truncate(dst.readable() - 1),
                "adds" => dst.write_u8(0),
                "breaks" => dst.write_u8(0xFF),
                _ => {}
            }
            if self.0 == "changes" && msg.len() > 1 {
                dst.write_u8(b'?');
            }
            Ok(())
        }
    }
    let messages: &[&'static [u8]] = &[b"a", b"bc"];
    let error = |fault| round_trip(Faulty(fault), || Frames, messages).unwrap_err();
    assert!(matches!(error("overwrites"), RoundTripError::Overwrote { message: 1 }));
    assert!(matches!(error("adds"), RoundTripError::Differs { .. }));
    assert!(matches!(error("breaks"), RoundTripError::Decode { messages: 1, .. }));
    let changed: String = error("changes").to_string();
    assert!(changed.starts_with("decoded is not encoded: message 1 is"), "{changed}");

    let long: &[&'static [u8]] = &[b"a", &[0; 101]];
    let refused = round_trip(Frames, || Frames, long).unwrap_err();
    assert!(matches!(refused, RoundTripError::Encode { message: 1, .. }), "{refused}");

    let forgetful = || Broken {
        state: (),
        decode: |(): &mut (), src: &mut ByteBuf| {
            let Ok(length) = src.read_u8() else { return Ok(None) };
            Ok(src.try_split_to(usize::from(length)).ok())
        },
    };
    let depends = round_trip(Frames, forgetful, messages).unwrap_err();
    assert!(matches!(depends, RoundTripError::Violation(Violation::Differs { .. })), "{depends}");
}
