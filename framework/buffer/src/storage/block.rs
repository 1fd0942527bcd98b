//! A block: header and data in one allocation, counted, and the way back to its pool.
//!
//! A block is in one of two states, each with its own owner type:
//! - [`Block`]: one counted reference; `refs` says how many there are.
//! - [`Idle`]: nobody uses the bytes; exclusively owned, `home` is `None`.
//!
//! The data of a block is initialised from its allocation to its end.
//!
//! A *lent* block has somebody else's `Bytes` behind its header instead of data of its own. Others
//! may read them, so nobody writes them: `is_unique` is never true, and what a window does about it
//! is in `window.rs`. A lent block is never idle.

use alloc::alloc::{alloc, alloc_zeroed, dealloc, handle_alloc_error};
use alloc::sync::Arc;
use core::alloc::Layout;
use core::cell::UnsafeCell;
use core::mem::ManuallyDrop;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering, fence};

use bytes::Bytes;

use crate::pool::Home;

/// From this size on the allocator hands out fresh pages, which are zero already.
const LAZY_ZERO_BYTES_MIN: u32 = 128 * 1024;

/// What stands in front of the data. 32 bytes on 64-bit machines, so the data is 16-aligned.
#[repr(C, align(16))]
pub(super) struct Header {
    /// Number of [`Block`]s of this allocation; meaningless while idle.
    refs: AtomicUsize,
    /// The next idle block in a free list; meaningless while in use.
    pub(super) next: AtomicPtr<Header>,
    /// The pool the block goes back to, or finds a larger one in. Written only while exclusively
    /// owned.
    home: UnsafeCell<Option<Arc<Home>>>,
    /// Bytes of data behind the header, or in what was lent.
    capacity: u32,
    /// A `Bytes` is behind the header. Never changes.
    lent: bool,
}

const HEADER_BYTES: usize = size_of::<Header>();

/// A header and a `Bytes` behind it, which a header's alignment is enough for.
const LENT_LAYOUT: Layout = {
    assert!(align_of::<Bytes>() <= align_of::<Header>());
    match Layout::from_size_align(HEADER_BYTES + size_of::<Bytes>(), align_of::<Header>()) {
        Ok(layout) => layout,
        Err(_) => panic!("capacity overflow"),
    }
};

fn layout(capacity: u32) -> Layout {
    let size = HEADER_BYTES.checked_add(capacity as usize).expect("capacity overflow");
    Layout::from_size_align(size, align_of::<Header>()).expect("capacity overflow")
}

/// A block nobody uses: exclusively owned, `home` is `None`. Dropping it frees it.
pub(crate) struct Idle(NonNull<Header>);

// SAFETY: an `Idle` is the only pointer to its allocation, and the header's fields are `Send`.
unsafe impl Send for Idle {}

impl Idle {
    /// Allocates a block of `capacity` zeroes.
    pub(crate) fn zeroed(capacity: u32) -> Self {
        // SAFETY: the layout has a size of at least HEADER_BYTES, which is not zero.
        let raw = unsafe { alloc_zeroed(layout(capacity)) };
        // SAFETY: `raw` comes from the allocator with this very layout.
        unsafe { Self::init(raw, capacity) }
    }

    /// Allocates a block that begins with `prefix` and is zero behind it.
    ///
    /// # Panics
    /// When `prefix` is longer than `capacity`.
    fn copied(prefix: &[u8], capacity: u32) -> Self {
        let rest = (capacity as usize).checked_sub(prefix.len()).expect("prefix beyond capacity");
        let idle = if capacity >= LAZY_ZERO_BYTES_MIN {
            Self::zeroed(capacity)
        } else {
            // SAFETY: the layout has a size of at least HEADER_BYTES, which is not zero.
            let raw = unsafe { alloc(layout(capacity)) };
            // SAFETY: `raw` comes from the allocator with this very layout; the data is
            // initialised below before anything can read it.
            let idle = unsafe { Self::init(raw, capacity) };
            // SAFETY: prefix.len() + rest = capacity, so this stays inside the data.
            unsafe { ptr::write_bytes(data(idle.0).as_ptr().add(prefix.len()), 0, rest) };
            idle
        };
        // SAFETY: prefix.len() <= capacity, and a fresh allocation cannot overlap `prefix`.
        unsafe {
            ptr::copy_nonoverlapping(prefix.as_ptr(), data(idle.0).as_ptr(), prefix.len());
        }
        idle
    }

