//! The CORS protocol of the Fetch standard.

use std::time::Duration;

use fyke_codecs::http1::cors::{CorsConfig, CorsError, CorsHandler};
use fyke_codecs::http1::{Limits, Method, Response, ResponseHead, ResponsePart, Status, server};
use fyke_core::embedded::EmbeddedChannel;

use crate::support::{request, sent, targets, write};

fn config() -> CorsConfig {
    CorsConfig::origins(&["https://app.example", "null"])
        .methods(&[Method::Get, Method::Put])
        .headers(&["Content-Type", "X-Token"])
        .exposed_headers(&["X-Total"])
        .credentials()
        .max_age(Duration::from_secs(600))
}

fn channel(config: CorsConfig) -> EmbeddedChannel {
    EmbeddedChannel::new(move |ch| {
        let cors = CorsHandler::new(config.clone()).expect("it can be used");
        server(ch.pipeline(), Limits::new()).duplex("cors", cors)
    })
}

fn preflight(origin: &str, method: &str, headers: &str) -> String {
    let headers = match headers {
        "" => String::new(),
        names => format!("Access-Control-Request-Headers: {names}\r\n"),
    };
    let fields =
        format!("Origin: {origin}\r\nAccess-Control-Request-Method: {method}\r\n{headers}");
    request("OPTIONS", "/x", &fields)
}

#[test]
fn a_question_is_answered_and_goes_no_further() {
    let mut channel = channel(config());
    channel
        .write_inbound(preflight("https://App.example", "PUT", "content-type, x-token").as_str());
    let answer = sent(&mut channel);
    assert!(answer.starts_with("HTTP/1.1 204 No Content\r\n"), "{answer}");
    for line in [
        "Access-Control-Allow-Origin: https://App.example\r\n",
        "Access-Control-Allow-Credentials: true\r\n",
        "Access-Control-Allow-Methods: GET, PUT\r\n",
        "Access-Control-Allow-Headers: content-type, x-token\r\n",
        "Access-Control-Max-Age: 600\r\n",
        "Vary: Origin\r\n",
        "Vary: Access-Control-Request-Method, Access-Control-Request-Headers\r\n",
    ] {
        assert!(answer.contains(line), "{line:?} is missing in {answer}");
    }
    assert!(targets(&mut channel).is_empty());
    // With a body, and with nothing but a method.
    let with_body =
        preflight("null", "GET", "").replace("\r\n\r\n", "\r\nContent-Length: 2\r\n\r\nhi");
    channel.write_inbound(with_body.as_str());
    let answer = sent(&mut channel);
    assert!(answer.contains("Access-Control-Allow-Origin: null\r\n"), "{answer}");
    assert!(!answer.contains("Allow-Headers"), "{answer}");
    assert!(channel.is_open());
}

#[test]
fn questions_that_are_answered_with_no() {
    for (origin, method, headers) in [
        ("https://evil.example", "PUT", ""),
        ("https://app.example.evil", "PUT", ""),
        ("http://app.example", "PUT", ""),
        ("https://app.example:8443", "PUT", ""),
        ("https://app.example", "DELETE", ""),
        ("https://app.example", "BREW", ""),
        ("https://app.example", "put", ""),
        ("https://app.example", "PUT", "x-other"),
        ("https://app.example", "PUT", "x-token, x-other"),
    ] {
        let mut channel = channel(config());
        channel.write_inbound(preflight(origin, method, headers).as_str());
        let answer = sent(&mut channel);
        assert!(answer.starts_with("HTTP/1.1 403 "), "{origin} {method} {headers}: {answer}");
        assert!(!answer.contains("Access-Control-Allow"), "{answer}");
        assert!(answer.contains("Vary: Origin\r\n"), "{answer}");
    }
}

