//! The command line.

use std::time::Duration;

/// What `--help` says.
pub(crate) const USAGE: &str = "\
usage: rivals [--suites echo,http,ws,spin,tls-echo] [--only c,fyke,hyper] [--rounds 9] [--secs 0.6]
              [--no-build]

  --suites LIST  some suites instead of all
  --only LIST    some contestants instead of all; ratios need the suite's reference among them
  --rounds N     visits to each contestant in each row
  --secs S       of load in each visit, after a fifth of that to warm up
  --no-build     take the programs as they are
";

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) suites: Vec<String>,
    pub(crate) only: Vec<String>,
    pub(crate) rounds: usize,
    pub(crate) time: Duration,
    pub(crate) build: bool,
}

impl Options {
    /// `None` when help was asked for.
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let list = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
        let mut options = Self {
            suites: Vec::new(),
            only: Vec::new(),
            rounds: 9,
            time: Duration::from_millis(600),
            build: true,
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--help" | "-h" => return Ok(None),
                "--no-build" => {
                    options.build = false;
                    continue;
                }
                _ => {}
            }
            let value = words.next().ok_or_else(|| format!("{word} needs a value\n{USAGE}"))?;
            match word.as_str() {
                "--suites" => options.suites = list(&value),
                "--only" => options.only = list(&value),
                "--rounds" => options.rounds = number(&word, &value)?,
                "--secs" => {
                    let seconds = number(&word, &value)?;
                    let time = Duration::try_from_secs_f64(seconds);
                    options.time = time.map_err(|error| format!("{word} {value}: {error}"))?;
                }
                _ => return Err(format!("no such option: {word}\n{USAGE}")),
            }
        }
        Ok(Some(options))
    }
}

fn number<T: std::str::FromStr<Err: std::fmt::Display>>(
    word: &str,
    value: &str,
) -> Result<T, String> {
    value.parse().map_err(|error| format!("{word} {value}: {error}"))
}
