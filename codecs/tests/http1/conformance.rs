//! The document that names the tests names tests that are there, and counts rows as they are.

use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The part of the document that is about HTTP/1.1.
fn section() -> String {
    let text = read("CONFORMANCE.md");
    let (_, behind) = text.split_once("\n## HTTP/1.1").expect("the section");
    behind.split("\n## ").next().expect("its text").to_owned()
}

/// What stands between backquotes.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

#[test]
fn every_test_that_is_named_is_there() {
    let text = section();
    let mut count = 0;
    for name in text.lines().filter(|line| line.starts_with('|')).flat_map(quoted) {
        let parts: Vec<_> = name.split("::").collect();
        let [target @ ("http1" | "http1_coding" | "http1_pipeline"), module, test] = parts[..]
        else {
            continue;
        };
        let source = read(&format!("tests/{target}/{module}.rs"));
        assert!(source.contains(&format!("fn {test}(")), "{name} is not there");
        count += 1;
    }
    assert!(count >= 50, "only {count} tests are named");
}

#[test]
fn the_rows_are_counted_as_they_are() {
    let text = section();
    let mut total = 0;
    for line in
        text.lines().filter(|line| line.starts_with("| `") && line.matches('|').count() == 3)
    {
        let file = quoted(line).next().expect("a file");
        let said: usize =
            line.rsplit('|').nth(1).map_or(0, |n| n.trim().parse().expect("a number"));
        let folder = if file == "ranges.rs" { "http1_pipeline" } else { "http1" };
        let source = read(&format!("tests/{folder}/{file}"));
        let rows = source.lines().filter(|line| {
            let row = line.trim_start();
            let starts = ["911", "3986", "13.", "14.", "15."];
            row.strip_prefix("(\"").is_some_and(|row| starts.iter().any(|s| row.starts_with(s)))
        });
        assert_eq!(rows.count(), said, "{file}");
        total += said;
    }
    assert!(total >= 250, "only {total} rows");
}
