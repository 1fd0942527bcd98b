//! Makes `benches/REPORT.md` and its pictures of what the benches noted when they last ran.
//!
//! `cargo run --release -p fyke-benches --bin report`
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

use fyke_benches::notes::{self, Note, Notes, target};
use fyke_benches::plot::{Bars, Plot, Series, short};
use fyke_benches::table::{Table, median, spread};

/// The order in which ways to wait stand in tables.
const MODELS: [&str; 6] = ["bio", "select", "poll", "epoll", "epoll-et", "mio"];

/// Samples during which others used more than this share of a processor count for less: they are left
/// out where at least half of the samples remain.
const FOREIGN_MAX: f64 = 0.1;

fn main() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pictures = folder.join("report");
    fs::create_dir_all(&pictures)?;
    let mut text = String::from(HEAD);
    let _ = writeln!(text, "{}\n", machine());
    let models = Notes::load("io_models");
    if !models.is_empty() {
        io_models(&mut text, &models, &pictures)?;
    }
    let files = Notes::load("zero_copy");
    if !files.is_empty() {
        zero_copy(&mut text, &files, &pictures)?;
    }
    for (bench, about) in OTHERS {
        criterion(&mut text, bench, about);
    }
    if let Ok(rivals) = fs::read_to_string(notes::folder().join("rivals.md")) {
        text.push_str(RIVALS);
        text.push_str(&rivals);
    }
    fs::write(folder.join("REPORT.md"), text)?;
    println!("{}", folder.join("REPORT.md").display());
    Ok(())
}

const HEAD: &str = "# Report\n\n\
    Written by `cargo run --release -p fyke-benches --bin report` of what `cargo bench -p fyke-benches` \
    noted when it last ran. Medians; ratios of one run mean something, absolute times of two runs do not. \
    The spread is the inner half of the samples, as a share of their median.\n\n";

const RIVALS: &str = "## Rivals\n\n\
    Of `benches/rivals`: servers with one thread on one processor, the generator on the other, in turns; \
    ratios are taken inside a round, against a C loop that does the least a server could. `others` is the \
    part of a processor that strangers used meanwhile.\n";

/// Benches of which criterion's own figures are shown: the group's name and what it is about.
const OTHERS: [(&str, &str); 5] = [
    ("buffer", "Buffers"),
    ("timers", "Timers"),
    ("tasks", "Hand-off between threads"),
    ("codecs", "Codecs"),
    ("hop", "Pipeline hops"),
];

/// What it ran on.
fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name"));
    let model =
        model.map_or("an unknown processor", |rest| rest.trim_start_matches([' ', '\t', ':']));
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    let kernel: Vec<&str> = kernel.split('.').take(2).collect();
    format!("{model}, {cpus} processors, Linux {}.", kernel.join("."))
}

/// The samples of one case that count.
fn clean<'a>(notes: &[&'a Note]) -> Vec<&'a Note> {
    let quiet: Vec<_> = notes.iter().copied().filter(|note| note.foreign < FOREIGN_MAX).collect();
    if quiet.len() * 2 >= notes.len() { quiet } else { notes.to_vec() }
}

fn middle(notes: &[&Note], value: impl Fn(&Note) -> f64) -> Option<f64> {
    median(clean(notes).into_iter().map(value))
}

type Case = (u64, u64, u64);

/// The notes of a group by case and name.
fn cases<'a>(notes: &'a [Note], group: &str) -> BTreeMap<Case, BTreeMap<&'a str, Vec<&'a Note>>> {
    let mut cases: BTreeMap<Case, BTreeMap<&str, Vec<&Note>>> = BTreeMap::new();
    for note in notes.iter().filter(|note| note.group == group) {
        let case = (note.bytes, note.connections, note.idle);
        cases.entry(case).or_default().entry(&note.name).or_default().push(note);
    }
    cases
}

