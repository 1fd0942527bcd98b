//! The service's function, and work that blocks.

use fyke_codecs::http1::{HeaderBlock, Reply, Response, Status};
use fyke_core::ChannelOptions;

use crate::support::{GET, sent, serve, statuses};

#[test]
fn offloaded_answers_keep_the_order() {
    let mut channel = serve(ChannelOptions::default(), |request| {
        let target = request.head.target().to_owned();
        let answer = move || Response::new(Status::OK).body(target);
        if request.head.path() == "/slow" { Reply::offload(answer) } else { answer().into() }
    });
    let slow = GET.replace("/ ", "/slow ");
    channel.write_inbound(format!("{slow}{GET}{slow}{slow}{GET}").as_str());
    let text = sent(&mut channel);
    let bodies: Vec<_> = text
        .split("\r\n\r\n")
        .skip(1)
        .map(|rest| &rest[..rest.find("HTTP").unwrap_or(rest.len())])
        .collect();
    assert_eq!(bodies, ["/slow", "/", "/slow", "/slow", "/"]);
    assert!(channel.is_open());
}

#[test]
fn a_panic_in_offloaded_work_is_a_500_and_no_more() {
    let mut channel = serve(ChannelOptions::default(), |request| {
        if request.head.path() == "/bad" {
            return Reply::offload(|| -> Response { panic!("no luck today") });
        }
        Response::new(Status::OK).into()
    });
    let bad = GET.replace("/ ", "/bad ");
    channel.write_inbound(format!("{bad}{GET}").as_str());
    assert_eq!(statuses(&sent(&mut channel)), [500, 200]);
    assert!(channel.is_open());
}

#[test]
fn the_peers_end_waits_for_offloaded_work() {
    let mut channel = serve(ChannelOptions::default(), |_| {
        Reply::offload(|| Response::new(Status::OK).body("done"))
    });
    channel.write_inbound(GET);
    channel.finish_inbound();
    assert!(sent(&mut channel).ends_with("done"));
    assert!(!channel.is_open());
}

static BLOCK: HeaderBlock =
    HeaderBlock::from_static("Server: fyke\r\nX-Note: a\tb \u{e4}\r\nContent-Type: text/plain\r\n");

#[test]
fn static_header_lines_are_sent_as_they_are() {
    let mut channel =
        serve(ChannelOptions::default(), |_| Response::new(Status::OK).block(&BLOCK).into());
    channel.write_inbound(GET);
    assert_eq!(
        sent(&mut channel),
        "HTTP/1.1 200 OK\r\nServer: fyke\r\nX-Note: a\tb \u{e4}\r\nContent-Type: text/plain\r\n\
         Content-Length: 0\r\n\r\n"
    );
}

#[test]
fn static_header_lines_are_checked() {
    for bad in [
        "Server: fyke",
        "Server: fyke\n",
        "Server fyke\r\n",
        ": fyke\r\n",
        "Se rver: fyke\r\n",
        "Server: a\rb\r\n",
        "Server: a\r\n\r\n",
        "Server: a\0\r\n",
        "Content-Length: 3\r\n",
        "transfer-encoding: chunked\r\n",
        "Connection: close\r\n",
        "Date: now\r\n",
    ] {
        let made = std::panic::catch_unwind(|| HeaderBlock::from_static(bad));
        assert!(made.is_err(), "{bad:?}");
    }
}
