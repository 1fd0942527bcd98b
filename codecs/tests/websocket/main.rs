//! WebSocket against RFC 6455: frames, messages, text, closes, the handshake.
//!
//! What a decoder makes of bytes stands in tables, each row named by its clause.

mod client;
mod closes;
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

/// Rows are found by their clause and name; so no two are the same, and none gets lost.
#[test]
fn the_tables_are_whole() {
    let tables =
        [frames::cases(), closes::cases(), messages::cases(), text::cases(), deflate::cases()];
    let mut names: Vec<String> = tables
        .iter()
        .flatten()
        .map(|case| format!("{} {} {:?}", case.clause, case.name, case.role))
        .collect();
    let count = names.len();
    assert!(count >= 300, "only {count} rows");
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count, "two rows have the same name");
}
