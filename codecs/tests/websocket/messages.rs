//! Whole messages: limits, ends of streams, what is copied and what is not.

use crate::support::{BINARY, CLOSE, CONT, FIN, PING, TEXT, client, decode_with, feed, header};
use crate::table::Expect::{Fails, Messages};
use crate::table::{Case, check};
use fyke_codecs::websocket::{Limits, Message, Role};

/// Rows about limits; the same limits for all.
pub(crate) fn cases() -> Vec<Case> {
    let limits = Limits::new().message_bytes_max(10).fragments_max(3);
    let ten = || Message::text("0123456789");
    let case = |name: &str, input, expect| Case::new("10.4", name, input, expect).limits(limits);
    let big = |name: &str, before, input| case(name, input, Fails(before, 1009));
    let good = |name: &str, input, messages| case(name, input, Messages(messages));
    vec![
        good("ten bytes", client(&[(FIN | TEXT, b"0123456789")]), vec![ten()]),
        big("eleven bytes", 0, client(&[(FIN | TEXT, b"0123456789a")])),
        big("eleven bytes of binary", 0, client(&[(FIN | BINARY, b"0123456789a")])),
        big("eleven bytes declared", 0, header(true, FIN | BINARY, 0, 11)),
        big("126 bytes declared", 0, header(true, FIN | BINARY, 2, 126)),
        big("64 KiB declared", 0, header(true, FIN | BINARY, 8, 65_536)),
        big("an exbibyte declared", 0, header(true, FIN | BINARY, 8, 1 << 60)),
        big("2^63-1 declared", 0, header(true, FIN | BINARY, 8, i64::MAX as u64)),
        good("ten in two", client(&[(TEXT, b"01234"), (FIN | CONT, b"56789")]), vec![ten()]),
        big("eleven in two", 0, client(&[(TEXT, b"01234"), (FIN | CONT, b"56789a")])),
        big(
            "eleven in three",
            0,
            client(&[(TEXT, b"01234"), (CONT, b"56789"), (FIN | CONT, b"a")]),
        ),
        big("one byte behind ten, open", 0, client(&[(TEXT, b"0123456789"), (CONT, b"a")])),
        big(
            "declared lengths do not wrap around",
            0,
            [client(&[(TEXT, b"0")]), header(true, CONT, 8, i64::MAX as u64)].concat(),
        ),
        good(
            "each message has ten",
            client(&[(FIN | TEXT, b"0123456789"), (FIN | TEXT, b"0123456789")]),
            vec![ten(), ten()],
        ),
        good(
            "control frames do not count",
            client(&[(TEXT, b"01234"), (PING, b"0123456"), (FIN | CONT, b"56789")]),
            vec![Message::Ping("0123456".into()), ten()],
        ),
        good(
            "three fragments",
            client(&[(TEXT, b""), (CONT, b""), (FIN | CONT, b"")]),
            vec![Message::text("")],
        ),
        big("four fragments", 0, client(&[(TEXT, b""), (CONT, b""), (CONT, b""), (CONT, b"")])),
        big("a good one first", 1, client(&[(FIN | TEXT, b"a"), (FIN | TEXT, b"0123456789a")])),
    ]
}

#[test]
fn limits_10_4() {
    check(&cases());
}

#[test]
fn message_limit_counts_all_fragments() {
    let limits = Limits::new().message_bytes_max(10);
    let code = |frames: &[(u8, &[u8])]| decode_with(Role::Server, limits, &client(frames)).code();
    assert_eq!(code(&[(FIN | TEXT, b"0123456789")]), None);
    assert_eq!(code(&[(FIN | TEXT, b"0123456789a")]), Some(1009));
    assert_eq!(code(&[(TEXT, b"01234"), (FIN | CONT, b"56789")]), None);
    assert_eq!(code(&[(TEXT, b"01234"), (FIN | CONT, b"56789a")]), Some(1009));
    assert_eq!(code(&[(TEXT, b"01234"), (CONT, b"56789"), (FIN | CONT, b"a")]), Some(1009));
    // Control frames do not count, and the next message starts from nothing.
    let whole: (u8, &[u8]) = (FIN | BINARY, b"0123456789");
    assert_eq!(code(&[(TEXT, b"01234"), (PING, b"0123456"), (FIN | CONT, b"56789"), whole]), None);
    // The declaration is enough: not a byte of the content has come.
    let declared = [client(&[(TEXT, b"01234")]), header(true, FIN | CONT, 0, 6)].concat();
    assert_eq!(decode_with(Role::Server, limits, &declared).code(), Some(1009));
}

#[test]
fn fragment_limit() {
    let limits = Limits::new().fragments_max(3);
    let code = |frames: &[(u8, &[u8])]| decode_with(Role::Server, limits, &client(frames)).code();
    assert_eq!(code(&[(TEXT, b""), (CONT, b""), (FIN | CONT, b"")]), None);
    assert_eq!(code(&[(TEXT, b""), (CONT, b""), (CONT, b""), (FIN | CONT, b"")]), Some(1009));
    let two: [(u8, &[u8]); 2] = [(TEXT, b"a"), (FIN | CONT, b"b")];
    assert_eq!(code(&[two, two, two].concat()), None);
}

#[test]
fn a_hundred_thousand_fragments() {
    let mut input = client(&[(BINARY, b"x")]);
    input.extend(client(&[(CONT, b"y")]).repeat(100_000));
    input.extend(client(&[(FIN | CONT, b"z")]));
    let outcome = feed(Role::Server, Limits::new(), input.chunks(16 * 1024), true);
    let [Message::Binary(bytes)] = &outcome.messages[..] else { panic!("{:?}", outcome.error) };
    assert_eq!((bytes.len(), bytes[0], bytes[100_001]), (100_002, b'x', b'z'));
}

#[test]
fn nothing_is_read_behind_a_close_or_an_error() {
    let input = client(&[(CLOSE, b"\x03\xe8bye"), (FIN | TEXT, b"late"), (0xff, b"")]);
    let outcome = feed(Role::Server, Limits::new(), input.chunks(3), true);
    assert_eq!((outcome.messages.len(), outcome.error, outcome.left), (1, None, 0));
    let input = client(&[(0xf1, b""), (FIN | TEXT, b"late")]);
    let outcome = feed(Role::Server, Limits::new(), input.chunks(1), true);
    assert_eq!((outcome.messages.len(), outcome.code()), (0, Some(1002)));
}

#[test]
fn an_end_in_the_middle_is_truncation() {
    let hello = client(&[(FIN | TEXT, b"hello")]);
    for input in [
        hello[..1].to_vec(),
        hello[..6].to_vec(),
        hello[..8].to_vec(),
        client(&[(TEXT, b"hello")]),
        client(&[(TEXT, b"hello"), (PING, b"")]),
        client(&[(PING, b"ping")])[..8].to_vec(),
    ] {
        let outcome = feed(Role::Server, Limits::new(), [&input[..]], true);
        assert_eq!(outcome.code(), Some(0), "{input:02x?}");
    }
    for input in [vec![], hello, client(&[(TEXT, b"hello"), (CLOSE, b"")])] {
        let outcome = feed(Role::Server, Limits::new(), [&input[..]], true);
        assert_eq!(outcome.error, None, "{input:02x?}");
    }
}
