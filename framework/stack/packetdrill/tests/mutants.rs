//! Scripts that say something wrong fail: whatever one line of a passing script expects, changed in one
//! number, flag, option, time, result or word, makes it fail. It shows an interpreter that passes too
//! much, which no script that passes can show.

use std::fs;
use std::path::{Path, PathBuf};

use fyke_packetdrill::run::{Options, Outcome, run};

fn scripts() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [root.join("scripts"), root.join("tests/mutants")];
    let entries = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let paths = entries.map(|entry| entry.unwrap().path());
    let scripts = paths.filter(|path| path.extension().is_some_and(|e| e == "pkt"));
    let mut out: Vec<_> =
        scripts.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect();
    out.sort();
    out
}

fn outcome(source: &str) -> Outcome {
    run(Path::new("mutant.pkt"), source, &Options::default()).outcome
}

/// The text with the number at `start..end` one higher.
fn one_more(text: &str, start: usize, end: usize) -> Option<String> {
    let number: u64 = text[start..end].parse().ok()?;
    Some(format!("{}{}{}", &text[..start], number + 1, &text[end..]))
}

/// Where runs of decimal digits stand that are words of their own.
fn numbers(text: &str) -> Vec<(usize, usize)> {
    let mut out = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let end = at + bytes[at..].iter().take_while(|b| b.is_ascii_digit()).count();
        let word = |i: usize| bytes.get(i).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
        if end > at && !word(end) && (at == 0 || !word(at - 1)) {
            out.push((at, end));
        }
        at = end.max(at + 1);
    }
    out
}

/// Wrong versions of what stands behind the `>` of an expected packet.
fn packets(rest: &str) -> Vec<String> {
    let mut out = Vec::new();
    let Some(colon) = rest.find(':') else { return out };
    let seq = rest[..colon].rfind(' ').map_or(0, |at| at + 1);
    let after = colon + rest[colon..].find(')').unwrap() + 1;
    let range: Vec<u64> =
        rest[seq..after].split([':', '(', ')']).filter_map(|n| n.parse().ok()).collect();
    let [start, end, length] = range[..] else { return out };
    let with = |range: String| format!("{}{range}{}", &rest[..seq], &rest[after..]);
    // The initial number in a script stands for whatever the live one is.
    if !rest[..seq].contains('S') {
        out.push(with(format!("{}:{}({length})", start + 1, end + 1)));
    }
    out.push(with(format!("{start}:{}({})", end + 1, length + 1)));
    for (from, to) in numbers(rest) {
        // Values of timestamps are only looked at when a script gives the length of their tick, and
        // then with a tolerance.
        let value = rest[..from].ends_with("val ");
        if !(seq..after).contains(&from) && !value {
            out.extend(one_more(rest, from, to));
        }
    }
    out.extend(flags(rest, seq));
    if !rest.starts_with(['(', '[']) {
        out.extend(["(tos 0xfc)", "(ttl 3)"].map(|header| format!("{header} {rest}")));
    }
    out.extend(rest.contains("[ect0]").then(|| rest.replace("[ect0]", "[noecn]")));
    if let Some((head, options)) = rest.split_once('<') {
        out.push(head.to_owned());
        let options = options.trim_end().trim_end_matches('>');
        out.push(format!("{head}<{options},nop>"));
        if let Some((first, others)) = options.split_once(',') {
            out.push(format!("{head}<{others},{first}>"));
        }
    } else {
        out.push(format!("{} <mss 1000>", rest.trim_end()));
    }
    out
}

/// Other flags: one more, one less.
fn flags(rest: &str, seq: usize) -> Vec<String> {
    let head = rest[..seq].trim_end();
    let start = head.rfind(' ').map_or(0, |at| at + 1);
    let flags = &head[start..];
    let more = if flags.contains('U') { flags.replace('U', "") } else { format!("U{flags}") };
    let less = if flags.contains('.') { flags.replace('.', "") } else { format!("{flags}.") };
    [more, less]
        .into_iter()
        .filter(|flags| !flags.is_empty())
        .map(|flags| format!("{}{flags} {}", &rest[..start], &rest[seq..]))
        .collect()
}

/// A time that is half a second later.
fn later(time: &str) -> Option<String> {
    let digits = time.trim().strip_prefix('+')?;
    let seconds: f64 = digits.parse().ok()?;
    Some(format!("+{}", seconds + 0.5))
}

