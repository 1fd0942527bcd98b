//! The house's rules, checked over manifests and sources: who may import whom, what production code
//! may not name, where unsafe lives, how long files and functions are.
//!
//! What is over a limit stands in a list that may only shrink. The picture is `ARCHITECTURE.md`.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "a test")]

#[path = "architecture/source.rs"]
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use source::{code, functions, has_word, production, rust_files};

/// A package, where it is, and which of ours it may depend on.
struct Package {
    name: &'static str,
    directory: &'static str,
    ours: &'static [&'static str],
    /// Crates that talk to the operating system; the others have none.
    system: &'static [&'static str],
    no_std: bool,
}

const fn package(
    name: &'static str,
    directory: &'static str,
    ours: &'static [&'static str],
) -> Package {
    Package { name, directory, ours, system: &[], no_std: false }
}

impl Package {
    const fn no_std(mut self) -> Self {
        self.no_std = true;
        self
    }

    const fn system(mut self, crates: &'static [&'static str]) -> Self {
        self.system = crates;
        self
    }
}

/// Who may import whom. A new package is a new line here and in `ARCHITECTURE.md`.
const PACKAGES: &[Package] = &[
    package("fyke-buffer", "framework/buffer", &[]).no_std(),
    package("fyke-clock", "framework/clock", &[]).no_std(),
    package("fyke-codec", "framework/codec", &["fyke-buffer"]).no_std(),
    package("fyke-poller", "framework/poller", &["fyke-clock"]).system(&[
        "libc",
        "mio",
        "rustix",
        "signal-hook",
    ]),
    package("fyke-core", "framework/core", &["fyke-codec", "fyke-buffer", "fyke-clock"]),
    package("fyke-stack", "framework/stack", &["fyke-buffer", "fyke-clock"]).no_std(),
    package(
        "fyke-transport",
        "framework/transport",
        &["fyke-core", "fyke-stack", "fyke-poller", "fyke-codec", "fyke-buffer", "fyke-clock"],
    )
    .system(&["rustix", "socket2"]),
    package(
        "fyke-sim",
        "framework/sim",
        &["fyke-transport", "fyke-core", "fyke-stack", "fyke-codec", "fyke-buffer", "fyke-clock"],
    ),
    package(
        "fyke",
        "framework",
        &[
            "fyke-transport",
            "fyke-core",
            "fyke-stack",
            "fyke-poller",
            "fyke-codec",
            "fyke-buffer",
            "fyke-clock",
            "fyke-sim",
        ],
    ),
    // Opening files below a directory and nowhere else is a system call of its own.
    package("fyke-codecs", "codecs", &["fyke-codec", "fyke-buffer", "fyke-clock", "fyke-core"])
        .system(&["rustix"]),
    package("fyke-examples", "examples", &["fyke", "fyke-codecs"]),
    // The stack is measured as a value, too, below what runs it.
    package("fyke-benches", "benches", &["fyke", "fyke-codecs", "fyke-stack", "fyke-clock"]),
];

/// Crates through which a package could talk to the operating system.
const SYSTEM: &[&str] =
    &["libc", "mio", "nix", "rustix", "signal-hook", "socket2", "windows-sys", "io-uring"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The path from the root, as it is written in the lists.
fn name_of(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_string_lossy().into_owned()
}

/// The packages that exist so far.
fn packages() -> impl Iterator<Item = (&'static Package, PathBuf)> {
    let there = |package: &'static Package| (package, root().join(package.directory));
    PACKAGES.iter().map(there).filter(|(_, directory)| directory.join("Cargo.toml").exists())
}

/// The names in `[dependencies]`, of every target, but not those for tests.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let (mut inside, mut found) = (false, BTreeSet::new());
    for line in manifest.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            inside = section == "dependencies" || section.ends_with(".dependencies");
        } else if inside && !line.starts_with('#') {
            let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
            found.extend((!name.is_empty()).then(|| name.to_owned()));
        }
    }
    found
}

/// A library's production sources; those of the examples are what users write.
fn library_sources() -> impl Iterator<Item = (&'static Package, PathBuf)> {
    let libraries = packages().filter(|(p, _)| !matches!(p.name, "fyke-examples" | "fyke-benches"));
    libraries.flat_map(|(package, directory)| {
        let files = rust_files(&directory.join("src")).into_iter();
        files.filter(|file| !is_test(file)).map(move |file| (package, file))
    })
}

