//! Whole messages: limits, ends of streams, what is copied and what is not.

use crate::support::{BINARY, CLOSE, CONT, FIN, PING, TEXT, client, decode_with, feed, header};
use fyke_codecs::websocket::{Limits, Message, Role};

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
