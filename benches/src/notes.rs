//! What benches note beside criterion's own figures: processor time, and whose. One line a sample, in
//! files below the target folder that the report reads.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

/// One sample.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Note {
    /// Which bench.
    pub bench: String,
    /// Which of its groups.
    pub group: String,
    /// What was measured.
    pub name: String,
    /// Bytes of a message, or of a file.
    pub bytes: u64,
    /// Connections, idle ones among them.
    pub connections: u64,
    /// Idle connections.
    pub idle: u64,
    /// Time of one, in nanoseconds.
    pub wall_ns: f64,
    /// Processor time of the server for one, in nanoseconds.
    pub cpu_ns: f64,
    /// Processor time of others, as a share of the time that it took.
    pub foreign: f64,
    /// Half of the answers took no longer.
    pub p50_ns: f64,
    /// Of a hundred, one took longer.
    pub p99_ns: f64,
}

impl Note {
    /// As a line.
    fn line(&self) -> String {
        format!(
            "{}\t{}\t{}\t{}\t{}\t{}\t{:.1}\t{:.1}\t{:.3}\t{:.0}\t{:.0}",
            self.bench,
            self.group,
            self.name,
            self.bytes,
            self.connections,
            self.idle,
            self.wall_ns,
            self.cpu_ns,
            self.foreign,
            self.p50_ns,
            self.p99_ns
        )
    }

    /// Whether both are samples of the same thing.
    fn is_of_the_case_of(&self, other: &Self) -> bool {
        let case = |note: &Self| (note.bytes, note.connections, note.idle);
        self.group == other.group && self.name == other.name && case(self) == case(other)
    }

    /// From a line; `None` when it is none.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.split('\t');
        let mut text = || words.next().map(str::to_owned);
        let (bench, group, name) = (text()?, text()?, text()?);
        let mut number = || words.next()?.parse::<f64>().ok();
        Some(Self {
            bench,
            group,
            name,
            bytes: number()? as u64,
            connections: number()? as u64,
            idle: number()? as u64,
            wall_ns: number()?,
            cpu_ns: number()?,
            foreign: number()?,
            p50_ns: number()?,
            p99_ns: number()?,
        })
    }
}

/// The notes of one bench.
#[derive(Debug)]
pub struct Notes {
    bench: &'static str,
    lines: String,
}

impl Notes {
    /// None yet.
    #[must_use]
    pub fn new(bench: &'static str) -> Self {
        Self { bench, lines: String::new() }
    }

    /// One more.
    pub fn add(&mut self, note: Note) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.lines, "{}", note.line());
    }

    /// Writes them down. Of earlier runs those stay whose cases were not measured again, as when the
    /// command line chose some.
    pub fn save(&self) {
        let new: Vec<Note> = self.lines.lines().filter_map(Note::parse).collect();
        let again = |old: &Note| new.iter().any(|note| note.is_of_the_case_of(old));
        let old = Self::load(self.bench).into_iter().filter(|old| !again(old));
        let mut text: String = old.map(|note| note.line() + "\n").collect();
        text.push_str(&self.lines);
        let path = folder().join(format!("{}.tsv", self.bench));
        let written = fs::create_dir_all(folder()).and_then(|()| fs::write(&path, text));
        if let Err(error) = written {
            eprintln!("cannot write {}: {error}", path.display());
        }
    }

    /// Those of the last run of `bench`.
    #[must_use]
    pub fn load(bench: &str) -> Vec<Note> {
        let text = fs::read_to_string(folder().join(format!("{bench}.tsv"))).unwrap_or_default();
        text.lines().filter_map(Note::parse).collect()
    }
}

/// Below cargo's target folder.
#[must_use]
pub fn target() -> PathBuf {
    let default = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target"));
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(default, PathBuf::from)
}

/// Where notes are.
#[must_use]
pub fn folder() -> PathBuf {
    target().join("fyke-bench")
}

/// Whether the long tables are asked for: `FYKE_BENCH_LONG=1`.
#[must_use]
pub fn is_long() -> bool {
    std::env::var_os("FYKE_BENCH_LONG").is_some_and(|value| value != "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_as_it_was_written() {
        let note = Note {
            bench: "io_models".to_owned(),
            group: "c10k".to_owned(),
            name: "epoll".to_owned(),
            bytes: 64,
            connections: 116,
            idle: 100,
            wall_ns: 12_345.5,
            cpu_ns: 6_000.25,
            foreign: 0.125,
            p50_ns: 100.0,
            p99_ns: 200.0,
        };
        let read = Note::parse(&note.line()).unwrap();
        assert_eq!(read, Note { cpu_ns: 6_000.2, ..note });
        assert_eq!(Note::parse("io_models\tc10k"), None);
    }
}
