//! The document that names these tests names tests that are there.

use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_test_that_is_named_is_there() {
    const TARGETS: [&str; 4] = ["http1_client", "http1_coding", "http1_forms", "http1_extras"];
    let text = read("CONFORMANCE.md");
    let rows = text.lines().filter(|line| line.starts_with('|'));
    let mut count = 0;
    for name in rows.flat_map(|line| line.split('`').skip(1).step_by(2)) {
        let parts: Vec<_> = name.split("::").collect();
        let [target, module, test] = parts[..] else { continue };
        if !TARGETS.contains(&target) {
            continue;
        }
        let source = read(&format!("tests/{target}/{module}.rs"));
        assert!(source.contains(&format!("fn {test}(")), "{name} is not there");
        count += 1;
    }
    assert!(count >= 60, "only {count} tests are named");
}
