//! What has hurt other stacks, in `hurt.txt`: under each trouble what we do against it and the tests that
//! fail when that is taken away, `what we do | tests`, one protection a line.

use std::fmt::Write as _;

use crate::document::{assert_is_there, assert_is_written};

const TEXT: &str = include_str!("hurt.txt");

const HEAD: &str = "# Hardening

What has hurt other stacks, what this one does about it, and the tests that fail when that is taken away:
nearly each protection was removed once by hand, and of the tests named here one at least noticed. Made from
`tests/conformance/hurt.txt` (see `tests/conformance/main.rs`); a test fails when this file is not what
that table says, when a protection names no test, or when a named test is not there.

A test is named `target::module::test`, as in `tests/target/module.rs`; `src::...` is a unit test, and
`packetdrill::name` is `packetdrill/scripts/name.pkt`. What peers can make a host keep, send and do is
counted in `stack::attacks` and `scale::hostile`.
";

struct Row {
    trouble: &'static str,
    protection: &'static str,
    tests: Vec<&'static str>,
}

fn rows() -> Vec<Row> {
    let mut trouble = "";
    let mut rows = Vec::new();
    for line in TEXT.lines().filter(|line| !line.is_empty()) {
        if let Some(title) = line.strip_prefix("# ") {
            trouble = title;
            continue;
        }
        let Some((protection, tests)) = line.split_once('|') else { panic!("no tests: {line}") };
        let tests = tests.split_whitespace().collect();
        rows.push(Row { trouble, protection: protection.trim(), tests });
    }
    rows
}

fn document() -> String {
    let rows = rows();
    let mut text = HEAD.to_owned();
    let mut troubles: Vec<&str> = rows.iter().map(|row| row.trouble).collect();
    troubles.dedup();
    writeln!(text, "\n{} troubles, {} protections.\n", troubles.len(), rows.len()).unwrap();
    writeln!(text, "| trouble | what we do | tests |\n|---|---|---|").unwrap();
    let mut last = "";
    for Row { trouble, protection, tests } in &rows {
        let tests: Vec<String> = tests.iter().map(|name| format!("`{name}`")).collect();
        let shown = if *trouble == last { "" } else { trouble };
        last = trouble;
        writeln!(text, "| {shown} | {protection} | {} |", tests.join(", ")).unwrap();
    }
    text
}

#[test]
fn the_document_of_troubles_is_what_the_table_says() {
    assert_is_written("HARDENING.md", &document());
}

#[test]
fn every_protection_has_tests_that_are_there() {
    let rows = rows();
    assert!(rows.len() >= 80, "only {} protections", rows.len());
    for row in rows {
        assert!(!row.trouble.is_empty() && !row.protection.is_empty(), "{:?}", row.tests);
        assert!(!row.tests.is_empty(), "{}: no test", row.protection);
        row.tests.into_iter().for_each(assert_is_there);
    }
}
