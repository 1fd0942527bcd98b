//! The command line: reads scripts and says what became of each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use fyke_packetdrill::script;

/// Reads packetdrill scripts.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Scripts, and directories to look for `*.pkt` in.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Gives a name a meaning: `NAME` for `#ifdef`, `NAME=value` for words.
    #[arg(short = 'D', long)]
    define: Vec<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut defines = BTreeMap::new();
    for define in &arguments.define {
        let (name, value) = define.split_once('=').unwrap_or((define, ""));
        defines.insert(name.to_owned(), value.to_owned());
    }
    let mut scripts = Vec::new();
    for path in &arguments.paths {
        find_scripts(path, &mut scripts);
    }
    scripts.sort();
    let mut bad = 0;
    for path in &scripts {
        let outcome = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
        let outcome = outcome.and_then(|text| {
            let text = String::from_utf8_lossy(&text);
            script::parse(path, &text, &defines).map_err(|error| error.to_string())
        });
        if let Err(message) = outcome {
            println!("{message}");
            bad += 1;
        }
    }
    println!("{} scripts, {bad} are not in the language", scripts.len());
    if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
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