#[test]
fn answers_say_who_may_see_them() {
    for (origin, allowed) in [
        ("Origin: https://app.example\r\n", Some("https://app.example")),
        ("Origin: null\r\n", Some("null")),
        ("Origin: https://evil.example\r\n", None),
        ("Origin: https://app.example\r\nOrigin: https://app.example\r\n", None),
        ("", None),
    ] {
        let mut channel = channel(config());
        channel.write_inbound(request("GET", "/1", origin).as_str());
        assert_eq!(targets(&mut channel), ["/1"], "{origin}");
        write(&mut channel, Response::new(Status::OK).header("Vary", "Cookie").body("x"));
        let answer = sent(&mut channel);
        assert!(answer.contains("Vary: Cookie\r\nVary: Origin\r\n"), "{answer}");
        let field = allowed.map(|origin| format!("Access-Control-Allow-Origin: {origin}\r\n"));
        assert!(field.is_none_or(|field| answer.contains(&field)), "{answer}");
        assert_eq!(answer.contains("Access-Control"), allowed.is_some(), "{answer}");
        assert_eq!(answer.contains("Expose-Headers: X-Total\r\n"), allowed.is_some(), "{answer}");
    }
}

#[test]
fn any_origin_needs_no_vary() {
    let mut channel = channel(CorsConfig::any().any_headers());
    channel.write_inbound(request("GET", "/1", "Origin: https://x.example\r\n").as_str());
    write(&mut channel, ResponseHead::new(Status::OK).content_length(2));
    write(&mut channel, ResponsePart::Body("hi".into()));
    write(&mut channel, ResponsePart::End);
    let answer = sent(&mut channel);
    assert!(answer.contains("Access-Control-Allow-Origin: *\r\n"), "{answer}");
    assert!(!answer.contains("Vary") && !answer.contains("Credentials"), "{answer}");
    channel.write_inbound(preflight("https://x.example", "POST", "x-a, x-b").as_str());
    let answer = sent(&mut channel);
    assert!(answer.contains("Access-Control-Allow-Headers: x-a, x-b\r\n"), "{answer}");
}

/// A question between requests is answered in its turn.
#[test]
fn answers_keep_the_order_of_requests() {
    let mut channel = channel(config());
    let get = |target| request("GET", target, "Origin: https://app.example\r\n");
    let ask = preflight("https://app.example", "PUT", "");
    channel.write_inbound(format!("{}{ask}{}{ask}", get("/1"), get("/2")).as_str());
    assert_eq!(targets(&mut channel), ["/1", "/2"]);
    assert_eq!(sent(&mut channel), "");
    write(&mut channel, ResponseHead::new(Status::EARLY_HINTS));
    write(&mut channel, ResponseHead::new(Status::OK).content_length(3));
    write(&mut channel, ResponsePart::Body("one".into()));
    write(&mut channel, ResponsePart::End);
    let first = sent(&mut channel);
    assert!(first.starts_with("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n"), "{first}");
    let (one, question) = (first.find("\r\n\r\none"), first.find("HTTP/1.1 204"));
    assert!(one.is_some() && one < question, "{first}");
    assert_eq!(first.matches("HTTP/1.1 204").count(), 1);
    write(&mut channel, Response::new(Status::OK).body("two"));
    let second = sent(&mut channel);
    assert!(second.contains("\r\n\r\ntwoHTTP/1.1 204"), "{second}");
}

/// OPTIONS that asks nothing is a request like any other.
#[test]
fn options_without_a_question_passes() {
    let mut channel = channel(config());
    channel.write_inbound(request("OPTIONS", "/1", "Origin: https://app.example\r\n").as_str());
    channel.write_inbound(request("OPTIONS", "*", "").as_str());
    assert_eq!(targets(&mut channel), ["/1", "*"]);
}

#[test]
fn configurations_that_nobody_can_want() {
    assert_eq!(CorsConfig::any().credentials().check(), Err(CorsError::AnyWithCredentials));
    for origin in
        ["*", "app.example", "https://", "https://a/b", "https://a, https://b", "https://a\r\nX: y"]
    {
        assert_eq!(CorsConfig::origins(&[origin]).check(), Err(CorsError::Malformed), "{origin:?}");
    }
    for name in ["", "a b", "a\r\nb"] {
        assert_eq!(CorsConfig::any().headers(&[name]).check(), Err(CorsError::Malformed));
        assert_eq!(CorsConfig::any().exposed_headers(&[name]).check(), Err(CorsError::Malformed));
    }
    assert!(CorsHandler::new(CorsConfig::any().credentials()).is_err());
}
