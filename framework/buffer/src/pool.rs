//! The pool of a loop: blocks of a few sizes, kept for the next taker.
//!
//! ```text
//!   taker:   spare -> local chain (under a lock that is never waited for) -> shelf, taken whole
//!            -> allocator
//!   giver:   spare, or like a dropper when there are two already
//!   dropper: shelf (one lock-free push), or the allocator when enough is idle
//! ```

use alloc::sync::Arc;
use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use crate::ByteBuf;
use crate::storage::{Block, Chain, FreeList, Idle, TryLock, Window};

/// The sizes of pooled blocks, in bytes. Each is a multiple of [`UNIT_BYTES`].
const CLASS_BYTES: [u32; CLASSES] = [1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10];
const CLASSES: usize = 5;

/// Idle memory is counted in this unit.
const UNIT_BYTES: usize = 1 << 10;

const MAX_IDLE_BYTES_DEFAULT: usize = 4 << 20;

/// How a [`Pool`] behaves.
#[derive(Clone, Debug)]
#[must_use]
pub struct PoolOptions {
    max_idle_bytes: usize,
}

impl PoolOptions {
    /// The defaults: 4 MiB may be idle.
    pub const fn new() -> Self {
        Self { max_idle_bytes: MAX_IDLE_BYTES_DEFAULT }
    }

    /// How many bytes may wait for their next user; what comes back beyond that is freed.
    /// Rounded down to KiB.
    pub const fn max_idle_bytes(mut self, bytes: usize) -> Self {
        self.max_idle_bytes = bytes;
        self
    }

    /// Makes the pool.
    #[must_use]
    pub fn build(&self) -> Pool {
        Pool { home: Arc::new(Home::new(self.max_idle_bytes)) }
    }
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// What a [`Pool`] has and did; a snapshot, exact when no other thread uses the pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// Blocks in use, and what was [lent](Pool::lend).
    pub outstanding: usize,
    /// Blocks that wait for their next user.
    pub idle_blocks: usize,
    /// The bytes of the idle blocks.
    pub idle_bytes: usize,
    /// How often a block could be used again.
    pub hits: usize,
    /// How often the allocator had to be asked.
    pub misses: usize,
}

/// Buffers whose memory is used again: one for each event loop.
///
/// Size classes are 1, 4, 16, 64 and 256 KiB. A block comes back when the last handle to it is
/// dropped ([`ByteBuf`] or frozen `Bytes`), from whatever thread, by one lock-free push. A
/// `Pool` is a handle: clones share the blocks. Dropping the last one frees what is idle;
/// blocks still in use then go back to the allocator.
///
/// A block keeps what its last user wrote, so the room behind a pooled buffer's writer index is
/// initialised but not zero.
///
/// ```
/// use fyke_buffer::Pool;
///
/// let pool = Pool::new();
/// let mut buf = pool.take(2000);
/// assert_eq!(buf.capacity(), 4096);
/// buf.write_str("hello");
/// let frozen = buf.freeze();
/// std::thread::spawn(move || drop(frozen)).join().unwrap();
/// assert_eq!(pool.stats().idle_blocks, 1);
/// ```
pub struct Pool {
    home: Arc<Home>,
}

impl Pool {
    /// A pool with the default options.
    #[must_use]
    pub fn new() -> Self {
        PoolOptions::new().build()
    }

    /// An empty buffer with room for at least `min_capacity` bytes: all of its size class, or
    /// exactly that many (and from the allocator) when it is larger than the largest class.
    ///
    /// # Panics
    /// When `min_capacity` is 4 GiB or more.
    #[must_use]
    #[inline]
    pub fn take(&self, min_capacity: usize) -> ByteBuf {
        let wanted = u32::try_from(min_capacity).ok();
        match wanted.and_then(|wanted| self.home.take_spare(wanted)) {
            Some(window) => ByteBuf { window },
            None => self.take_other(min_capacity),
        }
    }

    /// Takes back a buffer whose bytes are of no use any more. Dropping it does the same; this is for
    /// those who take and give back over and over, as a loop does: the next [`take`](Self::take) of its
    /// size finds it at hand, at a small part of the cost of what waits on a shelf.
    #[inline]
    pub fn give(&self, buf: ByteBuf) {
        if let Some(block) = buf.window.into_block() {
            self.home.keep_spare(block);
        }
    }

    #[inline(never)]
    fn take_other(&self, min_capacity: usize) -> ByteBuf {
        let block = u32::try_from(min_capacity).ok().and_then(|wanted| self.home.take(wanted));
        match block.and_then(|block| Window::whole(block, u32::MAX)) {
            Some(window) => ByteBuf { window },
            None => {
                self.home.misses.fetch_add(1, Ordering::Relaxed);
                ByteBuf::with_capacity(min_capacity)
            }
        }
    }

