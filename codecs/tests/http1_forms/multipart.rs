//! Forms that are in order, clause by clause.

use fyke_buffer::ByteBuf;
use fyke_codec::Decoder;
use fyke_codec::check::every_split_with;
use fyke_codecs::http1::forms::{
    FormError, MultipartDecoder, MultipartLimits, MultipartPart, boundary_of,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// A part put together again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) file_name: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) body: Vec<u8>,
    pub(crate) ended: bool,
}

fn join(parts: &mut Vec<Part>, part: MultipartPart) {
    if let MultipartPart::Head(head) = part {
        parts.push(Part {
            name: head.name().to_owned(),
            file_name: head.file_name().map(str::to_owned),
            content_type: head.content_type().map(str::to_owned),
            ..Part::default()
        });
        return;
    }
    let last = parts.last_mut().expect("a head comes first");
    assert!(!last.ended, "nothing follows an end but a head");
    match part {
        MultipartPart::Body(piece) => {
            assert!(!piece.is_empty(), "a piece is never empty");
            last.body.extend_from_slice(&piece);
        }
        _ => last.ended = true,
    }
}

/// The parts, and the error if there was one, which must not depend on how the form is cut.
pub(crate) fn decode_with(limits: MultipartLimits, form: &[u8]) -> (Vec<Part>, Option<String>) {
    let make = || MultipartDecoder::new(b"XX", limits).expect("a boundary");
    let outcome = every_split_with(make, form, join);
    let outcome = outcome
        .unwrap_or_else(|violation| panic!("{violation} in {:?}", form.escape_ascii().to_string()));
    let error = outcome.error.map(|error| match FormError::of(&error) {
        Some(error) => error.to_string(),
        None => "truncated".to_owned(),
    });
    (outcome.items, error)
}

fn decode(form: &str) -> Vec<Part> {
    let (parts, error) = decode_with(MultipartLimits::new(), form.as_bytes());
    assert_eq!(error, None, "{form:?}");
    assert!(parts.iter().all(|part| part.ended));
    parts
}

fn field(name: &str, body: &str) -> Part {
    Part { name: name.into(), body: body.into(), ended: true, ..Part::default() }
}

const A: &str = "Content-Disposition: form-data; name=\"a\"\r\n\r\n";

/// RFC 7578 section 4, RFC 2046 section 5.1.
#[test]
fn fields_and_files() {
    let form = "--XX\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nhello\r\n\
        --XX\r\ncontent-disposition:form-data;name=file ; filename=\"a b.txt\"\r\n\
        Content-Type: text/html; charset=utf-8\r\nX-Other: y\r\n\r\n<p>\r\n</p>\r\n\r\n\
        --XX\r\nContent-Disposition: form-data; name=\"\"\r\nContent-Transfer-Encoding: Binary\r\n\r\n\
        \r\n--XX--\r\n";
    let file = Part {
        file_name: Some("a b.txt".into()),
        content_type: Some("text/html; charset=utf-8".into()),
        ..field("file", "<p>\r\n</p>\r\n")
    };
    assert_eq!(decode(form), [field("text", "hello"), file, field("", "")]);
}

#[test]
fn boundaries_and_what_only_looks_like_one() {
    for (form, body) in [
        (format!("--XX\r\n{A}b\r\n--XX--"), "b"),
        (format!("--XX\r\n{A}b\r\n--XX--\r\nepilogue --XX"), "b"),
        (format!("preamble\r\n\r\n--X\r\n--XX\r\n{A}b\r\n--XX--"), "b"),
        (format!("\r\n--XX\r\n{A}b\r\n--XX--"), "b"),
        (format!("--XX \t\r\n{A}b\r\n--XX--"), "b"),
        (format!("--XX\r\n{A}\r\n\r\n--XX--"), "\r\n"),
        (format!("--XX\r\n{A}--XX--\r\n--XX--"), "--XX--"),
        (format!("--XX\r\n{A}a\n--XX\r\n--XX--"), "a\n--XX"),
        (format!("--XX\r\n{A}a\r\n--X\r\n--XX--"), "a\r\n--X"),
        (format!("--XX\r\n{A}a\r\n--XXY\r\n--XX--"), "a\r\n--XXY"),
        (format!("--XX\r\n{A}a\r\n\r\n-\r\n--\r\r\n--XX--"), "a\r\n\r\n-\r\n--\r"),
        (format!("--XX\r\n{A}\r\n--XXX\r\n--XX--"), "\r\n--XXX"),
    ] {
        assert_eq!(decode(&form), [field("a", body)], "{form:?}");
    }
    assert_eq!(decode("--XX--"), []);
    let two = format!("--XX\r\n{A}1\r\n--XX  \r\n{A}2\r\n--XX--");
    assert_eq!(decode(&two), [field("a", "1"), field("a", "2")]);
}

