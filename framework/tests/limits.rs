//! The table of limits names options, counters and tests that exist.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "a test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The columns of a row behind the threat and the default.
const OPTION: usize = 2;
const COUNTER: usize = 3;
const TEST: usize = 4;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The rows of all tables, without those that only make them tables.
fn rows() -> Vec<Vec<String>> {
    let page = fs::read_to_string(root().join("framework/LIMITS.md")).unwrap();
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()
    };
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| Threat"));
    rows.map(cells).collect()
}

/// What stands in the first pair of back quotes of a cell.
fn quoted(cell: &str) -> Option<&str> {
    cell.split('`').nth(1)
}

fn collect(directory: &Path, sources: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push(fs::read_to_string(path).unwrap());
        }
    }
}

/// Whether the word stands in the text, with nothing of another word beside it.
fn has(text: &str, words: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(words).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let behind = text[at + words.len()..].chars().next();
        !before.is_some_and(part) && !behind.is_some_and(part)
    })
}

/// The production code of all crates.
struct Sources(Vec<String>);

impl Sources {
    fn read() -> Self {
        let mut sources = Vec::new();
        let crates =
            ["framework", "framework/core", "framework/stack", "framework/transport", "codecs"];
        for name in crates {
            collect(&root().join(name).join("src"), &mut sources);
        }
        Self(sources)
    }

    /// A field, a method or a variant of a type, or a constant.
    fn knows(&self, name: &str) -> bool {
        let Some((owner, member)) = name.split_once("::") else {
            let declared = format!("const {name}: ");
            return self.0.iter().any(|source| source.contains(&declared));
        };
        let owns = |source: &String| {
            ["struct", "enum", "impl"].iter().any(|kind| has(source, &format!("{kind} {owner}")))
                || (source.contains("impl<") && has(source, owner))
        };
        let member = |source: &String| {
            has(source, &format!("fn {member}"))
                || source.contains(&format!("pub {member}: "))
                || source.contains(&format!("    {member},\n"))
        };
        self.0.iter().any(|source| source.contains(owner) && owns(source) && member(source))
    }
}

#[test]
fn every_row_has_all_its_cells() {
    let rows = rows();
    assert!(rows.len() > 60, "{}", rows.len());
    for row in &rows {
        assert_eq!(row.len(), TEST + 1, "{row:?}");
        assert!(row.iter().all(|cell| !cell.is_empty()), "{row:?}");
    }
}

#[test]
fn options_and_counters_exist() {
    let sources = Sources::read();
    let mut missing = Vec::new();
    for row in rows() {
        for cell in [&row[OPTION], &row[COUNTER]] {
            missing.extend(quoted(cell).filter(|name| !sources.knows(name)).map(str::to_owned));
        }
        let said = quoted(&row[OPTION]).is_some() || row[OPTION].starts_with("none: ");
        assert!(said, "an option has a name, or the row says why there is none: {row:?}");
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(!sources.knows("ChannelOptions::no_such_option") && !sources.knows("NO_SUCH_CONSTANT"));
}

#[test]
fn tests_exist() {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let mut missing = Vec::new();
    for row in rows() {
        let test = quoted(&row[TEST]).unwrap_or_else(|| panic!("no test: {row:?}"));
        let (path, name) = test.split_once("::").unwrap();
        let source = files
            .entry(path.to_owned())
            .or_insert_with(|| fs::read_to_string(root().join(path)).unwrap_or_default());
        if !has(source, &format!("fn {name}")) {
            missing.push(test.to_owned());
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
