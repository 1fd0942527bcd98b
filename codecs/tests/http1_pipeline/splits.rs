//! However a stream of requests is cut, the answers are the same.

use fyke_core::embedded::EmbeddedChannel;

use crate::support::{GET, mirror, sent};

fn answers<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, eof: bool) -> (String, bool) {
    let mut channel = mirror();
    for piece in pieces {
        channel.write_inbound(piece);
    }
    if eof {
        channel.finish_inbound();
    }
    (sent(&mut channel), is_open(&mut channel))
}

fn is_open(channel: &mut EmbeddedChannel) -> bool {
    channel.is_open()
}

#[test]
fn every_split_of_a_stream_gives_the_same_answers() {
    let stream = [
        GET,
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        "\r\nHEAD /b HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n1\r\nd\r\n0\r\nT: v\r\n\r\n",
        "GET /d HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        "PUT /e HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n!",
    ]
    .concat();
    for end in [
        "",
        "GET /f HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET /f HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "POST /f HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\nshort",
    ] {
        let stream = [&stream, end].concat();
        let stream = stream.as_bytes();
        let eof = end.ends_with("short");
        let expected = answers([stream], eof);
        assert!(expected.0.contains("POST /c|abcd") && expected.0.contains("PUT /e|!"));
        for cut in 1..stream.len() {
            let (a, b) = stream.split_at(cut);
            assert_eq!(answers([a, b], eof), expected, "cut at {cut}");
        }
        assert_eq!(answers(stream.chunks(1), eof), expected, "byte by byte");
    }
}

#[test]
fn every_split_in_three_gives_the_same_answers() {
    let stream =
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhiGET /b HTTP/1.0\r\n\r\n";
    let stream = stream.as_bytes();
    let expected = answers([stream], false);
    for first in 0..stream.len() {
        for second in first..stream.len() {
            let pieces = [&stream[..first], &stream[first..second], &stream[second..]];
            assert_eq!(answers(pieces, false), expected, "cut at {first} and {second}");
        }
    }
}
