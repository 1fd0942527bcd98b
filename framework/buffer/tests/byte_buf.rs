//! What the model test does not see: sizes, when memory is shared, moved or used again, panics,
//! and the traits.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::thread;

use bytes::{Buf, BufMut, Bytes};
use fyke_buffer::{ByteBuf, CompositeBuf, HexDump, OutOfBounds, Pool};

#[test]
fn handles_are_small_and_cross_threads() {
    fn send_sync<T: Send + Sync>() {}
    send_sync::<ByteBuf>();
    send_sync::<CompositeBuf>();
    send_sync::<Pool>();
    if cfg!(target_pointer_width = "64") {
        assert_eq!(size_of::<ByteBuf>(), 32);
        assert_eq!(size_of::<Option<ByteBuf>>(), 32);
    }
}

#[test]
fn a_new_one_has_no_memory_and_fresh_memory_is_zero() {
    assert_eq!(ByteBuf::new().capacity(), 0);
    assert_eq!(ByteBuf::with_max_capacity(10).capacity(), 0);
    assert!(ByteBuf::with_capacity(300).spare_mut().iter().all(|&byte| byte == 0));
    let mut grown = ByteBuf::from(&[0xFF; 100]);
    for room in [1, 1_000, 200_000] {
        grown.reserve(room);
        assert!(grown.spare_mut().iter().all(|&byte| byte == 0));
    }
    assert_eq!(grown, &[0xFF; 100]);
}

#[test]
fn the_smallest_buffers_work() {
    let mut empty = ByteBuf::new();
    empty.discard_read();
    empty.clear();
    assert!(empty.split().is_empty());
    assert!(empty.split_to(0).freeze().is_empty());
    assert_eq!(empty.read_u8(), Err(OutOfBounds { needed: 1, available: 0 }));
    assert_eq!(empty.peek_varint_u64(), Ok(None));
    assert_eq!((empty.find_byte(0), empty.find(b"a"), empty.find(b"")), (None, None, Some(0)));
    let mut none = ByteBuf::with_max_capacity(0);
    assert!(none.ensure_writable(1).is_err());
    assert!(none.ensure_writable(0).is_ok());
    assert_eq!(none.remaining_mut(), 0);
}

#[test]
fn room_at_least_doubles() {
    let mut buf = ByteBuf::new();
    let mut moves = 0;
    let mut capacity = 0;
    for n in 0..100_000_u32 {
        buf.write_u8(n as u8);
        if buf.capacity() != capacity {
            moves += 1;
            capacity = buf.capacity();
        }
    }
    assert!(moves <= 12, "{moves} moves for 100 000 single bytes");
}

#[test]
fn growing_stops_at_the_maximum_exactly() {
    let mut buf = ByteBuf::with_max_capacity(100);
    buf.write_bytes(1, 70);
    assert_eq!(buf.capacity(), 70);
    buf.write_bytes(2, 30);
    assert_eq!((buf.capacity(), buf.writable()), (100, 0));
    let error = buf.try_write_slice(b"x").unwrap_err();
    assert_eq!(error.to_string(), "capacity of 101 bytes needed, the maximum is 100 bytes");
    assert!(buf.ensure_writable(usize::MAX).is_err());
    buf.skip(1).unwrap();
    buf.discard_read();
    buf.write_u8(3);
    assert_eq!(buf.len(), 100);
}

#[test]
fn the_last_handle_gets_the_whole_block_back() {
    let mut buf = ByteBuf::with_capacity(1024);
    let address = buf.spare_mut().as_ptr();
    buf.write_bytes(1, 1000);
    let front = buf.split();
    assert_eq!(buf.capacity(), 24);
    buf.discard_read();
    assert_eq!(buf.capacity(), 24, "the front still has its part");
    drop(front);
    buf.discard_read();
    assert_eq!((buf.capacity(), buf.spare_mut().as_ptr()), (1024, address));
}

#[test]
fn writing_on_uses_the_block_again_when_it_can() {
    // A frame at a time through one block: no new memory, however long it goes on.
    let mut buf = ByteBuf::with_capacity(64);
    let address = buf.spare_mut().as_ptr();
    for n in 0..1_000_u64 {
        buf.write_u64(n);
        assert_eq!(buf.split_to(8).read_u64(), Ok(n));
    }
    buf.discard_read();
    assert_eq!((buf.capacity(), buf.spare_mut().as_ptr()), (64, address));
    // The front may use what the rest left behind.
    buf.write_bytes(5, 10);
    let mut front = buf.split_to(4);
    drop(buf);
    front.write_bytes(6, 60);
    assert_eq!((front.capacity(), front.as_ptr()), (64, address));
    assert_eq!(front[..4], [5; 4]);
    assert_eq!(front[4..], [6; 60]);
}

