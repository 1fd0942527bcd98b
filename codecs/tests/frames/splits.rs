//! No decoder may notice how its input was cut: same items, same error.

use fyke_codec::Decoder;
use fyke_codecs::frames::{Delimiter, FixedLength, LengthField, Line, TextLines, Varint32, Width};

use crate::{Outcome, run};

/// Runs a fresh decoder over chunks.
type Runner = Box<dyn Fn(&[&[u8]]) -> Outcome>;

/// Every decoder with the options that matter for where it stops and goes on.
pub(crate) fn decoders() -> Vec<(&'static str, Runner)> {
    fn runner<D: Decoder<Item: AsRef<[u8]>> + Clone>(decoder: D) -> Runner {
        Box::new(move |chunks| run(&mut decoder.clone(), chunks))
    }
    let middle = LengthField::new(Width::U16).offset(1).adjustment(1).strip(3);
    let counted = LengthField::new(Width::U24).adjustment(-3).little_endian();
    let line = Line::new().max_line(4);
    let delimiter = Delimiter::new("--").or("\n").or("\r\n").max_frame(4);
    let overlapping = Delimiter::new("\r\n\r").or("\n").or("-\n").max_frame(4);
    vec![
        ("length, one byte", runner(LengthField::u8().max_frame(8))),
        ("length, one byte, late", runner(LengthField::u8().max_frame(5).fail_fast(false))),
        ("length inside a header", runner(middle.max_frame(9))),
        ("length that counts itself", runner(counted.max_frame(9).fail_fast(false))),
        ("length of eight bytes", runner(LengthField::u64().max_frame(16))),
        ("varint", runner(Varint32::new().max_frame(6))),
        ("varint, late", runner(Varint32::new().max_frame(6).fail_fast(false))),
        ("fixed length", runner(FixedLength::new(3))),
        ("line", runner(line.clone())),
        ("line, late", runner(line.clone().fail_fast(false))),
        ("line, kept", runner(line.clone().strip_delimiter(false))),
        ("text lines", runner(TextLines::from(line))),
        ("delimiter", runner(delimiter.clone())),
        ("delimiter, late", runner(delimiter.clone().fail_fast(false))),
        ("delimiter, kept", runner(delimiter.strip_delimiter(false))),
        ("overlapping delimiters", runner(overlapping.clone())),
        ("overlapping delimiters, late", runner(overlapping.fail_fast(false))),
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
fn every_cut_in_three_gives_the_same() {
    for (name, runner) in decoders() {
        for stream in STREAMS {
            let whole = runner(&[stream]);
            let dripped: Vec<&[u8]> = stream.chunks(1).collect();
            assert_eq!(runner(&dripped), whole, "{name}, byte by byte: {stream:?}");
            for first in 0..=stream.len() {
                for second in first..=stream.len() {
                    let chunks = [&stream[..first], &stream[first..second], &stream[second..]];
                    assert_eq!(runner(&chunks), whole, "{name}, cut into {chunks:?}");
                }
            }
        }
    }
}
