//! Round trips, arbitrary input, and a second parser's opinion.

use fyke_codecs::http1::Method;
use fyke_codecs::http1::client::ClientLimits;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::support::feed;

fn response() -> impl Strategy<Value = (Vec<u8>, String)> {
    let fields = vec(("[A-Za-z][A-Za-z0-9-]{0,12}", "[!-~]([ -~]{0,40}[!-~])?"), 0..8);
    (200..600_u16, fields, "[ -~]{0,200}", 0..50_usize).prop_map(|(status, fields, body, chunk)| {
        let status = if matches!(status, 204 | 304) { 200 } else { status };
        let mut text = format!("HTTP/1.1 {status} Some Reason\r\n");
        for (name, value) in fields {
            text.push_str(&format!("x-{name}:{value}\r\n"));
        }
        if chunk == 0 {
            text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        } else {
            text.push_str("Transfer-Encoding: chunked\r\n\r\n");
            for piece in body.as_bytes().chunks(chunk) {
                let piece = String::from_utf8_lossy(piece);
                text.push_str(&format!("{:X};e\r\n{piece}\r\n", piece.len()));
            }
            text.push_str("0\r\nx-trailer: t\r\n\r\n");
        }
        (text.into_bytes(), body)
    })
}

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
    fn responses_survive_any_cut(
        responses in vec(response(), 1..4),
        sizes in vec(1..60_usize, 1..10),
    ) {
        let input: Vec<u8> = responses.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
        let (read, error, rest) = feed(ClientLimits::new(), &[Method::Get; 4], cut(&input, &sizes));
        prop_assert_eq!(error, None);
        prop_assert!(rest.is_empty());
        prop_assert_eq!(read.len(), responses.len());
        for (read, (_, body)) in read.iter().zip(&responses) {
            prop_assert_eq!(&read.body, body);
            prop_assert!(read.ended);
        }
    }

    #[test]
    fn any_input_is_read_the_same_however_it_is_cut(
        (mut input, _) in response(),
        changes in vec((any::<prop::sample::Index>(), prop::sample::select(
            b"\r\n\0 \t:;,#@/*1aX\x7f\xff".to_vec(),
        )), 1..6),
        sizes in vec(1..40_usize, 1..10),
    ) {
        for (at, byte) in changes {
            let at = at.index(input.len());
            input[at] = byte;
        }
        let whole = feed(ClientLimits::new(), &[Method::Get; 4], [&input[..]]);
        let parts = feed(ClientLimits::new(), &[Method::Get; 4], cut(&input, &sizes));
        prop_assert_eq!((&parts.0, &parts.1), (&whole.0, &whole.1));
        // Whatever passed here must look the same to a parser that is less strict.
        for response in &whole.0 {
            if response.head.contains('\u{fffd}') {
                continue;
            }
            let mut fields = [httparse::EMPTY_HEADER; 100];
            let mut other = httparse::Response::new(&mut fields);
            let parsed = other.parse(response.head.as_bytes());
            prop_assert_eq!(parsed, Ok(httparse::Status::Complete(response.head.len())));
            prop_assert_eq!(other.code, Some(response.status));
        }
    }

    #[test]
    fn noise_is_never_a_response(input in vec(any::<u8>(), 1..400)) {
        let whole = feed(ClientLimits::new(), &[Method::Get], [&input[..]]);
        let bytes = feed(ClientLimits::new(), &[Method::Get], input.chunks(1));
        prop_assert_eq!((&bytes.0, &bytes.1), (&whole.0, &whole.1));
        prop_assert!(whole.0.is_empty());
    }
}