/// RFC 7578 section 4.2, and how browsers write what does not fit into a quoted string.
#[test]
fn names_of_fields_and_files() {
    for (disposition, name, file_name) in [
        ("name=a", "a", None),
        ("NAME=\"a\"; FileName=\"\"", "a", Some("")),
        ("name=\"a\\\"b\\\\c\"", "a\"b\\c", None),
        ("name=\"a%22b%0D%0Ac%zz\"", "a\"b\r\nc%zz", None),
        ("filename=\"C:\\dir\\f.txt\"; name=x", "x", Some("C:\\dir\\f.txt")),
        ("name=\"\u{e4}\"; filename=\"../../etc/passwd\"", "\u{e4}", Some("../../etc/passwd")),
        ("name=\"a;b=c\"; x=y", "a;b=c", None),
        ("name=a; filename*=UTF-8''x", "a", None),
    ] {
        let form =
            format!("--XX\r\nContent-Disposition: form-data; {disposition}\r\n\r\n\r\n--XX--");
        let parts = decode(&form);
        assert_eq!(parts.len(), 1, "{disposition}");
        assert_eq!((&*parts[0].name, parts[0].file_name.as_deref()), (name, file_name));
    }
}

/// RFC 2046 section 5.1.1.
#[test]
fn the_boundary_of_a_content_type() {
    for (value, boundary) in [
        ("multipart/form-data; boundary=abc", Some("abc")),
        ("Multipart/Form-Data;charset=utf-8; Boundary=\"a b:c\"", Some("a b:c")),
        (
            "multipart/form-data; boundary=----WebKitFormBoundaryAbC1",
            Some("----WebKitFormBoundaryAbC1"),
        ),
        ("multipart/mixed; boundary=abc", None),
        ("text/plain", None),
        ("", None),
    ] {
        let found = boundary_of(value.as_bytes()).expect(value);
        assert_eq!(found.as_deref(), boundary.map(str::as_bytes), "{value}");
    }
    let long = format!("multipart/form-data; boundary={}", "x".repeat(70));
    assert!(boundary_of(long.as_bytes()).is_ok());
    for bad in [
        "multipart/form-data".to_owned(),
        "multipart/form-data; boundary=".to_owned(),
        "multipart/form-data; boundary=\"\"".to_owned(),
        "multipart/form-data; boundary=\"a \"".to_owned(),
        "multipart/form-data; boundary=\"a".to_owned(),
        "multipart/form-data; boundary=a; boundary=b".to_owned(),
        "multipart/form-data; boundary=a b".to_owned(),
        "multipart/form-data; boundary=\"a\\\"b\"".to_owned(),
        format!("{long}x"),
    ] {
        assert!(boundary_of(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn content_streams_without_being_held() {
    let mut form = MultipartDecoder::new(b"XX", MultipartLimits::new()).expect("a boundary");
    let mut src = ByteBuf::from(format!("--XX\r\n{A}").as_bytes());
    assert!(matches!(form.decode(&mut src), Ok(Some(MultipartPart::Head(_)))));
    for _ in 0..100 {
        src.write_slice(&[b'x'; 1000]);
        let Ok(Some(MultipartPart::Body(piece))) = form.decode(&mut src) else { panic!() };
        assert_eq!((piece.readable(), src.readable()), (1000, 0));
    }
    src.write_slice(b"y\r\n--X");
    let Ok(Some(MultipartPart::Body(piece))) = form.decode(&mut src) else { panic!() };
    assert_eq!((piece.readable(), src.readable()), (1, 5), "what may be a boundary is kept");
}

proptest! {
    #[test]
    fn any_content_comes_back(
        bodies in vec(vec(prop::sample::select(b"\r\n-XXXab".to_vec()), 0..60), 0..5),
    ) {
        let mut form = Vec::new();
        let bodies: Vec<_> = bodies
            .into_iter()
            // What holds the delimiter cannot be sent with this boundary.
            .filter(|body| ![body, &b"\r\n--XX"[..]].concat().windows(6).rev().skip(1).any(|w| w == b"\r\n--XX"))
            .collect();
        for body in &bodies {
            form.extend(format!("--XX\r\n{A}").bytes());
            form.extend(body);
            form.extend(b"\r\n");
        }
        form.extend(b"--XX--\r\n");
        let (parts, error) = decode_with(MultipartLimits::new(), &form);
        prop_assert_eq!(error, None);
        let read: Vec<_> = parts.into_iter().map(|part| part.body).collect();
        prop_assert_eq!(read, bodies);
    }

    #[test]
    fn noise_is_read_the_same_however_it_is_cut(
        input in vec(prop::sample::select(b"\r\n-XXX:;=\" aA".to_vec()), 0..80),
    ) {
        // The check itself compares all cuts.
        let start = [b"--XX\r\n", A.as_bytes(), &input].concat();
        let _ = decode_with(MultipartLimits::new(), &input);
        let _ = decode_with(MultipartLimits::new(), &start);
    }
}
