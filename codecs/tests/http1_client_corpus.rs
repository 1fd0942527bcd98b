//! Replays the fuzzer's corpus of `http1_client`, so that what it once found stays found.

use std::fs;
use std::path::Path;

#[path = "../fuzz/cases/http1_client.rs"]
mod case;

#[test]
fn every_case_of_the_corpus_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/http1_client");
    let mut count = 0;
    for entry in fs::read_dir(&folder).expect("the corpus") {
        let path = entry.expect("a file of the corpus").path();
        println!("{}", path.display()); // shown when the case panics
        case::check(&fs::read(&path).expect("a readable file"));
        count += 1;
    }
    assert!(count >= 20, "only {count} cases in {}", folder.display());
}
