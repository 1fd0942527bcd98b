//! Which seeds a run has: `FYKE_SEEDS=n` or `FYKE_SEEDS=from..to`, a few when nobody says.

use std::ops::Range;

pub fn seeds(usual: Range<u64>) -> Range<u64> {
    let Ok(text) = std::env::var("FYKE_SEEDS") else { return usual };
    let number = |text: &str| text.trim().parse::<u64>().expect("FYKE_SEEDS: n or from..to");
    match text.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => number(&text)..number(&text) + 1,
    }
}
