//! Responses, compressed as the client likes it.

use std::any::Any;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use fyke_buffer::ByteBuf;
use fyke_codec::Decoder;
use fyke_codecs::Payload;
use fyke_codecs::http1::coding::ContentCoding::{self, Gzip};
use fyke_codecs::http1::coding::{
    CompressionConfig, ContentDecoder, DecompressionLimits, HttpContentCompressor,
};
use fyke_codecs::http1::{
    HeaderBlock, HttpObjectAggregator, HttpServerHandler, HttpService, Limits, Reply, Request,
    Response, ResponseHead, ResponsePart, Status, server,
};
use fyke_core::embedded::EmbeddedChannel;
use fyke_core::{ChannelOptions, FileRegion, RegionSource};

use crate::support::{noise, text, unpack};

fn config() -> CompressionConfig {
    CompressionConfig::new().codings(&[Gzip, ContentCoding::Deflate]).inline_bytes_max(10_000)
}

/// A server that answers with what `service` makes of the request.
pub(crate) fn serve(service: fn(Request) -> Reply) -> EmbeddedChannel {
    EmbeddedChannel::new(move |ch| {
        server(ch.pipeline(), Limits::new())
            .duplex("compressor", HttpContentCompressor::new(config()))
            .inbound("aggregator", HttpObjectAggregator::new(1000))
            .inbound("app", HttpServerHandler::new(move |_, request| service(request)))
    })
}

/// The same as a service that compresses by itself.
fn serve_alone(service: fn(Request) -> Reply) -> EmbeddedChannel {
    EmbeddedChannel::new(move |ch| {
        let service = HttpService::new(1000, move |_, request| service(request));
        server(ch.pipeline(), Limits::new()).inbound("app", service.compressed(config()))
    })
}

/// A channel whose requests stay at the tail: the test itself answers.
fn by_hand(options: ChannelOptions) -> EmbeddedChannel {
    EmbeddedChannel::with_options(options, |ch| {
        server(ch.pipeline(), Limits::new())
            .duplex("compressor", HttpContentCompressor::new(config()))
    })
}

fn write(channel: &mut EmbeddedChannel, part: impl Into<ResponsePart>) {
    drop(channel.write_outbound::<ResponsePart>(part.into()).expect("it takes responses"));
}

pub(crate) fn get(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

/// A response taken apart: its head, and its body out of chunks if it came in chunks.
fn answer(bytes: &[u8]) -> (String, Vec<u8>) {
    let at = bytes.windows(4).position(|end| end == b"\r\n\r\n").expect("a whole head") + 4;
    let head = String::from_utf8(bytes[..at].to_vec()).expect("heads of tests are text");
    let mut rest = &bytes[at..];
    if !head.contains("Transfer-Encoding: chunked") {
        return (head, rest.to_vec());
    }
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|end| end == b"\r\n") {
        let size = std::str::from_utf8(&rest[..end]).expect("a size");
        let size = usize::from_str_radix(size, 16).expect("a size");
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 2 + size + 2..];
    }
    (head, body)
}

pub(crate) fn ask(channel: &mut EmbeddedChannel, request: &str) -> (String, Vec<u8>) {
    channel.write_inbound(request);
    answer(&channel.read_outbound())
}

pub(crate) static TEXT: HeaderBlock =
    HeaderBlock::from_static("Content-Type: text/plain; charset=utf-8\r\n");

fn page(_: Request) -> Reply {
    Response::new(Status::OK).block(&TEXT).header("ETag", "\"abc\"").body(text(5000)).into()
}

#[test]
fn a_page_is_compressed_for_those_who_ask() {
    compresses_for_those_who_ask(serve(page));
    compresses_for_those_who_ask(serve_alone(page));
}