/// A table of models: `value` of each, and in brackets how it compares with epoll.
fn by_model(notes: &[Note], group: &str, value: impl Fn(&Note) -> f64) -> Table {
    let heads = ["message", "connections", "idle"].into_iter().chain(MODELS);
    let mut table = Table::new(heads);
    for ((bytes, connections, idle), names) in cases(notes, group) {
        let of = |name: &str| names.get(name).and_then(|notes| middle(notes, &value));
        let reference = of("epoll");
        let cells = MODELS.iter().map(|name| match (of(name), reference) {
            (Some(value), Some(reference)) if *name != "epoll" => {
                format!("{} ({:.2})", short(value), value / reference)
            }
            (Some(value), _) => short(value),
            (None, _) => "-".to_owned(),
        });
        let first = [format!("{bytes} B"), connections.to_string(), idle.to_string()];
        table.row(first.into_iter().chain(cells));
    }
    table
}

fn noise(text: &mut String, notes: &[Note]) {
    let mut groups: BTreeMap<_, Vec<&Note>> = BTreeMap::new();
    for note in notes {
        let case = (&note.group, &note.name, note.bytes, note.connections, note.idle);
        groups.entry(case).or_default().push(note);
    }
    let spreads = groups.values().filter_map(|notes| spread(notes.iter().map(|note| note.cpu_ns)));
    let foreign = median(notes.iter().map(|note| note.foreign)).unwrap_or_default();
    let spread = median(spreads).unwrap_or_default();
    let others = match foreign {
        0.0 => "how much others used meanwhile was not measured".to_owned(),
        share => format!("others used {:.0} % of a processor meanwhile", share * 100.0),
    };
    let _ = writeln!(
        text,
        "Noise: the spread of the processor time is {:.0} % (median of the cases); {others}.\n",
        spread * 100.0
    );
}

fn io_models(text: &mut String, notes: &[Note], pictures: &Path) -> io::Result<()> {
    text.push_str(
        "## Ways to wait\n\nThe echo server on one loop (BIO: a thread for each connection) on one \
         processor, the generator in its own process on the other. In brackets: compared with epoll.\n\n",
    );
    noise(text, notes);
    text.push_str("Processor time of the server for a message, in nanoseconds:\n\n");
    text.push_str(by_model(notes, "echo", |note| note.cpu_ns).markdown());
    text.push_str("\nTime of a message (of all connections together), in nanoseconds:\n\n");
    text.push_str(by_model(notes, "echo", |note| note.wall_ns).markdown());
    text.push_str("\nOne answer of a hundred took longer than, in nanoseconds:\n\n");
    text.push_str(by_model(notes, "echo", |note| note.p99_ns).markdown());
    text.push_str(
        "\n### Streams\n\n64 KiB messages, four on their way on each connection; processor \
                   time for one, in nanoseconds:\n\n",
    );
    text.push_str(by_model(notes, "stream", |note| note.cpu_ns).markdown());
    text.push_str(
        "\n### The C10K picture\n\n16 connections exchange messages of 64 bytes, and more and more say \
         nothing. Processor time of the server for a message, in nanoseconds:\n\n",
    );
    text.push_str(by_model(notes, "c10k", |note| note.cpu_ns).markdown());
    text.push_str("\n![cost of a message as idle connections grow](report/c10k.svg)\n\n");
    let cases = cases(notes, "c10k");
    let series = MODELS.iter().map(|name| {
        let points = cases.iter().filter_map(|((_, _, idle), names)| {
            Some((*idle as f64, middle(names.get(name)?, |note| note.cpu_ns)?))
        });
        Series { name: (*name).to_owned(), points: points.collect() }
    });
    let plot = Plot {
        title: "Cost of a message as idle connections grow".to_owned(),
        x: "idle connections".to_owned(),
        y: "server's processor time for a message, ns".to_owned(),
        series: series.filter(|series| !series.points.is_empty()).collect(),
    };
    fs::write(pictures.join("c10k.svg"), plot.svg())
}

