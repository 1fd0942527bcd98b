//! Reading into memory of the caller's.

use bytes::Bytes;
use fyke_stack::StackError;
use fyke_stack::tcp::CloseReason;

use crate::world::{SERVER, World, at};

#[test]
fn one_call_takes_what_came_in_many_segments() {
    let mut world = World::new();
    let (client, server) = world.established(&at(SERVER, 80));
    let sent: Vec<u8> = (0..20_000_u32).map(|n| (n % 251) as u8).collect();
    let mut read = Vec::new();
    let mut segments = 0;
    // Large segments, and small ones that are kept in another place.
    for part in [&sent[..1], &sent[1..14_000], &sent[14_000..14_010], &sent[14_010..]] {
        let now = world.now;
        world.client.stack.write(now, client, Bytes::copy_from_slice(part)).unwrap();
        segments += world.settle();
    }
    assert!(segments > 14);
    assert_eq!(world.server.stack.readable(server), sent.len());
    let before = world.server.stack.counters().work.polls;
    // A piece that ends in the middle of a segment, then all there is.
    for (room, count) in [(5000, 5000), (1, 1), (60_000, 14_999)] {
        let mut buffer = vec![0; room];
        let got = world.server.stack.read_into(world.now, server, &mut buffer);
        assert_eq!(got, Ok(Some(count)));
        read.extend_from_slice(&buffer[..count]);
    }
    assert_eq!(read, sent);
    let mut buffer = [0; 8];
    let mut read_into = |world: &mut World, room: usize| {
        world.server.stack.read_into(world.now, server, &mut buffer[..room])
    };
    assert_eq!(read_into(&mut world, 8), Err(StackError::WouldBlock));
    assert_eq!(read_into(&mut world, 0), Ok(Some(0)));
    // The peer hears of the room at most once for all that was read at once.
    world.settle();
    assert!(world.server.stack.counters().work.polls <= before + 2);
    // Calls of either kind may be mixed.
    world.client.stack.write(world.now, client, Bytes::from_static(b"hello")).unwrap();
    world.client.stack.shutdown(world.now, client).unwrap();
    world.settle();
    assert_eq!(world.server.stack.read(world.now, server, 2), Ok(Some("he".into())));
    assert_eq!(read_into(&mut world, 8), Ok(Some(3)));
    assert_eq!(read_into(&mut world, 8), Ok(None));
    assert_eq!(read_into(&mut world, 0), Ok(None));
    assert_eq!(&buffer[..3], b"llo");
}

#[test]
fn a_full_window_opens_again_when_it_is_copied_out() {
    let mut world = World::new();
    let (client, server) = world.established(&at(SERVER, 80));
    let total = 8 << 20;
    let mut written = 0;
    let mut read = 0;
    let mut buffer = vec![0; 16 << 10];
    while read < total {
        while written < total {
            let now = world.now;
            let end = total.min(written + 1024);
            let bytes: Bytes = (written..end).map(|at| (at % 251) as u8).collect();
            match world.client.stack.write(now, client, bytes).unwrap() {
                0 => break,
                taken => written += taken,
            }
        }
        world.settle();
        let before = read;
        while let Ok(Some(count)) = world.server.stack.read_into(world.now, server, &mut buffer) {
            let right = |(at, byte): (usize, &u8)| *byte == ((read + at) % 251) as u8;
            assert!(buffer[..count].iter().enumerate().all(right));
            read += count;
        }
        assert!(read > before, "the peer was not told of the room: {read} of {total}");
    }
    assert_eq!((written, read), (total, total));
}

#[test]
fn what_was_received_before_a_reset_is_read_first() {
    let mut world = World::new();
    let (client, server) = world.established(&at(SERVER, 80));
    world.client.stack.write(world.now, client, Bytes::from_static(b"last words")).unwrap();
    world.settle();
    world.client.stack.abort(world.now, client).unwrap();
    world.settle();
    let mut buffer = [0; 100];
    let mut read_into =
        |world: &mut World| world.server.stack.read_into(world.now, server, &mut buffer);
    assert_eq!(read_into(&mut world), Ok(Some(10)));
    let reset = Err(StackError::Closed(CloseReason::Reset));
    assert_eq!(read_into(&mut world), reset);
    world.server.stack.close(world.now, server).unwrap();
    assert_eq!(read_into(&mut world), Err(StackError::NoSuchSocket));
}
