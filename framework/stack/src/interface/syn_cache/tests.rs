//! The SYN cache alone.

use super::*;

fn embryo(port: u16, created: u32) -> Embryo {
    let tuple = FourTuple::new(([10, 0, 0, 1], 80).into(), ([10, 0, 0, 2], port).into());
    let handshake = Handshake {
        iss: SeqNum::new(1),
        irs: SeqNum::new(2),
        window: 3,
        peer_mss: 1460,
        window_scale: Some(7),
        sack: true,
        timestamp: None,
        timestamp_offset: 9,
        ecn: false,
        sent: None,
    };
    Embryo::new(tuple, &handshake, Ticks(created), 5)
}

fn cache(capacity: usize) -> SynCache {
    SynCache::new(capacity, Duration::from_secs(1), Duration::from_secs(60), 2)
}

const SECOND: u32 = 250_000;

#[test]
fn an_entry_holds_what_it_was_given() {
    let embryo = embryo(1, 0);
    let again = embryo.handshake(SeqNum::new(1), 9, 3, Instant::ZERO);
    assert_eq!((again.irs, again.peer_mss), (SeqNum::new(2), 1460));
    assert_eq!((again.window_scale, again.sack, again.ecn), (Some(7), true, false));
    assert_eq!(again.timestamp, None);
}

#[test]
fn it_tells_when_its_syn_ack_left_unless_that_is_unclear() {
    let at = |millis: u64| Instant::from_nanos(millis * 1_000_000);
    let mut cache = cache(4);
    let index = cache.insert(embryo(1, Ticks::of(at(100)).0)).unwrap();
    let sent = |cache: &SynCache| cache.at(index).unwrap().sent(at(130));
    assert!(at(100) - sent(&cache).unwrap() <= Duration::from_micros(4));
    // Before it was made there is no round trip.
    assert_eq!(cache.at(index).unwrap().sent(at(99)), None);
    let other = cache.insert(embryo(2, Ticks::of(at(100)).0)).unwrap();
    cache.at_mut(index).unwrap().blur();
    assert_eq!(sent(&cache), None);
    assert_eq!(cache.pop_due(Ticks::of(at(1100))), Some(Due::Resend(index)));
    assert_eq!(cache.at(index).unwrap().level, Level(Level::UNCLEAR | 1));
    assert_eq!(cache.pop_due(Ticks::of(at(1100))), Some(Due::Resend(other)));
    assert_eq!(cache.at(other).unwrap().sent(at(1200)), None);
}

#[test]
fn it_is_sent_again_with_back_off_and_given_up() {
    let mut cache = cache(4);
    let index = cache.insert(embryo(1, 0)).unwrap();
    for (at, due) in [(1, Due::Resend(index)), (3, Due::Resend(index)), (7, Due::GiveUp(index))] {
        assert_eq!(cache.next_deadline(Ticks(0)), Some(Ticks(at * SECOND)));
        assert_eq!(cache.pop_due(Ticks(at * SECOND - 1)), None);
        assert_eq!(cache.pop_due(Ticks(at * SECOND)), Some(due));
    }
    assert!(cache.remove(index).is_some() && cache.remove(index).is_none());
    assert_eq!((cache.len(), cache.next_deadline(Ticks(0))), (0, None));
}

#[test]
fn what_leaves_makes_room_and_memory_stays() {
    let mut cache = cache(3);
    let first = cache.insert(embryo(1, 0)).unwrap();
    cache.insert(embryo(2, 1)).unwrap();
    cache.insert(embryo(3, 2)).unwrap();
    assert_eq!(cache.insert(embryo(4, 3)), None);
    cache.remove(first);
    let memory = cache.memory();
    for n in 0..1000 {
        let index = cache.insert(embryo(n, u32::from(n))).unwrap();
        assert!(cache.is_full());
        cache.remove(index);
    }
    assert_eq!(cache.memory(), memory);
}
