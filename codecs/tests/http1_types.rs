//! To the types of the crate `http` and back.
#![cfg(all(feature = "http-types", feature = "pipeline"))]

use fyke_codecs::Payload;
use fyke_codecs::http1::{
    ConversionError, HeaderError, HttpObjectAggregator, HttpServerHandler, Limits, Method, Request,
    Response, Status, Version, server,
};
use fyke_core::embedded::EmbeddedChannel;

/// A service written for the types of `http`.
fn service(request: http::Request<Payload>) -> http::Response<String> {
    let names: Vec<_> = request.headers().keys().map(http::HeaderName::as_str).collect();
    let text = format!(
        "{} {} {:?} {} {}",
        request.method(),
        request.uri().path(),
        request.version(),
        names.join(","),
        request.body().len()
    );
    let response = http::Response::builder().status(201).header("X-Tag", "a").header("X-Tag", "b");
    response.body(text).expect("a good response")
}

fn serve() -> EmbeddedChannel {
    EmbeddedChannel::new(|ch| {
        server(ch.pipeline(), Limits::new())
            .inbound("aggregator", HttpObjectAggregator::new(1000))
            .inbound(
                "app",
                HttpServerHandler::new(|_, request: Request| match request.try_into() {
                    Ok(request) => match Response::try_from(service(request)) {
                        Ok(response) => response,
                        Err(_) => Response::new(Status::INTERNAL_SERVER_ERROR),
                    },
                    Err(_) => Response::new(Status::BAD_REQUEST),
                }),
            )
    })
}

#[test]
fn a_service_for_those_types_serves_here() {
    let mut channel = serve();
    channel.write_inbound(
        "POST http://h/a?b HTTP/1.1\r\nHost: h\r\nX-A: \u{e4}\r\nContent-Length: 2\r\n\r\nhi",
    );
    let bytes = channel.read_outbound();
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.starts_with("HTTP/1.1 201 Created\r\n"), "{text}");
    assert!(text.contains("x-tag: a\r\nx-tag: b\r\n"), "{text}");
    assert!(text.ends_with("\r\n\r\nPOST /a HTTP/1.1 host,x-a,content-length 2"), "{text}");
}

#[test]
fn names_and_numbers_survive_the_way_there_and_back() {
    for name in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE"] {
        let method = Method::parse(name.as_bytes()).expect("a method");
        let other = http::Method::from(method);
        assert_eq!(other.as_str(), name);
        assert_eq!(Method::try_from(&other), Ok(method));
    }
    for code in 100..600 {
        let status = Status::from_u16(code).expect("a status");
        assert_eq!(http::StatusCode::from(status).as_u16(), code);
        assert_eq!(Status::try_from(http::StatusCode::from(status)), Ok(status));
    }
    for version in [Version::Http10, Version::Http11] {
        assert_eq!(Version::try_from(http::Version::from(version)), Ok(version));
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let brew = http::Method::from_bytes(b"BREW").expect("a token");
    assert_eq!(Method::try_from(&brew), Err(ConversionError::Method));
    assert_eq!(Version::try_from(http::Version::HTTP_2), Err(ConversionError::Version));
    let odd = http::StatusCode::from_u16(999).expect("three digits");
    assert_eq!(Status::try_from(odd), Err(ConversionError::Status));
    let framed = http::Response::builder().header("Transfer-Encoding", "chunked").body("");
    let framed = Response::try_from(framed.expect("they take it"));
    assert_eq!(framed.err(), Some(ConversionError::Header(HeaderError::Framing)));
}
