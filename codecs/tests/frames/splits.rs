//! No decoder may notice how its input was cut: same items, same error.

use fyke_codec::Decoder;
use fyke_codecs::frames::{Delimiter, FixedLength, LengthField, Line, TextLines, Varint32, Width};

use crate::{Outcome, decode, run};

/// A decoder to try.
pub(crate) trait Subject {
    /// What a fresh one makes of these chunks.
    fn run(&self, chunks: &[&[u8]]) -> Outcome;

    /// What fresh ones make of `stream`, cut in every way.
    fn every_split(&self, stream: &[u8]) -> Outcome;
}

impl<D: Decoder<Item: AsRef<[u8]>> + Clone> Subject for D {
    fn run(&self, chunks: &[&[u8]]) -> Outcome {
        run(&mut self.clone(), chunks)
    }

    fn every_split(&self, stream: &[u8]) -> Outcome {
        decode(self, stream)
    }
}

/// Every decoder with the options that matter for where it stops and goes on.
pub(crate) fn decoders() -> Vec<(&'static str, Box<dyn Subject>)> {
    let middle = LengthField::new(Width::U16).offset(1).adjustment(1).strip(3);
    let counted = LengthField::new(Width::U24).adjustment(-3).little_endian();
    let line = Line::new().max_line(4);
    let delimiter = Delimiter::new("--").or("\n").or("\r\n").max_frame(4);
    let overlapping = Delimiter::new("\r\n\r").or("\n").or("-\n").max_frame(4);
    vec![
        ("length, one byte", Box::new(LengthField::u8().max_frame(8))),
        ("length, one byte, late", Box::new(LengthField::u8().max_frame(5).fail_fast(false))),
        ("length inside a header", Box::new(middle.max_frame(9))),
        ("length that counts itself", Box::new(counted.max_frame(9).fail_fast(false))),
        ("length of eight bytes", Box::new(LengthField::u64().max_frame(16))),
        ("varint", Box::new(Varint32::new().max_frame(6))),
        ("varint, late", Box::new(Varint32::new().max_frame(6).fail_fast(false))),
        ("fixed length", Box::new(FixedLength::new(3))),
        ("line", Box::new(line.clone())),
        ("line, late", Box::new(line.clone().fail_fast(false))),
        ("line, kept", Box::new(line.clone().strip_delimiter(false))),
        ("text lines", Box::new(TextLines::from(line))),
        ("delimiter", Box::new(delimiter.clone())),
        ("delimiter, late", Box::new(delimiter.clone().fail_fast(false))),
        ("delimiter, kept", Box::new(delimiter.strip_delimiter(false))),
        ("overlapping delimiters", Box::new(overlapping.clone())),
        ("overlapping delimiters, late", Box::new(overlapping.fail_fast(false))),
    ]
}

/// Streams with whole frames, overlong ones, broken ones and cut-off ones for someone.
const STREAMS: [&[u8]; 16] = [
    b"",
    b"\x03abc\x00\x01x\x02",
    b"\x03abc\x07abcdefg\x01x",
    b"\x04abcd\x05abcde\x01x",
    b"\xCA\x00\x02\xFEok\xCA\x00\x00\xFE\xCA\x00\x09\xFEtoo long!",
    b"\x05\x00\x00ok\x03\x00\x00\x0A\x00\x00too big",
    b"\x05\x00\x00ok\x02\x00\x00broken",
    b"\0\0\0\0\0\0\0\x02ok\0\0\0\0\0\0\0\x08overlong\xFF\0\0\0\0\0\0\0",
    b"\0\0\0\0\0\0\0\x02ok\xFF\0\0\0\0\0\0\0",
    b"\x82\x80\x80\x80\x00ok\xFF\xFF\xFF\xFF\x1F",
    b"\x82\x00ok\x87\x00toolong\x80\x80",
    b"abcd\r\nab\n\n\r\na\rb\r",
    b"abcd\r\r\nab\n",
    b"ab\nabcdefgh\r\nok\nabcde",
    b"ab--abcd--\r\n-\n---\nabcd-x--ok\n",
    b"gr\xC3\xBC\n\xC3\n",
];

#[test]
fn no_cut_makes_a_difference() {
    for (name, decoder) in decoders() {
        for stream in STREAMS {
            // The cuts are compared with each other inside, here with a run of our own.
            assert_eq!(decoder.every_split(stream), decoder.run(&[stream]), "{name}: {stream:?}");
        }
    }
}
