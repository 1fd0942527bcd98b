//! What is said about verdicts: a line for each scenario, a table of the rows, and the sum.

use std::collections::BTreeMap;
use std::process::ExitCode;

use super::rows::Verdict;
use crate::rows::Row;

/// What there is to say at the end.
pub(super) struct Report<'a> {
    rows: &'a [Row],
    /// Of each row: passed, failed, ignored, not applicable.
    counts: Vec<[usize; 4]>,
}

impl<'a> Report<'a> {
    pub(super) fn new(rows: &'a [Row]) -> Self {
        Self { rows, counts: vec![[0; 4]; rows.len()] }
    }

    /// Says what came of a scenario.
    pub(super) fn add(&mut self, name: &str, verdicts: Vec<Verdict>) {
        let (mut passed, mut failed) = (0, Vec::new());
        let mut ignored: BTreeMap<(&str, String), Vec<&str>> = BTreeMap::new();
        for ((row, count), verdict) in self.rows.iter().zip(&mut self.counts).zip(verdicts) {
            match verdict {
                Verdict::Passed => {
                    passed += 1;
                    count[0] += 1;
                }
                Verdict::Failed(text) => {
                    failed.push((&row.name, text));
                    count[1] += 1;
                }
                Verdict::Ignored(why) => {
                    ignored.entry(("ignored", why)).or_default().push(&row.name);
                    count[2] += 1;
                }
                Verdict::NotApplicable(why) => {
                    ignored.entry(("n/a", why)).or_default().push(&row.name);
                    count[3] += 1;
                }
            }
        }
        match passed {
            0 => {}
            passed => println!("test {name} ... ok on {passed} transports"),
        }
        for ((verdict, why), rows) in ignored {
            println!("test {name} ... {verdict} on {}: {why}", rows.join(", "));
        }
        for (row, text) in failed {
            println!("test {name} ... FAILED on {row}\n{text}");
        }
    }

    /// Says it all; `filtered` scenarios were not asked for.
    pub(super) fn end(self, filtered: usize) -> ExitCode {
        println!(
            "\n{:<16}{:>8}{:>8}{:>8}{:>8}",
            "scenarios on", "passed", "failed", "ignored", "n/a"
        );
        let mut sum = [0; 4];
        for (row, counts) in self.rows.iter().zip(&self.counts) {
            let [passed, failed, ignored, none] = counts;
            println!("{:<16}{passed:>8}{failed:>8}{ignored:>8}{none:>8}", row.name);
            sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
        let [passed, failed, ignored, _] = sum;
        let verdict = if failed == 0 { "ok" } else { "FAILED" };
        println!(
            "\ntest result: {verdict}. {passed} passed; {failed} failed; {ignored} ignored; \
             0 measured; {filtered} filtered out"
        );
        if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
