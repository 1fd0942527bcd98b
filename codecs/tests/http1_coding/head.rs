//! Answers to HEAD where those to GET would be compressed.

use fyke_codecs::http1::{Reply, Request, Response, ResponseHead, ResponsePart, Status};

use crate::compressor::{TEXT, ask, get, serve};
use crate::support::text;

type Service = fn(Request) -> Reply;

/// The fields that have to be the same for GET and HEAD.
fn representation(head: &str) -> Vec<&str> {
    let names = ["HTTP/1.1 ", "Content-Encoding: ", "Content-Type: ", "ETag: ", "Vary: "];
    head.lines().filter(|line| names.iter().any(|name| line.starts_with(name))).collect()
}

#[test]
fn the_answer_to_head_says_what_get_would_say_9110_8_6() {
    let whole = |_| page_of(5000).into();
    let tiny = |_| page_of(20).into();
    let large = |_| page_of(50_000).into();
    let picture = |_| {
        let response = Response::new(Status::OK).header("Content-Type", "image/png");
        response.header("ETag", "\"abc\"").body(text(5000)).into()
    };
    let parts = |_| {
        let head = ResponseHead::new(Status::OK).block(&TEXT).header("ETag", "\"abc\"");
        let body = ResponsePart::Body(text(5000).into());
        Reply::Parts(vec![head.content_length(5000).into(), body, ResponsePart::End])
    };
    let services: [(&str, Service); 5] = [
        ("whole", whole),
        ("tiny", tiny),
        ("large", large),
        ("picture", picture),
        ("parts", parts),
    ];
    for (what, service) in services {
        for (fields, codes) in [
            ("Accept-Encoding: gzip\r\n", true),
            ("Accept-Encoding: br, deflate\r\n", true),
            ("", false),
            ("Accept-Encoding: identity\r\n", false),
        ] {
            let codes = codes && !matches!(what, "tiny" | "picture");
            let mut channel = serve(service);
            let (of_get, _) = ask(&mut channel, &get(fields));
            let (head, body) = ask(&mut channel, &get(fields).replace("GET", "HEAD"));
            let case = format!("{what}, {fields:?}: {head}");
            assert_eq!(representation(&head), representation(&of_get), "{case}");
            assert_eq!(head.contains("Content-Encoding: "), codes, "{case}");
            assert_eq!(head.contains("ETag: W/\"abc\"\r\n"), codes, "{case}");
            assert_eq!(head.contains("Content-Length: "), !codes, "{case}");
            assert!(body.is_empty() && channel.is_open(), "{case}");
            // And the next answer is found where it begins.
            let (again, _) = ask(&mut channel, &get(fields));
            assert_eq!(representation(&again), representation(&of_get), "{case}");
        }
    }
}

fn page_of(len: usize) -> Response {
    Response::new(Status::OK).block(&TEXT).header("ETag", "\"abc\"").body(text(len))
}