#[test]
fn a_shared_front_moves_when_it_grows() {
    let mut rest = ByteBuf::from("frontrest");
    let mut front = rest.split_to(5);
    front.write_str("!!");
    assert_eq!((&front[..], &rest[..]), (&b"front!!"[..], &b"rest"[..]));
}

#[test]
fn two_threads_write_to_their_parts_of_one_block() {
    let mut rest = ByteBuf::with_capacity(4096);
    rest.write_bytes(0, 2048);
    let mut front = rest.split();
    let writer = thread::spawn(move || {
        for round in 0..200_u8 {
            front.fill(round);
            assert!(front.iter().all(|&byte| byte == round));
        }
    });
    for round in 0..200_u8 {
        rest.clear();
        rest.write_bytes(!round, 2048);
        assert!(rest.iter().all(|&byte| byte == !round));
    }
    writer.join().unwrap();
}

#[test]
fn freezing_shares_and_frees_at_the_last_clone() {
    let pool = Pool::new();
    let mut buf = pool.take(1);
    buf.write_str("frozen");
    buf.skip(2).unwrap();
    let address = buf.as_ptr();
    let bytes = Bytes::from(buf);
    assert_eq!((&bytes[..], bytes.as_ptr()), (&b"ozen"[..], address));
    let slice = bytes.slice(1..3);
    drop(bytes);
    assert_eq!(pool.stats().outstanding, 1);
    assert_eq!(slice, "ze");
    drop(slice);
    assert_eq!(pool.stats().outstanding, 0);
}

#[test]
fn marks_survive_growth_and_stale_ones_are_harmless() {
    let mut buf = ByteBuf::from("abcdef");
    buf.skip(1).unwrap();
    let mark = buf.mark();
    buf.skip(3).unwrap();
    buf.write_bytes(b'x', 5_000);
    buf.reset(mark).unwrap();
    assert_eq!(buf, "bcdef");
    drop(buf.split_to(2).freeze());
    let mut small = ByteBuf::from("a");
    assert_eq!(small.reset(mark), Err(OutOfBounds { needed: 6, available: 1 }));
    assert_eq!(small, "a");
}

#[test]
fn indexes_are_checked() {
    let mut buf = ByteBuf::with_capacity(10);
    buf.write_str("abcd");
    assert_eq!(buf.set_reader_index(5), Err(OutOfBounds { needed: 5, available: 4 }));
    assert_eq!(buf.set_writer_index(11), Err(OutOfBounds { needed: 11, available: 10 }));
    buf.set_reader_index(3).unwrap();
    assert_eq!(buf.set_writer_index(2), Err(OutOfBounds { needed: 3, available: 2 }));
    assert!(buf.set_writer_index(usize::MAX).is_err());
    buf.set_writer_index(6).unwrap();
    assert_eq!(buf, b"d\0\0");
}

#[test]
fn a_lower_maximum_cuts_spare_room_but_no_bytes() {
    let mut buf = ByteBuf::with_capacity(100);
    buf.write_str("abc");
    buf.set_max_capacity(50);
    assert_eq!((buf.capacity(), buf.max_capacity()), (50, 50));
    buf.set_max_capacity(1);
    assert_eq!((buf.capacity(), buf.max_capacity()), (3, 3));
    assert_eq!(buf, "abc");
    buf.set_max_capacity(usize::MAX);
    buf.write_str("def");
    assert_eq!((&buf[..], buf.capacity()), (&b"abcdef"[..], 100), "its block is still there");
}

macro_rules! panics {
    ($($name:ident, $text:literal: $code:expr;)*) => {$(
        #[test]
        #[should_panic(expected = $text)]
        fn $name() {
            let _ = $code;
        }
    )*};
}

panics! {
    split_too_much, "out of bounds: 4 needed, 3 available": ByteBuf::from("abc").split_to(4);
    advance_writer_too_far, "out of bounds: 4 needed, 3 available":
        ByteBuf::with_capacity(3).advance_writer(4);
    advance_reader_too_far, "out of bounds: 2 needed, 1 available": ByteBuf::from("a").advance(2);
    write_too_much, "capacity of 4 bytes needed, the maximum is 3 bytes":
        ByteBuf::with_max_capacity(3).write_u32(1);
    write_slice_too_much, "capacity of 4 bytes needed": ByteBuf::with_max_capacity(3).write_str("abcd");
    reserve_too_much, "capacity of 4 bytes needed": ByteBuf::with_max_capacity(3).reserve(4);
    too_large, "capacity overflow": ByteBuf::with_capacity(usize::MAX);
    put_too_much, "capacity of 9 bytes needed": ByteBuf::with_max_capacity(8).put_slice(&[0; 9]);
}

