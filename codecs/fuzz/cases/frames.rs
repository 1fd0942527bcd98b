//! One case of the frame codecs, for the fuzzer and for the replay of its corpus.
//!
//! ```text
//!   0       1         2       3           4       5       6       7..
//!   codec   options   limit   adjustment  offset  strip   chunk   the stream
//! ```
//! The stream is decoded as a whole, in chunks, and byte by byte, which must give the same; what
//! came out is encoded and decoded once more, which must give it back.

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder, Encoder};
use fyke_codecs::frames::{Delimiter, FixedLength, LengthField, Line, TextLines, Varint32, Width};

/// Bytes before the stream.
const HEADER: usize = 7;

/// Decides the codec and its options by the header and checks the stream behind it.
///
/// # Panics
/// When a property does not hold.
pub(crate) fn check(input: &[u8]) {
    let Some((&header, stream)) = input.split_first_chunk::<HEADER>() else { return };
    let [codec, options, limit, adjustment, offset, strip, chunk] = header;
    let limit = usize::from(limit);
    let fail_fast = options & 1 == 0;
    let keep = options & 2 != 0;
    match codec % 6 {
        0 => {
            let widths = [Width::U8, Width::U16, Width::U24, Width::U32, Width::U64];
            let mut codec = LengthField::new(widths[usize::from(codec / 6) % widths.len()])
                .offset(usize::from(offset % 8))
                .adjustment(i64::from(adjustment as i8))
                .strip(usize::from(strip % 16))
                .max_frame(limit)
                .fail_fast(fail_fast);
            if keep {
                codec = codec.little_endian();
            }
            check_codec(&codec, stream, chunk);
        }
        1 => check_codec(&Varint32::new().max_frame(limit).fail_fast(fail_fast), stream, chunk),
        2 => check_codec(&FixedLength::new(limit.max(1)), stream, chunk),
        3 => check_codec(&line(limit, fail_fast, keep, options), stream, chunk),
        4 => check_text(TextLines::from(line(limit, fail_fast, keep, options)), stream, chunk),
        _ => {
            // The delimiters are taken from the stream's front: one, two or three of them.
            let (first, stream) = stream.split_at(stream.len().min(usize::from(offset % 4) + 1));
            let (second, stream) = stream.split_at(stream.len().min(usize::from(strip % 4)));
            if first.is_empty() {
                return;
            }
            let mut codec = Delimiter::new(first);
            if !second.is_empty() {
                codec = codec.or(second).or(&second[second.len() - 1..]);
            }
            let codec = codec.max_frame(limit).fail_fast(fail_fast).strip_delimiter(!keep);
            check_codec(&codec, stream, chunk);
        }
    }
}

fn line(limit: usize, fail_fast: bool, keep: bool, options: u8) -> Line {
    let line = Line::new().max_line(limit).fail_fast(fail_fast).strip_delimiter(!keep);
    line.crlf(options & 4 != 0)
}

fn check_codec<C>(codec: &C, stream: &[u8], chunk: u8)
where
    C: Decoder<Item = ByteBuf> + Encoder<Vec<u8>> + Clone,
{
    for item in check_cuts(codec, stream, chunk) {
        check_again(codec.clone(), item.clone(), &item);
    }
}

fn check_text(codec: TextLines, stream: &[u8], chunk: u8) {
    for item in check_cuts(&codec, stream, chunk) {
        let text = String::from_utf8(item.clone()).expect("checked text");
        check_again(codec.clone(), text, &item);
    }
}

/// What does not depend on how the stream is cut.
fn check_cuts<D>(decoder: &D, stream: &[u8], chunk: u8) -> Vec<Vec<u8>>
where
    D: Decoder<Item: AsRef<[u8]>> + Clone,
{
    let whole = run(decoder.clone(), stream.chunks(stream.len().max(1)));
    let chunks = run(decoder.clone(), stream.chunks(usize::from(chunk).max(1)));
    assert_eq!(whole, chunks, "in chunks of {chunk}");
    assert_eq!(whole, run(decoder.clone(), stream.chunks(1)), "byte by byte");
    let (items, _) = whole;
    let taken: usize = items.iter().map(Vec::len).sum();
    assert!(taken <= stream.len(), "{taken} bytes came out of {}", stream.len());
    items
}

/// An item that can be encoded is decoded to itself, and nothing is left over.
fn check_again<M, C>(mut codec: C, item: M, bytes: &[u8])
where
    C: Decoder<Item: AsRef<[u8]>> + Encoder<M>,
{
    let mut wire = ByteBuf::new();
    if codec.encode(item, &mut wire).is_ok() {
        let again = codec.decode(&mut wire).expect("it was encoded").expect("it is whole");
        assert_eq!(again.as_ref(), bytes);
        assert!(wire.is_empty());
    }
}

/// The items of a stream and the error that ended it.
fn run<'a, D>(
    mut decoder: D,
    chunks: impl Iterator<Item = &'a [u8]>,
) -> (Vec<Vec<u8>>, Option<String>)
where
    D: Decoder<Item: AsRef<[u8]>>,
{
    let mut src = ByteBuf::new();
    let mut items = Vec::new();
    let feed = || -> Result<(), CodecError> {
        for chunk in chunks {
            src.write_slice(chunk);
            while let Some(item) = decoder.decode(&mut src)? {
                items.push(item.as_ref().to_vec());
            }
        }
        while let Some(item) = decoder.decode_eof(&mut src)? {
            items.push(item.as_ref().to_vec());
        }
        Ok(())
    };
    let error = feed().err().map(|error| error.to_string());
    (items, error)
}
