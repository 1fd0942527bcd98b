//! What there is before and after a connection: entries in the SYN cache and in TIME-WAIT.

use crate::counting::live;
use crate::crowd::Crowd;
use crate::scale;

/// An entry's share of the table of four-tuples: a word and a control byte, at half load at worst.
const TABLE_BYTES: f64 = 2.0 * 8.0 / 7.0 * 5.0;

/// Vectors grow by an eighth or more ahead.
fn bound(entry: f64) -> f64 {
    entry * 1.5 + TABLE_BYTES
}

#[test]
fn syn_received_is_64_bytes() {
    let count = scale(50_000).min(500_000);
    let mut crowd = Crowd::new(count, |config| {
        config.limits.syn_cache_entries_max = count as usize;
    });
    let before = live();
    for _ in 0..count {
        crowd.knock();
        crowd.listen();
    }
    let each = (live() - before) as f64 / f64::from(count);
    println!("{count} embryos: {each:.1} bytes each with their share of the table");
    assert_eq!(crowd.stack.usage().embryos, count as usize);
    assert!(each <= bound(64.0), "{each} bytes each");
}

#[test]
fn time_wait_is_96_bytes() {
    let count = scale(20_000).min(500_000);
    let mut crowd = Crowd::new(count, |config| {
        config.limits.time_wait_entries_max = count as usize;
    });
    let n = crowd.open();
    crowd.close(n);
    let before = live();
    for _ in 1..count {
        let n = crowd.open();
        crowd.close(n);
    }
    let each = (live() - before) as f64 / f64::from(count - 1);
    println!("{count} in TIME-WAIT: {each:.1} bytes each with their share of the table");
    let usage = crowd.stack.usage();
    assert_eq!((usage.time_waits, usage.connections), (count as usize, 0));
    assert!(each <= bound(96.0), "{each} bytes each");
}
