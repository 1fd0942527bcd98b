//! One case of the content codings, for the fuzzer and for the replay of its corpus.
//!
//! ```text
//!   0        1       2..
//!   coding   chunk   compressed content, or content to compress
//! ```

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder};
use fyke_codecs::http1::coding::{
    ContentCoding, ContentDecoder, ContentEncoder, DecompressionLimits,
};

/// Bytes before the content.
const HEADER: usize = 2;
/// The limit of what may come out.
const CONTENT_BYTES_MAX: u64 = 100_000;

/// Decides by the header what the rest is, and checks it.
///
/// # Panics
/// When a property does not hold.
pub(crate) fn check(input: &[u8]) {
    let Some((&[kind, chunk], content)) = input.split_first_chunk::<HEADER>() else { return };
    let supported = ContentCoding::SUPPORTED;
    let coding = supported[usize::from(kind) % supported.len()];
    let chunk = usize::from(chunk).max(1);
    let whole = decode(coding, content, content.len().max(1));
    for chunk in [chunk, 1] {
        let other = decode(coding, content, chunk);
        assert_eq!(whole.1, other.1, "{coding}, in chunks of {chunk}");
        // How much comes out in front of damage is the library's business.
        let (short, long) = match whole.0.len() < other.0.len() {
            true => (&whole.0, &other.0),
            false => (&other.0, &whole.0),
        };
        assert!(long.starts_with(short), "{coding}, in chunks of {chunk}");
        assert!(whole.1 == Some("malformed") || short == long, "{coding}, in chunks of {chunk}");
    }
    assert!(whole.0.len() as u64 <= CONTENT_BYTES_MAX);
    check_round_trip(coding, content, chunk);
}

/// What came out, and the kind of the error that ended it.
fn decode(coding: ContentCoding, packed: &[u8], chunk: usize) -> (Vec<u8>, Option<&'static str>) {
    let limits = DecompressionLimits::new().bytes_max(CONTENT_BYTES_MAX);
    let mut decoder = ContentDecoder::new(coding, limits).expect("it is supported");
    let (mut src, mut content) = (ByteBuf::new(), Vec::new());
    let mut feed = || -> Result<(), CodecError> {
        for chunk in packed.chunks(chunk) {
            src.write_slice(chunk);
            while let Some(piece) = decoder.decode(&mut src)? {
                content.extend_from_slice(&piece);
            }
        }
        while let Some(piece) = decoder.decode_eof(&mut src)? {
            content.extend_from_slice(&piece);
        }
        Ok(())
    };
    let error = feed().err().map(|error| match error {
        CodecError::Malformed { .. } => "malformed",
        CodecError::TooLarge { .. } => "too large",
        CodecError::Truncated { .. } => "truncated",
        other => panic!("{other}"),
    });
    (content, error)
}

/// What is compressed piece by piece, with and without flushes, comes back.
fn check_round_trip(coding: ContentCoding, content: &[u8], chunk: usize) {
    let mut encoder = ContentEncoder::new(coding, Some(1)).expect("it is supported");
    let mut packed = ByteBuf::new();
    for (n, piece) in content.chunks(chunk).enumerate() {
        encoder.write(piece, &mut packed).expect("there is room");
        if n % 3 == 0 {
            encoder.flush(&mut packed).expect("there is room");
        }
    }
    encoder.finish(&mut packed).expect("there is room");
    let (read, error) = decode(coding, &packed, 1000);
    let most = content.len().min(CONTENT_BYTES_MAX as usize);
    assert_eq!(read, &content[..most], "{coding}");
    assert_eq!(error.is_some(), content.len() > most, "{coding}");
}
