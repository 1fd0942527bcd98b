use super::*;

const MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);
const OTHER: MacAddress = MacAddress([2, 0, 0, 0, 0, 2]);

impl Weight for u8 {
    fn weight(&self) -> usize {
        (*self).into()
    }
}

fn host(n: u16) -> IpAddr {
    let [high, low] = n.to_be_bytes();
    IpAddr::from([10, 0, high, low])
}

fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

fn state(table: &Neighbors<u8>, address: IpAddr) -> Option<NeighborState> {
    table.iter().find(|neighbor| neighbor.address == address).map(|neighbor| neighbor.state)
}

#[test]
fn packets_wait_and_leave_in_order() {
    let mut table = Neighbors::new(8, 8, (3, 1000));
    let (lookup, effects) = table.lookup(at(0), host(1));
    let Lookup::Unknown(slot) = lookup else { panic!("{lookup:?}") };
    assert_eq!(effects.ask, Some(Ask { address: host(1), mac: None }));
    assert_eq!([0, 1, 2, 3].map(|n| table.park(slot, n)), [None, None, None, Some(0)]);
    let (again, effects) = table.lookup(at(10), host(1));
    assert_eq!((again, effects.ask), (Lookup::Unknown(slot), None), "one request a second");
    let effects = table.answered(at(20), host(1), MAC);
    assert_eq!(effects.ready, Some((MAC, [1, 2, 3].to_vec())));
    assert_eq!(table.lookup(at(30), host(1)).0, Lookup::Known(MAC));
}

#[test]
fn what_waits_for_all_neighbours_is_bounded_in_bytes() {
    let mut table = Neighbors::<u8>::new(8, 8, (2, 250));
    let slots = [1, 2, 3].map(|n| match table.lookup(at(0), host(n)).0 {
        Lookup::Unknown(slot) => slot,
        other => panic!("{other:?}"),
    });
    assert_eq!([100, 100].map(|n| table.park(slots[0], n)), [None, None]);
    assert_eq!(table.park(slots[1], 51), Some(51), "nothing makes room for others");
    assert_eq!(table.park(slots[1], 50), None);
    assert_eq!(table.park(slots[2], 1), Some(1));
    assert_eq!(table.park(slots[0], 99), Some(100), "its own oldest makes room");
    assert_eq!(table.bytes, 249);
    table.answered(at(1), host(1), MAC);
    assert_eq!(table.bytes, 50);
    table.remove(host(2));
    assert_eq!(table.bytes, 0);
}

#[test]
fn a_dead_neighbour_is_asked_three_times_and_then_left_alone() {
    let mut table = Neighbors::<u8>::new(8, 8, (3, 1000));
    let (Lookup::Unknown(slot), first) = table.lookup(at(0), host(1)) else { panic!() };
    table.park(slot, 7);
    let mut alarm = first.alarm.unwrap();
    let mut asked = 1;
    let mut lost = Vec::new();
    for _ in 0..3 {
        let effects = table.on_timer(alarm.at, alarm.index, alarm.generation);
        asked += usize::from(effects.ask.is_some());
        lost.extend(effects.lost);
        alarm = effects.alarm.unwrap();
    }
    assert_eq!((asked, lost), (3, [7].to_vec()));
    assert_eq!(table.lookup(at(3500), host(1)).0, Lookup::Failed);
    table.on_timer(alarm.at, alarm.index, alarm.generation);
    assert!(matches!(table.lookup(at(4100), host(1)).0, Lookup::Unknown(_)));
}

#[test]
fn a_scan_displaces_no_known_neighbour() {
    let mut table = Neighbors::<u8>::new(4, 4, (3, 1000));
    for n in 0..4 {
        table.lookup(at(0), host(n));
        table.answered(at(0), host(n), MAC);
    }
    for n in 100..5000 {
        table.lookup(at(1), host(n));
    }
    assert_eq!(table.iter().count(), 8);
    assert!((0..4).all(|n| table.lookup(at(2), host(n)).0 == Lookup::Known(MAC)));
    // A fifth known one displaces the least recently used of them.
    table.lookup(at(3), host(99));
    table.answered(at(3), host(99), MAC);
    assert_eq!(state(&table, host(0)), None);
    assert_eq!(state(&table, host(1)), Some(NeighborState::Reachable));
}