    /// As [`ByteBuf::lent`], for a buffer that finds room in this pool when it is written to.
    ///
    /// # Panics
    /// When `bytes` are 4 GiB or more.
    #[must_use]
    pub fn lend(&self, bytes: Bytes) -> ByteBuf {
        ByteBuf { window: Window::lent(bytes, Some(Arc::clone(&self.home)), u32::MAX) }
    }

    /// What the pool has and did.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        let home = &*self.home;
        let (idle_blocks, idle_units) = unpack(home.idle.load(Ordering::Relaxed));
        let (spare_blocks, spare_units) = unpack(home.spare_idle.load(Ordering::Relaxed));
        // Each block in use has a reference to its home, and so has each spare one and each handle.
        let handles = home.handles.load(Ordering::Relaxed);
        PoolStats {
            outstanding: Arc::strong_count(&self.home).saturating_sub(handles + spare_blocks),
            idle_blocks: idle_blocks + spare_blocks,
            idle_bytes: (idle_units + spare_units) * UNIT_BYTES,
            hits: home.hits.load(Ordering::Relaxed) + home.spare_hits.load(Ordering::Relaxed),
            misses: home.misses.load(Ordering::Relaxed),
        }
    }

    /// Frees everything idle, for a loop that has become quiet. What another thread takes or
    /// gives back meanwhile may be missed.
    pub fn trim(&self) {
        self.home.trim();
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self::new()
    }
}

impl Clone for Pool {
    fn clone(&self) -> Self {
        let home = Arc::clone(&self.home);
        home.handles.fetch_add(1, Ordering::Relaxed);
        Self { home }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // Acquire and release, so that the last one sees what the others did.
        if self.home.handles.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.home.trim();
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("stats", &self.stats()).finish()
    }
}

/// What the handles of a pool and its blocks share. Blocks in use hold a reference, idle ones
/// do not (they would keep their own home alive). A spare one does: it is as in use, so that giving
/// and taking it touches nothing but its place. Only who has a handle puts one there, and who drops
/// the last handle takes it out, so that is no way to keep a home alive either.
pub(crate) struct Home {
    /// Blocks of each size class that were given back and are not on a shelf: two, since what answers is
    /// written while what asks is still there.
    spare: TryLock<[[Option<Block>; 2]; CLASSES]>,
    /// Number and units of the spare blocks, as in `idle`. Written under the lock of `spare` only, so
    /// it needs no locked instruction; nor does the next.
    spare_idle: AtomicUsize,
    spare_hits: AtomicUsize,
    /// Where blocks come back, a list for each size class.
    shelves: [FreeList; CLASSES],
    /// What takers have fetched from the shelves.
    local: TryLock<[Chain; CLASSES]>,
    /// Number and units of the idle blocks, packed into one word so that the limit is exact.
    idle: AtomicUsize,
    max_idle_units: usize,
    /// Number of [`Pool`] handles. At zero nothing is kept any more.
    handles: AtomicUsize,
    hits: AtomicUsize,
    misses: AtomicUsize,
}

/// The halves of [`Home::idle`]: blocks above, units below. A block has at least one unit, so
/// the lower half is the one that could overflow, and `max_idle_units` is kept below half of
/// it: droppers that are about to notice the limit have as much again for their overshoot.
const HALF_BITS: u32 = usize::BITS / 2;
const UNITS_MASK: usize = (1 << HALF_BITS) - 1;

fn pack(block_bytes: u32) -> usize {
    (1 << HALF_BITS) | (block_bytes as usize / UNIT_BYTES)
}

fn unpack(idle: usize) -> (usize, usize) {
    (idle >> HALF_BITS, idle & UNITS_MASK)
}

fn class_of(wanted: u32) -> Option<usize> {
    CLASS_BYTES.iter().position(|&bytes| wanted <= bytes)
}

impl Home {
    fn new(max_idle_bytes: usize) -> Self {
        Self {
            spare: TryLock::new([const { [const { None }; 2] }; CLASSES]),
            spare_idle: AtomicUsize::new(0),
            spare_hits: AtomicUsize::new(0),
            shelves: [const { FreeList::new() }; CLASSES],
            local: TryLock::new([const { Chain::new() }; CLASSES]),
            idle: AtomicUsize::new(0),
            max_idle_units: (max_idle_bytes / UNIT_BYTES).min(UNITS_MASK / 2),
            handles: AtomicUsize::new(1),
            hits: AtomicUsize::new(0),
            misses: AtomicUsize::new(0),
        }
    }

