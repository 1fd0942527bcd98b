//! A rope: several buffers that read as one, without copying them together.
//!
//! ```text
//!   CompositeBuf: [ ByteBuf ][ Bytes       ][ ByteBuf ]
//!   chunks():       &[u8]      &[u8]          &[u8]        -> one writev
//! ```

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;

use bytes::{Buf, Bytes};
use memchr::memchr;

use crate::ByteBuf;
use crate::cursor::Cursor;
use crate::error::OutOfBounds;
use crate::segment::Segment;

/// Buffers one after the other.
///
/// Pushing, splitting and dropping share the memory of the segments. Empty segments are not
/// kept, so each item of [`chunks`](Self::chunks) has bytes.
///
/// ```
/// use fyke_buffer::{ByteBuf, CompositeBuf};
///
/// let mut message = CompositeBuf::new();
/// message.push(ByteBuf::from("hello "));
/// message.push(&b"world"[..]);
/// assert_eq!(message.chunks().count(), 2); // one writev with two parts
/// message.advance(4); // so many bytes were sent
/// assert_eq!(message, b"o world");
/// assert_eq!(message.into_contiguous(), "o world");
/// ```
#[derive(Clone, Default)]
pub struct CompositeBuf {
    /// Never empty ones.
    segments: VecDeque<Segment>,
    /// The sum of their lengths.
    length: usize,
}

impl CompositeBuf {
    /// A rope without segments.
    #[inline]
    #[must_use]
    pub const fn new() -> Self {
        Self { segments: VecDeque::new(), length: 0 }
    }

    /// How many bytes there are in all.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// True when there are no bytes.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// How many segments there are.
    #[inline]
    #[must_use]
    pub fn segment_count(&self) -> usize {
        self.segments.len()
    }

    /// Appends a segment.
    pub fn push(&mut self, segment: impl Into<Segment>) {
        let segment = segment.into();
        if !segment.is_empty() {
            self.length += segment.len();
            self.segments.push_back(segment);
        }
    }

    /// Puts a segment in front, such as the header of what is there already.
    pub fn prepend(&mut self, segment: impl Into<Segment>) {
        let segment = segment.into();
        if !segment.is_empty() {
            self.length += segment.len();
            self.segments.push_front(segment);
        }
    }

    /// Appends all segments of `other`; moves handles, no bytes.
    pub fn append(&mut self, mut other: Self) {
        self.length += other.length;
        self.segments.append(&mut other.segments);
    }

    /// Takes the first segment off.
    pub fn pop_front(&mut self) -> Option<Segment> {
        let segment = self.segments.pop_front()?;
        self.length -= segment.len();
        Some(segment)
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        self.segments.clear();
        self.length = 0;
    }

    /// Drops the first `n` bytes, and with them each segment that is used up.
    ///
    /// # Panics
    /// When there are fewer.
    #[track_caller]
    pub fn advance(&mut self, n: usize) {
        if let Err(error) = self.skip(n) {
            panic!("cannot advance: {error}");
        }
    }

    /// Like [`advance`](Self::advance), with an error value.
    ///
    /// # Errors
    /// When there are fewer than `n` bytes; then nothing is dropped.
    pub fn skip(&mut self, n: usize) -> Result<(), OutOfBounds> {
        self.check(n)?;
        self.length -= n;
        let mut left = n;
        while let Some(first) = self.segments.front_mut() {
            let length = first.len();
            if left < length {
                return first.skip(left);
            }
            left -= length;
            self.segments.pop_front();
        }
        Ok(())
    }

    /// Splits the first `n` bytes off; shares the memory of a segment that must be cut.
    ///
    /// # Panics
    /// When there are fewer.
    #[must_use = "the bytes split off are lost otherwise; `advance` is cheaper"]
    #[track_caller]
    pub fn split_to(&mut self, n: usize) -> Self {
        match self.try_split_to(n) {
            Ok(front) => front,
            Err(error) => panic!("cannot split: {error}"),
        }
    }

    /// Like [`split_to`](Self::split_to), with an error value.
    ///
    /// # Errors
    /// When there are fewer than `n` bytes; then nothing changes.
    pub fn try_split_to(&mut self, n: usize) -> Result<Self, OutOfBounds> {
        self.check(n)?;
        let mut front = Self::new();
        while front.length < n {
            let left = n - front.length;
            match self.segments.front_mut() {
                Some(first) if left < first.len() => {
                    front.push(first.try_split_to(left)?);
                    self.length -= left;
                }
                _ => match self.pop_front() {
                    Some(segment) => front.push(segment),
                    None => break,
                },
            }
        }
        Ok(front)
    }

