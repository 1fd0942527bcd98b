//! Every refusal of the tables through a whole server: one answer with status and reason, then the
//! end of that connection, and nothing else is affected.

use fyke_core::CloseReason;

use crate::support::{GET, mirror, sent, statuses};
use crate::table::{self, Case};

/// What the refusal looks like on the wire.
fn answer(case: &Case) -> String {
    let allow = match case.status {
        405 => "Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH\r\n",
        _ => "",
    };
    format!(
        "Content-Type: text/plain; charset=utf-8\r\n{allow}Content-Length: {}\r\n\
         Connection: close\r\n\r\n{}",
        case.reason.len(),
        case.reason
    )
}

/// Why a connection ends behind a refusal with this status.
fn reason(status: u16) -> CloseReason {
    match status {
        413 | 414 | 431 => CloseReason::Limit,
        _ => CloseReason::Protocol,
    }
}

/// What was right before it is answered, what follows it is not, and a neighbour notices nothing.
fn check(case: &Case, chunk: usize) {
    let mut neighbour = mirror();
    let mut channel = mirror();
    let stream = format!("{GET}{}{GET}", case.input);
    for piece in stream.as_bytes().chunks(chunk) {
        channel.write_inbound(piece);
    }
    let text = sent(&mut channel);
    let clause = case.clause;
    assert_eq!(statuses(&text), [200, case.status], "{clause}: {text}");
    assert!(text.contains("\r\n\r\nGET /|HTTP/1.1 "), "{clause}: {text}");
    assert!(text.ends_with(&answer(case)), "{clause}: {text}");
    assert!(!channel.is_open() && channel.output_ended(), "{clause}");
    assert!(channel.take_error().is_none(), "{clause}: nobody else hears of it");
    channel.finish_inbound();
    assert_eq!(channel.close_reason(), Some(reason(case.status)), "{clause}");
    assert_eq!(sent(&mut channel), "", "{clause}");
    neighbour.write_inbound(GET);
    assert_eq!(statuses(&sent(&mut neighbour)), [200], "{clause}");
    assert!(neighbour.is_open(), "{clause}");
}

#[test]
fn what_is_wrong_with_a_head() {
    for case in table::heads() {
        check(&case, usize::MAX);
        check(&case, 7);
    }
}

#[test]
fn what_is_wrong_with_a_body() {
    for case in table::bodies() {
        check(&case, usize::MAX);
        check(&case, 7);
    }
}

#[test]
fn what_is_wrong_with_the_head_of_a_head_9110_9_3_2() {
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(17_000));
    let (clause, reason) = ("9110-15.5.15", "request line over the limit");
    let cases = table::heads().into_iter();
    let mut count = 0;
    for case in cases.chain([Case { clause, input: long, status: 414, reason }]) {
        // With any other method before the first space it is no HEAD, or not known to be one.
        let Some(rest) =
            ["GET ", "POST "].iter().find_map(|method| case.input.strip_prefix(method))
        else {
            continue;
        };
        count += 1;
        for chunk in [usize::MAX, 7] {
            let mut channel = mirror();
            for piece in format!("{GET}HEAD {rest}{GET}").as_bytes().chunks(chunk) {
                channel.write_inbound(piece);
            }
            let text = sent(&mut channel);
            let head = answer(&case);
            let head = head.strip_suffix(case.reason).expect("the reason is the content");
            assert_eq!(statuses(&text), [200, case.status], "{}: {text}", case.clause);
            assert!(text.ends_with(head), "{}: {text}", case.clause);
            assert!(!channel.is_open() && channel.output_ended(), "{}", case.clause);
        }
    }
    assert!(count >= 150, "only {count}");
}
