//! Our client and our server, over sockets of the system and in memory.

use std::sync::mpsc;

use fyke::{Bootstrap, EventLoopGroup, Kernel, Local, LocalNetwork, ServerBootstrap};
use fyke_codecs::http1::client::{
    CallLimits, ClientLimits, ClientRequest, HttpCall, Origin, pooled_client, split_url,
};
use fyke_codecs::http1::{
    HttpObjectAggregator, HttpServerHandler, Limits, Method, Request, Response, Status, server,
};
use fyke_core::transport::TransportFactory;
use fyke_core::{Address, ChannelOptions};

const BODY_BYTES_MAX: u64 = 4 << 20;

/// A server that answers with the method, the target and the body of each request.
fn mirror(request: Request) -> Response {
    if request.head.path() == "/last" {
        return Response::new(Status::OK).close().body("bye");
    }
    let what = format!("{} {}|", request.head.method(), request.head.target());
    Response::new(Status::OK).body([what.as_bytes(), &request.body].concat())
}

fn everywhere(script: fn(&Bootstrap<fyke::Handler>, Address)) {
    let network = LocalNetwork::new();
    run(Kernel::tcp, "127.0.0.1:0".parse().expect("an address"), script);
    run(Local::on(&network), Address::local(""), script);
}

fn run(
    transport: impl TransportFactory + Clone,
    address: Address,
    script: fn(&Bootstrap<fyke::Handler>, Address),
) {
    let group = EventLoopGroup::new(1).expect("a loop");
    let serving = ServerBootstrap::new(group.clone())
        .transport(transport.clone())
        .child(|ch| {
            server(ch.pipeline(), Limits::new())
                .inbound("aggregator", HttpObjectAggregator::new(BODY_BYTES_MAX))
                .inbound("app", HttpServerHandler::new(|_, request: Request| mirror(request)))
        })
        .bind(address)
        .expect("it listens");
    let client = Bootstrap::new(group)
        .transport(transport)
        .options(ChannelOptions::default())
        .handler(|ch| {
            pooled_client(ch.pipeline(), ClientLimits::new(), CallLimits::new(), BODY_BYTES_MAX)
        });
    script(&client, serving.local_address().clone());
}

#[test]
fn calls_are_answered_by_our_own_server() {
    everywhere(|client, address| {
        let channel = client.connect(address).wait().expect("it connects");
        let calls = channel.sender::<HttpCall>().expect("it takes calls");
        let send = |request| {
            let (call, answer) = HttpCall::new(request);
            calls.send(call).expect("the channel is open");
            answer
        };
        let large = vec![b'x'; 1 << 20];
        let requests = [
            (ClientRequest::new(Method::Get, "a", "/1?2"), b"GET /1?2|".to_vec()),
            (ClientRequest::new(Method::Head, "a", "/"), Vec::new()),
            (ClientRequest::new(Method::Post, "a", "/").body("hi"), b"POST /|hi".to_vec()),
            (
                ClientRequest::new(Method::Put, "a", "/").body(large.clone()).expect_continue(),
                [b"PUT /|", &large[..]].concat(),
            ),
            (ClientRequest::new(Method::Get, "a", "/last"), b"bye".to_vec()),
        ];
        let answers: Vec<_> =
            requests.into_iter().map(|(request, body)| (send(request), body)).collect();
        for (answer, body) in answers {
            let response = answer.wait().expect("it is answered");
            assert_eq!(response.head.status(), Status::OK);
            assert!(response.body.as_slice() == body, "another body");
        }
        // The server said that this was the last one.
        let _ = channel.wait_closed();
    });
}

#[test]
fn a_tenth_of_a_thousand_calls_from_many_threads() {
    everywhere(|client, address| {
        let channel = client.connect(address).wait().expect("it connects");
        let calls = channel.sender::<HttpCall>().expect("it takes calls");
        let (done, outcome) = mpsc::channel();
        for thread in 0..4 {
            let (calls, done) = (calls.clone(), done.clone());
            std::thread::spawn(move || {
                for n in 0..25 {
                    let target = format!("/{thread}/{n}");
                    let (call, answer) =
                        HttpCall::new(ClientRequest::new(Method::Get, "a", &target));
                    let sent = calls.send(call).is_ok();
                    let body = answer.wait().expect("it is answered").body;
                    let expected = format!("GET {target}|");
                    done.send(sent && body.as_slice() == expected.as_bytes()).expect("it waits");
                }
            });
        }
        drop(done);
        assert_eq!(outcome.iter().filter(|right| *right).count(), 100);
    });
}

#[test]
fn urls_are_taken_apart() {
    for (url, host, port, target) in [
        ("http://a", "a", 80, "/"),
        ("HTTP://A.b:8080/x?y#z", "a.b", 8080, "/x?y"),
        ("http://a?q", "a", 80, "/?q"),
        ("http://a:/", "a", 80, "/"),
        ("http://[::1]:9/", "[::1]", 9, "/"),
        ("http://[::1]", "[::1]", 80, "/"),
    ] {
        let (origin, path) = split_url(url).expect(url);
        assert_eq!((origin.host(), origin.port(), &*path), (host, port, target), "{url}");
    }
    for bad in [
        "",
        "a",
        "https://a/",
        "http://",
        "http://u@a/",
        "http://a b/",
        "http://a/ b",
        "http://a:x/",
        "http://a:99999/",
        "ftp://a/",
        "http://a/\"",
        "http://\u{e4}/",
    ] {
        assert!(split_url(bad).is_err(), "{bad}");
    }
    assert_eq!(Origin::new("[::1]", 80).expect("a host").authority(), "[::1]");
    assert_eq!(Origin::new("[::1]", 81).expect("a host").authority(), "[::1]:81");
    assert_eq!(Origin::new("[::1]", 81).expect("a host").host_name(), "::1");
    assert!(Origin::new("a:b", 80).is_err() && Origin::new("a/", 80).is_err());
}