    /// The spare block of the smallest class that holds `wanted` bytes.
    #[inline]
    fn take_spare(&self, wanted: u32) -> Option<Window> {
        let class = class_of(wanted)?;
        let mut spare = self.spare.try_lock()?;
        let [first, second] = &mut spare[class];
        let block = first.take().or_else(|| second.take())?;
        let idle = self.spare_idle.load(Ordering::Relaxed);
        self.spare_idle.store(idle.wrapping_sub(pack(CLASS_BYTES[class])), Ordering::Relaxed);
        let hits = self.spare_hits.load(Ordering::Relaxed);
        self.spare_hits.store(hits.wrapping_add(1), Ordering::Relaxed);
        drop(spare);
        Window::whole(block, u32::MAX)
    }

    /// Keeps a block that only the caller has, unless there are spare ones or enough is idle; drops it
    /// otherwise.
    #[inline]
    fn keep_spare(self: &Arc<Self>, block: Block) {
        let ours = block.home().is_some_and(|home| Arc::ptr_eq(home, self));
        if ours
            && block.is_unique()
            && let Some(class) = class_of(block.capacity())
            && let Some(mut spare) = self.spare.try_lock()
            && let Some(place) = spare[class].iter_mut().find(|place| place.is_none())
        {
            let idle = self.spare_idle.load(Ordering::Relaxed) + pack(CLASS_BYTES[class]);
            let (_, units) = unpack(self.idle.load(Ordering::Relaxed) + idle);
            if units <= self.max_idle_units {
                self.spare_idle.store(idle, Ordering::Relaxed);
                *place = Some(block);
            }
        }
    }

    /// A block of the smallest class that holds `wanted` bytes; `None` if there is no such
    /// class.
    pub(crate) fn take(self: &Arc<Self>, wanted: u32) -> Option<Block> {
        let class = class_of(wanted)?;
        let idle = match self.take_idle(class) {
            Some(idle) => idle,
            None => {
                self.misses.fetch_add(1, Ordering::Relaxed);
                Idle::zeroed(CLASS_BYTES[class])
            }
        };
        Some(idle.into_block(Some(Arc::clone(self))))
    }

    fn take_idle(&self, class: usize) -> Option<Idle> {
        // Whoever finds another taker at work asks the allocator instead of waiting.
        let mut local = self.local.try_lock()?;
        let chain = &mut local[class];
        let idle = match chain.pop() {
            Some(idle) => idle,
            None => {
                *chain = self.shelves[class].take_all();
                chain.pop()?
            }
        };
        self.idle.fetch_sub(pack(CLASS_BYTES[class]), Ordering::Relaxed);
        // Only takers that hold the lock write this, so it needs no locked instruction.
        self.hits.store(self.hits.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        Some(idle)
    }

    /// Takes a block back, on any thread.
    pub(crate) fn give_back(&self, idle: Idle) {
        let class = CLASS_BYTES.iter().position(|&bytes| bytes == idle.capacity());
        let Some(class) = class else { return };
        let cost = pack(CLASS_BYTES[class]);
        // Counted before it is pushed, so the limit holds at every moment.
        let counted = self.idle.fetch_add(cost, Ordering::Relaxed) + cost;
        let (_, units) = unpack(counted + self.spare_idle.load(Ordering::Relaxed));
        if units > self.max_idle_units || self.handles.load(Ordering::Relaxed) == 0 {
            self.idle.fetch_sub(cost, Ordering::Relaxed);
            return;
        }
        self.shelves[class].push(idle);
    }

    fn trim(&self) {
        // Out of their places first: where a block goes that is dropped is not decided under the lock.
        let spare = self.spare.try_lock().map(|mut spare| {
            self.spare_idle.store(0, Ordering::Relaxed);
            core::mem::take(&mut *spare)
        });
        drop(spare);
        let Some(mut local) = self.local.try_lock() else { return };
        for (class, chain) in local.iter_mut().enumerate() {
            for mut chain in
                [core::mem::replace(chain, Chain::new()), self.shelves[class].take_all()]
            {
                while let Some(idle) = chain.pop() {
                    drop(idle);
                    self.idle.fetch_sub(pack(CLASS_BYTES[class]), Ordering::Relaxed);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: usize = 1024;

    #[test]
    fn a_spare_block_does_not_keep_its_pool_alive() {
        let pool = Pool::new();
        let home = Arc::downgrade(&pool.home);
        let clone = pool.clone();
        pool.give(pool.take(KIB));
        drop(pool);
        clone.give(clone.take(4 * KIB));
        assert_eq!(clone.stats().idle_blocks, 2);
        drop(clone);
        assert_eq!(home.strong_count(), 0);
    }
}
