//! The shell commands that scripts use, recognised from a closed list; nothing is executed.

use super::outcome::SkipReason;

/// What a command asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    /// A setting of the kernel gets a value.
    Set { name: String, value: String },
    /// The settings that google's scripts are written for.
    Defaults,
    /// Sockets are listed and searched; the last search must find something.
    Sockets { version: Option<u8>, port: Option<u16>, searches: Vec<Search> },
    /// Connections in this state are dropped.
    Drop { state: String },
}

/// `grep`, perhaps counting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Search {
    pub(crate) pattern: String,
    pub(crate) count: bool,
    pub(crate) invert: bool,
}

/// Why commands cannot be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// They need what is not there.
    Skip(SkipReason),
    /// They are not on the list.
    Unknown(String),
}

/// Reads a text in backticks: several commands, one a line or with `;` or `&&` between.
pub(crate) fn commands(text: &str) -> Result<Vec<Command>, Refusal> {
    let joined = text.replace("\\\n", " ").replace("||", "|| ");
    let mut out = Vec::new();
    for line in joined.split(['\n', ';']).flat_map(|line| line.split("&&")) {
        // What follows a failure does not follow here.
        let line = line.split("||").next().unwrap_or("");
        let stages: Vec<Vec<String>> = line.split('|').map(words).collect();
        if let Some(first) = stages.first()
            && let Some((program, arguments)) = first.split_first()
        {
            command(program, arguments, &stages[1..], &mut out)?;
        }
    }
    Ok(out)
}

/// Words of a command: quotes and redirections are taken off, a comment ends it.
fn words(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut quote = None;
    let mut fresh = true;
    for c in text.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '"' || c == '\'' => {
                quote = Some(c);
                if fresh {
                    out.push(String::new());
                    fresh = false;
                }
            }
            None if c == '#' && fresh => break,
            None if c.is_whitespace() => fresh = true,
            _ => {
                if fresh {
                    out.push(String::new());
                    fresh = false;
                }
                if let Some(word) = out.last_mut() {
                    word.push(c);
                }
            }
        }
    }
    out.retain(|word| !word.contains('>') && word != "&");
    out
}

fn command(
    program: &str,
    arguments: &[String],
    pipe: &[Vec<String>],
    out: &mut Vec<Command>,
) -> Result<(), Refusal> {
    let name = program.rsplit('/').next().unwrap_or(program);
    let unknown = || Refusal::Unknown(format!("{program} {}", arguments.join(" ")));
    match name {
        "sysctl" | "set_sysctls.py" => {
            for argument in arguments.iter().filter(|a| !a.starts_with('-')) {
                let (setting, value) = argument.split_once('=').ok_or_else(unknown)?;
                let setting = setting.trim_start_matches("/proc/sys/").replace('/', ".");
                out.push(Command::Set { name: setting, value: value.to_owned() });
            }
        }
        "defaults.sh" => out.push(Command::Defaults),
        "sockstat" => out.push(sockets(arguments, pipe).ok_or_else(unknown)?),
        "tcpdrop" => match arguments {
            [option, state] if option == "-s" => out.push(Command::Drop { state: state.clone() }),
            _ => return Err(unknown()),
        },
        // What was set is forgotten with the stack; host caches and queues of the device are empty.
        "tc" | "ethtool" | "true" | ":" | "sleep" => {}
        "ip" if arguments.first().is_some_and(|a| a == "tcp_metrics") => {}
        name if name.starts_with("sysctl_restore_") => {}
        "echo" if arguments.iter().any(|a| a.starts_with("/sys/module/")) => {
            return Err(Refusal::Skip(SkipReason::Device));
        }
        "ip" | "grep" | "cat" | "ss" | "netstat" => return Err(Refusal::Skip(SkipReason::Device)),
        "setkey" => return Err(Refusal::Skip(SkipReason::Md5)),
        "dd" | "rm" | "touch" => return Err(Refusal::Skip(SkipReason::Files)),
        _ => return Err(unknown()),
    }
    Ok(())
}

