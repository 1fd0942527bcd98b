//! The wire module knows no other module of the crate.

use std::fs;
use std::path::Path;

/// Calls `each` for every source below `directory`; tells how many there were.
fn sources(directory: &Path, each: &mut impl FnMut(&Path, &str)) -> usize {
    let mut count = 0;
    for entry in fs::read_dir(directory).expect("the sources") {
        let path = entry.expect("a source").path();
        if path.is_dir() {
            count += sources(&path, each);
        } else {
            each(&path, &fs::read_to_string(&path).expect("a readable source"));
            count += 1;
        }
    }
    count
}

#[test]
fn wire_imports_only_itself() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/wire");
    let count = sources(&directory, &mut |path, source| {
        for (at, _) in source.match_indices("crate::") {
            let behind = &source[at + "crate::".len()..];
            // Doc tests and links name the crate from outside: `fyke_stack::wire`.
            assert!(behind.starts_with("wire"), "{}: crate::{:.30}", path.display(), behind);
        }
        for other in ["fyke_clock", "std::"] {
            assert!(!source.contains(other), "{} names {other}", path.display());
        }
    });
    assert!(count >= 30, "only {count} sources");
}
