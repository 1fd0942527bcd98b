//! The document is what the table says; every row has tests, and every test is there.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::table::{Row, Standing, rows};

const HEAD: &str = "# Conformance

RFC 9293, appendix B, row by row, and the test that shows each. Made from `tests/conformance/table.txt`
(see `tests/conformance/main.rs`); a test fails when this file is not what the table says, when a row
names no test, or when a named test is not there.

A test is named `target::module::test`, as in `tests/target/module.rs`; `src::...` is a unit test, and
`packetdrill::name` is `packetdrill/scripts/name.pkt`.

Standing: **met**; **deviates**: another rule is followed, for the reason given, and the test shows
what happens instead; **not offered**: a MAY that is not taken.
";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn document() -> String {
    let rows = rows();
    let mut text = HEAD.to_owned();
    let count = |which| rows.iter().filter(|row| row.standing == which).count();
    let (met, deviates, not_offered) =
        (count(Standing::Met), count(Standing::Deviates), count(Standing::NotOffered));
    let all = rows.len();
    writeln!(text, "\n{all} rows: {met} met, {deviates} deviate, {not_offered} not offered.")
        .unwrap();
    let mut section = "";
    for Row { section: of, id, what, text: standing, tests, .. } in &rows {
        if section != *of {
            section = of;
            writeln!(text, "\n## {section}\n").unwrap();
            writeln!(text, "| id | requirement | standing | tests |\n|---|---|---|---|").unwrap();
        }
        let tests: Vec<String> = tests.iter().map(|name| format!("`{name}`")).collect();
        writeln!(text, "| {id} | {what} | {standing} | {} |", tests.join(", ")).unwrap();
    }
    text
}

/// Fails unless a test of this name is there; a benchmark or a helper is none.
#[track_caller]
pub(crate) fn assert_is_there(name: &str) {
    let (path, function) = place(name);
    let source = fs::read_to_string(&path).unwrap_or_default();
    assert!(!source.is_empty(), "{name}: there is no {}", path.display());
    if let Some(function) = function {
        let before = source.split(&function).next().unwrap_or_default();
        assert!(before.len() < source.len(), "{name} is not there");
        let attribute = before.trim_end().lines().rev().take_while(|line| !line.is_empty());
        let tested = attribute.into_iter().any(|line| line.trim() == "#[test]");
        assert!(tested, "{name} is no test");
    }
}

/// Fails unless a document of this crate says what it should; writes it when asked to.
#[track_caller]
pub(crate) fn assert_is_written(name: &str, wanted: &str) {
    let path = root().join(name);
    if std::env::var_os("FYKE_WRITE").is_some() {
        fs::write(&path, wanted).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == wanted, "{name} is out of date; tests/conformance/main.rs says how");
}

/// Where a test is, and what shows that it is there.
fn place(name: &str) -> (PathBuf, Option<String>) {
    let parts: Vec<&str> = name.split("::").collect();
    match parts[..] {
        ["packetdrill", script] => (root().join(format!("packetdrill/scripts/{script}.pkt")), None),
        ["src", .., test] => {
            let path = parts[..parts.len() - 1].join("/");
            (root().join(format!("{path}.rs")), Some(format!("fn {test}(")))
        }
        [target, module, test] => {
            (root().join(format!("tests/{target}/{module}.rs")), Some(format!("fn {test}(")))
        }
        _ => panic!("`{name}` names no test"),
    }
}

#[test]
fn the_document_is_what_the_table_says() {
    assert_is_written("CONFORMANCE.md", &document());
}

#[test]
fn every_requirement_of_appendix_b_has_a_row() {
    let mut wanted: BTreeSet<String> = BTreeSet::from(["REC-1".to_owned()]);
    for (prefix, last) in [("MUST", 69), ("SHLD", 31), ("MAY", 18)] {
        wanted.extend((1..=last).map(|number| format!("{prefix}-{number}")));
    }
    let found: BTreeSet<String> = rows().iter().map(|row| row.id.to_owned()).collect();
    assert_eq!(found, wanted);
}

#[test]
fn no_row_is_empty() {
    for row in rows() {
        assert!(!row.what.is_empty() && !row.tests.is_empty(), "{} is empty", row.id);
        let explained = row.standing == Standing::Met || row.text.contains(": ");
        assert!(explained, "{}: why?", row.id);
        let optional = row.id.starts_with("MAY");
        assert!(row.standing != Standing::NotOffered || optional, "{} is not optional", row.id);
    }
}

#[test]
fn every_test_that_is_named_is_there() {
    let mut count = 0;
    for name in rows().into_iter().flat_map(|row| row.tests) {
        assert_is_there(name);
        count += 1;
    }
    assert!(count >= 150, "only {count} tests are named");
}
