//! The buffer itself: making one, its indexes, its room.
//!
//! ```text
//!   +-------------------+------------------+------------------+
//!   |  already read     |  readable bytes  |  writable bytes  |
//!   +-------------------+------------------+------------------+
//!   0      <=      reader_index  <=  writer_index   <=   capacity  <=  max_capacity
//! ```

use bytes::Bytes;

use crate::error::{CapacityExceeded, OutOfBounds};
use crate::storage::Window;

/// The largest `max_capacity` there can be: indexes are 32 bits wide.
const MAX_CAPACITY: u32 = u32::MAX;

/// Bytes with a reader and a writer index.
///
/// Writing appends at the writer index and grows the buffer as needed, up to `max_capacity`.
/// Reading takes from the reader index. [`split_to`](Self::split_to) and
/// [`freeze`](Self::freeze) share the memory instead of copying it, and it is freed (or goes
/// back to its [`Pool`](crate::Pool)) when the last handle is dropped, on whatever thread.
/// Each handle has its own part of the memory, so writing to one never changes another.
///
/// A `ByteBuf` dereferences to its readable bytes, so all of `[u8]`'s methods are there.
///
/// Nothing here is undefined when it goes wrong: reading too much is an [`OutOfBounds`],
/// writing too much a [`CapacityExceeded`] (`try_*`) or a documented panic, like in `bytes`.
/// Room that was never written holds zeroes, in a pooled buffer what its last user left there.
///
/// ```
/// use fyke_buffer::ByteBuf;
///
/// let mut buf = ByteBuf::new();
/// buf.write_u32(0xCAFE_BABE);
/// buf.write_str("hi");
/// assert_eq!(buf.readable(), 6);
/// assert_eq!(buf.read_u32(), Ok(0xCAFE_BABE));
/// assert_eq!(buf, "hi");
/// assert!(buf.read_u32().is_err());
/// assert_eq!(buf, "hi"); // a failed read takes nothing
/// ```
pub struct ByteBuf {
    pub(crate) window: Window,
}

/// Both indexes of a [`ByteBuf`], to go back to with [`ByteBuf::reset`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mark {
    reader: u32,
    writer: u32,
}

fn clamp(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(MAX_CAPACITY)
}

#[cold]
#[inline(never)]
#[track_caller]
pub(crate) fn exceeded(error: CapacityExceeded) -> ! {
    panic!("{error}")
}

#[cold]
#[inline(never)]
#[track_caller]
pub(crate) fn out_of_bounds(error: OutOfBounds) -> ! {
    panic!("{error}")
}

// Making one.
impl ByteBuf {
    /// An empty buffer; allocates nothing until something is written.
    #[inline]
    #[must_use]
    pub const fn new() -> Self {
        Self { window: Window::empty(MAX_CAPACITY) }
    }

    /// An empty buffer with room for `capacity` bytes.
    ///
    /// # Panics
    /// When `capacity` is 4 GiB or more.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        let capacity = u32::try_from(capacity).expect("capacity overflow");
        Self { window: Window::zeroed(capacity, MAX_CAPACITY) }
    }

    /// An empty buffer that allocates nothing yet and never grows beyond `max` bytes.
    #[inline]
    #[must_use]
    pub fn with_max_capacity(max: usize) -> Self {
        Self { window: Window::empty(clamp(max)) }
    }

    /// A copy of `bytes` with exactly the room they need.
    ///
    /// # Panics
    /// When `bytes` are 4 GiB or more.
    #[must_use]
    pub fn copy_from_slice(bytes: &[u8]) -> Self {
        let capacity = u32::try_from(bytes.len()).expect("capacity overflow");
        Self { window: Window::copied(bytes, capacity, MAX_CAPACITY) }
    }

    /// The bytes that are in `bytes`, without copying them. Others may hold them, too: the first
    /// write, through whatever function, moves them to memory of this buffer's own. Until then it has
    /// no spare room, and keeps alive whatever `bytes` is a part of: copy what is small against that
    /// and shall live long.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use fyke_buffer::ByteBuf;
    ///
    /// let frame = Bytes::from(vec![7; 1 << 16]);
    /// let mut buf = ByteBuf::lent(frame.clone());
    /// assert_eq!(buf.as_ptr(), frame.as_ptr());
    /// buf[0] = 8;
    /// assert_eq!((buf[0], frame[0]), (8, 7));
    /// ```
    ///
    /// # Panics
    /// When `bytes` are 4 GiB or more.
    #[must_use]
    pub fn lent(bytes: Bytes) -> Self {
        Self { window: Window::lent(bytes, None, MAX_CAPACITY) }
    }
}

// Indexes and room.
impl ByteBuf {
    /// Where the next read begins.
    #[inline]
    #[must_use]
    pub fn reader_index(&self) -> usize {
        self.window.reader()
    }

    /// Where the next write begins.
    #[inline]
    #[must_use]
    pub fn writer_index(&self) -> usize {
        self.window.writer()
    }

