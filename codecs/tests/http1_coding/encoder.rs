//! What is compressed comes back, however it was written.

use fyke_buffer::ByteBuf;
use fyke_codec::Decoder;
use fyke_codecs::http1::coding::{
    ContentCoding, ContentDecoder, ContentEncoder, DecompressionLimits,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::support::{noise, pack, text, unpack};

#[test]
fn content_of_all_sizes_comes_back() {
    for &coding in ContentCoding::SUPPORTED {
        for size in [0, 1, 100, 4095, 4096, 4097, 70_000, 200_000] {
            let content = text(size);
            let packed = pack(coding, &content);
            assert!(unpack(coding, &packed).unwrap() == content, "{coding}, {size} bytes");
            assert!(size < 1000 || packed.len() < size / 4, "{coding}: {}", packed.len());
            let content = noise(size);
            assert!(unpack(coding, &pack(coding, &content)).unwrap() == content, "{coding}");
        }
    }
}

#[test]
fn what_has_been_flushed_can_be_read() {
    for &coding in ContentCoding::SUPPORTED {
        let mut encoder = ContentEncoder::new(coding, None).unwrap();
        let mut decoder = ContentDecoder::new(coding, DecompressionLimits::new()).unwrap();
        let mut wire = ByteBuf::new();
        for round in 0..20 {
            let content = text(1 + round * 300);
            encoder.write(&content, &mut wire).unwrap();
            assert!(encoder.is_unflushed());
            encoder.flush(&mut wire).unwrap();
            assert!(!encoder.is_unflushed());
            let before = wire.readable();
            encoder.flush(&mut wire).unwrap();
            assert_eq!(wire.readable(), before, "a second flush has nothing to send");
            let mut read = Vec::new();
            while let Some(piece) = decoder.decode(&mut wire).unwrap() {
                read.extend_from_slice(&piece);
            }
            assert!(read == content, "{coding}, round {round}");
        }
        encoder.finish(&mut wire).unwrap();
        assert!(decoder.decode(&mut wire).unwrap().is_none());
        assert!(decoder.decode_eof(&mut wire).unwrap().is_none());
        assert_eq!(decoder.coding(), coding);
    }
}

#[test]
fn levels_beyond_the_librarys_are_its_highest() {
    for &coding in ContentCoding::SUPPORTED {
        for level in [0, 1, 99] {
            let mut encoder = ContentEncoder::new(coding, Some(level)).unwrap();
            let mut packed = ByteBuf::new();
            encoder.write(b"hello", &mut packed).unwrap();
            encoder.finish(&mut packed).unwrap();
            assert_eq!(unpack(coding, &packed).unwrap(), b"hello");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn round_trips(
        pieces in vec((vec(any::<u8>(), 0..2000), any::<bool>()), 0..8),
        sizes in vec(1..300_usize, 1..5),
    ) {
        for &coding in ContentCoding::SUPPORTED {
            let mut encoder = ContentEncoder::new(coding, None).unwrap();
            let mut packed = ByteBuf::new();
            for (piece, flush) in &pieces {
                encoder.write(piece, &mut packed).unwrap();
                if *flush {
                    encoder.flush(&mut packed).unwrap();
                }
            }
            encoder.finish(&mut packed).unwrap();
            let content: Vec<u8> = pieces.iter().flat_map(|(piece, _)| piece.clone()).collect();
            let mut decoder = ContentDecoder::new(coding, DecompressionLimits::new()).unwrap();
            let (mut src, mut read) = (ByteBuf::new(), Vec::new());
            for size in sizes.iter().cycle() {
                if packed.is_empty() {
                    break;
                }
                let piece = packed.split_to((*size).min(packed.readable()));
                src.write_slice(&piece);
                while let Some(piece) = decoder.decode(&mut src).unwrap() {
                    read.extend_from_slice(&piece);
                }
            }
            prop_assert!(decoder.decode_eof(&mut src).unwrap().is_none());
            prop_assert!(read == content, "{}", coding);
        }
    }
}
