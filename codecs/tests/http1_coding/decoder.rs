//! Compressed content that is in order, that is not, and that is a bomb.

use fyke_buffer::ByteBuf;
use fyke_codec::check::every_split_with;
use fyke_codec::{CodecError, Decoder};
use fyke_codecs::http1::coding::ContentCoding::{self, Deflate, Gzip};
use fyke_codecs::http1::coding::{ContentDecoder, DecompressionLimits};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::support::{noise, pack, text, unpack, unpack_with};

fn every_split(
    limits: DecompressionLimits,
    coding: ContentCoding,
    packed: &[u8],
) -> (Vec<u8>, Option<CodecError>) {
    let make = || ContentDecoder::new(coding, limits).expect("it is supported");
    let outcome = every_split_with(make, packed, |all: &mut Vec<Vec<u8>>, piece: ByteBuf| {
        assert!(!piece.is_empty(), "a piece is never empty");
        match all.last_mut() {
            Some(last) => last.extend_from_slice(&piece),
            None => all.push(piece.to_vec()),
        }
    });
    let outcome = outcome.unwrap_or_else(|violation| panic!("{coding}: {violation}"));
    (outcome.items.concat(), outcome.error)
}

#[test]
fn every_split_gives_the_same_content() {
    for &coding in ContentCoding::SUPPORTED {
        for content in [Vec::new(), b"x".to_vec(), text(300), noise(150)] {
            let packed = pack(coding, &content);
            let (read, error) = every_split(DecompressionLimits::new(), coding, &packed);
            assert!(error.is_none(), "{coding}: {error:?}");
            assert!(read == content, "{coding}, {} bytes", content.len());
        }
    }
}

/// RFC 1952 section 2.2.
#[test]
fn a_gzip_file_may_have_several_members() {
    let packed = [pack(Gzip, b"one, "), pack(Gzip, b""), pack(Gzip, b"two")].concat();
    let (read, error) = every_split(DecompressionLimits::new(), Gzip, &packed);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(read, b"one, two");
}

/// RFC 9110 section 8.4.1.2: some send deflate without the frame it should have.
#[test]
fn deflate_with_and_without_its_frame() {
    let framed = pack(Deflate, b"hello hello hello");
    let raw = &framed[2..framed.len() - 4];
    for packed in [&framed[..], raw] {
        let (read, error) = every_split(DecompressionLimits::new(), Deflate, packed);
        assert!(error.is_none(), "{error:?}");
        assert_eq!(read, b"hello hello hello");
    }
}

#[test]
fn no_content_at_all_is_empty_content() {
    for &coding in ContentCoding::SUPPORTED {
        assert_eq!(unpack(coding, b"").unwrap(), b"", "{coding}");
    }
}

#[test]
fn what_ends_early_is_truncated() {
    for &coding in ContentCoding::SUPPORTED {
        let packed = pack(coding, &text(200));
        for len in 1..packed.len() {
            let error = unpack(coding, &packed[..len]).expect_err("it is cut");
            assert!(matches!(error, CodecError::Truncated { .. }), "{coding}, {len}: {error}");
        }
    }
}

#[test]
fn what_follows_the_content_is_malformed() {
    for &coding in ContentCoding::SUPPORTED {
        let packed = [&pack(coding, b"hello")[..], b"hello, too"].concat();
        let (read, error) = every_split(DecompressionLimits::new(), coding, &packed);
        assert_eq!(read, b"hello", "{coding}");
        assert!(matches!(error, Some(CodecError::Malformed { .. })), "{coding}: {error:?}");
    }
}

#[test]
fn damage_is_noticed() {
    // gzip has a sum of all its content.
    let mut packed = pack(Gzip, &noise(500));
    let at = packed.len() - 6;
    packed[at] ^= 1;
    assert!(matches!(unpack(Gzip, &packed), Err(CodecError::Malformed { .. })));
    for &coding in ContentCoding::SUPPORTED {
        let error = unpack(coding, &[0xff; 50]).expect_err("it is no such stream");
        assert!(matches!(error, CodecError::Malformed { .. }), "{coding}: {error}");
    }
}

#[test]
fn the_limit_is_exact_however_the_input_is_cut() {
    let limits = DecompressionLimits::new().bytes_max(200);
    for &coding in ContentCoding::SUPPORTED {
        let (read, error) = every_split(limits, coding, &pack(coding, &text(200)));
        assert!(error.is_none() && read == text(200), "{coding}: {error:?}");
        let packed = pack(coding, &text(201));
        let error = unpack_with(limits, coding, &packed).expect_err("it is over the limit");
        assert!(matches!(error, CodecError::TooLarge { limit: 200, .. }), "{coding}: {error}");
    }
}

/// The ratio counts beyond 1 MiB of output only.
#[test]
fn bombs_are_defused() {
    let limits = DecompressionLimits::new().bytes_max(u64::MAX).ratio_max(100);
    for &coding in ContentCoding::SUPPORTED {
        let small = pack(coding, &vec![0; 1 << 20]);
        assert!(unpack_with(limits, coding, &small).is_ok(), "{coding}");
        let bomb = pack(coding, &vec![0; 8 << 20]);
        let mut decoder = ContentDecoder::new(coding, limits).unwrap();
        let mut src = ByteBuf::from(&bomb[..]);
        let error = loop {
            match decoder.decode(&mut src) {
                Ok(Some(_)) => {}
                Ok(None) => panic!("{coding}: all of it came out"),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, CodecError::TooLarge { .. }), "{coding}: {error}");
        let most = (1 << 20) + bomb.len() as u64 * 100 + (16 << 10);
        assert!(decoder.decoded_bytes() <= most, "{coding}: {}", decoder.decoded_bytes());
        // A text that compresses as texts do is no bomb.
        let honest = pack(coding, &text(2 << 20));
        let ratio = (2 << 20) / honest.len();
        assert_eq!(unpack_with(limits, coding, &honest).is_ok(), ratio <= 100, "{coding}: {ratio}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn noise_never_panics_and_is_bounded(
        input in vec(any::<u8>(), 0..300),
        start in any::<bool>(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let limits = DecompressionLimits::new().bytes_max(100_000);
        for &coding in ContentCoding::SUPPORTED {
            // Also what begins well and goes wrong later.
            let mut input = if start { pack(coding, &input) } else { input.clone() };
            if start {
                let at = at.index(input.len());
                input[at] = byte;
            }
            if let Ok(content) = unpack_with(limits, coding, &input) {
                prop_assert!(content.len() <= 100_000);
            }
        }
    }
}