    /// Writes the header.
    ///
    /// # Safety
    /// `raw` is null or was allocated with `layout(capacity)` and is not used elsewhere. The
    /// caller initialises the data.
    unsafe fn init(raw: *mut u8, capacity: u32) -> Self {
        let Some(header) = NonNull::new(raw.cast::<Header>()) else {
            handle_alloc_error(layout(capacity));
        };
        // SAFETY: freshly allocated, large enough and aligned for a header (see `layout`).
        unsafe {
            header.write(Header {
                refs: AtomicUsize::new(0),
                next: AtomicPtr::new(ptr::null_mut()),
                home: UnsafeCell::new(None),
                capacity,
                lent: false,
            });
        }
        Self(header)
    }

    /// Bytes of data.
    pub(crate) fn capacity(&self) -> u32 {
        // SAFETY: the header lives as long as `self`; nobody writes `capacity` after `init`.
        unsafe { (*self.0.as_ptr()).capacity }
    }

    /// Puts the block into use: one reference, and the pool it shall come back to.
    pub(crate) fn into_block(self, home: Option<Arc<Home>>) -> Block {
        let header = self.into_raw();
        // SAFETY: `self` was the only owner, so nothing else looks at the header now.
        unsafe {
            *(*header.as_ptr()).home.get() = home;
            (*header.as_ptr()).refs.store(1, Ordering::Relaxed);
        }
        Block(header)
    }

    /// Gives up the ownership to a free list.
    pub(super) fn into_raw(self) -> NonNull<Header> {
        ManuallyDrop::new(self).0
    }

    /// Takes the ownership back.
    ///
    /// # Safety
    /// `header` came from [`Idle::into_raw`] and nobody else owns it.
    pub(super) unsafe fn from_raw(header: NonNull<Header>) -> Self {
        Self(header)
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        let layout = layout(self.capacity());
        // SAFETY: exclusively owned and allocated with this layout. `home` is `None` in an idle
        // block, so the header has nothing to drop.
        unsafe { dealloc(self.0.as_ptr().cast(), layout) };
    }
}

/// One counted reference to a block in use.
pub(crate) struct Block(NonNull<Header>);

// SAFETY: the count is atomic, `capacity` and `home` are read-only while there is a `Block`,
// and the last reference synchronises with all others (Release on drop, Acquire at zero).
unsafe impl Send for Block {}
// SAFETY: as above; a shared `Block` only gives access to the count and read-only fields.
unsafe impl Sync for Block {}

impl Block {
    /// A plain block (no pool) of `capacity` zeroes.
    pub(crate) fn zeroed(capacity: u32) -> Self {
        Idle::zeroed(capacity).into_block(None)
    }

    /// A plain block (no pool) that begins with `prefix` and is zero behind it.
    pub(super) fn copied(prefix: &[u8], capacity: u32) -> Self {
        Idle::copied(prefix, capacity).into_block(None)
    }

    /// A block around bytes that others may read, too; who moves out of it finds room in `home`.
    ///
    /// # Panics
    /// When they are 4 GiB or more.
    pub(super) fn lent(bytes: Bytes, home: Option<Arc<Home>>) -> Self {
        let capacity = u32::try_from(bytes.len()).expect("capacity overflow");
        // SAFETY: the layout has a size of at least HEADER_BYTES, which is not zero.
        let raw = unsafe { alloc(LENT_LAYOUT) };
        let Some(header) = NonNull::new(raw.cast::<Header>()) else {
            handle_alloc_error(LENT_LAYOUT);
        };
        // SAFETY: freshly allocated with room and alignment for a header and, directly behind it,
        // a `Bytes` (see `LENT_LAYOUT`); nobody else has the pointer.
        unsafe {
            header.write(Header {
                refs: AtomicUsize::new(1),
                next: AtomicPtr::new(ptr::null_mut()),
                home: UnsafeCell::new(home),
                capacity,
                lent: true,
            });
            data(header).cast::<Bytes>().write(bytes);
        }
        Self(header)
    }

