//! Checks that every codec must pass, for use in its tests.
//!
//! A stream has no message boundaries: the same bytes may arrive in one piece or in a hundred. A
//! decoder is right only when that makes no difference, and nobody thinks of every cut by hand.
//! [`every_split`] tries them all and compares what comes out:
//!
//! | feeding | which faults it finds |
//! |---|---|
//! | all bytes at once | it is what the others are compared with |
//! | every cut into two parts | what was read before the cut is forgotten, or read twice |
//! | every cut into three parts, for inputs up to [`THREE_PARTS_INPUT_BYTES_MAX`] | state that survives one wait but not two |
//! | byte after byte | the same with as many waits as there can be |
//! | byte after byte, each followed by a call without news | a decoder that counts calls, not bytes |
//!
//! Each feeding ends with the end of the stream. Items, their order, which of them needed the end
//! of the stream, and the error (compared by what it displays) must be the same every time. On top
//! of that a decoder may only take bytes off the front of its buffer, and it may not produce more
//! than [`ITEMS_WITHOUT_PROGRESS_MAX`] items in a row without taking any.
//!
//! The work grows with the square of the input; a few kilobytes are fine, megabytes are not.
//!
//! ```
//! use fyke_buffer::ByteBuf;
//! use fyke_codec::check::{assert_every_split, assert_every_split_fails};
//! use fyke_codec::{CodecError, Decoder};
//!
//! /// A byte of length, then the text.
//! struct Texts;
//!
//! impl Decoder for Texts {
//!     type Item = String;
//!
//!     fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<String>, CodecError> {
//!         let Some(&length) = src.first() else { return Ok(None) };
//!         let length = usize::from(length);
//!         if src.readable() < 1 + length {
//!             return Ok(None); // nothing was taken: all is there again next time
//!         }
//!         let text = src.split_to(1 + length)[1..].to_vec();
//!         let text = String::from_utf8(text).map_err(|_| CodecError::malformed("text"))?;
//!         Ok(Some(text))
//!     }
//! }
//!
//! assert_every_split(|| Texts, b"\x05hello\x00\x05world", &["hello", "", "world"]);
//! assert_every_split_fails(|| Texts, b"\x02ok\x01\xFF", &["ok"], |error| {
//!     matches!(error, CodecError::Malformed { what: "text" })
//! });
//! assert_every_split_fails(|| Texts, b"\x02ok\x05hel", &["ok"], |error| {
//!     matches!(error, CodecError::Truncated { left: 4 })
//! });
//! ```

mod feeding;
mod round_trip;
mod run;
mod violation;

use alloc::vec::Vec;
use core::fmt::Debug;

use crate::{CodecError, Decoder};

pub use feeding::{Feeding, THREE_PARTS_INPUT_BYTES_MAX};
pub use round_trip::{RoundTripError, assert_round_trip, round_trip};
pub use run::{ITEMS_WITHOUT_PROGRESS_MAX, Outcome};
pub use violation::Violation;

/// Feeds `input` to fresh decoders in every way and returns what all of them made of it.
///
/// An error of the decoder is an outcome like any other; it is in [`Outcome::error`].
///
/// # Errors
/// When a feeding had another outcome than the whole input at once, or a decoder broke the rules
/// in itself. See [`Violation`].
pub fn every_split<D>(make: impl Fn() -> D, input: &[u8]) -> Result<Outcome<D::Item>, Violation>
where
    D: Decoder,
    D::Item: PartialEq + Debug,
{
    every_split_with(make, input, |items, item| items.push(item))
}

/// As [`every_split`], for items that cannot be compared themselves: `key` makes something of them
/// that can.
///
/// # Errors
/// Those of [`every_split`].
pub fn every_split_by<D, K>(
    make: impl Fn() -> D,
    input: &[u8],
    key: impl Fn(D::Item) -> K,
) -> Result<Outcome<K>, Violation>
where
    D: Decoder,
    K: PartialEq + Debug,
{
    every_split_with(make, input, |keys, item| keys.push(key(item)))
}

