//! One case of the readers of forms, cookies and preferences, for the fuzzer and for the replay of its
//! corpus.
//!
//! ```text
//!   0      1       2       3..
//!   kind   chunk   limit   the text
//! ```

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder};
use fyke_codecs::http1::coding::{AcceptEncoding, ContentCoding};
use fyke_codecs::http1::cookies::{SetCookie, cookies};
use fyke_codecs::http1::forms::{
    MultipartDecoder, MultipartLimits, MultipartPart, UrlEncodedDecoder, UrlEncodedLimits,
    boundary_of, urlencoded,
};

/// Bytes before the text.
const HEADER: usize = 3;

/// Decides what the text is by the header, and checks it.
///
/// # Panics
/// When a property does not hold.
pub(crate) fn check(input: &[u8]) {
    let Some((&[kind, chunk, limit], text)) = input.split_first_chunk::<HEADER>() else { return };
    let chunk = usize::from(chunk).max(1);
    match kind % 5 {
        0 => check_multipart(text, chunk, MultipartLimits::new()),
        1 => {
            let limits = MultipartLimits::new()
                .parts_max(u32::from(limit % 4))
                .part_head_bytes_max(u32::from(limit))
                .part_fields_max(u16::from(limit % 3))
                .part_bytes_max(u64::from(limit / 2))
                .form_bytes_max(u64::from(limit))
                .outside_bytes_max(u32::from(limit % 16));
            check_multipart(text, chunk, limits);
        }
        2 => check_urlencoded(text, chunk, u32::from(limit)),
        3 => check_cookies(text),
        _ => check_preferences(text),
    }
}

/// What a decoder made of the text, joined where cuts do not matter.
fn decode<D: Decoder>(
    mut decoder: D,
    text: &[u8],
    chunk: usize,
    mut join: impl FnMut(D::Item),
) -> Option<String> {
    let mut src = ByteBuf::new();
    let mut feed = || -> Result<(), CodecError> {
        for chunk in text.chunks(chunk) {
            src.write_slice(chunk);
            while let Some(item) = decoder.decode(&mut src)? {
                join(item);
            }
        }
        while let Some(item) = decoder.decode_eof(&mut src)? {
            join(item);
        }
        Ok(())
    };
    feed().err().map(|error| error.to_string())
}

fn check_multipart(text: &[u8], chunk: usize, limits: MultipartLimits) {
    let run = |chunk| {
        let decoder = MultipartDecoder::new(b"XX", limits).expect("a boundary");
        let (mut parts, mut open) = (Vec::new(), false);
        let error = decode(decoder, text, chunk, |part| match part {
            MultipartPart::Head(head) => {
                assert!(!open, "a part inside another one");
                open = true;
                parts.push((head, Vec::new()));
            }
            MultipartPart::Body(piece) => {
                assert!(open && !piece.is_empty());
                parts.last_mut().expect("a head comes first").1.extend_from_slice(&piece);
            }
            _ => assert!(std::mem::take(&mut open), "an end without a head"),
        });
        (parts, error)
    };
    let whole = run(text.len().max(1));
    assert_eq!(whole, run(chunk), "in chunks of {chunk}");
    assert_eq!(whole, run(1), "byte by byte");
    let taken: usize = whole.0.iter().map(|(_, body)| body.len()).sum();
    assert!(taken <= text.len());
    for (_, body) in &whole.0 {
        let boundary = body.windows(7).find(|w| w.starts_with(b"\r\n--XX"));
        assert!(!boundary.is_some_and(|w| b"- \t\r".contains(&w[6])), "a boundary in a body");
    }
}

fn check_urlencoded(text: &[u8], chunk: usize, limit: u32) {
    let run = |chunk, limits| {
        let mut pairs = Vec::new();
        let error = decode(UrlEncodedDecoder::new(limits), text, chunk, |pair| pairs.push(pair));
        (pairs, error)
    };
    let small = UrlEncodedLimits::new().pairs_max(limit % 8).pair_bytes_max(limit);
    for limits in [UrlEncodedLimits::new(), small] {
        let whole = run(text.len().max(1), limits);
        assert_eq!(whole, run(1, limits), "byte by byte");
        assert_eq!(whole.0, run(chunk, limits).0, "in chunks of {chunk}");
    }
    let pairs: Vec<_> = urlencoded(text).map(|(a, b)| (a.into_owned(), b.into_owned())).collect();
    let (decoded, error) = run(chunk, UrlEncodedLimits::new());
    assert!(error.is_some() || decoded == pairs);
}

fn check_cookies(text: &[u8]) {
    for cookie in cookies([text]) {
        assert!(!cookie.name.is_empty() && !cookie.value.contains(';'));
        assert!(cookie.value.contains(cookie.unquoted()));
    }
    let Some(cookie) = SetCookie::parse(text) else { return };
    // What can be set again is read as the same.
    if let Ok(value) = cookie.to_value() {
        assert!(!value.contains(['\r', '\n', '\0']));
        let again = SetCookie::parse(value.as_bytes()).expect("it has just been written");
        assert_eq!((again.name(), again.value()), (cookie.name(), cookie.value()));
        assert_eq!(again.path_of(), cookie.path_of());
        assert_eq!(again.is_secure(), cookie.is_secure());
    }
}

fn check_preferences(text: &[u8]) {
    let accept = AcceptEncoding::parse([text]);
    if let Some(coding) = accept.choose(ContentCoding::SUPPORTED) {
        let weight = accept.weight(coding);
        assert!((1..=1000).contains(&weight));
        assert!(ContentCoding::SUPPORTED.iter().all(|other| accept.weight(*other) <= weight));
    }
    if let Ok(Some(boundary)) = boundary_of(text) {
        assert!((1..=70).contains(&boundary.len()));
        assert!(MultipartDecoder::new(&boundary, MultipartLimits::new()).is_ok());
    }
}
