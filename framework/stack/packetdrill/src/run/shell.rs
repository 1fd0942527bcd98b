//! The shell commands that scripts use, recognised from a closed list; nothing is executed.

use super::mtu::RouteHabits;
use super::outcome::SkipReason;

/// What a command asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    /// A setting of the kernel gets a value.
    Set { name: String, value: String },
    /// The settings that google's scripts are written for.
    Defaults,
    /// Sockets are listed and searched; the last search must find something.
    Sockets { version: Option<u8>, port: Option<u16>, searches: Vec<Filter> },
    /// A file full of zeros is made.
    MakeFile { path: String, size: usize },
    /// The route to the peer changes.
    Route(RouteHabits),
    /// Connections in this state are dropped.
    Drop { state: String },
}

/// Files that scripts may make.
const FILE_MAX: usize = 64 << 20;

/// What a listing is piped through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Filter {
    /// `grep`, perhaps counting.
    Grep { pattern: String, count: bool, invert: bool },
    /// `awk '{print $8}'`: one column.
    Column(usize),
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
    let text = arithmetic(text).ok_or_else(|| Refusal::Unknown(text.to_owned()))?;
    let joined = text.replace("\\\n", " ").replace("||", "|| ");
    let mut out = Vec::new();
    for line in joined.split(['\n', ';']).flat_map(|line| line.split("&&")) {
        // What follows a failure does not follow here.
        let line = line.split("||").next().unwrap_or("");
        if let Some(written) = echoed(line) {
            out.push(written?);
            continue;
        }
        let stages: Vec<Vec<String>> = line.split('|').map(words).collect();
        if let Some(first) = stages.first()
            && let Some((program, arguments)) = first.split_first()
        {
            command(program, arguments, &stages[1..], &mut out)?;
        }
    }
    Ok(out)
}

/// The text with each `$((32*1024*1024))` replaced by its value; none when that cannot be told.
fn arithmetic(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("$((") {
        let (inside, behind) = behind.split_once("))")?;
        out.push_str(before);
        let factors = inside.split('*').map(|factor| factor.trim().parse::<i64>().ok());
        let value = factors.reduce(|a, b| a?.checked_mul(b?)).flatten()?;
        out.push_str(&value.to_string());
        rest = behind;
    }
    out.push_str(rest);
    Some(out)
}

/// `echo 1 > /proc/sys/net/ipv4/tcp_ecn` sets a setting; other files are not the stack's.
fn echoed(line: &str) -> Option<Result<Command, Refusal>> {
    let (what, file) = line.trim().strip_prefix("echo ")?.split_once('>')?;
    let settings = ["/proc/sys/", "/sys/module/tcp_"];
    let Some(name) = settings.iter().find_map(|folder| file.trim().strip_prefix(folder)) else {
        return Some(Err(Refusal::Skip(SkipReason::Device)));
    };
    let name = name.replace('/', ".");
    Some(Ok(Command::Set { name, value: words(what).join(" ") }))
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
    without_redirections(out)
}

/// Where output goes does not matter: `>/dev/null`, `> /dev/null`, `2>&1`.
fn without_redirections(words: Vec<String>) -> Vec<String> {
    let mut out = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        if word.ends_with('>') {
            // The file is a word of its own.
            words.next();
        } else if !word.contains('>') && word != "&" {
            out.push(word);
        }
    }
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
        // The kernel's own copy grants fast open to those who ask for it only.
        "defaults.sh" if program == "./defaults.sh" => {
            out.push(Command::Defaults);
            let (name, value) = ("net.ipv4.tcp_fastopen".to_owned(), "3".to_owned());
            out.push(Command::Set { name, value });
        }
        "defaults.sh" => out.push(Command::Defaults),
        "sockstat" => out.push(sockets(arguments, pipe).ok_or_else(unknown)?),
        "tcpdrop" => match arguments {
            [option, state] if option == "-s" => out.push(Command::Drop { state: state.clone() }),
            _ => return Err(unknown()),
        },
        // A queue that holds nothing drops everything, which a kernel notices at once.
        "tc" if arguments.windows(2).any(|pair| pair == ["limit", "0"]) => {
            return Err(Refusal::Skip(SkipReason::Device));
        }
        // What was set is forgotten with the stack; host caches and queues of the device are empty.
        "tc" | "ethtool" | "true" | ":" | "sleep" => {}
        "ip" if arguments.first().is_some_and(|a| a == "tcp_metrics") => {}
        name if name.starts_with("sysctl_restore_") => {}
        // Counters are there to be looked at; that is another matter than beginning to count.
        "nstat" if pipe.is_empty() => {}
        "ip" if let Some(habits) = RouteHabits::read(arguments) => out.push(Command::Route(habits)),
        "ip" | "grep" | "cat" | "ss" | "netstat" | "nstat" => {
            return Err(Refusal::Skip(SkipReason::Device));
        }
        "setkey" => return Err(Refusal::Skip(SkipReason::Md5)),
        "dd" => out.push(zeros(arguments).ok_or(Refusal::Skip(SkipReason::Files))?),
        "rm" => {}
        "touch" => return Err(Refusal::Skip(SkipReason::Files)),
        _ => return Err(unknown()),
    }
    Ok(())
}