#[test]
fn an_old_neighbour_is_used_then_probed_then_forgotten() {
    let mut table = Neighbors::<u8>::new(8, 8, (3, 1000));
    table.lookup(at(0), host(1));
    table.answered(at(0), host(1), MAC);
    let (lookup, effects) = table.lookup(at(31_000), host(1));
    assert_eq!((lookup, state(&table, host(1))), (Lookup::Known(MAC), Some(NeighborState::Delay)));
    let mut alarm = effects.alarm.unwrap();
    assert_eq!(alarm.at, at(36_000));
    for _ in 0..3 {
        let effects = table.on_timer(alarm.at, alarm.index, alarm.generation);
        assert_eq!(effects.ask, Some(Ask { address: host(1), mac: Some(MAC) }));
        alarm = effects.alarm.unwrap();
    }
    table.on_timer(alarm.at, alarm.index, alarm.generation);
    assert_eq!(state(&table, host(1)), None);
}

#[test]
fn progress_of_upper_layers_spares_the_probe() {
    let mut table = Neighbors::<u8>::new(8, 8, (3, 1000));
    table.lookup(at(0), host(1));
    table.answered(at(0), host(1), MAC);
    let alarm = table.lookup(at(31_000), host(1)).1.alarm.unwrap();
    table.vouch(at(32_000), host(1));
    assert_eq!(table.on_timer(alarm.at, alarm.index, alarm.generation).ask, None);
    assert_eq!(state(&table, host(1)), Some(NeighborState::Reachable));
}

#[test]
fn what_contradicts_is_verified_and_not_believed() {
    let mut table = Neighbors::<u8>::new(8, 8, (3, 1000));
    assert!(table.answered(at(0), host(1), OTHER).ready.is_none(), "nobody asked");
    table.lookup(at(0), host(1));
    table.answered(at(0), host(1), MAC);
    table.answered(at(1), host(1), OTHER);
    assert_eq!(table.lookup(at(2), host(1)).0, Lookup::Known(MAC));
    let effects = table.overheard(at(3), host(1), OTHER, false);
    assert_eq!(effects.ask, Some(Ask { address: host(1), mac: Some(MAC) }));
    table.answered(at(4), host(1), MAC);
    assert_eq!(table.lookup(at(5), host(1)).0, Lookup::Known(MAC));
    table.set(at(6), host(2), MAC);
    table.overheard(at(7), host(2), OTHER, true);
    assert_eq!(table.lookup(at(8), host(2)).0, Lookup::Known(MAC));
    assert!(table.remove(host(2)).is_some() && table.remove(host(2)).is_none());
}

/// RFC 6583, section 6: what strangers say of themselves displaces nobody who is known to be there.
#[test]
fn a_flood_of_questions_displaces_no_reachable_neighbour() {
    let mut table = Neighbors::<u8>::new(4, 4, (3, 1000));
    table.lookup(at(0), host(1));
    table.answered(at(0), host(1), MAC);
    for n in 100..5000 {
        table.overheard(at(1), host(n), OTHER, true);
    }
    assert_eq!(table.lookup(at(2), host(1)).0, Lookup::Known(MAC));
    assert_eq!(table.iter().count(), 4);
    // Whom we ask ourselves becomes known.
    table.lookup(at(3), host(2));
    table.answered(at(3), host(2), MAC);
    assert_eq!(table.lookup(at(3), host(2)).0, Lookup::Known(MAC));
    assert_eq!(table.lookup(at(3), host(1)).0, Lookup::Known(MAC));
    // What has not been heard of for a while makes room again.
    table.overheard(at(40_000), host(6000), OTHER, true);
    table.overheard(at(40_000), host(6001), OTHER, true);
    assert_eq!(state(&table, host(6001)), Some(NeighborState::Stale));
    assert_eq!(table.iter().count(), 4);
}

#[test]
fn what_was_set_by_hand_is_not_displaced() {
    let mut table = Neighbors::<u8>::new(4, 4, (3, 1000));
    table.set(at(0), host(1), MAC);
    assert_eq!(table.lookup(at(1), host(1)).0, Lookup::Known(MAC));
    for n in 2..100 {
        table.overheard(at(2), host(n), OTHER, true);
    }
    assert_eq!(state(&table, host(1)), Some(NeighborState::Permanent));
    assert_eq!(table.iter().count(), 1 + 4);
}
