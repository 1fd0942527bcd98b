//! What the server's codec writes, our own strict client reads back, however it is cut; and a second
//! parser agrees on the heads.

use fyke_buffer::ByteBuf;
use fyke_codec::Decoder;
use fyke_codecs::Payload;
use fyke_codecs::http1::client::{ClientLimits, ClientResponsePart, ResponseDecoder};
use fyke_codecs::http1::{
    Gather, HeaderBlock, Method, Response, ResponseHead, ResponsePart, ServerCodec, Status,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// How the response is handed to the codec.
#[derive(Clone, Copy, Debug)]
enum Form {
    Full,
    Length,
    Stream,
    StreamWithTrailers,
}

/// One response, and the request it answers.
#[derive(Clone, Debug)]
struct Case {
    method: &'static str,
    old: bool,
    form: Form,
    status: u16,
    fields: Vec<(String, String)>,
    pieces: Vec<Vec<u8>>,
}

fn case() -> impl Strategy<Value = Case> {
    let method = prop::sample::select(vec!["GET", "HEAD", "POST"]);
    let form = prop::sample::select(vec![
        Form::Full,
        Form::Length,
        Form::Stream,
        Form::StreamWithTrailers,
    ]);
    let status = prop::sample::select(vec![200, 201, 204, 206, 299, 304, 404, 500]);
    let fields = vec(("[A-Za-z][A-Za-z0-9-]{0,12}", "([!-~]([ -~]{0,40}[!-~])?)?"), 0..6);
    let pieces = vec(vec(any::<u8>(), 0..200), 0..5);
    (method, any::<bool>(), form, status, fields, pieces).prop_map(
        |(method, old, form, status, fields, pieces)| {
            // An own prefix, so that no field means anything.
            let fields = fields.into_iter().map(|(name, value)| (format!("x-{name}"), value));
            Case { method, old, form, status, fields: fields.collect(), pieces }
        },
    )
}

/// What goes out for all cases on one connection; large bodies are handed back, not copied.
fn encode(cases: &[Case]) -> Vec<u8> {
    let mut codec = ServerCodec::default();
    codec.set_unix_time(784_111_777);
    let mut out = Vec::new();
    for case in cases {
        let version = if case.old { "1.0\r\nConnection: keep-alive" } else { "1.1" };
        let request = format!("{} / HTTP/{version}\r\nHost: a\r\n\r\n", case.method);
        let mut src = ByteBuf::from(request.as_str());
        while codec.decode(&mut src).expect("a good request").is_some() {}
        for part in parts(case) {
            let mut dst = ByteBuf::new();
            let rest = codec.encode_gather(part, &mut dst, 64).expect("a good response");
            out.extend_from_slice(&dst);
            if let Some(Gather { body, behind }) = rest {
                out.extend_from_slice(&body);
                out.extend_from_slice(behind);
            }
        }
    }
    out
}

fn parts(case: &Case) -> Vec<ResponsePart> {
    let mut head = ResponseHead::new(Status::from_u16(case.status).expect("a status"));
    for (name, value) in &case.fields {
        head = head.header(name, value);
    }
    let body = case.pieces.concat();
    let head = match case.form {
        Form::Full => {
            return vec![Response { head, body: Payload::from(body) }.into()];
        }
        Form::Length => head.content_length(body.len() as u64),
        // Without chunks the end of the body would be the end of the connection.
        _ if case.old => head.content_length(body.len() as u64),
        _ => head,
    };
    let pieces = case.pieces.iter().map(|piece| ResponsePart::Body(piece.clone().into()));
    let mut parts: Vec<_> = std::iter::once(head.into()).chain(pieces).collect();
    if matches!(case.form, Form::StreamWithTrailers) {
        let trailers = HeaderBlock::new(&[("x-trailer", "t")]).expect("a good field");
        parts.push(ResponsePart::Trailers(trailers));
    }
    parts.push(ResponsePart::End);
    parts
}

/// Status, fields with the own prefix, body, trailers.
type Read = (u16, Vec<(String, String)>, Vec<u8>, Vec<u8>);

/// What the client makes of it, in pieces of these sizes.
fn decode(cases: &[Case], bytes: &[u8], sizes: &[usize]) -> Vec<Read> {
    let mut decoder = ResponseDecoder::new(ClientLimits::new());
    for case in cases {
        decoder.expect(Method::parse(case.method.as_bytes()).expect("a method"));
    }
    let (mut src, mut read, mut ended) = (ByteBuf::new(), Vec::<Read>::new(), 0);
    let mut rest = bytes;
    for &size in sizes.iter().cycle() {
        if ended == cases.len() {
            break;
        }
        let (piece, behind) = rest.split_at(size.min(rest.len()));
        rest = behind;
        src.write_slice(piece);
        while let Some(part) = decoder.decode(&mut src).expect("a good response") {
            match part {
                ClientResponsePart::Head(head) => {
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    let own = head.headers().filter(|field| field.name.starts_with("x-"));
                    let own = own.map(|field| (field.name.to_owned(), text(field.value)));
                    read.push((head.status().as_u16(), own.collect(), Vec::new(), Vec::new()));
                    second_opinion(head.as_bytes());
                }
                ClientResponsePart::Body(piece) => {
                    read.last_mut().expect("a head").2.extend_from_slice(&piece);
                }
                ClientResponsePart::Trailers(trailers) => {
                    read.last_mut().expect("a head").3 = trailers.as_bytes().to_vec();
                }
                ClientResponsePart::End => ended += 1,
                other => panic!("{other:?}"),
            }
        }
        assert!(!rest.is_empty() || ended == cases.len(), "{ended} of {}", cases.len());
    }
    assert!(src.is_empty() && rest.is_empty(), "bytes that belong to no response");
    read
}

fn second_opinion(head: &[u8]) {
    let mut fields = [httparse::EMPTY_HEADER; 100];
    let parsed = httparse::Response::new(&mut fields).parse(head);
    assert_eq!(parsed, Ok(httparse::Status::Complete(head.len())));
}

proptest! {
    #[test]
    fn responses_come_back_as_they_were(
        cases in vec(case(), 1..5),
        sizes in vec(1..90_usize, 1..10),
    ) {
        let bytes = encode(&cases);
        let read = decode(&cases, &bytes, &sizes);
        prop_assert_eq!(read.len(), cases.len());
        for (read, case) in read.iter().zip(&cases) {
            let bare = case.method == "HEAD" || matches!(case.status, 204 | 304);
            prop_assert_eq!(read.0, case.status);
            prop_assert_eq!(&read.1, &case.fields);
            prop_assert_eq!(&read.2, &if bare { Vec::new() } else { case.pieces.concat() });
            let trailing = matches!(case.form, Form::StreamWithTrailers) && !bare && !case.old;
            let trailers: &[u8] = if trailing { b"x-trailer: t\r\n" } else { b"" };
            prop_assert_eq!(&read.3[..], trailers);
        }
    }
}
