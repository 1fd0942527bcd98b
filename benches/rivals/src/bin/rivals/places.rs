//! Where programs are, and how they are built.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// fyke's examples that take part.
const EXAMPLES: [&str; 3] = ["echo", "http", "ws-echo"];
/// The loops in C.
const C_LOOPS: [&str; 3] = ["echo", "http", "ws"];

/// Where programs are.
#[derive(Debug)]
pub(crate) struct Places {
    /// This crate.
    crate_folder: PathBuf,
    /// The rivals, beside this program.
    rivals: PathBuf,
    /// fyke's examples.
    fyke: PathBuf,
    /// Where fyke's own benches note things.
    notes: PathBuf,
}

impl Places {
    /// `FYKE` names the folder of fyke's built examples, when it is not where cargo puts them.
    pub(crate) fn find() -> io::Result<Self> {
        let crate_folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let program = std::env::current_exe()?;
        let rivals = program.parent().unwrap_or(Path::new(".")).to_path_buf();
        let target = crate_folder.join("../../target");
        let fyke = std::env::var_os("FYKE").map(PathBuf::from);
        let fyke = fyke.unwrap_or_else(|| target.join("release/examples"));
        let target = std::env::var_os("FYKE_TARGET").map_or(target, PathBuf::from);
        Ok(Self { crate_folder, rivals, fyke, notes: target.join("fyke-bench") })
    }

    /// A program of this crate.
    pub(crate) fn rival(&self, name: &str) -> PathBuf {
        self.rivals.join(name)
    }

    /// One of the loops in C.
    pub(crate) fn c(&self, name: &str) -> PathBuf {
        self.rivals.join(format!("c-{name}"))
    }

    /// One of fyke's examples.
    pub(crate) fn fyke(&self, name: &str) -> PathBuf {
        self.fyke.join(name)
    }

    /// Builds the rivals, the C loops and fyke's examples (these as they would be deployed: with the
    /// profile `bench`). A rival that does not build is left out later; without fyke there is
    /// nothing to compare.
    pub(crate) fn build(&self) -> io::Result<()> {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        eprintln!("building the rivals");
        let mut rivals = Command::new(&cargo);
        rivals.args(["build", "--release", "--bins", "--keep-going"]);
        if let Err(error) = done(rivals.current_dir(&self.crate_folder)) {
            eprintln!("not all rivals build: {error}");
        }
        if std::env::var_os("FYKE").is_none() {
            eprintln!("building fyke's examples");
            let mut fyke = Command::new(&cargo);
            fyke.args(["build", "--profile", "bench", "-p", "fyke-examples"]);
            fyke.args(EXAMPLES.iter().flat_map(|name| ["--example", name]));
            // Cargo may run this with a target folder of its own in mind, which is not fyke's.
            fyke.current_dir(self.crate_folder.join("../..")).env_remove("CARGO_TARGET_DIR");
            done(&mut fyke)?;
        }
        for name in C_LOOPS {
            let source = self.crate_folder.join(format!("c/{name}.c"));
            let mut cc = Command::new("cc");
            cc.args(["-O3", "-march=native", "-o"]).arg(self.c(name)).arg(source);
            done(&mut cc)?;
        }
        Ok(())
    }

    /// Leaves the tables where fyke's report finds them.
    pub(crate) fn keep(&self, text: &str) -> io::Result<()> {
        fs::create_dir_all(&self.notes)?;
        fs::write(self.notes.join("rivals.md"), text)
    }
}

fn done(command: &mut Command) -> io::Result<()> {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("{command:?}: {status}"))) }
}
