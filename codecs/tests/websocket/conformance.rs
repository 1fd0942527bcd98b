//! The document that names the tests names tests that are there, and counts rows as they are.

use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The part of the document that is about WebSocket.
fn section() -> String {
    let text = read("CONFORMANCE.md");
    let (_, behind) = text.split_once("\n## WebSocket\n").expect("the section");
    behind.split("\n## ").next().expect("its text").to_owned()
}

#[test]
fn every_test_that_is_named_is_there() {
    let text = section();
    let mut count = 0;
    for name in text.split('`').skip(1).step_by(2) {
        let parts: Vec<_> = name.split("::").collect();
        let [target, module, test] = parts[..] else { continue };
        let source = read(&format!("tests/{target}/{module}.rs"));
        assert!(source.contains(&format!("fn {test}(")), "{name} is not there");
        count += 1;
    }
    assert!(count >= 50, "only {count} tests are named");
}

#[test]
fn the_rows_are_counted_as_they_are() {
    let text = section();
    for (table, cases) in crate::tables() {
        let row = text.lines().find(|line| line.starts_with(&format!("| `{table}`:")));
        let row = row.unwrap_or_else(|| panic!("{table} is missing"));
        let said = row.rsplit('|').nth(1).and_then(|n| n.trim().parse().ok());
        assert_eq!(said, Some(cases.len()), "{table}");
    }
}
