//! Replays the fuzzer's corpus, so that what it once found stays found.

use std::fs;
use std::path::Path;

use crate::case;

#[test]
fn every_case_of_the_corpus_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/host");
    let mut count = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let input = fs::read(&path).unwrap();
        // A panic is of this one.
        println!("{}", path.display());
        case::check(&input);
        for cut in [input.len() / 3, input.len() / 2] {
            case::check(&input[cut..]);
        }
        count += 1;
    }
    assert!(count >= 10, "the corpus is there");
}
