//! Forms that are not in order, and limits.

use fyke_codecs::http1::forms::MultipartLimits;

use crate::multipart::decode_with;

fn error_of(form: &str) -> String {
    let (_, error) = decode_with(MultipartLimits::new(), form.as_bytes());
    error.unwrap_or_else(|| panic!("{form:?} is in order"))
}

#[test]
fn malformed_forms() {
    let a = "Content-Disposition: form-data; name=a\r\n\r\n";
    for form in [
        format!("--XX\n{a}b\r\n--XX--"),
        format!("--XX\r{a}b\r\n--XX--"),
        format!("--XXY\r\n{a}b\r\n--XX--"),
        format!("--XX-\r\n{a}b\r\n--XX--"),
        format!("--XX x\r\n{a}b\r\n--XX--"),
        format!("--XX\r\n{a}b\r\n--XX-x"),
        format!("--XX\r\n{a}b\r\n--XX \tx"),
        "--XX\r\n\r\nb\r\n--XX--".to_owned(),
        "--XX\r\nContent-Type: text/plain\r\n\r\nb\r\n--XX--".to_owned(),
        "--XX\r\nContent-Disposition: attachment; name=a\r\n\r\nb\r\n--XX--".to_owned(),
        "--XX\r\nContent-Disposition: form-data\r\n\r\nb\r\n--XX--".to_owned(),
        "--XX\r\nContent-Disposition: form-data; filename=a\r\n\r\nb\r\n--XX--".to_owned(),
        "--XX\r\nContent-Disposition: form-data; name=a; name=b\r\n\r\nb\r\n--XX--".to_owned(),
        "--XX\r\nContent-Disposition: form-data; name=\"a\r\n\r\nb\r\n--XX--".to_owned(),
        "--XX\r\nContent-Disposition: form-data; name\r\n\r\nb\r\n--XX--".to_owned(),
        format!("--XX\r\nContent-Disposition: form-data; name=a\r\n{a}b\r\n--XX--"),
        format!("--XX\r\nContent-Transfer-Encoding: base64\r\n{a}b\r\n--XX--"),
        format!("--XX\r\nno colon\r\n{a}b\r\n--XX--"),
        format!("--XX\r\n folded: x\r\n{a}b\r\n--XX--"),
        format!("--XX\r\nX : x\r\n{a}b\r\n--XX--"),
        format!("--XX\r\nX: a\u{1}\r\n{a}b\r\n--XX--"),
        format!("--XX\r\nX: a\n{a}b\r\n--XX--"),
    ] {
        let error = error_of(&form);
        assert!(error.starts_with("malformed form"), "{form:?}: {error}");
    }
}

#[test]
fn forms_that_end_early() {
    let whole = "--XX\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n--XX--";
    for len in 0..whole.len() {
        assert_eq!(error_of(&whole[..len]), "truncated", "{len}");
    }
}

#[test]
fn limits() {
    let a = "Content-Disposition: form-data; name=a\r\n\r\n";
    let limits = MultipartLimits::new()
        .parts_max(2)
        .part_head_bytes_max(60)
        .part_fields_max(2)
        .part_bytes_max(10)
        .form_bytes_max(15)
        .outside_bytes_max(20);
    let check = |form: String, fits: bool| {
        let (parts, error) = decode_with(limits, form.as_bytes());
        let over = error.as_ref().is_some_and(|error| error.starts_with("form over the limit"));
        assert_eq!((error.is_none(), over), (fits, !fits), "{form:?}: {error:?}");
        assert!(parts.iter().all(|part| part.body.len() <= 10));
    };
    let part = |len| format!("--XX\r\n{a}{}\r\n", "b".repeat(len));
    for fits in [true, false] {
        let more = usize::from(!fits);
        check(format!("{}--XX--", part(1).repeat(2 + more)), fits);
        check(format!("{}--XX--", part(10 + more)), fits);
        check(format!("{}{}--XX--", part(10), part(5 + more)), fits);
        check(format!("{}\r\n{}--XX--", "p".repeat(18 + more), part(1)), fits);
        check(format!("{}--XX--{}", part(1), "e".repeat(20 + more)), fits);
        check(format!("--XX\r\n{}{a}b\r\n--XX--", "X: y\r\n".repeat(1 + more)), fits);
        let field = "x".repeat(60 - a.len() - "X: \r\n".len() + more);
        check(format!("--XX\r\nX: {field}\r\n{a}b\r\n--XX--"), fits);
        check(format!("--XX{}\r\n{a}b\r\n--XX--", " ".repeat(64 + more)), fits);
    }
}