#[test]
fn works_as_buf_and_buf_mut() {
    let mut buf = ByteBuf::new();
    buf.put_u16(0x0102);
    buf.put_u8(3);
    buf.put_i8(-1);
    buf.put_bytes(9, 2);
    buf.put((&b"rope"[..]).chain(&b"s"[..]));
    BufMut::put_u64_le(&mut buf, 7);
    let mut limited = (&mut buf).limit(2);
    limited.put_slice(b"ok");
    assert_eq!(buf, b"\x01\x02\x03\xff\x09\x09ropes\x07\0\0\0\0\0\0\0ok");
    assert_eq!(Buf::get_u16(&mut buf), 0x0102);
    assert_eq!(buf.copy_to_bytes(4), &[3, 0xff, 9, 9][..]);
    assert_eq!(Buf::take(&mut buf, 5).copy_to_bytes(5), "ropes");
    assert_eq!(buf.remaining(), 10);
}

/// `Limit` knows only the required methods, so this goes through `chunk_mut`.
#[test]
fn chunk_mut_makes_room() {
    let bytes: Vec<u8> = (0..255).collect();
    let mut buf = ByteBuf::with_max_capacity(255);
    for part in bytes.chunks(100) {
        (&mut buf).limit(usize::MAX).put_slice(part);
    }
    assert_eq!(buf, bytes);
    assert_eq!(buf.capacity(), 255);
    assert_eq!(buf.chunk_mut().len(), 0);
    assert_eq!(buf.remaining_mut(), 0);
}

#[test]
fn compares_hashes_and_prints() {
    let mut buf = ByteBuf::from("?abc");
    buf.skip(1).unwrap();
    assert_eq!(buf, *"abc");
    assert_eq!(buf, b"abc".to_vec());
    assert_eq!(buf, Bytes::from_static(b"abc"));
    assert_eq!(b"abc", buf);
    assert_eq!(buf, buf.clone());
    let later = ByteBuf::from("abd");
    assert!(buf < later);
    let map = HashMap::from([(buf.clone(), 1)]);
    assert_eq!(map.get(&b"abc"[..]), Some(&1));
    assert_eq!(format!("{buf:?}"), "ByteBuf { reader: 1, writer: 4, capacity: 4, bytes: 616263 }");
    assert!(format!("{:?}", ByteBuf::from(&[1; 17])).ends_with("0101.. }"));
    buf.extend([1, 2]);
    buf.extend(&[3]);
    assert_eq!(buf, b"abc\x01\x02\x03");
}

#[test]
fn formats_into_itself_up_to_the_maximum() {
    let mut buf = ByteBuf::with_max_capacity(8);
    write!(buf, "ab-{:03}", 7).unwrap();
    assert_eq!(buf, "ab-007");
    assert!(write!(buf, "too long").is_err());
}

#[test]
fn searches_from_the_reader_index() {
    let mut buf = ByteBuf::from("a\r\nb\r\n\r\nc");
    buf.skip(2).unwrap();
    assert_eq!(buf.find_byte(b'\r'), Some(2));
    assert_eq!(buf.find_byte(b'a'), None, "already read");
    assert_eq!(buf.find(b"\r\n\r\n"), Some(2));
    assert_eq!(buf.find(b"\r\n\r\n\r"), None);
}

#[test]
fn hex_dump_of_no_byte_one_row_and_two() {
    let rule = "+--------+-------------------------------------------------+----------------+";
    let head = "         +-------------------------------------------------+\n         \
                |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |\n";
    assert_eq!(HexDump(b"").to_string(), format!("{head}{rule}\n{rule}"));
    let bytes: Vec<u8> = (0x1e..0x30).collect();
    let rows = "|00000000| 1e 1f 20 21 22 23 24 25 26 27 28 29 2a 2b 2c 2d |.. !\"#$%&'()*+,-|\n\
                |00000010| 2e 2f                                           |./              |\n";
    let expected = format!("{head}{rule}\n{rows}{rule}");
    assert_eq!(ByteBuf::from(&bytes[..]).hex_dump().to_string(), expected);
    assert_eq!(format!("{:?}", HexDump(&bytes)), expected);
}
