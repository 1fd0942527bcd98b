//! RFC 9293, appendix B, in `table.txt`: `id | what, in our words | standing | tests`, one row a line.
//!
//! Standing is `met`, `deviates: why` or `not offered: why`.

const TEXT: &str = include_str!("table.txt");

/// How we stand to a requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Met,
    Deviates,
    NotOffered,
}

/// A row.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) section: &'static str,
    pub(crate) id: &'static str,
    pub(crate) what: &'static str,
    pub(crate) standing: Standing,
    /// The standing with its reason.
    pub(crate) text: &'static str,
    pub(crate) tests: Vec<&'static str>,
}

fn row(section: &'static str, line: &'static str) -> Row {
    let cells: Vec<&str> = line.split('|').map(str::trim).collect();
    let [id, what, text, tests] = cells[..] else { panic!("not four cells: {line}") };
    let standing = match text.split_once(": ").map_or(text, |(standing, _)| standing) {
        "met" => Standing::Met,
        "deviates" => Standing::Deviates,
        "not offered" => Standing::NotOffered,
        other => panic!("{id}: no such standing: {other}"),
    };
    let tests = tests.split_whitespace().collect();
    Row { section, id, what, standing, text, tests }
}

/// The rows in the order of the appendix.
pub(crate) fn rows() -> Vec<Row> {
    let mut section = "";
    let mut rows = Vec::new();
    for line in TEXT.lines().filter(|line| !line.is_empty()) {
        match line.strip_prefix("# ") {
            Some(title) => section = title,
            None => rows.push(row(section, line)),
        }
    }
    rows
}
