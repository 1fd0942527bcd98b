//! Contents of requests and of responses, decompressed on their way.

use fyke_buffer::ByteBuf;
use fyke_codecs::http1::client::{
    ClientLimits, ClientRequest, ClientRequestPart, ClientResponse, HttpResponseAggregator, client,
};
use fyke_codecs::http1::coding::ContentCoding::{self, Deflate, Gzip};
use fyke_codecs::http1::coding::{
    DecompressionLimits, HttpContentDecompressor, HttpResponseDecompressor,
};
use fyke_codecs::http1::{
    HttpObjectAggregator, HttpServerHandler, Limits, Method, Request, Response, Status, server,
};
use fyke_core::embedded::EmbeddedChannel;

use crate::support::{pack, text};

/// A server that answers with the fields and the body of each request.
fn mirror() -> EmbeddedChannel {
    EmbeddedChannel::new(|ch| {
        let limits = DecompressionLimits::new().bytes_max(10_000);
        server(ch.pipeline(), Limits::new())
            .inbound("decompressor", HttpContentDecompressor::new(limits))
            .inbound("aggregator", HttpObjectAggregator::new(1_000_000))
            .inbound(
                "app",
                HttpServerHandler::new(|_, request: Request| {
                    let fields = request.head.header_lines();
                    Response::new(Status::OK).body([fields, b"|", &request.body].concat())
                }),
            )
    })
}

fn post(coding: &str, content: &[u8]) -> Vec<u8> {
    let head =
        format!("POST / HTTP/1.1\r\nHost: a\r\n{coding}Content-Length: {}\r\n\r\n", content.len());
    [head.as_bytes(), content].concat()
}

fn chunked(coding: &str, content: &[u8]) -> Vec<u8> {
    let mut bytes =
        format!("POST / HTTP/1.1\r\nHost: a\r\n{coding}Transfer-Encoding: chunked\r\n\r\n")
            .into_bytes();
    for piece in content.chunks(7) {
        bytes.extend(format!("{:x}\r\n", piece.len()).bytes());
        bytes.extend(piece);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"0\r\n\r\n");
    bytes
}

fn sent(channel: &mut EmbeddedChannel) -> String {
    String::from_utf8_lossy(&channel.read_outbound()).into_owned()
}

#[test]
fn compressed_requests_arrive_as_plain_ones() {
    for &coding in ContentCoding::SUPPORTED {
        let field = format!("X-A: b\r\nContent-Encoding: {}\r\n", coding.as_str().to_uppercase());
        let content = text(3000);
        let packed = pack(coding, &content);
        let expected = |rest: &str| {
            format!("Host: a\r\nX-A: b\r\n{rest}|{}", String::from_utf8_lossy(&content))
        };
        let mut channel = mirror();
        channel.write_inbound(&post(&field, &packed)[..]);
        let answer = sent(&mut channel);
        assert!(answer.ends_with(&expected("")), "{coding}: {answer}");
        channel.write_inbound(&chunked(&field, &packed)[..]);
        let answer = sent(&mut channel);
        assert!(
            answer.ends_with(&expected("Transfer-Encoding: chunked\r\n")),
            "{coding}: {answer}"
        );
        // Byte by byte, and a plain one behind it.
        let stream = [post(&field, &packed), post("", b"plain")].concat();
        for byte in stream.chunks(1) {
            channel.write_inbound(byte);
        }
        let answer = sent(&mut channel);
        assert!(answer.contains(&expected("")), "{coding}");
        assert!(answer.ends_with("Content-Length: 5\r\n|plain"), "{coding}: {answer}");
        assert!(channel.is_open());
    }
}

#[test]
fn every_split_of_a_compressed_request() {
    let stream = [
        chunked("Content-Encoding: gzip\r\n", &pack(Gzip, b"hello, hello, hello")),
        post("Content-Encoding: deflate\r\n", &pack(Deflate, b"again")),
        post("Content-Encoding: identity\r\n", b"plain"),
    ]
    .concat();
    let answers = |pieces: &[&[u8]]| {
        let mut channel = mirror();
        for piece in pieces {
            channel.write_inbound(*piece);
        }
        sent(&mut channel)
    };
    let expected = answers(&[&stream]);
    assert!(
        expected.contains("|hello, hello, hello") && expected.ends_with("|plain"),
        "{expected}"
    );
    for cut in 1..stream.len() {
        let (a, b) = stream.split_at(cut);
        assert_eq!(answers(&[a, b]), expected, "cut at {cut}");
    }
}

