//! Round trips, arbitrary input, and a second parser's opinion.

use crate::support::feed;
use fyke_codecs::http1::Limits;
use proptest::collection::vec;
use proptest::prelude::*;
use std::fmt::Write;

/// A request and the body it carries.
fn request() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let fields = vec(("[A-Za-z][A-Za-z0-9-]{0,12}", "[!-~]([ -~]{0,40}[!-~])?"), 0..8);
    let body = vec(any::<u8>(), 0..300);
    let method = prop::sample::select(vec!["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"]);
    (method, "/[a-z0-9/?=&%.|-]{0,30}", fields, body, 0..50_usize).prop_map(
        |(method, target, fields, body, chunk)| {
            let mut text = format!("{method} {target} HTTP/1.1\r\nhost: a\r\n");
            for (name, value) in fields {
                // An own prefix, so that no field means anything.
                write!(text, "x-{name}:{value}\r\n").expect("strings take all");
            }
            let mut bytes = text.into_bytes();
            if chunk == 0 {
                bytes.extend(format!("Content-Length: {}\r\n\r\n", body.len()).bytes());
                bytes.extend(&body);
            } else {
                bytes.extend(b"Transfer-Encoding: chunked\r\n\r\n");
                for piece in body.chunks(chunk) {
                    bytes.extend(format!("{:X};e=\"{chunk}\"\r\n", piece.len()).bytes());
                    bytes.extend(piece);
                    bytes.extend(b"\r\n");
                }
                bytes.extend(b"0\r\nx-trailer: t\r\n\r\n");
            }
            (bytes, body)
        },
    )
}

/// `input` in pieces of the given sizes, over and over.
fn cut<'a>(input: &'a [u8], sizes: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = input;
    sizes.iter().cycle().map_while(move |&size| {
        let (piece, behind) = rest.split_at(size.min(rest.len()));
        rest = behind;
        (!piece.is_empty()).then_some(piece)
    })
}

proptest! {
    #[test]
    fn requests_survive_any_cut(
        requests in vec(request(), 1..4),
        sizes in vec(1..60_usize, 1..10),
    ) {
        let input: Vec<u8> = requests.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
        let outcome = feed(Limits::new(), cut(&input, &sizes), true);
        prop_assert_eq!(&outcome.error, &None);
        prop_assert_eq!(outcome.requests.len(), requests.len());
        for (read, (_, body)) in outcome.requests.iter().zip(&requests) {
            prop_assert_eq!(&read.body, body);
            prop_assert!(read.ended);
        }
    }

    #[test]
    fn any_input_is_read_the_same_however_it_is_cut(
        (mut input, _) in request(),
        changes in vec((any::<prop::sample::Index>(), prop::sample::select(
            b"\r\n\0 \t:;,#@/*1aX\x7f\xff".to_vec(),
        )), 1..6),
        sizes in vec(1..40_usize, 1..10),
    ) {
        for (at, byte) in changes {
            let at = at.index(input.len());
            input[at] = byte;
        }
        let whole = feed(Limits::new(), [&input[..]], false);
        let parts = feed(Limits::new(), cut(&input, &sizes), false);
        prop_assert_eq!(&parts, &whole);
        // Whatever passed here must look the same to a parser that is less strict.
        for request in &whole.requests {
            let mut fields = [httparse::EMPTY_HEADER; 100];
            let mut other = httparse::Request::new(&mut fields);
            let parsed = other.parse(request.head.as_bytes());
            // A byte beyond ASCII reads back as a longer one: not the bytes that were parsed.
            if request.head.contains('\u{fffd}') {
                continue;
            }
            prop_assert_eq!(parsed, Ok(httparse::Status::Complete(request.head.len())));
        }
    }

    #[test]
    fn noise_is_never_a_request(input in vec(any::<u8>(), 0..400)) {
        let whole = feed(Limits::new(), [&input[..]], true);
        let bytes = feed(Limits::new(), input.chunks(1), true);
        prop_assert_eq!(&bytes, &whole);
        prop_assert!(whole.requests.is_empty());
    }
}