fn is_test(file: &Path) -> bool {
    file.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs")))
}

fn assert_none(found: &str, rule: &str) {
    assert!(found.is_empty(), "{rule}:\n{found}");
}

#[test]
fn every_member_is_in_the_table() {
    let manifest = read(&root().join("Cargo.toml"));
    let members = manifest.split("members = [").nth(1).unwrap().split(']').next().unwrap();
    let known: BTreeSet<&str> = PACKAGES.iter().map(|package| package.directory).collect();
    for member in members.split(',').map(|member| member.trim().trim_matches('"')) {
        // Tools for tests are below what they test.
        let known = known.contains(member) || member.starts_with("framework/stack/packetdrill");
        assert!(member.is_empty() || known, "`{member}` has no line in PACKAGES");
    }
    for (package, directory) in packages() {
        let manifest = read(&directory.join("Cargo.toml"));
        assert!(manifest.contains(&format!("name = \"{}\"", package.name)), "{}", package.name);
    }
}

#[test]
fn nobody_imports_whom_they_may_not() {
    let mut wrong = String::new();
    for (package, directory) in packages() {
        for dependency in dependencies(&read(&directory.join("Cargo.toml"))) {
            let ours = dependency.starts_with("fyke");
            let system = SYSTEM.contains(&&*dependency);
            if (ours && !package.ours.contains(&&*dependency))
                || (system && !package.system.contains(&&*dependency))
            {
                writeln!(wrong, "  {} -> {dependency}", package.name).unwrap();
            }
        }
    }
    assert_none(&wrong, "these may not be imported");
}

#[test]
fn no_other_runtime_is_in_the_lock_file() {
    let lock = read(&root().join("Cargo.lock"));
    for name in ["tokio", "hyper", "openssl", "async-std", "smol"] {
        assert!(!lock.contains(&format!("name = \"{name}\"\n")), "{name} is in Cargo.lock");
    }
}

#[test]
fn sans_io_crates_cannot_name_the_outside() {
    for (package, directory) in packages() {
        let root = read(&directory.join("src/lib.rs"));
        assert_eq!(root.contains("#![no_std]"), package.no_std, "{}", package.name);
    }
}

/// Time, date, randomness and sleep come from the loop's `Env`; only poller and facade ask the
/// system for them.
#[test]
fn production_code_asks_the_environment() {
    const NAMES: &[&str] = &[
        "Instant::now",
        "SystemTime",
        "thread::sleep",
        "thread::park_timeout",
        "getrandom",
        "RandomState",
        "OsRng",
    ];
    let mut wrong = String::new();
    for (package, file) in library_sources() {
        if matches!(package.name, "fyke-poller" | "fyke") {
            continue;
        }
        let code = code(production(&read(&file)));
        for name in NAMES.iter().filter(|name| has_word(&code, name)) {
            writeln!(wrong, "  {}: {name}", name_of(&file)).unwrap();
        }
    }
    assert_none(&wrong, "only poller and facade may name these");
}

/// The core knows no sockets, files and threads; they come through the waist.
#[test]
fn the_core_touches_nothing_outside() {
    const NAMES: &[&str] = &[
        "thread::spawn",
        "thread::Builder",
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "UnixStream",
        "std::fs",
        "std::os",
        "std::process",
    ];
    let mut wrong = String::new();
    for (_, file) in library_sources().filter(|(package, _)| package.name == "fyke-core") {
        let code = code(production(&read(&file)));
        for name in NAMES.iter().filter(|name| has_word(&code, name)) {
            writeln!(wrong, "  {}: {name}", name_of(&file)).unwrap();
        }
    }
    assert_none(&wrong, "the core may not name these");
}

