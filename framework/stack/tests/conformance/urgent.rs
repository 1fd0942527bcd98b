//! Urgent data: a mark in the stream that moves no byte (RFC 6093).

use bytes::Bytes;
use fyke_stack::tcp::{Event, Flags};

use crate::rig::{ISS, Rig, plain};

/// MUST-30, MUST-62, MUST-31: whatever the pointer says, and however long the urgent data is, every
/// byte stays where it is in the stream, and is there to read at once.
#[test]
fn urgent_bytes_stay_in_line() {
    for pointer in [0, 1, 3, 5, 6, 1000, u16::MAX] {
        let mut rig = Rig::established(plain());
        let mut segment = rig.segment(Flags::ACK | Flags::URG | Flags::PSH, ISS + 1, b"abcde");
        segment.urgent = pointer;
        rig.give(segment);
        rig.seq += 5;
        assert_eq!(rig.events(), [Event::Readable], "{pointer}");
        let mut more = rig.segment(Flags::ACK | Flags::URG, ISS + 1, b"fghij");
        more.urgent = pointer;
        rig.give(more);
        let mut all = Vec::new();
        while let Some(bytes) = rig.connection.read(100, rig.now) {
            all.extend_from_slice(&bytes);
        }
        assert_eq!(all, b"abcdefghij", "{pointer}");
    }
}

/// MUST-31: more urgent data than a window.
#[test]
fn urgent_data_may_be_of_any_length() {
    let mut rig = Rig::established(plain());
    let mut read = 0;
    for _ in 0..100 {
        let mut segment = rig.segment(Flags::ACK | Flags::URG, ISS + 1, b"");
        segment.payload = Bytes::from_static(&[1; 1460]);
        segment.urgent = u16::MAX;
        rig.give(segment);
        rig.seq += 1460;
        while let Some(bytes) = rig.connection.read(4000, rig.now) {
            read += bytes.len();
        }
        rig.poll();
    }
    assert_eq!(read, 146_000);
}

/// SHLD-13: what we send is never urgent.
#[test]
fn nothing_we_send_is_urgent() {
    let mut rig = Rig::established(plain());
    rig.write(10_000);
    rig.connection.shutdown();
    let sent = rig.poll();
    assert!(sent.len() > 5);
    assert!(sent.iter().all(|s| !s.flags.contains(Flags::URG) && s.urgent == 0));
}
