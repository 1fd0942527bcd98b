//! Windows that are told in units (RFC 7323, section 2): what the field cannot say.

use fyke_stack::tcp::{Config, ConnectionOption, Flags, Options, SeqNum};

use crate::rig::{ISS, Rig};

/// The buffer, and the unit of a window that may grow to six mebibytes.
const BUFFER: u32 = 65_536;
const UNIT: u32 = 128;

fn scaled() -> Rig {
    let mut config = Config::linux();
    config.timestamps = false;
    config.receive_buffer_bytes = BUFFER;
    let options = Options { mss: Some(1460), window_scale: Some(7), ..Options::default() };
    Rig::established_with(config, options)
}

/// Text in order, and the right edge that its acknowledgement tells.
fn edge_after(rig: &mut Rig, payload: &[u8]) -> SeqNum {
    rig.connection.set_option(rig.now, ConnectionOption::QuickAck(true));
    rig.data(payload);
    let sent = rig.poll();
    sent[0].ack + u32::from(sent[0].window) * UNIT
}

#[test]
fn rfc_7323_section_2_4_small_segments_do_not_move_the_edge_without_end() {
    for len in [1, 100, UNIT as usize - 1] {
        let mut rig = scaled();
        let mut edge = SeqNum::new(rig.seq);
        for _ in 0..3 * BUFFER as usize / len {
            let told = edge_after(&mut rig, &vec![b'x'; len]);
            assert!(edge.is_at_most(told + (UNIT - 1)), "less than a unit is taken back");
            edge = edge.max(told);
            let next = rig.connection.info().rcv_nxt;
            if edge.saturating_distance_from(next) < len as u32 {
                break;
            }
        }
        let unread = rig.connection.readable();
        assert!(unread < (BUFFER + UNIT) as usize, "{unread} bytes of segments of {len} are kept");
        assert!(unread + 2 * UNIT as usize > BUFFER as usize, "the buffer is used: {unread}");
        // What was offered is taken although the field says less by now.
        let left = edge.saturating_distance_from(rig.connection.info().rcv_nxt);
        rig.data(&vec![b'y'; left as usize]);
        assert_eq!(rig.connection.readable(), unread + left as usize);
    }
}

#[test]
fn a_buffer_smaller_than_a_unit_takes_something_again_and_again() {
    let mut rig = scaled();
    rig.connection.set_option(rig.now, ConnectionOption::ReceiveBufferBytes(UNIT - 1));
    for _ in 0..2000 {
        let left = rig.connection.info().rcv_wnd as usize;
        assert!(left > 0, "nothing is offered, and nothing is there");
        rig.data(&vec![b'x'; left.min(1000)]);
        rig.poll();
        while rig.connection.read(usize::MAX, rig.now).is_some() {}
        rig.poll();
    }
    rig.give(rig.segment(Flags::ACK, ISS + 1, b""));
    assert!(rig.poll().is_empty());
}