#[test]
fn unsafe_lives_in_two_places() {
    const PLACES: &[&str] = &["framework/buffer/src/storage/", "framework/poller/src/sys/"];
    let mut wrong = String::new();
    for (_, directory) in packages() {
        let inside = directory.join("src");
        let beside = rust_files(&directory).into_iter();
        // Packages within a package have their own turn; tests may count allocations.
        let own =
            beside.filter(|file| file.starts_with(&inside) || file.parent() == Some(&*directory));
        for file in own {
            let name = name_of(&file);
            let allowed = PLACES.iter().any(|place| name.starts_with(place));
            if !allowed && has_word(&code(&read(&file)), "unsafe") {
                writeln!(wrong, "  {name}").unwrap();
            }
        }
        if directory.join("src/lib.rs").exists() {
            let root = read(&directory.join("src/lib.rs"));
            let says = ["#![forbid(unsafe_code)]", "#![deny(unsafe_code)]"];
            let says = says.iter().any(|rule| root.contains(rule));
            assert!(
                says || rust_files(&inside).len() == 1,
                "{} permits unsafe",
                directory.display()
            );
        }
    }
    assert_none(&wrong, "unsafe is not for these");
}

/// Lines that a file has without its tests, and a function from its name to its last brace.
const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;
/// An exception is written down again when it has shrunk by so much.
const SLACK_LINES: usize = 20;

/// Files over the limit, and what they may have. Numbers only go down, lines only go away.
const LONG_FILES: &[(&str, usize)] = &[("framework/core/src/embedded/mod.rs", 420)];

/// Functions over the limit, likewise.
const LONG_FUNCTIONS: &[(&str, usize)] = &[];

#[test]
fn files_are_a_sitting_long() {
    let lengths = library_sources()
        .map(|(_, file)| (name_of(&file), production(&read(&file)).trim_end().lines().count()));
    assert_none(&ratchet(lengths, LONG_FILES, FILE_LINES_MAX), "lines of files");
}

#[test]
fn functions_are_a_screen_long() {
    let lengths = library_sources().flat_map(|(_, file)| {
        let name = name_of(&file);
        let found = functions(&code(production(&read(&file))));
        found.into_iter().map(move |function| {
            (format!("{name}: {} (line {})", function.name, function.line), function.lines)
        })
    });
    // The line is for whoever looks for it, and no part of the name in the list.
    let named: Vec<_> = lengths.filter(|(_, lines)| *lines > FUNCTION_LINES_MAX).collect();
    let bare = named
        .into_iter()
        .map(|(name, lines)| (name.split(" (").next().unwrap_or_default().to_owned(), lines));
    assert_none(&ratchet(bare, LONG_FUNCTIONS, FUNCTION_LINES_MAX), "lines of functions");
}

/// What breaks the ratchet, in words.
fn ratchet(
    lengths: impl Iterator<Item = (String, usize)>,
    exceptions: &[(&str, usize)],
    limit: usize,
) -> String {
    let mut wrong = String::new();
    let exceptions: BTreeMap<&str, usize> = exceptions.iter().copied().collect();
    let mut seen = BTreeSet::new();
    for (name, lines) in lengths.filter(|(_, lines)| *lines > limit) {
        match exceptions.get(&*name) {
            None => writeln!(wrong, "  {name}: {lines}, the limit is {limit}").unwrap(),
            Some(allowed) if lines > *allowed => {
                writeln!(wrong, "  {name}: {lines}, and may have {allowed} at most").unwrap();
            }
            Some(allowed) if lines + SLACK_LINES < *allowed => {
                writeln!(wrong, "  {name}: only {lines}: write that down for {allowed}").unwrap();
            }
            Some(_) => {}
        }
        seen.insert(name);
    }
    for name in exceptions.keys().filter(|name| !seen.contains(**name)) {
        writeln!(wrong, "  {name}: is no exception any more: strike it from the list").unwrap();
    }
    wrong
}

#[test]
fn the_ratchet_only_shrinks() {
    let has = |lines| std::iter::once(("f".to_owned(), lines));
    assert_eq!(ratchet(has(10), &[], 10), "");
    assert!(ratchet(has(11), &[], 10).contains("the limit is 10"));
    assert_eq!(ratchet(has(11), &[("f", 12)], 10), "");
    assert!(ratchet(has(13), &[("f", 12)], 10).contains("12 at most"));
    assert!(ratchet(has(30), &[("f", 60)], 10).contains("only 30"));
    assert!(ratchet(has(10), &[("f", 12)], 10).contains("no exception any more"));
}