/// As [`every_split`], for decoders that pass on parts of a message as they arrive, so that the
/// number of items depends on the cuts by design: `collect` adds an item to the list, or joins it
/// with the last one in there.
///
/// ```
/// use fyke_buffer::ByteBuf;
/// use fyke_codec::check::every_split_with;
/// use fyke_codec::{CodecError, Decoder};
///
/// /// Passes on whatever there is.
/// struct Raw;
///
/// impl Decoder for Raw {
///     type Item = ByteBuf;
///
///     fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<ByteBuf>, CodecError> {
///         Ok(if src.is_empty() { None } else { Some(src.split()) })
///     }
/// }
///
/// let outcome = every_split_with(|| Raw, b"as it comes", |parts: &mut Vec<Vec<u8>>, part| {
///     match parts.last_mut() {
///         Some(last) => last.extend_from_slice(&part),
///         None => parts.push(part.to_vec()),
///     }
/// })?;
/// assert_eq!(outcome.items, [b"as it comes"]);
/// # Ok::<(), fyke_codec::check::Violation>(())
/// ```
///
/// # Errors
/// Those of [`every_split`].
pub fn every_split_with<D, K>(
    make: impl Fn() -> D,
    input: &[u8],
    collect: impl Fn(&mut Vec<K>, D::Item),
) -> Result<Outcome<K>, Violation>
where
    D: Decoder,
    K: PartialEq + Debug,
{
    let whole = run::run(make(), input, Feeding::Whole, &collect)?;
    for feeding in feeding::all_but_whole(input.len()) {
        let outcome = run::run(make(), input, feeding, &collect)?;
        if let Some(difference) = whole.difference(&outcome) {
            return Err(Violation::Differs { feeding, difference });
        }
    }
    Ok(whole)
}

/// Asserts that every feeding of `input` gives exactly the items `expected` and no error, not at
/// the end of the stream either.
///
/// # Panics
/// When it does not; the message names the feeding.
#[track_caller]
pub fn assert_every_split<D, E>(make: impl Fn() -> D, input: &[u8], expected: &[E])
where
    D: Decoder,
    D::Item: PartialEq + PartialEq<E> + Debug,
    E: Debug,
{
    let outcome = no_violation(every_split(make, input));
    assert!(
        outcome.error.is_none(),
        "expected {expected:?}, but decoding failed after {:?}: {}",
        outcome.items,
        outcome.error.map_or_else(Default::default, |error| alloc::format!("{error}")),
    );
    assert_eq!(outcome.items, expected, "decoded items (left) are not the expected ones");
}

/// Asserts that every feeding of `input` gives exactly the items `expected_before` and then an
/// error that satisfies `is_expected`, be it at the end of the stream.
///
/// # Panics
/// When it does not; the message names the feeding.
#[track_caller]
pub fn assert_every_split_fails<D, E>(
    make: impl Fn() -> D,
    input: &[u8],
    expected_before: &[E],
    is_expected: impl Fn(&CodecError) -> bool,
) where
    D: Decoder,
    D::Item: PartialEq + PartialEq<E> + Debug,
    E: Debug,
{
    let outcome = no_violation(every_split(make, input));
    let Some(error) = outcome.error else {
        panic!("expected an error, but decoding succeeded with {:?}", outcome.items);
    };
    assert!(is_expected(&error), "another error than the expected one: {error} ({error:?})");
    assert_eq!(outcome.items, expected_before, "items before the error (left) are not expected");
}

#[track_caller]
fn no_violation<K>(checked: Result<Outcome<K>, Violation>) -> Outcome<K> {
    match checked {
        Ok(outcome) => outcome,
        Err(violation) => panic!("{violation}"),
    }
}

#[cfg(test)]
mod tests;
