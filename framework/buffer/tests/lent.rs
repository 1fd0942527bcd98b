//! Buffers around bytes that others may hold, too: nothing is copied before somebody writes.

use bytes::{BufMut, Bytes, BytesMut};
use fyke_buffer::{ByteBuf, Pool};

fn lender() -> Bytes {
    Bytes::from((0..=255).collect::<Vec<u8>>())
}

#[test]
fn reading_splitting_and_freezing_copy_nothing() {
    let bytes = lender();
    let begin = bytes.as_ptr().addr();
    let mut buf = ByteBuf::lent(bytes.clone());
    assert_eq!((buf.readable(), buf.writable(), buf.capacity()), (256, 0, 256));
    assert_eq!(buf.read_u8(), Ok(0));
    let front = buf.split_to(9);
    assert_eq!(front.as_ptr().addr(), begin + 1);
    buf.skip(10).unwrap();
    buf.discard_read();
    assert_eq!((buf.reader_index(), buf.capacity(), buf.as_ptr().addr()), (0, 236, begin + 20));
    let frozen = buf.freeze();
    assert_eq!((frozen.as_ptr().addr(), frozen.len()), (begin + 20, 236));
    assert_eq!(front.freeze().as_ptr().addr(), begin + 1);
}

#[test]
fn the_last_handle_gives_the_bytes_back() {
    let mut bytes = lender();
    let mut buf = ByteBuf::lent(bytes.clone());
    let front = buf.split_to(100);
    let frozen = front.freeze();
    for handle in [Some(buf), None] {
        assert!(!bytes.is_unique());
        drop(handle);
    }
    drop(frozen);
    assert!(bytes.is_unique());
    // What was read is over, though the buffer is still there.
    let mut empty = ByteBuf::lent(bytes.clone());
    empty.skip(256).unwrap();
    empty.discard_read();
    assert!(bytes.is_unique() && empty.capacity() == 0);
    // Who moves out lets go.
    let mut moved = ByteBuf::lent(bytes.clone());
    moved.write_u8(1);
    assert!(bytes.is_unique());
    bytes = moved.freeze();
    assert_eq!(bytes.len(), 257);
}

#[test]
fn whatever_writes_moves_out_first() {
    type Write = fn(&mut ByteBuf);
    let writes: [(&str, Write); 10] = [
        ("index", |buf| buf[0] = 9),
        ("set", |buf| buf.set_u8(0, 9).unwrap()),
        ("write", |buf| buf.write_u8(9)),
        ("slice", |buf| buf.write_slice(&[9; 300])),
        ("put", |buf| buf.put_u32(9)),
        ("spare", |buf| {
            buf.reserve(1);
            buf.spare_mut()[0] = 9;
        }),
        ("clear", |buf| {
            buf.clear();
            buf.write_u8(9);
        }),
        ("truncate", |buf| {
            buf.truncate(3);
            buf.spare_mut().fill(9);
        }),
        ("writer index", |buf| {
            buf.set_writer_index(7).unwrap();
            buf.write_u8(9);
        }),
        ("mark", |buf| {
            let mark = buf.mark();
            buf.clear();
            buf.write_u8(9);
            buf.reset(mark).unwrap();
        }),
    ];
    for (name, write) in writes {
        let (bytes, wanted) = (lender(), lender());
        let mut buf = ByteBuf::lent(bytes.clone());
        let mut other = ByteBuf::lent(bytes.clone());
        let part = other.split_to(5);
        write(&mut buf);
        assert_ne!(buf.as_ptr(), bytes.as_ptr(), "{name}");
        assert_eq!(bytes, wanted, "{name}");
        assert_eq!((part, other), (ByteBuf::from(&wanted[..5]), ByteBuf::from(&wanted[5..])));
    }
}

#[test]
fn what_is_written_behind_the_bytes_follows_them() {
    let mut buf = ByteBuf::lent(Bytes::from_static(b"hello"));
    let mark = buf.mark();
    buf.read_u8().unwrap();
    buf.write_slice(b", world");
    assert_eq!(buf, b"ello, world");
    buf.reset(mark).unwrap();
    assert_eq!(buf, b"hello");
    buf.set_max_capacity(0);
    assert_eq!(buf.try_write_slice(b"!").unwrap_err().max, 5);
}

#[test]
fn no_bytes_are_no_loan() {
    let mut empty = ByteBuf::lent(Bytes::new());
    assert_eq!((empty.capacity(), empty.split().freeze()), (0, Bytes::new()));
    empty.write_u8(1);
    assert_eq!(empty, [1]);
}

#[test]
fn a_lender_who_wants_to_write_waits_for_all_handles() {
    let block = BytesMut::zeroed(64).freeze();
    let mut buf = ByteBuf::lent(block.slice(10..20));
    let rest = buf.split_to(3);
    let block = block.try_into_mut().unwrap_err();
    drop(buf);
    let block = block.try_into_mut().unwrap_err();
    drop(rest);
    assert_eq!(block.try_into_mut().unwrap().len(), 64);
}

#[test]
fn a_buffer_of_a_pool_moves_to_the_pool() {
    let (pool, bytes) = (Pool::new(), lender());
    let mut buf = pool.lend(bytes.clone());
    assert_eq!((buf.as_ptr(), buf.is_lent()), (bytes.as_ptr(), true));
    // A loan counts as long as somebody has it.
    assert_eq!((pool.stats().outstanding, pool.stats().misses), (1, 0));
    buf.write_u8(1);
    assert_eq!((buf.capacity(), buf.is_lent(), pool.stats().outstanding), (1024, false, 1));
    assert!(bytes.is_unique());
    drop(buf);
    assert_eq!((pool.stats().outstanding, pool.stats().idle_blocks), (0, 1));
    // One that was only read is no block of the pool's, and does not come back to it.
    drop(pool.lend(bytes));
    assert_eq!((pool.stats().outstanding, pool.stats().idle_blocks), (0, 1));
    // The pool may end first.
    let mut orphan = pool.lend(lender());
    drop(pool);
    orphan[0] = 1;
    assert_eq!((orphan[0], orphan[1], orphan.len()), (1, 1, 256));
}
