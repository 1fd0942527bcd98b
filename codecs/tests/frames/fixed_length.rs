//! `FixedLength`.

use fyke_codecs::frames::FixedLength;

use crate::{failure, frames, refusal, run, wire};

#[test]
fn the_cut_of_the_input_does_not_matter() {
    let outcome = run(&mut FixedLength::new(3), &[b"A", b"BC", b"DEFG", b"HI"]);
    assert_eq!(outcome.items, [b"ABC", b"DEF", b"GHI"]);
    assert_eq!(outcome.error, None);
}

#[test]
fn a_rest_is_truncated() {
    assert_eq!(
        failure(FixedLength::new(3), b"ABCD"),
        "the stream ended inside a message, 1 bytes are left over"
    );
    assert!(frames(FixedLength::new(3), b"").is_empty());
}

#[test]
fn messages_of_another_length_are_refused() {
    assert_eq!(wire(FixedLength::new(3), "abc"), b"abc");
    assert!(refusal(FixedLength::new(3), "ab").starts_with("cannot be encoded"));
    assert!(refusal(FixedLength::new(3), "abcd").starts_with("cannot be encoded"));
}

#[test]
#[should_panic(expected = "at least one byte")]
fn a_length_of_zero_is_a_mistake() {
    let _ = FixedLength::new(0);
}
