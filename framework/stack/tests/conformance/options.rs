//! TCP options on the wire: which are read, where, and what the segment size is made of.

use fyke_stack::RxMeta;
use fyke_stack::tcp::Flags;
use fyke_stack::wire::Emit;
use fyke_stack::wire::tcp::{Header, Options, TcpOption};

use crate::frames::{Frame, Seen, parse};
use crate::world::{CLIENT, CLIENT6, SERVER, SERVER6, World, at};

fn answer(world: &mut World, frame: &Frame) -> Option<Seen> {
    world.server.stack.input(world.now, frame.bytes(), RxMeta::default());
    world.server.transmit(world.now).first().map(parse)
}

fn mss(seen: &Seen) -> Option<u16> {
    seen.header.options.iter().find_map(|option| match option {
        TcpOption::MaximumSegmentSize(size) => Some(size),
        _ => None,
    })
}

/// MUST-5, MUST-6, MUST-64, MUST-68: an unknown option is skipped by its length, in the SYN and
/// behind it, and what stands behind it at an odd place is read.
#[test]
fn options_are_read_in_any_segment_at_any_place() {
    let mut world = World::new();
    let listener = world.listen(&at(SERVER, 80));
    let (from, to) = (at(CLIENT, 4000), at(SERVER, 80));
    let unknown = TcpOption::Unknown { kind: 99, data: &[1, 2, 3] };
    let stamped = |frame: Frame, value| {
        frame.option(unknown).option(TcpOption::Timestamps { value, echo: 0 })
    };
    let syn = stamped(Frame::syn(&from, &to, 100), 70).option(TcpOption::MaximumSegmentSize(777));
    let syn_ack = answer(&mut world, &syn).unwrap();
    let echoed = |seen: &Seen| {
        seen.header.options.iter().find_map(|option| match option {
            TcpOption::Timestamps { echo, .. } => Some(echo),
            _ => None,
        })
    };
    assert_eq!(echoed(&syn_ack), Some(70));
    let next = syn_ack.header.seq.wrapping_add(1);
    let data = stamped(Frame::new(&from, &to, Flags::ACK, 101, next).payload(b"hello"), 71);
    let ack = answer(&mut world, &data).unwrap();
    assert_eq!((ack.header.ack, echoed(&ack)), (106, Some(71)));
    let id = world.server.stack.accept(listener).unwrap();
    assert_eq!(world.server.stack.info(id).unwrap().send_mss, 777 - 12);
}

/// MUST-7: lengths that cannot be end the list, and neither the host nor the connection.
#[test]
fn impossible_option_lengths_end_the_list() {
    for bytes in [&[2, 0, 5, 5][..], &[2, 1, 5, 5], &[2, 200, 5, 5], &[8, 10, 0, 0], &[1, 1, 1, 2]]
    {
        let mut world = World::new();
        let listener = world.listen(&at(SERVER, 80));
        let (from, to) = (at(CLIENT, 4000), at(SERVER, 80));
        let mut syn = Frame::syn(&from, &to, 100);
        syn.header.options = Options::from_bytes(bytes);
        let syn_ack = answer(&mut world, &syn).expect("a SYN-ACK");
        let next = syn_ack.header.seq.wrapping_add(1);
        let mut data = Frame::new(&from, &to, Flags::ACK, 101, next).payload(b"data");
        data.header.options = Options::from_bytes(bytes);
        assert_eq!(answer(&mut world, &data).unwrap().header.ack, 105);
        let id = world.server.stack.accept(listener).unwrap();
        assert_eq!(world.server.stack.info(id).unwrap().send_mss, 536, "{bytes:?}");
    }
}

/// MUST-14, MUST-67, SHLD-5, MAY-3: the size told is what the link carries without the fixed
/// headers, in the SYN and in the SYN-ACK. MUST-65: and in nothing else.
#[test]
fn the_segment_size_is_told_with_syns_only() {
    for (server, wanted) in [(SERVER, 1460), (SERVER6, 1440)] {
        let mut world = World::new();
        let (client, _) = world.established(&at(server, 80));
        world.client.stack.write(world.now, client, vec![1; 20_000].into()).unwrap();
        world.settle();
        world.client.stack.shutdown(world.now, client).unwrap();
        world.settle();
        let mut syns = 0;
        let all = world.client.sent.iter().chain(&world.server.sent).map(parse);
        for seen in all.filter(|seen| seen.destination.port() != 0) {
            let is_syn = seen.flags().contains(Flags::SYN);
            syns += u32::from(is_syn);
            assert_eq!(mss(&seen), is_syn.then_some(wanted));
        }
        assert_eq!(syns, 2);
    }
}

/// MUST-15: a peer that tells nothing takes 536 bytes over IPv4 and 1220 over IPv6.
#[test]
fn untold_segment_sizes_depend_on_the_family() {
    for (client, server, wanted) in [(CLIENT, SERVER, 536), (CLIENT6, SERVER6, 1220)] {
        let mut world = World::new();
        let listener = world.listen(&at(server, 80));
        let (from, to) = (at(client, 4000), at(server, 80));
        let syn_ack = answer(&mut world, &Frame::syn(&from, &to, 100)).unwrap();
        let next = syn_ack.header.seq.wrapping_add(1);
        answer(&mut world, &Frame::new(&from, &to, Flags::ACK, 101, next));
        let id = world.server.stack.accept(listener).unwrap();
        assert_eq!(world.server.stack.info(id).unwrap().send_mss, wanted);
    }
}

/// MUST-16: the smaller of what the peer takes and the path carries, less the options.
#[test]
fn segments_are_no_longer_than_peer_and_path_allow() {
    for (told, wanted) in [(500, 488), (9000, 1448)] {
        let mut world = World::new();
        let listener = world.listen(&at(SERVER, 80));
        let (from, to) = (at(CLIENT, 4000), at(SERVER, 80));
        let stamp = TcpOption::Timestamps { value: 1, echo: 0 };
        let syn = Frame::syn(&from, &to, 100).option(TcpOption::MaximumSegmentSize(told));
        let syn_ack = answer(&mut world, &syn.option(stamp)).unwrap();
        let next = syn_ack.header.seq.wrapping_add(1);
        answer(&mut world, &Frame::new(&from, &to, Flags::ACK, 101, next).option(stamp));
        let id = world.server.stack.accept(listener).unwrap();
        world.server.stack.write(world.now, id, vec![1; 4000].into()).unwrap();
        let sent: Vec<Seen> = world.server.transmit(world.now).iter().map(parse).collect();
        assert_eq!(sent.iter().map(|seen| seen.payload.len()).max(), Some(wanted));
    }
}

/// MUST-69: what is left of the last word behind the options is zeros.
#[test]
fn headers_are_padded_with_zeros() {
    for options in [
        &[TcpOption::WindowScale(7)][..],
        &[TcpOption::SackPermitted, TcpOption::WindowScale(7)],
        &[TcpOption::Unknown { kind: 99, data: &[0xff] }, TcpOption::EndOfList],
    ] {
        let header = Header { options: Options::new(options).unwrap(), ..Header::default() };
        let used = header.options.as_bytes().len();
        let bytes = header.to_vec();
        assert_eq!(bytes.len() % 4, 0);
        assert!(bytes.len() - 20 - used < 4);
        assert!(bytes[20 + used..].iter().all(|byte| *byte == 0), "{bytes:?}");
    }
}