/// There is a stage for it from the first answer on that may be compressed for somebody.
#[test]
fn a_service_compresses_when_it_has_to() {
    const NAMES: [&str; 3] = ["http", "compressor", "app"];
    let tiny = |_: Request| Response::new(Status::OK).block(&TEXT).body("tiny").into();
    let mut channel = serve_alone(tiny);
    let (head, body) = ask(&mut channel, &get(""));
    assert!(!head.contains("Vary") && body == b"tiny");
    assert_eq!(channel.stages(), ["http", "app"]);
    // Two in one read, of which the first brings the stage for both.
    let asks = get("Accept-Encoding: identity;q=0, gzip\r\n");
    channel.write_inbound(asks.repeat(2));
    let answers = channel.read_outbound();
    let heads = answers.windows(8).filter(|text| text == b"HTTP/1.1").count();
    let coded = answers.windows(22).filter(|text| text == b"Content-Encoding: gzip").count();
    assert_eq!((heads, coded), (2, 2));
    assert_eq!(channel.stages(), NAMES);

    let mut channel = serve_alone(page);
    let (head, body) = ask(&mut channel, &get(""));
    assert!(head.contains("Vary: Accept-Encoding\r\n") && body == text(5000), "{head}");
    assert_eq!(channel.stages(), NAMES);

    let changed = |_: Request| Response::new(Status::NOT_MODIFIED).header("ETag", "\"a\"").into();
    let (head, _) = ask(&mut serve_alone(changed), &get(""));
    assert!(head.contains("Vary: Accept-Encoding\r\n"), "{head}");
}

fn compresses_for_those_who_ask(mut channel: EmbeddedChannel) {
    let (head, body) = ask(&mut channel, &get("Accept-Encoding: br, gzip;q=0.8\r\n"));
    for line in [
        "Content-Encoding: gzip\r\n",
        "Vary: Accept-Encoding\r\n",
        "ETag: W/\"abc\"\r\n",
        "Content-Type: text/plain; charset=utf-8\r\n",
        &format!("Content-Length: {}\r\n", body.len()),
    ] {
        assert!(head.contains(line), "{line:?} is missing in {head}");
    }
    assert!(body.len() < 1000 && unpack(Gzip, &body).unwrap() == text(5000));
    // The same for everybody else.
    for fields in ["", "Accept-Encoding: identity\r\n", "Accept-Encoding: gzip;q=0\r\n"] {
        let (head, body) = ask(&mut channel, &get(fields));
        assert!(body == text(5000) && !head.contains("Content-Encoding"), "{fields}: {head}");
        assert!(head.contains("Vary: Accept-Encoding\r\n"), "{head}");
        assert!(head.contains("ETag: \"abc\"\r\n"), "{head}");
    }
    let (head, body) = ask(&mut channel, &get("Accept-Encoding: deflate\r\n"));
    assert!(head.contains("Content-Encoding: deflate\r\n"));
    assert!(unpack(ContentCoding::Deflate, &body).unwrap() == text(5000));
}

fn check_passes(what: &str, service: fn(Request) -> Reply, varies: bool) {
    let mut channel = serve(service);
    let (head, _) = ask(&mut channel, &get("Accept-Encoding: gzip\r\n"));
    assert!(!head.contains("Content-Encoding: gzip"), "{what}: {head}");
    assert_eq!(head.contains("Vary"), varies, "{what}: {head}");
    assert!(!head.contains("W/"), "{what}: {head}");
}

