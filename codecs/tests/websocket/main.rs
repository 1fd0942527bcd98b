//! WebSocket against RFC 6455: frames, messages, text, closes, the handshake.
//!
//! What a decoder makes of bytes stands in tables, each row named by its clause.

mod client;
mod closes;
mod conformance;
mod deflate;
mod deflate_params;
mod frames;
mod handshake;
mod messages;
mod prepared;
mod properties;
mod sending;
mod streaming;
mod support;
mod table;
mod text;

/// Every table, by its file.
fn tables() -> [(&'static str, Vec<table::Case>); 5] {
    [
        ("frames", frames::cases()),
        ("closes", closes::cases()),
        ("text", text::cases()),
        ("messages", messages::cases()),
        ("deflate", deflate::cases()),
    ]
}

/// Rows are found by their clause and name; so no two are the same, and none gets lost.
#[test]
fn the_tables_are_whole() {
    let mut names: Vec<String> = tables()
        .iter()
        .flat_map(|(_, cases)| cases)
        .map(|case| format!("{} {} {:?}", case.clause, case.name, case.role))
        .collect();
    let count = names.len();
    assert!(count >= 300, "only {count} rows");
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count, "two rows have the same name");
}