fn zero_copy(text: &mut String, notes: &[Note], pictures: &Path) -> io::Result<()> {
    text.push_str(
        "## Ways to send a file\n\nFrom the page cache to a TCP connection over loopback, whose reader \
         throws the bytes away in the kernel. Loopback cannot rank these ways: it copies what a network card \
         would fetch by itself (MSG_ZEROCOPY then pays for the effort and copies all the same), so look at \
         processor time, and take differences of less than the spread for none. Rows called `fyke` go \
         through a pipeline on a loop, the others are loops around the system calls.\n\n",
    );
    noise(text, notes);
    let cases = cases(notes, "file");
    let mut names: Vec<&str> = Vec::new();
    for note in notes {
        if !names.contains(&&*note.name) {
            names.push(&note.name);
        }
    }
    let gib = (1u64 << 30) as f64;
    let heads = || {
        let sizes = cases.keys().map(|(bytes, ..)| size(*bytes));
        std::iter::once("way".to_owned()).chain(sizes)
    };
    for (title, value) in [
        ("GB/s", (|note: &Note| note.bytes as f64 / note.wall_ns) as fn(&Note) -> f64),
        ("Processor seconds of the sender for a GiB", |note| {
            note.cpu_ns * (1u64 << 30) as f64 / note.bytes as f64 / 1e9
        }),
    ] {
        let _ = writeln!(text, "{title}:\n");
        let mut table = Table::new(heads());
        for name in &names {
            let cells = cases.values().map(|by_name| {
                let notes = by_name.get(name);
                let value = notes.and_then(|notes| middle(notes, value));
                value.map_or("-".to_owned(), |value| format!("{value:.2}"))
            });
            table.row(std::iter::once((*name).to_owned()).chain(cells));
        }
        let _ = writeln!(text, "{}", table.markdown());
    }
    let largest = cases.iter().filter(|((bytes, ..), _)| *bytes == 64 << 20);
    let bars = largest.flat_map(|((bytes, ..), by_name)| {
        let per_gib = gib / *bytes as f64 / 1e9;
        names.iter().filter_map(move |name| {
            let notes = by_name.get(name)?;
            Some(((*name).to_owned(), middle(notes, |note| note.cpu_ns)? * per_gib))
        })
    });
    let bars = Bars {
        title: "A file of 64 MiB: the sender's processor time".to_owned(),
        x: "seconds for a GiB".to_owned(),
        bars: bars.collect(),
    };
    text.push_str("![processor time of the ways to send a file](report/files.svg)\n\n");
    fs::write(pictures.join("files.svg"), bars.svg())
}

fn size(bytes: u64) -> String {
    match bytes {
        n if n >= 1 << 30 => format!("{} GiB", n >> 30),
        n if n >= 1 << 20 => format!("{} MiB", n >> 20),
        n => format!("{} KiB", n >> 10),
    }
}

/// What criterion found for the groups whose names begin with `bench`.
fn criterion(text: &mut String, bench: &str, about: &str) {
    let mut found = Vec::new();
    let folder = target().join("criterion");
    walk(&folder, &mut |path| {
        let inside = path.strip_prefix(&folder).unwrap_or(path);
        let name = inside.to_string_lossy().replace("/new/estimates.json", "");
        let ours = name == bench || name.starts_with(&format!("{bench}/")) || {
            name.split('/').next().is_some_and(|group| group.starts_with(&format!("{bench}_")))
        };
        if ours && let Some(nanos) = estimate(path) {
            found.push((name, nanos));
        }
    });
    if found.is_empty() {
        return;
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    let _ = writeln!(text, "## {about}\n");
    let mut table = Table::new(["what", "ns (median)"]);
    for (name, nanos) in found {
        let digits = if nanos < 100.0 { 1 } else { 0 };
        table.row([name, format!("{nanos:.digits$}")]);
    }
    let _ = writeln!(text, "{}", table.markdown());
}

/// All `new/estimates.json` below `folder`.
fn walk(folder: &Path, found: &mut impl FnMut(&Path)) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        if path.is_dir() {
            walk(&path, found);
        } else if path.ends_with("new/estimates.json") {
            found(&path);
        }
    }
}

/// The median in criterion's JSON.
fn estimate(path: &Path) -> Option<f64> {
    let json = fs::read_to_string(path).ok()?;
    let median = json.split("\"median\":").nth(1)?;
    let value = median.split("\"point_estimate\":").nth(1)?;
    value.split([',', '}']).next()?.trim().parse().ok()
}