#[test]
fn what_is_left_as_it_is() {
    check_passes("tiny", |_| Response::new(Status::OK).block(&TEXT).body(text(511)).into(), false);
    check_passes("no type", |_| Response::new(Status::OK).body(text(5000)).into(), false);
    check_passes(
        "a picture",
        |_| Response::new(Status::OK).header("Content-Type", "image/png").body(text(5000)).into(),
        false,
    );
    check_passes(
        "no-transform",
        |_| {
            let response = Response::new(Status::OK).block(&TEXT).body(text(5000));
            response.header("Cache-Control", "max-age=1, No-Transform").into()
        },
        false,
    );
    check_passes(
        "coded already",
        |_| {
            let response = Response::new(Status::OK).block(&TEXT).body(text(5000));
            response.header("Content-Encoding", "br").into()
        },
        false,
    );
    check_passes(
        "a range",
        |_| {
            let response = Response::new(Status::PARTIAL_CONTENT).block(&TEXT).body(text(5000));
            response.header("Content-Range", "bytes 0-4999/9999").into()
        },
        false,
    );
    check_passes(
        "noise",
        |_| Response::new(Status::OK).block(&TEXT).body(noise(5000)).into(),
        true,
    );
    check_passes(
        "not modified",
        |_| Response::new(Status::NOT_MODIFIED).header("ETag", "\"abc\"").into(),
        true,
    );
    check_passes("no content", |_| Response::new(Status::NO_CONTENT).into(), false);
    check_passes("empty", |_| Response::new(Status::OK).block(&TEXT).into(), false);
}

#[test]
fn vary_is_added_once() {
    for (value, lines) in
        [("accept-encoding", 1), ("Cookie, Accept-Encoding", 1), ("*", 1), ("Cookie", 2)]
    {
        let mut channel = by_hand(ChannelOptions::default());
        channel.write_inbound(get("Accept-Encoding: gzip\r\n").as_str());
        let response = Response::new(Status::OK).block(&TEXT).header("Vary", value);
        write(&mut channel, response.body(text(5000)));
        let (head, _) = answer(&channel.read_outbound());
        assert!(head.contains("Content-Encoding: gzip"));
        assert_eq!(head.matches("Vary: ").count(), lines, "{head}");
    }
}

/// RFC 9110 section 12.5.3: `identity;q=0` leaves no choice.
#[test]
fn who_refuses_plain_content_gets_even_tiny_ones_compressed() {
    let mut channel = serve(|_| Response::new(Status::OK).body("tiny").into());
    let (head, body) = ask(&mut channel, &get("Accept-Encoding: gzip, identity;q=0\r\n"));
    assert!(head.contains("Content-Encoding: gzip\r\n"), "{head}");
    assert_eq!(unpack(Gzip, &body).unwrap(), b"tiny");
    // Nothing that both know: the content is sent all the same.
    let (head, body) = ask(&mut channel, &get("Accept-Encoding: sdch, identity;q=0\r\n"));
    assert!(!head.contains("Content-Encoding") && body == b"tiny");
}

#[test]
fn digests_of_plain_content_do_not_stay() {
    let mut channel = serve(|_| {
        let response = Response::new(Status::OK).block(&TEXT).body(text(5000));
        response.header("Repr-Digest", "sha-256=:x:").header("ETag", "W/\"w\"").close().into()
    });
    let (head, _) = ask(&mut channel, &get("Accept-Encoding: gzip\r\n"));
    assert!(!head.contains("Digest") && head.contains("ETag: W/\"w\"\r\n"), "{head}");
    assert!(head.contains("Connection: close\r\n") && !channel.is_open());
}

/// Bodies above `inline_bytes_max` are compressed on another thread.
#[test]
fn large_bodies_and_pipelined_requests_keep_their_order() {
    let mut channel = serve(|request| {
        let size = request.head.path()[1..].parse().expect("a size");
        Response::new(Status::OK).block(&TEXT).body(text(size)).into()
    });
    let sizes = [20_000, 600, 50_000, 10_001, 10_000];
    let requests: String = sizes
        .iter()
        .map(|size| get("Accept-Encoding: gzip\r\n").replace("/ ", &format!("/{size} ")))
        .collect();
    channel.write_inbound(requests.as_str());
    let mut sent = channel.read_outbound().to_vec();
    for size in sizes {
        let at = sent.windows(4).position(|end| end == b"\r\n\r\n").expect("a head") + 4;
        let head = String::from_utf8(sent[..at].to_vec()).expect("text");
        let len = head.split("Content-Length: ").nth(1).and_then(|rest| rest.split('\r').next());
        let len: usize = len.expect("it has a length").parse().expect("a number");
        assert!(unpack(Gzip, &sent[at..at + len]).unwrap() == text(size), "{size}");
        sent.drain(..at + len);
    }
    assert!(sent.is_empty() && channel.is_open());
}