#[test]
fn what_cannot_be_decompressed_is_refused() {
    let good = pack(Gzip, &text(500));
    let mut damaged = good.clone();
    damaged[20] ^= 0x55;
    for (what, request, status) in [
        ("unknown", post("Content-Encoding: compress\r\n", b"x"), 415),
        ("several", post("Content-Encoding: gzip, deflate\r\n", b"x"), 415),
        ("several fields", post("Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n", b"x"), 415),
        ("damaged", post("Content-Encoding: gzip\r\n", &damaged), 400),
        ("none", post("Content-Encoding: gzip\r\n", b"hello"), 400),
        ("cut", post("Content-Encoding: gzip\r\n", &good[..40]), 400),
        (
            "behind it",
            post("Content-Encoding: deflate\r\n", &[pack(Deflate, b"x"), vec![0]].concat()),
            400,
        ),
        ("too large", post("Content-Encoding: gzip\r\n", &pack(Gzip, &text(10_001))), 413),
        ("a bomb", chunked("Content-Encoding: gzip\r\n", &pack(Gzip, &vec![0; 4 << 20])), 413),
    ] {
        let mut channel = mirror();
        channel.write_inbound(&request[..]);
        let answer = sent(&mut channel);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{what}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{what}: {answer}");
        assert_eq!(answer.contains("\r\nAccept-Encoding: "), status == 415, "{what}: {answer}");
        assert!(!channel.is_open(), "{what}");
    }
    // At the limit, and a coding of no content at all.
    let mut channel = mirror();
    channel.write_inbound(&post("Content-Encoding: gzip\r\n", &pack(Gzip, &text(10_000)))[..]);
    channel.write_inbound(&post("Content-Encoding: compress\r\n", b"")[..]);
    assert_eq!(sent(&mut channel).matches("HTTP/1.1 200").count(), 2);
    assert!(channel.is_open());
}

fn asking() -> EmbeddedChannel {
    EmbeddedChannel::new(|ch| {
        let limits = DecompressionLimits::new().bytes_max(10_000);
        client(ch.pipeline(), ClientLimits::new())
            .duplex("decompressor", HttpResponseDecompressor::new(limits))
            .inbound("responses", HttpResponseAggregator::new(1_000_000))
    })
}

fn ask(channel: &mut EmbeddedChannel, request: ClientRequest) -> String {
    drop(channel.write_outbound::<ClientRequestPart>(request.into()).expect("it takes requests"));
    sent(channel)
}

fn get() -> ClientRequest {
    ClientRequest::new(Method::Get, "a", "/")
}

fn response(coding: &str, content: &[u8]) -> ByteBuf {
    let head =
        format!("HTTP/1.1 200 OK\r\n{coding}Content-Length: {}\r\nX: y\r\n\r\n", content.len());
    ByteBuf::from([head.as_bytes(), content].concat())
}

#[test]
fn compressed_responses_are_asked_for_and_arrive_as_plain_ones() {
    let mut channel = asking();
    let accepted = format!("Accept-Encoding: {}\r\n", ContentCoding::accepted());
    for &coding in ContentCoding::SUPPORTED {
        let request = ask(&mut channel, get());
        assert!(request.contains(&accepted), "{request}");
        channel.write_inbound(response(
            &format!("Content-Encoding: {coding}\r\n"),
            &pack(coding, &text(5000)),
        ));
        let answer = channel.read_inbound::<ClientResponse>().expect("it is complete");
        assert!(answer.body.as_slice() == text(5000), "{coding}");
        assert_eq!(answer.head.header_lines(), b"X: y\r\n", "{coding}");
        assert!(answer.head.keep_alive());
    }
    // Who asks for something else gets it as it is.
    let request = ask(&mut channel, get().header("accept-encoding", "compress"));
    assert_eq!(request.to_lowercase().matches("accept-encoding").count(), 1, "{request}");
    channel.write_inbound(response("Content-Encoding: compress\r\n", b"as it is"));
    let answer = channel.read_inbound::<ClientResponse>().expect("it is complete");
    assert_eq!(answer.body.as_slice(), b"as it is");
    assert_eq!(answer.head.header("content-encoding"), Some(&b"compress"[..]));
    // HEAD says what there would be.
    let _ = ask(&mut channel, ClientRequest::new(Method::Head, "a", "/"));
    channel.write_inbound("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\n");
    let answer = channel.read_inbound::<ClientResponse>().expect("it is complete");
    assert_eq!(answer.head.header("content-encoding"), Some(&b"gzip"[..]));
}

#[test]
fn responses_that_cannot_be_decompressed_are_errors() {
    for (what, content) in [
        ("none", b"hello".to_vec()),
        ("cut", pack(Gzip, &text(500))[..50].to_vec()),
        ("too large", pack(Gzip, &text(10_001))),
        ("a bomb", pack(Gzip, &vec![0; 4 << 20])),
    ] {
        let mut channel = asking();
        let _ = ask(&mut channel, get());
        channel.write_inbound(response("Content-Encoding: gzip\r\n", &content));
        assert!(channel.take_error().is_some(), "{what}");
        assert!(channel.read_inbound::<ClientResponse>().is_none(), "{what}");
        assert!(!channel.is_open(), "{what}");
    }
}