    /// Sets the reader index.
    ///
    /// # Errors
    /// When `index` is beyond the writer index.
    #[inline]
    pub fn set_reader_index(&mut self, index: usize) -> Result<(), OutOfBounds> {
        self.window.set_indexes(index, self.window.writer())
    }

    /// Sets the writer index. Bytes that become readable by this are what happens to be there:
    /// zeroes, older content, in a pooled buffer another user's.
    ///
    /// # Errors
    /// When `index` is beyond the capacity or before the reader index.
    #[inline]
    pub fn set_writer_index(&mut self, index: usize) -> Result<(), OutOfBounds> {
        self.window.set_indexes(self.window.reader(), index)
    }

    /// How many bytes have room without growing, counted from index 0.
    #[inline]
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.window.capacity()
    }

    /// Whether the bytes are somebody else's, too ([`lent`](Self::lent)), and so whether it may keep
    /// more than itself alive.
    #[inline]
    #[must_use]
    pub fn is_lent(&self) -> bool {
        self.window.is_lent()
    }

    /// How far the capacity may grow.
    #[inline]
    #[must_use]
    pub fn max_capacity(&self) -> usize {
        self.window.max() as usize
    }

    /// Sets how far the capacity may grow, but not below the writer index. A capacity beyond
    /// `max` is given up.
    pub fn set_max_capacity(&mut self, max: usize) {
        self.window.set_max(clamp(max));
    }

    /// How many bytes can be read.
    #[inline]
    #[must_use]
    pub fn readable(&self) -> usize {
        self.window.readable_len()
    }

    /// How many bytes can be written without growing.
    #[inline]
    #[must_use]
    pub fn writable(&self) -> usize {
        self.window.writable_len()
    }

    /// True when there is nothing to read.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.window.readable_len() == 0
    }

    /// Skips `n` readable bytes.
    ///
    /// # Errors
    /// When fewer are readable; then nothing is skipped.
    #[inline]
    pub fn skip(&mut self, n: usize) -> Result<(), OutOfBounds> {
        self.window.advance_reader(n)
    }

    /// Forgets everything: both indexes become 0.
    #[inline]
    pub fn clear(&mut self) {
        // Cannot fail: 0 <= 0 <= capacity.
        let _ = self.window.set_indexes(0, 0);
    }

    /// Shortens the readable bytes to the first `length`; does nothing when there are fewer.
    #[inline]
    pub fn truncate(&mut self, length: usize) {
        if length < self.readable() {
            let reader = self.window.reader();
            // Cannot fail: reader + length < writer.
            let _ = self.window.set_indexes(reader, reader + length);
        }
    }

    /// Remembers both indexes.
    #[inline]
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark { reader: self.window.reader() as u32, writer: self.window.writer() as u32 }
    }

    /// Goes back to the indexes of `mark`.
    ///
    /// Reading, writing, growing and setting indexes keep a mark valid. [`split_to`], [`split`]
    /// and [`discard_read`] number the bytes anew: a mark from before may then be refused or
    /// mean other bytes of this buffer (never those of another).
    ///
    /// # Errors
    /// When the indexes do not fit the buffer (any more); then nothing changes.
    ///
    /// [`split_to`]: Self::split_to
    /// [`split`]: Self::split
    /// [`discard_read`]: Self::discard_read
    #[inline]
    pub fn reset(&mut self, mark: Mark) -> Result<(), OutOfBounds> {
        self.window.set_indexes(mark.reader as usize, mark.writer as usize)
    }

    /// Moves the readable bytes to index 0 and so makes what was read writable again.
    ///
    /// Costs a move of the readable bytes, nothing when there are none. The only handle of a
    /// block also gets back the room of handles that are gone.
    #[inline]
    pub fn discard_read(&mut self) {
        self.window.compact();
    }

    /// Makes room for `n` more bytes. Indexes stay as they are; the room at least doubles when
    /// it must move, so that many small writes cost little each.
    ///
    /// # Errors
    /// When that would go beyond `max_capacity`.
    #[inline]
    pub fn ensure_writable(&mut self, n: usize) -> Result<(), CapacityExceeded> {
        self.window.ensure_writable(n)
    }

    /// Like [`ensure_writable`](Self::ensure_writable), for callers who know the limit.
    ///
    /// # Panics
    /// When that would go beyond `max_capacity`.
    #[inline]
    #[track_caller]
    pub fn reserve(&mut self, n: usize) {
        if let Err(error) = self.window.ensure_writable(n) {
            exceeded(error);
        }
    }

    /// All room behind the writer index that is there without growing. Initialised memory:
    /// read into it and then call [`advance_writer`](Self::advance_writer).
    #[inline]
    #[must_use]
    pub fn spare_mut(&mut self) -> &mut [u8] {
        self.window.spare_mut()
    }

    /// Makes the first `n` bytes of [`spare_mut`](Self::spare_mut) readable.
    ///
    /// # Panics
    /// When `n` is more than [`writable`](Self::writable).
    #[inline]
    #[track_caller]
    pub fn advance_writer(&mut self, n: usize) {
        if let Err(error) = self.window.advance_writer(n) {
            out_of_bounds(error);
        }
    }
}