#[test]
fn a_stream_of_known_length_goes_out_in_chunks() {
    let mut channel = by_hand(ChannelOptions::default());
    channel.write_inbound(get("Accept-Encoding: gzip\r\n").as_str());
    write(&mut channel, ResponseHead::new(Status::OK).block(&TEXT).content_length(5000));
    for piece in text(5000).chunks(700) {
        write(&mut channel, ResponsePart::Body(Payload::from(piece.to_vec())));
    }
    write(
        &mut channel,
        ResponsePart::Trailers(HeaderBlock::new(&[("X-T", "v")]).expect("a field")),
    );
    write(&mut channel, ResponsePart::End);
    let sent = channel.read_outbound();
    assert!(sent.ends_with(b"0\r\nX-T: v\r\n\r\n"));
    let (head, body) = answer(&sent[..sent.len() - b"0\r\nX-T: v\r\n\r\n".len()]);
    assert!(head.contains("Transfer-Encoding: chunked") && !head.contains("Content-Length"));
    assert!(unpack(Gzip, &body).unwrap() == text(5000));
    // A short one passes.
    channel.write_inbound(get("Accept-Encoding: gzip\r\n").as_str());
    write(&mut channel, ResponseHead::new(Status::OK).block(&TEXT).content_length(2));
    write(&mut channel, ResponsePart::Body("hi".into()));
    write(&mut channel, ResponsePart::End);
    assert!(channel.read_outbound().ends_with(b"Content-Length: 2\r\n\r\nhi"));
}

/// Bytes that stand in for a file.
struct Region(Vec<u8>);