/// `sockstat -4 -P tcp -s -p 8080 | grep -c SYN_RCVD | grep 1`
fn sockets(arguments: &[String], pipe: &[Vec<String>]) -> Option<Command> {
    let mut version = None;
    let mut port = None;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "-4" => version = Some(4),
            "-6" => version = Some(6),
            "-s" => {}
            "-P" => {
                rest.next().filter(|protocol| *protocol == "tcp")?;
            }
            "-p" => port = Some(rest.next()?.parse().ok()?),
            _ => return None,
        }
    }
    let searches = pipe.iter().map(|words| search(words)).collect::<Option<Vec<_>>>()?;
    (!searches.is_empty()).then_some(Command::Sockets { version, port, searches })
}

fn search(words: &[String]) -> Option<Search> {
    let (program, arguments) = words.split_first()?;
    let mut search = Search { pattern: String::new(), count: false, invert: false };
    for argument in arguments {
        match argument.as_str() {
            "-c" => search.count = true,
            "-v" => search.invert = true,
            pattern if search.pattern.is_empty() => search.pattern = pattern.to_owned(),
            _ => return None,
        }
    }
    (program == "grep" && !search.pattern.is_empty()).then_some(search)
}

/// What is left of `lines` after the searches, and whether the last one found something.
pub(crate) fn grep(mut lines: Vec<String>, searches: &[Search]) -> (Vec<String>, bool) {
    let mut found = true;
    for search in searches {
        lines.retain(|line| line.contains(&search.pattern) != search.invert);
        found = !lines.is_empty();
        if search.count {
            lines = vec![lines.len().to_string()];
        }
    }
    (lines, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, value: &str) -> Command {
        Command::Set { name: name.into(), value: value.into() }
    }

    #[test]
    fn settings_of_both_systems_are_read() {
        let bsd = commands("sysctl -w net.inet.tcp.sack.enable=1").unwrap();
        assert_eq!(bsd, [set("net.inet.tcp.sack.enable", "1")]);
        let linux = commands(
            "../common/defaults.sh\n # no timestamps\n sysctl -q net.ipv4.tcp_ecn=1 \\\n \
             net.ipv4.tcp_wmem=\"4096 5 6\" 2>/dev/null || true; \
             ../x/set_sysctls.py /proc/sys/net/ipv4/tcp_timestamps=0",
        );
        let wanted = [
            Command::Defaults,
            set("net.ipv4.tcp_ecn", "1"),
            set("net.ipv4.tcp_wmem", "4096 5 6"),
            set("net.ipv4.tcp_timestamps", "0"),
        ];
        assert_eq!(linux.unwrap(), wanted);
        assert_eq!(commands("/tmp/sysctl_restore_${PPID}.sh"), Ok(vec![]));
    }

    #[test]
    fn sockets_are_listed_and_counted() {
        let text = "sockstat -4 -P tcp -p 8080 -s | grep -c SYN_RCVD | grep 1";
        let [Command::Sockets { version, port, searches }] = &commands(text).unwrap()[..] else {
            panic!()
        };
        assert_eq!((*version, *port, searches.len()), (Some(4), Some(8080), 2));
        let lines = |n| vec!["packetdril SYN_RCVD".to_owned(); n];
        assert_eq!(grep(lines(1), searches), (vec!["1".to_owned()], true));
        assert!(!grep(lines(2), searches).1);
        assert!(!grep(lines(0), searches).1);
        let drop = Command::Drop { state: "TIME_WAIT".into() };
        assert_eq!(commands("tcpdrop -s TIME_WAIT"), Ok(vec![drop]));
    }

    #[test]
    fn what_is_not_on_the_list_is_refused() {
        assert_eq!(commands("setkey -F"), Err(Refusal::Skip(SkipReason::Md5)));
        assert_eq!(commands("ip route change x"), Err(Refusal::Skip(SkipReason::Device)));
        for text in
            ["reboot now", "sysctl net.x", "sockstat -4", "tcpdrop -a", "sockstat -z | grep 1"]
        {
            assert!(matches!(commands(text), Err(Refusal::Unknown(_))), "{text}");
        }
    }
}