    /// The bytes that a lent block stands for.
    #[inline]
    pub(super) fn lender(&self) -> Option<&Bytes> {
        // SAFETY: a lent block has a `Bytes` behind its header as long as there is a reference to
        // it, and nobody ever has a `&mut` to it.
        self.header().lent.then(|| unsafe { data(self.0).cast::<Bytes>().as_ref() })
    }

    #[inline]
    fn header(&self) -> &Header {
        // SAFETY: the header lives as long as there is a reference to the block, and nobody has
        // a `&mut` to it while there is one.
        unsafe { self.0.as_ref() }
    }

    /// Where the data of a block that is not lent begins.
    #[inline]
    pub(super) fn data(&self) -> NonNull<u8> {
        debug_assert!(!self.header().lent, "a lent block has no data of its own");
        data(self.0)
    }

    /// Bytes of data.
    #[inline]
    pub(crate) fn capacity(&self) -> u32 {
        self.header().capacity
    }

    /// The pool the block goes back to; for a lent one, where those who leave it go.
    #[inline]
    pub(crate) fn home(&self) -> Option<&Arc<Home>> {
        // SAFETY: `home` is written only while the block is exclusively owned: before the first
        // reference exists and after the last is gone.
        unsafe { (*self.header().home.get()).as_ref() }
    }

    /// True when this is the only reference to data of its own. Then everything other threads did
    /// to the block before they dropped theirs has happened before.
    #[inline]
    pub(crate) fn is_unique(&self) -> bool {
        self.header().refs.load(Ordering::Acquire) == 1 && !self.header().lent
    }

    /// One more reference.
    ///
    /// The caller splits its window and keeps or gives away at least one byte with each share,
    /// so there are at most `capacity + 1` references, even when handles are leaked: the count
    /// cannot overflow.
    #[inline]
    pub(super) fn share(&mut self) -> Self {
        let refs = &self.header().refs;
        // A sole owner needs no locked instruction: there is no other `Block` by which somebody could
        // change the count, and `&mut self` says that nobody uses this one. The plain store ends the
        // release sequence of whoever shared the block before, so what they did to their bytes is
        // acquired here: a later look at the count would not find it any more.
        if refs.load(Ordering::Acquire) == 1 {
            refs.store(2, Ordering::Relaxed);
        } else {
            refs.fetch_add(1, Ordering::Relaxed);
        }
        Self(self.0)
    }

    /// The last reference is gone: back to the pool, or to the allocator.
    #[cold]
    #[inline(never)]
    fn release(header: NonNull<Header>) {
        // SAFETY: the caller held the last reference and gave it up, so we own it exclusively.
        if unsafe { header.as_ref() }.lent {
            // SAFETY: as above; `lent` wrote a `Bytes` behind this header and allocated both with
            // this layout.
            unsafe {
                data(header).cast::<Bytes>().drop_in_place();
                header.drop_in_place();
                dealloc(header.as_ptr().cast(), LENT_LAYOUT);
            }
            return;
        }
        // SAFETY: as above.
        let home = unsafe { (*(*header.as_ptr()).home.get()).take() };
        let idle = Idle(header);
        match home {
            Some(home) => home.give_back(idle),
            None => drop(idle),
        }
    }
}

impl Drop for Block {
    #[inline]
    fn drop(&mut self) {
        let refs = &self.header().refs;
        // A sole owner needs no locked instruction: nobody is left who could change the count.
        if refs.load(Ordering::Acquire) != 1 {
            if refs.fetch_sub(1, Ordering::Release) != 1 {
                return;
            }
            fence(Ordering::Acquire);
        }
        Self::release(self.0);
    }
}

#[inline]
fn data(header: NonNull<Header>) -> NonNull<u8> {
    // SAFETY: the allocation begins with a header, the data follows it (at the very end of the
    // allocation when the capacity is zero, which is still in bounds).
    unsafe { header.cast::<u8>().add(HEADER_BYTES) }
}
