//! Super-segments: what the device cuts must be what the path carries.

use fyke_stack::tcp::{Flags, Options, Segment, SeqNum};

use crate::rig::{IRS, ISS, Rig, ms, plain};

/// What the options of a segment take in its header.
fn option_bytes(segment: &Segment) -> usize {
    let timestamp = if segment.options.timestamp.is_some() { 12 } else { 0 };
    let sack = match segment.options.sack.as_slice().len() {
        0 => 0,
        blocks => 4 + 8 * blocks,
    };
    timestamp + sack
}

/// RFC 6691, section 2: options are taken from the segment's size, also those that are reported
/// once (RFC 2883).
#[test]
fn segments_of_a_super_segment_leave_room_for_a_reported_duplicate() {
    let mut config = plain();
    config.sack = true;
    config.gso_bytes_max = 60_000;
    let options = Options { mss: Some(1460), sack_permitted: true, ..Options::default() };
    let mut rig = Rig::established_with(config, options);
    rig.data(b"hello");
    rig.poll();
    let mut again = rig.segment(Flags::ACK, ISS + 1, b"hello");
    again.seq = SeqNum::new(IRS + 1);
    rig.give(again);
    rig.now += ms(1);
    rig.write(10_000);
    let sent = rig.poll();
    let data = sent.iter().filter(|s| !s.payload.is_empty());
    for segment in data {
        let size = match segment.gso_size {
            0 => segment.payload.len(),
            size => usize::from(size),
        };
        assert!(size + option_bytes(segment) <= 1460, "{size} with {:?}", segment.options);
    }
    assert!(sent.iter().any(|s| !s.options.sack.as_slice().is_empty()));
}

/// RFC 791, section 3.1: no packet is longer than its length field can say, however large the
/// super-segments are that a device would cut.
#[test]
fn a_super_segment_is_a_packet() {
    let mut config = plain();
    config.window_scaling = true;
    config.gso_bytes_max = u32::MAX;
    config.send_buffer_bytes = 1 << 20;
    config.congestion.initial_window_segments = 1000;
    config.congestion.initial_window_bytes = 1 << 20;
    let options = Options { mss: Some(1456), window_scale: Some(2), ..Options::default() };
    let mut rig = Rig::established_with(config, options);
    rig.ack(ISS + 1);
    rig.write(200_000);
    let sent = rig.poll();
    assert!(sent.iter().any(|segment| segment.payload.len() > 60_000));
    assert!(sent.iter().all(|segment| segment.payload.len() + 60 + 40 <= 65_535));
}

/// RFC 9293, section 3.7.4: the end of a super-segment is a small segment, and the next one waits for it.
#[test]
fn what_follows_the_small_end_of_a_super_segment_waits() {
    for gso in [0, 60_000] {
        let mut config = plain();
        config.minshall = true;
        config.gso_bytes_max = gso;
        let mut rig = Rig::established(config);
        rig.write(3000);
        let sent: usize = rig.poll().iter().map(|segment| segment.payload.len()).sum();
        assert_eq!(sent, 3000);
        rig.write(50);
        assert!(rig.poll().is_empty(), "a small one is under way");
        rig.ack(ISS + 1 + 3000);
        assert_eq!(rig.poll()[0].payload.len(), 50);
    }
}

/// gVisor #11198: what a device joined is acknowledged as often as the segments would have been, of
/// whatever size they were.
#[test]
fn a_super_segment_is_acknowledged_as_its_segments_are() {
    for (small_count, size) in [(true, 10), (false, 500)] {
        let mut config = plain();
        config.ack_small_segments = small_count;
        let mut rig = Rig::established(config);
        let mut segment = rig.segment(Flags::ACK, ISS + 1, &[7; 1000][..2 * size]);
        segment.gso_size = size as u16;
        rig.give(segment);
        assert_eq!(rig.poll().len(), 1, "two of {size} bytes");
    }
}
