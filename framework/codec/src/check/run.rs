//! One decoder, one feeding, one outcome.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Debug;

use fyke_buffer::ByteBuf;

use super::{Feeding, Violation};
use crate::{CodecError, Decoder};

/// More items than this in a row without taking a byte count as an endless loop.
///
/// A decoder may well hold several messages back, say after unpacking a block.
pub const ITEMS_WITHOUT_PROGRESS_MAX: usize = 4096;

/// What decoders made of an input, whichever way it arrived.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outcome<K> {
    /// The items, or what was made of them, in order.
    pub items: Vec<K>,
    /// How many of the items were there before the stream ended; `None` when an error came before.
    pub items_before_eof: Option<usize>,
    /// The error that ended decoding.
    pub error: Option<CodecError>,
}

impl<K> Outcome<K> {
    /// The items, or the error that came after them.
    ///
    /// # Errors
    /// The error of the decoder, if there was one.
    pub fn into_result(self) -> Result<Vec<K>, CodecError> {
        match self.error {
            None => Ok(self.items),
            Some(error) => Err(error),
        }
    }
}

impl<K: PartialEq + Debug> Outcome<K> {
    /// What is different in `other`, in words.
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        let unequal = self.items.iter().zip(&other.items).position(|(a, b)| a != b);
        if let Some(i) = unequal {
            let (whole, split) = (&self.items[i], &other.items[i]);
            return Some(format!("item {i} is {split:?} instead of {whole:?}"));
        }
        if self.items.len() != other.items.len() {
            return Some(format!(
                "{} items instead of {}: {:?} instead of {:?}",
                other.items.len(),
                self.items.len(),
                other.items,
                self.items
            ));
        }
        let text = |error: &Option<CodecError>| error.as_ref().map(ToString::to_string);
        let (whole, split) = (text(&self.error), text(&other.error));
        if whole != split {
            return Some(format!("the error is {split:?} instead of {whole:?}"));
        }
        let (whole, split) = (self.items_before_eof, other.items_before_eof);
        (whole != split).then(|| {
            format!("the end of the stream was seen after {split:?} items instead of {whole:?}")
        })
    }
}

/// Feeds a decoder until the input ends or it fails, and then the end of the stream.
pub(super) fn run<D: Decoder, K>(
    decoder: D,
    input: &[u8],
    feeding: Feeding,
    collect: &impl Fn(&mut Vec<K>, D::Item),
) -> Result<Outcome<K>, Violation> {
    let mut run = Run { decoder, src: ByteBuf::new(), items: Vec::new(), feeding, collect };
    let mut fed = 0;
    for end in feeding.ends(input.len()) {
        run.src.write_slice(&input[fed..end]);
        fed = end;
        if let Err(error) = run.pull(D::decode, &input[..fed])? {
            return Ok(Outcome { items: run.items, items_before_eof: None, error: Some(error) });
        }
    }
    let items_before_eof = Some(run.items.len());
    let error = run.pull(D::decode_eof, input)?.err();
    Ok(Outcome { items: run.items, items_before_eof, error })
}

struct Run<'a, D, K, C> {
    decoder: D,
    src: ByteBuf,
    items: Vec<K>,
    feeding: Feeding,
    collect: &'a C,
}

impl<D: Decoder, K, C: Fn(&mut Vec<K>, D::Item)> Run<'_, D, K, C> {
    /// Pulls items until there are none. The inner result is the decoder's, the outer one ours.
    fn pull(
        &mut self,
        decode: impl Fn(&mut D, &mut ByteBuf) -> Result<Option<D::Item>, CodecError>,
        fed: &[u8],
    ) -> Result<Result<(), CodecError>, Violation> {
        let mut without_progress = 0;
        loop {
            let before = self.src.readable();
            let decoded = decode(&mut self.decoder, &mut self.src);
            let after = self.src.readable();
            if after > before {
                return Err(Violation::Tampered { feeding: self.feeding });
            }
            match decoded {
                Err(error) => return Ok(Err(error)),
                Ok(None) if fed.ends_with(&self.src) => return Ok(Ok(())),
                Ok(None) => return Err(Violation::Tampered { feeding: self.feeding }),
                Ok(Some(item)) => (self.collect)(&mut self.items, item),
            }
            without_progress = if after < before { 0 } else { without_progress + 1 };
            if without_progress > ITEMS_WITHOUT_PROGRESS_MAX {
                return Err(Violation::NoProgress { feeding: self.feeding });
            }
        }
    }
}
