//! The command line: runs scripts, says what became of each, and counts.

mod document;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clap::{Parser, ValueEnum};
use fyke_packetdrill::run::{self, Cause, Failure, Options, Outcome, Report, System};

/// Runs packetdrill scripts against fyke's TCP/IP stack in virtual time.
///
/// Prints PASS-EXACT, PASS-RELAXED, FAIL or SKIP for each script, and a total. Ends with success when
/// none failed.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Scripts, and directories to look for `*.pkt` in.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// The system whose habits scripts expect; found out for each script when it is not given.
    #[arg(long)]
    preset: Option<Preset>,
    /// Gives a name a meaning: `NAME` for `#ifdef`, `NAME=value` for words.
    #[arg(short = 'D', long)]
    define: Vec<String>,
    /// By how many microseconds times may be off, when a script does not allow more.
    #[arg(long, default_value_t = 4000)]
    tolerance_usecs: u64,
    /// Runs scripts that do not say over IPv6.
    #[arg(short = '6', long)]
    ipv6: bool,
    /// The seed of the stack's secrets.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Scripts run at once.
    #[arg(short, long)]
    jobs: Option<usize>,
    /// Shows what happened in each script.
    #[arg(short, long)]
    verbose: bool,
    /// Prints only scripts that fail, and the total.
    #[arg(short, long)]
    quiet: bool,
    /// Adds a section to this Markdown file: the counts, and the list of failures with their causes.
    #[arg(long)]
    results: Option<PathBuf>,
    /// The heading of that section.
    #[arg(long, default_value = "Scripts")]
    title: String,
    /// Counts causes in that section instead of listing failures.
    #[arg(long)]
    short: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Preset {
    Linux,
    Freebsd,
}

/// Words google's runner defines for its scripts, and the choice between what RFCs say and what
/// FreeBSD does.
const DEFINES: &[(&str, &str)] = &[
    ("STANDARD", ""),
    ("CODE", "host_unreachable"),
    ("TFO_COOKIE", "3021b9d889017eeb"),
    ("TFO_COOKIE_ZERO", "b7c12350a90dc8f5"),
    ("CMSG_LEVEL_IP", "SOL_IP"),
    ("CMSG_TYPE_RECVERR", "IP_RECVERR"),
    ("MSS", "1460"),
];

/// Those that are others over IPv6.
const DEFINES_V6: &[(&str, &str)] = &[
    ("CODE", "address_unreachable"),
    ("TFO_COOKIE", "c1d1e9742a47a9bc"),
    ("TFO_COOKIE_ZERO", "82af1a8f9a205c34"),
    ("CMSG_LEVEL_IP", "SOL_IPV6"),
    ("CMSG_TYPE_RECVERR", "IPV6_RECVERR"),
];

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut defines: BTreeMap<String, String> =
        DEFINES.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    if arguments.ipv6 {
        defines.extend(DEFINES_V6.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())));
    }
    for define in &arguments.define {
        let (name, value) = define.split_once('=').unwrap_or((define, ""));
        // The two ways a script can be meant exclude each other.
        if name == "FreeBSD" {
            defines.remove("STANDARD");
        }
        defines.insert(name.to_owned(), value.to_owned());
    }
    let options = Options {
        system: arguments.preset.map(|preset| match preset {
            Preset::Linux => System::Linux,
            Preset::Freebsd => System::FreeBsd,
        }),
        defines,
        tolerance: Duration::from_micros(arguments.tolerance_usecs),
        v6: arguments.ipv6,
        seed: arguments.seed,
    };
    let mut scripts = Vec::new();
    for path in &arguments.paths {
        find_scripts(path, &mut scripts);
    }
    scripts.sort();
    // A panic of the stack is one script's failure, told in its line.
    std::panic::set_hook(Box::new(|_| {}));
    let reports = run_all(&scripts, &options, jobs(arguments.jobs));
    print(&arguments, &scripts, &reports);
    if let Some(path) = &arguments.results
        && let Err(error) = add_results(path, &arguments, &scripts, &reports)
    {
        eprintln!("{}: {error}", path.display());
        return ExitCode::FAILURE;
    }
    let failed = reports.iter().any(|report| report.outcome.is_fail());
    if failed || reports.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn add_results(
    path: &Path,
    arguments: &Arguments,
    scripts: &[PathBuf],
    reports: &[Report],
) -> std::io::Result<()> {
    let named: Vec<(String, &Outcome)> = scripts
        .iter()
        .zip(reports)
        .map(|(script, report)| (document::name(&arguments.paths, script), &report.outcome))
        .collect();
    let total = total(reports);
    let section = document::section(&arguments.title, &total, &named, arguments.short);
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
    if file.metadata()?.len() == 0 {
        file.write_all(document::HEAD.as_bytes())?;
    }
    file.write_all(section.as_bytes())
}

fn jobs(asked: Option<usize>) -> usize {
    let there = std::thread::available_parallelism().map_or(1, usize::from);
    asked.unwrap_or(there).max(1)
}

fn find_scripts(path: &Path, out: &mut Vec<PathBuf>) {
    if !path.is_dir() {
        out.push(path.to_owned());
        return;
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    for entry in entries.map(|entry| entry.path()) {
        if entry.is_dir() || entry.extension().is_some_and(|e| e == "pkt") {
            find_scripts(&entry, out);
        }
    }
}

/// Runs every script, several at once; the reports are in the scripts' order.
fn run_all(scripts: &[PathBuf], options: &Options, jobs: usize) -> Vec<Report> {
    let next = AtomicUsize::new(0);
    let reports = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(scripts.len()) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(path) = scripts.get(index) else { return };
                    let report = run_one(path, options);
                    if let Ok(mut reports) = reports.lock() {
                        reports.insert(index, report);
                    }
                }
            });
        }
    });
    reports.into_inner().map(|reports| reports.into_values().collect()).unwrap_or_default()
}

fn run_one(path: &Path, options: &Options) -> Report {
    let failed = |cause, detail| Report {
        outcome: Outcome::Fail(Failure { line: 0, cause, detail }),
        system: options.system.unwrap_or(System::Linux),
        trace: Vec::new(),
    };
    let source = match std::fs::read(path) {
        Ok(source) => source,
        Err(error) => return failed(Cause::Script, error.to_string()),
    };
    let source = String::from_utf8_lossy(&source);
    let result = catch_unwind(AssertUnwindSafe(|| run::run(path, &source, options)));
    result.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
        failed(Cause::Crash, format!("panic: {text}"))
    })
}

fn print(arguments: &Arguments, scripts: &[PathBuf], reports: &[Report]) {
    let mut out = std::io::stdout().lock();
    for (path, report) in scripts.iter().zip(reports) {
        if arguments.quiet && !report.outcome.is_fail() {
            continue;
        }
        // Whoever reads this may stop reading: that is no error.
        let _ = writeln!(out, "{} {}", path.display(), report.outcome);
        if arguments.verbose {
            for line in &report.trace {
                let _ = writeln!(out, "    {line}");
            }
        }
    }
    let _ = writeln!(out, "{}", total(reports));
}

fn total(reports: &[Report]) -> String {
    let count = |word: &str| reports.iter().filter(|r| r.outcome.word() == word).count();
    let (exact, relaxed) = (count("PASS-EXACT"), count("PASS-RELAXED"));
    format!(
        "total {}: pass {} (exact {exact}, relaxed {relaxed}), fail {}, skip {}",
        reports.len(),
        exact + relaxed,
        count("FAIL"),
        count("SKIP")
    )
}
