//! Devices on a pair of sockets, whose other end is the test's: what no kernel sends, and what no
//! kernel does.

use std::io;
use std::os::fd::OwnedFd;

use fyke_core::driver::{Readiness, Token};
use fyke_stack::{Gso, GsoKind, RxChecksum, TxChecksum, TxFrame, TxSink};
use fyke_transport::userspace::{Device, Frame, Tap, TapQueue};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};

use crate::runner::{Needs, Test};

pub(crate) const TESTS: &[Test] = &[
    ("garbage_in_the_header_is_counted_and_dropped", Needs::Nothing, garbage),
    ("frames_of_a_batch_share_their_memory", Needs::Nothing, batch),
    ("a_frame_without_room_waits_and_keeps_its_place", Needs::Nothing, no_room),
    ("a_super_segment_that_is_refused_is_cut", Needs::Nothing, refused),
    ("a_closed_pair_is_a_device_that_is_gone", Needs::Nothing, closed),
    ("a_budget_is_kept", Needs::Nothing, budget),
];

fn pair() -> (OwnedFd, OwnedFd) {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap()
}

fn device(vnet: bool) -> (Tap, OwnedFd) {
    let (ours, theirs) = pair();
    (TapQueue::from_fd(ours, "pair").vnet_hdr(vnet).into_device(), theirs)
}

fn receive(device: &mut Tap) -> Vec<Frame> {
    let mut frames = Vec::new();
    while device.receive(&mut frames, 64).unwrap() {}
    frames
}

fn plain<'a>(header: &'a [u8], payload: &'a [&'a [u8]]) -> TxFrame<'a> {
    TxFrame {
        header,
        payload,
        network_offset: 14,
        transport_offset: 34,
        gso: None,
        checksum: TxChecksum::Complete,
    }
}

fn garbage() {
    let (mut device, wire) = device(true);
    let mut good = vec![0; 10];
    good.extend(b"a frame");
    let mut far = good.clone();
    (far[0], far[6]) = (1, 200); // a checksum behind the end
    let mut unknown = good.clone();
    unknown[1] = 77; // a kind of segmentation
    let mut zero = good.clone();
    zero[1] = 1; // segments of no size
    let mut datagrams = good.clone();
    (datagrams[0], datagrams[1], datagrams[4]) = (1, 5, 9); // several datagrams in what is none
    let frames = [&b"short"[..], &good, &far, &unknown, &zero, &datagrams, &good[..10], &good];
    for frame in frames {
        rustix::io::write(&wire, frame).unwrap();
    }
    let got = receive(&mut device);
    assert_eq!(got.len(), 2);
    assert!(got.iter().all(|frame| frame.bytes == b"a frame"[..]));
    assert!(got.iter().all(|frame| frame.meta.checksum == RxChecksum::None));
    assert_eq!(device.counters().frames_unusable, 6);

    let (mut device, wire) = self::device(false);
    rustix::io::write(&wire, &[7; 1600]).unwrap(); // longer than the device's packets
    rustix::io::write(&wire, &[7; 1514]).unwrap();
    let lengths: Vec<usize> = receive(&mut device).iter().map(|frame| frame.bytes.len()).collect();
    // Where there is room in the block, length is the stack's to judge.
    assert_eq!(lengths, [1600, 1514]);
}

fn batch() {
    let (mut device, wire) = device(false);
    for number in 0..8 {
        rustix::io::write(&wire, &[number; 1000]).unwrap();
    }
    let got = receive(&mut device);
    assert_eq!(got.len(), 8);
    for (number, pair) in got.windows(2).enumerate() {
        assert_eq!(pair[0].bytes, [number as u8; 1000][..]);
        assert_eq!(pair[0].bytes.as_ptr().wrapping_add(1000), pair[1].bytes.as_ptr());
    }
    // Who keeps one keeps it unchanged.
    rustix::io::write(&wire, &[99; 1000]).unwrap();
    let later = receive(&mut device);
    assert_eq!((later[0].bytes[0], got[3].bytes[0]), (99, 3));
}

fn no_room() {
    let (mut device, wire) = device(false);
    let mut sent = 0_u32;
    while device.ready() {
        device.transmit(plain(&[0; 14], &[&sent.to_be_bytes(), &[0; 500]]));
        sent += 1;
        assert!(sent < 100_000, "the pair takes for ever");
    }
    assert_eq!(device.counters().frames_delayed, 1);
    // More than asked for is kept as well, in its place.
    device.transmit(plain(&[0; 14], &[&sent.to_be_bytes()]));
    sent += 1;
    let mut got = Vec::new();
    let mut buffer = [0; 600];
    while (got.len() as u32) < sent {
        match rustix::io::read(&wire, &mut buffer) {
            Ok(_) => got.push(u32::from_be_bytes(buffer[14..18].try_into().unwrap())),
            Err(rustix::io::Errno::AGAIN) => {
                assert!(!device.ready(), "only {} of {sent} came", got.len());
                Device::ready(&mut device, writable());
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(device.ready());
    assert!(got.iter().copied().eq(0..sent));
}

fn writable() -> Readiness {
    let token = Token(0);
    Readiness { token, readable: false, writable: true, peer_closed: false, hangup: false }
}

/// A descriptor that refuses every write as the kernel refuses a frame that it does not know.
fn refused() {
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK).unwrap();
    let mut device = TapQueue::from_fd(timer, "timer").vnet_hdr(true).into_device();
    assert!(device.offload().gso_bytes_max > 0);
    let mut header = [0; 54];
    (header[12], header[14], header[46]) = (8, 0x45, 0x50);
    let frame = TxFrame {
        gso: Some(Gso { size: 100, kind: GsoKind::Tcp4 }),
        checksum: TxChecksum::Partial { start: 34, offset: 16 },
        ..plain(&header, &[&[1; 250]])
    };
    device.transmit(frame);
    let counters = device.counters();
    assert_eq!((counters.super_segments_cut, counters.frames_refused), (1, 3));
    // From now on it is cut without asking.
    device.transmit(frame);
    let counters = device.counters();
    assert_eq!((counters.super_segments_cut, counters.frames_refused), (2, 6));
    // What is no super-segment is only counted.
    device.transmit(plain(&header, &[]));
    assert_eq!(device.counters().frames_refused, 7);
    assert!(device.ready());
}

fn closed() {
    let (mut device, wire) = device(false);
    rustix::io::write(&wire, b"the last frame").unwrap();
    drop(wire);
    let mut frames = Vec::new();
    assert!(device.receive(&mut frames, 64).unwrap());
    assert_eq!(frames[0].bytes, b"the last frame"[..]);
    let error = device.receive(&mut frames, 64).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NetworkDown);
    assert!(error.to_string().contains("pair"), "{error}");
    assert_eq!(device.flush().unwrap_err().kind(), io::ErrorKind::NetworkDown);
    device.transmit(plain(&[0; 14], &[]));
    assert!(device.ready(), "nothing waits for what will not come");
}

fn budget() {
    let (mut device, wire) = device(true);
    for number in 0..5 {
        let mut frame = vec![0; 10];
        frame.push(number);
        rustix::io::write(&wire, &frame).unwrap();
    }
    let mut frames = Vec::new();
    assert!(device.receive(&mut frames, 2).unwrap());
    assert_eq!(frames.len(), 2);
    assert!(device.receive(&mut frames, 2).unwrap());
    assert!(!device.receive(&mut frames, 2).unwrap());
    let numbers: Vec<u8> = frames.iter().map(|frame| frame.bytes[0]).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4]);
}
