//! RESULTS.md: what became of the scripts of a folder, and why those that fail do.
//!
//! Causes that somebody found out are kept in `causes.txt`: a line for each, with the end of a script's
//! path, a tab, and the cause in a few words.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fyke_packetdrill::run::{Failure, Outcome};

/// What stands above all sections.
pub(crate) const HEAD: &str = "# What the public scripts say

Generated: `cargo run --release -p fyke-packetdrill -- --quiet --results FILE --title TITLE DIR` adds a
section to FILE. Names of scripts and what became of them are facts; the scripts themselves are not here.
Why a script fails is kept in `src/causes.txt`.
";

const CAUSES: &str = include_str!("causes.txt");

/// What a failure counts as that nobody looked into.
const UNKNOWN: &str = "not looked into";

/// A script's path below the folder that was asked for.
pub(crate) fn name(roots: &[PathBuf], script: &Path) -> String {
    let stripped = roots.iter().find_map(|root| script.strip_prefix(root).ok());
    let name = stripped.filter(|p| !p.as_os_str().is_empty()).unwrap_or(script);
    name.display().to_string()
}

/// The section about one folder. A short one counts causes, a long one lists scripts.
pub(crate) fn section(
    title: &str,
    total: &str,
    outcomes: &[(String, &Outcome)],
    short: bool,
) -> String {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    let mut causes: BTreeMap<&str, usize> = BTreeMap::new();
    let mut skips: BTreeMap<&str, usize> = BTreeMap::new();
    let mut failures = String::new();
    for (name, outcome) in outcomes {
        match outcome {
            Outcome::Fail(failure) => {
                let cause = cause(name).unwrap_or(UNKNOWN);
                *kinds.entry(failure.cause.text()).or_default() += 1;
                *causes.entry(cause).or_default() += 1;
                failures.push_str(&format!("| {name} | {} | {cause} |\n", cell(failure)));
            }
            Outcome::Skip(reason) => *skips.entry(reason.text()).or_default() += 1,
            _ => {}
        }
    }
    let mut out = format!("\n## {title}\n\n{total}\n");
    out += &table("reason to SKIP", &skips);
    if short {
        out += &table("why scripts FAIL", &causes);
    } else {
        out += &table("kind of FAIL", &kinds);
        if !failures.is_empty() {
            out +=
                &format!("\n| failed script | where and what | why |\n|---|---|---|\n{failures}");
        }
    }
    out
}

fn table(head: &str, counts: &BTreeMap<&str, usize>) -> String {
    if counts.is_empty() {
        return String::new();
    }
    let mut rows: Vec<_> = counts.iter().collect();
    rows.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), **name));
    let rows: String = rows.iter().map(|(name, count)| format!("| {name} | {count} |\n")).collect();
    format!("\n| {head} | scripts |\n|---|---|\n{rows}")
}

fn causes() -> impl Iterator<Item = (&'static str, &'static str)> {
    CAUSES.lines().filter_map(|line| line.split_once('\t'))
}

/// The known cause of a script's failure: that of the longest end of its path in the table.
fn cause(name: &str) -> Option<&'static str> {
    let fits = |end: &str| {
        name.strip_suffix(end).is_some_and(|before| before.is_empty() || before.ends_with('/'))
    };
    let found = causes().filter(|(end, _)| fits(end));
    found.max_by_key(|(end, _)| end.len()).map(|(_, cause)| cause)
}

fn cell(failure: &Failure) -> String {
    failure.to_string().replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use fyke_packetdrill::run::{Cause, SkipReason};

    use super::*;

    #[test]
    fn every_line_of_the_table_is_a_script_and_its_cause_and_no_script_is_there_twice() {
        let mut seen = std::collections::BTreeSet::new();
        for line in CAUSES.lines().filter(|line| !line.starts_with('#')) {
            let (end, cause) = line.split_once('\t').unwrap_or_else(|| panic!("no tab: {line}"));
            assert!(end.ends_with(".pkt") && !cause.is_empty() && !cause.contains('|'), "{line}");
            assert!(seen.insert(end), "twice: {end}");
        }
    }

    #[test]
    fn a_section_counts_and_tells_causes() {
        let (known, why) = causes().next().unwrap();
        let failure = |cause| Failure { line: 3, cause, detail: "a | b".to_owned() };
        let call = Outcome::Fail(failure(Cause::Call));
        let skip = Outcome::Skip(SkipReason::Md5);
        let outcomes = [
            (format!("deep/{known}"), &call),
            (format!("x{known}"), &call),
            ("m.pkt".to_owned(), &skip),
        ];
        let long = section("T", "total 3", &outcomes, false);
        assert!(long.starts_with("\n## T\n\ntotal 3\n"), "{long}");
        assert!(long.contains("| MD5 signatures | 1 |") && long.contains("| call | 2 |"), "{long}");
        assert!(
            long.contains(&format!("| deep/{known} | line 3: call: a \\| b | {why} |")),
            "{long}"
        );
        assert!(
            long.contains(&format!("| x{known} | line 3: call: a \\| b | {UNKNOWN} |")),
            "{long}"
        );
        let short = section("T", "total 3", &outcomes, true);
        assert!(short.contains(&format!("| {why} | 1 |")) && !short.contains("deep/"), "{short}");
    }
}