impl RegionSource for Region {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let rest = self.0.get(offset as usize..).unwrap_or_default();
        // Short reads are part of the contract only at the end; they are coped with all the same.
        let n = rest.len().min(into.len()).min(50_000);
        into[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn file(bytes: Vec<u8>, len: u64) -> ResponsePart {
    ResponsePart::File(FileRegion::new(Arc::new(Region(bytes)), 0, len))
}

#[test]
fn a_file_is_read_and_compressed_piece_by_piece() {
    let mut channel = by_hand(ChannelOptions::default());
    let request = get("Accept-Encoding: gzip\r\n");
    channel.write_inbound(request.repeat(2).as_str());
    let content = text(1_000_000);
    write(&mut channel, ResponseHead::new(Status::OK).block(&TEXT).content_length(1_000_000));
    write(&mut channel, file(content.clone(), 1_000_000));
    write(&mut channel, ResponsePart::End);
    write(&mut channel, Response::new(Status::OK).body("next"));
    let sent = channel.read_outbound();
    let end = sent.windows(5).position(|end| end == b"0\r\n\r\n").expect("the last chunk");
    let (_, body) = answer(&sent[..end]);
    assert!(unpack(Gzip, &body).unwrap() == content);
    assert!(sent.ends_with(b"Content-Length: 4\r\n\r\nnext"));
}

#[test]
fn a_file_waits_for_a_slow_reader() {
    let options = ChannelOptions::default().water_marks(1000, 2000);
    let mut channel = by_hand(options);
    channel.set_room(Some(0));
    channel.write_inbound(get("Accept-Encoding: gzip\r\n").as_str());
    // Not compressible, but its type says otherwise: much comes out.
    let content = noise(3_000_000);
    write(&mut channel, ResponseHead::new(Status::OK).block(&TEXT).content_length(3_000_000));
    write(&mut channel, file(content.clone(), 3_000_000));
    write(&mut channel, ResponsePart::End);
    assert!(channel.pending_bytes() < 600_000, "{}", channel.pending_bytes());
    channel.set_room(None);
    channel.run_pending();
    let sent = channel.read_outbound();
    assert!(sent.ends_with(b"0\r\n\r\n"), "all of it is sent in the end");
    let (_, body) = answer(&sent[..sent.len() - 5]);
    assert!(unpack(Gzip, &body).unwrap() == content);
}

#[test]
fn what_waits_behind_a_file_does_not_hold_it_up() {
    let mut channel = by_hand(ChannelOptions::default().water_marks(1000, 2000));
    channel.set_room(Some(0));
    channel.write_inbound(get("Accept-Encoding: gzip\r\n").as_str());
    let content = noise(1_000_000);
    write(&mut channel, ResponseHead::new(Status::OK).block(&TEXT).content_length(1_005_000));
    write(&mut channel, file(content.clone(), 1_000_000));
    // More than the low water mark, before and after the file has to stop.
    write(&mut channel, ResponsePart::Body(noise(5000).into()));
    write(&mut channel, ResponsePart::End);
    channel.set_room(None);
    channel.run_pending();
    let sent = channel.read_outbound();
    assert!(sent.ends_with(b"0\r\n\r\n"), "all of it is sent in the end");
    let (_, body) = answer(&sent[..sent.len() - 5]);
    assert!(unpack(Gzip, &body).unwrap() == [content, noise(5000)].concat());
    assert_eq!(channel.pending_bytes(), 0);
}

#[test]
fn a_file_that_is_cut_cuts_the_connection() {
    let mut channel = by_hand(ChannelOptions::default());
    channel.write_inbound(get("Accept-Encoding: gzip\r\n").as_str());
    write(&mut channel, ResponseHead::new(Status::OK).block(&TEXT).content_length(9000));
    write(&mut channel, file(text(100), 9000));
    write(&mut channel, ResponsePart::End);
    assert!(!channel.is_open());
    assert!(!channel.read_outbound().ends_with(b"0\r\n\r\n"), "it does not look complete");
}

#[test]
fn events_are_readable_soon_after_they_are_written() {
    let mut channel = by_hand(ChannelOptions::default());
    channel.write_inbound(get("Accept-Encoding: gzip\r\n").as_str());
    let head = ResponseHead::new(Status::OK).header("Content-Type", "text/event-stream");
    write(&mut channel, head);
    let _ = channel.read_outbound();
    let mut stream = Vec::new();
    for round in 0..3 {
        write(&mut channel, ResponsePart::Body("data: hello\n\n".into()));
        let at_once = channel.read_outbound();
        channel.advance(Duration::from_millis(5));
        let later = channel.read_outbound();
        assert!(!later.is_empty(), "round {round}");
        for sent in [at_once, later] {
            let framed = [b"Transfer-Encoding: chunked\r\n\r\n", &sent[..]].concat();
            stream.extend(answer(&framed).1);
        }
        // The stream has no end yet, so only what was flushed can be read.
        let mut src = ByteBuf::from(&stream[..]);
        let limits = DecompressionLimits::new();
        let mut decoder = ContentDecoder::new(Gzip, limits).unwrap();
        let mut read = Vec::new();
        while let Ok(Some(piece)) = decoder.decode(&mut src) {
            read.extend_from_slice(&piece);
        }
        assert_eq!(read, b"data: hello\n\n".repeat(round + 1));
    }
    channel.advance(Duration::from_secs(1));
    assert!(channel.read_outbound().is_empty(), "nothing is flushed twice");
}

#[test]
fn interim_responses_and_upgrades_pass() {
    let mut channel = by_hand(ChannelOptions::default());
    channel.write_inbound(get("Accept-Encoding: gzip\r\n").as_str());
    write(&mut channel, ResponseHead::new(Status::EARLY_HINTS).header("Link", "</a>"));
    write(&mut channel, Response::new(Status::OK).block(&TEXT).body(text(5000)));
    let sent = channel.read_outbound();
    assert!(sent.starts_with(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n"));
    let (_, body) = answer(&sent[sent.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4..]);
    assert!(unpack(Gzip, &body).unwrap() == text(5000));
}
