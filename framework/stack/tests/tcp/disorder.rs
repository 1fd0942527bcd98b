//! What comes late or not at all: acknowledgements that were overtaken, and recoveries that begin
//! without one.

use fyke_stack::tcp::congestion::Phase;
use fyke_stack::tcp::{Config, Flags, Options, SackBlocks, State};

use crate::loss::{at, sacks, starts};
use crate::rig::{ISS, Rig, ms, plain};

/// Ten segments out, a round trip of 100 ms known.
pub fn ten_out(mut config: Config) -> Rig {
    config.congestion.hystart = false;
    config.sack = true;
    let mut rig = Rig::connect(config);
    rig.now += ms(100);
    let mut answer = rig.segment(Flags::SYN | Flags::ACK, ISS + 1, b"");
    answer.options = Options { mss: Some(1000), sack_permitted: true, ..Options::default() };
    rig.give(answer);
    rig.seq += 1;
    rig.poll();
    rig.write(1000);
    assert_eq!(rig.poll().len(), 1);
    rig.now += ms(100);
    rig.ack(at(1));
    rig.write(10_000);
    assert_eq!(rig.poll().len(), 10);
    rig
}

#[test]
fn rfc_2018_section_4_blocks_of_an_overtaken_acknowledgement_count() {
    let mut rig = ten_out(plain());
    rig.now += ms(100);
    // Three of the ten arrived; 1, 4 and 7 are lost.
    sacks(&mut rig, at(1), &[(at(8), at(9)), (at(2), at(4))]);
    assert_eq!(starts(&rig.poll())[0], 1);
    rig.now += ms(100);
    sacks(&mut rig, at(4), &[(at(8), at(9))]);
    rig.poll();
    let before = rig.connection.info();
    // This one was sent before, and says that 5 and 6 are there.
    sacks(&mut rig, at(3), &[(at(5), at(7))]);
    let after = rig.connection.info();
    assert_eq!(after.sacked, before.sacked + 2000);
    assert_eq!((after.snd_una, after.snd_wnd), (before.snd_una, before.snd_wnd));
    assert_eq!(after.rtt, before.rtt, "its own way says nothing of the path");
    assert!(rig.connection.check());
    // Part of a block may be acknowledged by now: what is not is 4.
    sacks(&mut rig, at(1), &[(at(3), at(6))]);
    assert_eq!(rig.connection.info().sacked, after.sacked + 1000);
    assert!(rig.connection.check());
}

#[test]
fn rfc_2883_a_duplicate_told_by_an_overtaken_acknowledgement_undoes() {
    let mut rig = ten_out(plain());
    let window = rig.connection.info().congestion_window;
    rig.now += ms(100);
    sacks(&mut rig, at(1), &[(at(2), at(5))]);
    assert_eq!(starts(&rig.poll()), [1]);
    // It was reordering: all of it is there.
    rig.now += ms(10);
    rig.ack(at(11));
    assert!(rig.connection.info().congestion_window < window);
    // An earlier acknowledgement, of the second copy of segment 1.
    sacks(&mut rig, at(10), &[(at(1), at(2))]);
    let info = rig.connection.info();
    assert_eq!(info.undone, 1);
    assert!(info.congestion_window >= window);
}

#[test]
fn what_was_missing_at_an_overtaken_acknowledgement_is_no_duplicate() {
    // The block lies below SND.UNA but above what the segment itself acknowledges: no D-SACK.
    let mut rig = ten_out(plain());
    rig.now += ms(100);
    sacks(&mut rig, at(1), &[(at(2), at(5))]);
    rig.poll();
    rig.now += ms(10);
    rig.ack(at(11));
    sacks(&mut rig, at(1), &[(at(2), at(4))]);
    assert_eq!(rig.connection.info().undone, 0);
}

#[test]
fn rfc_9937_section_6_a_recovery_by_timer_begins_with_one_segment() {
    let mut rig = ten_out(plain());
    rig.now += ms(100);
    // One of the last arrived, six before it did not: the reordering timer decides (RFC 8985).
    sacks(&mut rig, at(1), &[(at(8), at(9))]);
    assert_eq!(starts(&rig.poll()), []);
    let sent = rig.pass(ms(26));
    assert_eq!(starts(&sent), [1], "not all seven at once");
    let info = rig.connection.info();
    assert_eq!((info.phase, info.lost), (Phase::Recovery, 6000));
    // Each delivery lets more out.
    sacks(&mut rig, at(1), &[(at(8), at(10))]);
    let more = starts(&rig.poll());
    assert!(more.first() == Some(&2) && more.len() <= 2, "{more:?}");
    assert_eq!(rig.connection.state(), State::Established);
}

#[test]
fn rfc_5961_section_5_2_no_acknowledgement_is_older_than_what_was_sent() {
    let mut rig = ten_out(plain());
    let far = rig.segment(Flags::ACK, ISS.wrapping_sub(20_000), b"forged");
    assert!(rig.connection.info().snd_wnd > 20_000);
    rig.give(far);
    let info = rig.connection.info();
    assert_eq!((info.challenges, info.unread), (1, 0));
    assert_eq!(rig.poll().len(), 1, "a challenge");
    // An old one of the handshake is taken.
    let mut old = rig.segment(Flags::ACK, ISS + 1, b"late");
    old.options.sack = SackBlocks::EMPTY;
    rig.give(old);
    assert_eq!(rig.connection.info().unread, 4);
}