/// `dd if=/dev/zero of=FILE bs=1 count=5`
fn zeros(arguments: &[String]) -> Option<Command> {
    let value = |name: &str| {
        let found = arguments.iter().find_map(|argument| argument.strip_prefix(name));
        found.and_then(|rest| rest.strip_prefix('='))
    };
    let bytes = |name: &str| value(name)?.parse::<usize>().ok();
    let size = bytes("bs")?.checked_mul(bytes("count")?).filter(|size| *size <= FILE_MAX)?;
    let path = value("of")?.to_owned();
    (value("if") == Some("/dev/zero")).then_some(Command::MakeFile { path, size })
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

fn search(words: &[String]) -> Option<Filter> {
    let (program, arguments) = words.split_first()?;
    if program == "awk" {
        let [column] = arguments else { return None };
        let column = column.strip_prefix("{print $")?.strip_suffix('}')?;
        return column.parse().ok().filter(|n| *n > 0).map(Filter::Column);
    }
    let (mut wanted, mut count, mut invert) = (None, false, false);
    for argument in arguments {
        match argument.as_str() {
            "-c" => count = true,
            "-v" => invert = true,
            pattern if wanted.is_none() => wanted = Some(pattern.to_owned()),
            _ => return None,
        }
    }
    let pattern = wanted.filter(|pattern| program == "grep" && !pattern.is_empty())?;
    Some(Filter::Grep { pattern, count, invert })
}

/// What is left of `lines` after the filters, and whether the last one found something.
pub(crate) fn filter(mut lines: Vec<String>, filters: &[Filter]) -> (Vec<String>, bool) {
    let mut found = true;
    for filter in filters {
        match filter {
            Filter::Grep { pattern, count, invert } => {
                lines.retain(|line| line.contains(pattern) != *invert);
                found = !lines.is_empty();
                if *count {
                    lines = vec![lines.len().to_string()];
                }
            }
            Filter::Column(n) => {
                let column = |line: &String| line.split_whitespace().nth(n - 1).map(str::to_owned);
                lines = lines.iter().filter_map(column).collect();
            }
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
        let echo = commands("echo \"4096 5\" > /proc/sys/net/ipv4/tcp_rmem");
        assert_eq!(echo.unwrap(), [set("net.ipv4.tcp_rmem", "4096 5")]);
        let sum = commands("sysctl -q net.ipv4.tcp_rmem=\"4096 5 $((32*1024))\"");
        assert_eq!(sum.unwrap(), [set("net.ipv4.tcp_rmem", "4096 5 32768")]);
        assert!(matches!(commands("sysctl x=$((1+$y))"), Err(Refusal::Unknown(_))));
        let file = Command::MakeFile { path: "/tmp/x".to_owned(), size: 10 };
        let dd = "/bin/rm -f /tmp/x; dd bs=2 count=5 if=/dev/zero of=/tmp/x status=none";
        assert_eq!(commands(dd), Ok(vec![file]));
        assert_eq!(commands("dd if=/dev/sda of=x"), Err(Refusal::Skip(SkipReason::Files)));
        assert_eq!(commands("nstat > /dev/null"), Ok(vec![]));
        let nothing = commands("tc qdisc add dev tun0 root pfifo limit 0");
        assert_eq!(nothing, Err(Refusal::Skip(SkipReason::Device)));
        assert_eq!(commands("tc qdisc add dev tun0 root pfifo"), Ok(vec![]));
        let counter = commands("nstat | grep TcpExtBeyondWindow");
        assert_eq!(counter, Err(Refusal::Skip(SkipReason::Device)));
        let kernels = [Command::Defaults, set("net.ipv4.tcp_fastopen", "3")];
        assert_eq!(commands("./defaults.sh").unwrap(), kernels);
        let cubic = commands("echo 3 > /sys/module/tcp_cubic/parameters/hystart_detect");
        assert_eq!(cubic.unwrap(), [set("cubic.parameters.hystart_detect", "3")]);
        let module = commands("echo 3 > /sys/module/bonding/parameters/mode");
        assert_eq!(module, Err(Refusal::Skip(SkipReason::Device)));
        let quiet = commands("sysctl -q net.ipv4.tcp_ecn=0 > /dev/null 2>&1");
        assert_eq!(quiet.unwrap(), [set("net.ipv4.tcp_ecn", "0")]);
        assert_eq!(commands("/tmp/sysctl_restore_${PPID}.sh"), Ok(vec![]));
    }

    #[test]
    fn sockets_are_listed_and_counted() {
        let text = "sockstat -4 -P tcp -p 8080 -s | grep -c SYN_RCVD | grep 1";
        let [Command::Sockets { version, port, searches }] = &commands(text).unwrap()[..] else {
            panic!()
        };
        assert_eq!((*version, *port, searches.len()), (Some(4), Some(8080), 2));
        let column =
            commands("sockstat -s -p 8080 | grep x | awk '{print $2}' | grep CLOSED").unwrap();
        let [Command::Sockets { searches: by_column, .. }] = &column[..] else { panic!() };
        assert_eq!(by_column[1], Filter::Column(2));
        assert!(filter(vec!["x CLOSED".to_owned()], by_column).1);
        assert!(!filter(vec!["x OPEN CLOSED".to_owned()], by_column).1);
        let lines = |n| vec!["packetdril SYN_RCVD".to_owned(); n];
        assert_eq!(filter(lines(1), searches), (vec!["1".to_owned()], true));
        assert!(!filter(lines(2), searches).1);
        assert!(!filter(lines(0), searches).1);
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
