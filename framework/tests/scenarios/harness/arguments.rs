//! What the harness is asked for.

/// What the harness is asked for.
#[derive(Debug)]
pub(super) struct Arguments {
    words: Vec<String>,
    skip: Vec<String>,
    exact: bool,
    pub(super) list: bool,
    pub(super) threads: usize,
}

impl Arguments {
    /// Reads those of the usual harness that mean something here.
    pub(super) fn parse(mut given: impl Iterator<Item = String>) -> Result<Self, String> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let (words, skip) = (Vec::new(), Vec::new());
        let mut all = Self { words, skip, exact: false, list: false, threads };
        while let Some(argument) = given.next() {
            let (name, value) = match argument.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
                _ => (&*argument, None),
            };
            let mut value = || {
                let value = value.clone().or_else(|| given.next());
                value.ok_or_else(|| format!("{name} needs a value"))
            };
            match name {
                "--exact" => all.exact = true,
                "--list" => all.list = true,
                "--skip" => all.skip.push(value()?),
                "--test-threads" => {
                    let threads = value()?.parse().ok().filter(|threads| *threads > 0);
                    all.threads = threads.ok_or("--test-threads is a number, at least 1")?;
                }
                // What is written is always shown, and is what it is.
                "--nocapture" | "--no-capture" | "--show-output" | "--quiet" | "-q" => {}
                "--color" | "--format" => drop(value()?),
                _ if name.starts_with('-') => return Err(format!("{name} does not exist here")),
                word => all.words.push(word.to_owned()),
            }
        }
        Ok(all)
    }

    /// Whether `name` is to be run.
    pub(super) fn wants(&self, name: &str) -> bool {
        let fits = |word: &String| if self.exact { name == word } else { name.contains(&**word) };
        let wanted = self.words.is_empty() || self.words.iter().any(fits);
        wanted && !self.skip.iter().any(fits)
    }
}