/// Wrong versions of what a call is to come to.
fn results(line: &str) -> Vec<String> {
    let mut out = Vec::new();
    let Some((call, result)) = line.rsplit_once(") = ") else { return out };
    let name = call.split('(').next().unwrap_or("").rsplit(' ').next().unwrap_or("");
    // These name a descriptor, which is the script's own matter.
    if ["socket", "accept", "epoll_create"].contains(&name) {
        return out;
    }
    match result.split_once(' ') {
        Some(("-1", errno)) if errno.starts_with('E') => {
            out.push(format!("{call}) = -1 EXDEV"));
            out.push(format!("{call}) = 0"));
        }
        _ if result.starts_with("0x") => out.push(format!("{call}) = 0x999")),
        _ => {
            let end = result.find(|c: char| !c.is_ascii_digit()).unwrap_or(result.len());
            out.extend(one_more(result, 0, end).map(|wrong| format!("{call}) = {wrong}")));
            out.push(format!("{call}) = -1 EXDEV"));
        }
    }
    for (word, other) in
        [("revents=POLLIN|POLLOUT", "revents=POLLIN"), ("SO_ERROR, [0]", "SO_ERROR, [EPIPE]")]
    {
        if call.contains(word) {
            out.push(line.replace(word, other));
        }
    }
    if let Some((before, value)) = call.split_once(", [")
        && matches!(name, "getsockopt" | "ioctl")
    {
        let digits = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(0);
        let wrong = one_more(value, 0, digits);
        out.extend(wrong.map(|wrong| format!("{before}, [{wrong}) = {result}")));
    }
    if name == "epoll_wait" && call.contains("EPOLLOUT, fd") {
        out.push(line.replace("EPOLLOUT, fd", "EPOLLOUT|EPOLLERR, fd"));
        out.push(line.replace("fd=4", "fd=9"));
    }
    out
}

/// Wrong versions of a line that expects something.
fn mutants(line: &str) -> Vec<String> {
    let mut out = Vec::new();
    if line.trim_start().starts_with("//") || line.contains(" < ") {
        return out;
    }
    if let Some((time, rest)) = line.split_once(" > ") {
        out.extend(packets(rest).into_iter().map(|rest| format!("{time} > {rest}")));
        out.extend(later(time).map(|time| format!("{time} > {rest}")));
        // The same once more, which nobody sends.
        out.push(format!("{line}\n+0 > . 77:77(0) ack 99"));
    } else if let Some((before, code)) = line.split_once("%{") {
        // More than at least so much may be at least so much.
        for (from, to) in numbers(code).into_iter().filter(|(at, _)| code[..*at].ends_with("== ")) {
            out.extend(one_more(code, from, to).map(|code| format!("{before}%{{{code}")));
        }
    } else if let Some((before, count)) = line.rsplit_once("| grep ") {
        let digits = count.trim_end_matches('`');
        out.extend(one_more(digits, 0, digits.len()).map(|n| format!("{before}| grep {n}`")));
    } else {
        out.extend(results(line));
    }
    out
}

#[test]
fn whatever_a_script_says_wrongly_fails_it() {
    let mut count = 0;
    let mut survivors = Vec::new();
    for (path, source) in scripts() {
        assert!(outcome(&source).is_pass(), "{}: {}", path.display(), outcome(&source));
        let lines: Vec<&str> = source.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            for mutant in mutants(line) {
                count += 1;
                let mut wrong = lines.clone();
                wrong[at] = &mutant;
                let outcome = outcome(&(wrong.join("\n") + "\n"));
                if !outcome.is_fail() {
                    let name = path.file_name().unwrap().to_string_lossy();
                    survivors.push(format!("{name}:{}: {outcome}\n  {line}\n  {mutant}", at + 1));
                }
            }
        }
    }
    // Should the scripts lose what they expect, this would pass with nothing to do.
    assert!(count > 1000, "{count}");
    assert!(survivors.is_empty(), "{} of {count}:\n{}", survivors.len(), survivors.join("\n"));
}

#[test]
fn mutants_differ_from_their_line_in_one_thing() {
    let line = "+.1 > P. 1:11(10) ack 5 <nop,mss 9>";
    let all = mutants(line);
    assert!(all.contains(&"+.1 > P. 2:12(10) ack 5 <nop,mss 9>".to_owned()));
    assert!(all.contains(&"+.1 > P. 1:12(11) ack 5 <nop,mss 9>".to_owned()));
    assert!(all.contains(&"+.1 > P. 1:11(10) ack 6 <nop,mss 9>".to_owned()));
    assert!(all.contains(&"+.1 > P. 1:11(10) ack 5 <nop,mss 10>".to_owned()));
    assert!(all.contains(&"+.1 > P. 1:11(10) ack 5 <mss 9,nop>".to_owned()));
    assert!(all.contains(&"+.1 > UP. 1:11(10) ack 5 <nop,mss 9>".to_owned()));
    assert!(all.contains(&"+.1 > P 1:11(10) ack 5 <nop,mss 9>".to_owned()));
    assert!(all.contains(&"+0.6 > P. 1:11(10) ack 5 <nop,mss 9>".to_owned()));
    assert!(all.iter().all(|mutant| mutant != line));
    assert_eq!(mutants("+0 < . 1:1(0) ack 1 win 5"), Vec::<String>::new());
    assert!(mutants("+0 read(4, ..., 9) = 9").contains(&"+0 read(4, ..., 9) = 10".to_owned()));
    assert!(
        mutants("+0 read(4, ..., 9) = 9").contains(&"+0 read(4, ..., 9) = -1 EXDEV".to_owned())
    );
}