    fn check(&self, n: usize) -> Result<(), OutOfBounds> {
        if n > self.length {
            return Err(OutOfBounds { needed: n, available: self.length });
        }
        Ok(())
    }
}

// Looking at the bytes.
impl CompositeBuf {
    /// The bytes of each segment in order, none of them empty: the parts of a gathering write.
    pub fn chunks(&self) -> impl DoubleEndedIterator<Item = &[u8]> + ExactSizeIterator + Clone {
        self.segments.iter().map(Segment::as_slice)
    }

    /// A reader over all bytes that leaves them where they are.
    #[must_use]
    pub fn cursor(&self) -> Cursor<'_> {
        Cursor::new(self.segments.iter(), self.length)
    }

    /// Copies as many bytes as both sides have; says how many. The rope stays as it is.
    pub fn copy_to(&self, dst: &mut [u8]) -> usize {
        let mut done = 0;
        for chunk in self.chunks() {
            let room = &mut dst[done..];
            if room.is_empty() {
                break;
            }
            let n = chunk.len().min(room.len());
            room[..n].copy_from_slice(&chunk[..n]);
            done += n;
        }
        done
    }

    /// Where `byte` first occurs.
    #[must_use]
    pub fn find_byte(&self, byte: u8) -> Option<usize> {
        let mut before = 0;
        for chunk in self.chunks() {
            if let Some(at) = memchr(byte, chunk) {
                return Some(before + at);
            }
            before += chunk.len();
        }
        None
    }

    /// A copy of all bytes.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.length);
        for chunk in self.chunks() {
            all.extend_from_slice(chunk);
        }
        all
    }

    /// All bytes in one buffer. Copies, unless there is just one segment and it is a `ByteBuf`.
    ///
    /// # Panics
    /// When there are 4 GiB or more.
    #[must_use]
    pub fn into_contiguous(mut self) -> ByteBuf {
        if self.segments.len() == 1 {
            match self.pop_front() {
                Some(Segment::Buf(buf)) => return buf,
                Some(segment) => return ByteBuf::from(segment.as_slice()),
                None => {}
            }
        }
        let mut all = ByteBuf::with_capacity(self.length);
        for chunk in self.chunks() {
            all.write_slice(chunk);
        }
        all
    }
}

impl Buf for CompositeBuf {
    #[inline]
    fn remaining(&self) -> usize {
        self.length
    }

    #[inline]
    fn chunk(&self) -> &[u8] {
        self.segments.front().map_or(&[], Segment::as_slice)
    }

    /// # Panics
    /// When there are fewer than `cnt` bytes.
    #[track_caller]
    fn advance(&mut self, cnt: usize) {
        Self::advance(self, cnt);
    }

    /// Shares when the bytes lie in one segment, copies otherwise.
    fn copy_to_bytes(&mut self, len: usize) -> Bytes {
        let mut front = self.split_to(len);
        match front.pop_front() {
            None => Bytes::new(),
            Some(only) if front.is_empty() => only.into_bytes(),
            Some(first) => {
                front.prepend(first);
                Bytes::from(front.to_vec())
            }
        }
    }
}

impl<S: Into<Segment>> Extend<S> for CompositeBuf {
    fn extend<I: IntoIterator<Item = S>>(&mut self, segments: I) {
        for segment in segments {
            self.push(segment);
        }
    }
}

impl<S: Into<Segment>> FromIterator<S> for CompositeBuf {
    fn from_iter<I: IntoIterator<Item = S>>(segments: I) -> Self {
        let mut rope = Self::new();
        rope.extend(segments);
        rope
    }
}

impl<S: Into<Segment>> From<S> for CompositeBuf {
    fn from(segment: S) -> Self {
        let mut rope = Self::new();
        rope.push(segment);
        rope
    }
}

/// Compares all bytes; where the segments begin and end does not matter.
impl<T: AsRef<[u8]> + ?Sized> PartialEq<T> for CompositeBuf {
    fn eq(&self, other: &T) -> bool {
        let mut rest = other.as_ref();
        self.length == rest.len()
            && self.chunks().all(|chunk| {
                let (head, tail) = rest.split_at(chunk.len());
                rest = tail;
                head == chunk
            })
    }
}

impl fmt::Debug for CompositeBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompositeBuf")
            .field("length", &self.length)
            .field("segments", &self.segments)
            .finish()
    }
}
