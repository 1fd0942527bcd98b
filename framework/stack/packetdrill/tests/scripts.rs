//! Our own scripts pass, each of them can fail, and the interpreter says so when it cannot tell.

use std::fs;
use std::path::{Path, PathBuf};

use fyke_packetdrill::run::{Cause, Options, Outcome, Relaxation, SkipReason, System, run};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts")
}

fn scripts() -> Vec<(String, String)> {
    let mut out = Vec::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "pkt") {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            out.push((name, fs::read_to_string(path).unwrap()));
        }
    }
    out.sort();
    out
}

fn outcome(source: &str) -> Outcome {
    run(Path::new("test.pkt"), source, &Options::default()).outcome
}

fn cause(source: &str) -> Cause {
    match outcome(source) {
        Outcome::Fail(failure) => failure.cause,
        other => panic!("{other}"),
    }
}

#[test]
fn all_pass() {
    let failed: Vec<_> = scripts()
        .into_iter()
        .map(|(name, source)| (name, outcome(&source)))
        .filter(|(_, outcome)| !outcome.is_pass())
        .map(|(name, outcome)| format!("{name}: {outcome}"))
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn the_same_seed_gives_the_same_and_another_seed_passes_too() {
    for (name, source) in scripts() {
        let with = |seed| {
            let options = Options { seed, ..Options::default() };
            run(Path::new("test.pkt"), &source, &options)
        };
        assert_eq!(with(7).trace, with(7).trace, "{name}");
        for seed in [0, 2, u64::MAX] {
            assert!(
                with(seed).outcome.is_pass(),
                "{name} with seed {seed}: {}",
                with(seed).outcome
            );
        }
    }
}

/// A packet with another number in it is not the one that was sent.
#[test]
fn each_can_fail() {
    for (name, source) in scripts() {
        let mut lines: Vec<String> = source.lines().map(str::to_owned).collect();
        let expected = |line: &String| line.contains(" > ") && !line.contains(" < ");
        let Some(at) = lines.iter().rposition(expected) else { panic!("{name} expects nothing") };
        let (before, numbers) = lines[at].rsplit_once(" > ").unwrap();
        let wrong = if numbers.contains("ack ") {
            numbers.replacen("ack ", "ack 9", 1)
        } else {
            numbers.replacen("(0)", "(0) ack 9", 1).replacen('R', "R.", 1)
        };
        lines[at] = format!("{before} > {wrong}");
        let outcome = outcome(&(lines.join("\n") + "\n"));
        assert!(outcome.is_fail(), "{name} passes with '{}'", lines[at]);
    }
}

#[test]
fn the_list_names_every_script() {
    let list = fs::read_to_string(folder().join("README.md")).unwrap();
    let (mut named, mut there) = (Vec::new(), Vec::new());
    for part in list
        .lines()
        .filter(|line| line.starts_with("| "))
        .flat_map(|l| l.split('`').skip(1).step_by(2))
    {
        named.push(part.to_owned());
    }
    for (name, _) in scripts() {
        there.push(name);
    }
    named.sort();
    assert_eq!(named, there);
}

const OPEN: &str = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 bind(3, ..., ...) = 0\n\
                    +0 listen(3, 1) = 0\n+0 < S 0:0(0) win 65535 <mss 1000>\n";

#[test]
fn what_checks_nothing_is_no_pass() {
    assert_eq!(
        cause("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 close(3) = 0\n"),
        Cause::NoCheck
    );
    assert_eq!(cause(OPEN), Cause::NoCheck);
}

#[test]
fn what_differs_is_told_by_kind() {
    let after = |line: &str| cause(&format!("{OPEN}{line}\n"));
    assert_eq!(after("+0 > S. 0:0(0) ack 1 <mss 1000>"), Cause::Packet);
    assert_eq!(after("+0 > S. 0:0(0) ack 1 win 5 <mss 1460>"), Cause::Packet);
    assert_eq!(after("+1 > S. 0:0(0) ack 1 <mss 1460>"), Cause::Time);
    assert_eq!(after("+0 > S. 0:0(0) ack 1 <mss 1460>\n+0 > . 1:1(0) ack 1"), Cause::Missing);
    assert_eq!(after("+0 read(3, ..., 10) = 5"), Cause::Call);
    assert_eq!(after("+0 tea(3) = 0"), Cause::UnknownCall);
    assert_eq!(after("+0 `reboot`"), Cause::UnknownCommand);
    assert_eq!(after("+0 `sockstat -4 | grep -c SYN_RCVD | grep 7`"), Cause::Command);
    assert_eq!(after("+0 %{ assert tcpi_state == 77 }%"), Cause::Assertion);
    assert_eq!(after("+0 %{ assert tcpi_tea == 1 }%"), Cause::UnknownField);
    assert_eq!(cause("0 nonsense"), Cause::Script);
    assert_eq!(cause("--nonsense=1\n0 `true`"), Cause::Script);
    assert_eq!(cause("0 < . 1:1(0) ack 1 win 1 <TS val 1 ecr 5>"), Cause::Script);
}

#[test]
fn what_is_not_there_is_skipped_for_its_reason() {
    let skip = |line: &str| outcome(&format!("{OPEN}{line}\n"));
    let cases = [
        ("+0 setsockopt(3, SOL_TCP, TCP_FASTOPEN_NO_COOKIE, [1], 4) = 0", SkipReason::FastOpenBare),
        ("+0 > S. 0:0(0) ack 1 <mss 1460,FOEXP>", SkipReason::FastOpenExperiment),
        ("+0 > S. 0:0(0) ack 1 <mss 1460,mp_capable a>", SkipReason::Multipath),
        ("+0 < S 0:0(0) win 1 <mss 1460,nop,mpcapable v1>", SkipReason::Multipath),
        ("+0 socket(..., SOCK_STREAM, IPPROTO_MPTCP) = 4", SkipReason::Multipath),
        ("+0 > S. 0:0(0) ack 1 <nocheck>", SkipReason::PrivateKernel),
        ("+0 setsockopt(3, IPPROTO_TCP, 24, [1], 8) = 0", SkipReason::PrivateKernel),
        ("+0 setsockopt(3, SOL_TCP, TCP_REPAIR, [1], 4) = 0", SkipReason::Repair),
        ("+0 `nstat | grep TcpExtBeyondWindow`", SkipReason::Device),
        ("+0 `echo 1 > /sys/class/x`", SkipReason::Device),
        ("+0 `sysctl -q net.ipv4.tcp_fastopen_cookies=0 > /dev/null`", SkipReason::Device),
        ("+0 < . 1:1(0) ack 1 win 1/udp(1 > 2)", SkipReason::TcpOverUdp),
        ("+0 < ipv4 1.1.1.1 > 2.2.2.2: . 1:1(0) ack 1 win 1", SkipReason::Tunnel),
        ("+0 `setkey -F`", SkipReason::Md5),
        ("+0 `touch x`", SkipReason::Files),
        ("+0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 4", SkipReason::Protocol),
    ];
    for (line, reason) in cases {
        assert_eq!(skip(line), Outcome::Skip(reason), "{line}");
    }
}

/// Fast open with the cookies a kernel would have given: the right one opens at once, another does not.
#[test]
fn cookies_are_the_kernels_in_scripts_and_the_stacks_on_the_wire() {
    let open = |cookie: &str, answer: &str| {
        outcome(&format!(
            "`defaults.sh`\n0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 bind(3, ..., ...) = 0\n\
             +0 listen(3, 1) = 0\n+0 < S 0:10(10) win 9999 <mss 1460,nop,nop,FO {cookie},nop,nop>\n\
             +0 > S. 0:0(0) {answer}\n"
        ))
    };
    let right = "3021b9d889017eeb";
    let asked = format!("ack 1 <mss 1460,FO {right},nop,nop>");
    let other = "ack 1 <mss 1460,FO 3021b9d889017eec,nop,nop>";
    assert!(open(right, "ack 11 <mss 1460>").is_pass());
    assert!(open(right, &asked).is_fail());
    assert!(open("3021b9d889017eec", &asked).is_pass());
    assert!(open("3021b9d889017eec", other).is_fail());
    assert!(open("3021b9d889017eec", "ack 11 <mss 1460>").is_fail());
}

/// The error queue says what the stack did with the bytes of a call, and when.
#[test]
fn the_error_queue_tells_what_was_acknowledged_and_when() {
    const CONNECTION: &str = "+0 > S. 0:0(0) ack 1 <mss 1460>\n+0 < . 1:1(0) ack 1 win 65535\n\
                              +0 accept(3, ..., ...) = 4\n";
    let notice = |kinds: &str, error: &str, data: &str| {
        format!(
            "+0 recvmsg(4, {{msg_name(...)=..., msg_iov(1)=[{{...,0}}], msg_flags={kinds}, \
             msg_control=[{error}{{cmsg_level=SOL_IP, cmsg_type=IP_RECVERR, cmsg_data={{{data}}}}}]}}, \
             MSG_ERRQUEUE) = 0\n"
        )
    };
    let copied = |first: u32, last: u32| {
        let data = format!(
            "ee_errno=0, ee_origin=SO_EE_ORIGIN_ZEROCOPY, ee_type=0, \
             ee_code=SO_EE_CODE_ZEROCOPY_COPIED, ee_info={first}, ee_data={last}"
        );
        notice("MSG_ERRQUEUE", "", &data)
    };
    let zero_copy = |acked: &str, rest: &str| {
        outcome(&format!(
            "{OPEN}{CONNECTION}+0 setsockopt(4, SOL_SOCKET, SO_ZEROCOPY, [1], 4) = 0\n\
             +0 send(4, ..., 9, MSG_ZEROCOPY) = 9\n+0 > P. 1:10(9) ack 1\n\
             +.1 < . 1:1(0) ack {acked} win 65535\n{rest}"
        ))
    };
    assert!(zero_copy("10", &copied(0, 0)).is_pass());
    assert!(zero_copy("10", &copied(0, 1)).is_fail());
    assert!(zero_copy("9", &copied(0, 0)).is_fail());
    let stamp = |stage: &str, nanos: u32, byte: u32| {
        let when = format!(
            "{{cmsg_level=SOL_SOCKET, cmsg_type=SCM_TIMESTAMPING, \
             cmsg_data={{scm_sec=0,scm_nsec={nanos}}}}},"
        );
        let data = format!(
            "ee_errno=ENOMSG, ee_origin=SO_EE_ORIGIN_TIMESTAMPING, ee_type=0, ee_code=0, \
             ee_info={stage}, ee_data={byte}"
        );
        notice("MSG_ERRQUEUE|MSG_TRUNC", &when, &data)
    };
    let timed = |rest: &str| {
        outcome(&format!(
            "{OPEN}{CONNECTION}+0 setsockopt(4, SOL_SOCKET, SO_TIMESTAMPING, \
             [SOF_TIMESTAMPING_TX_SOFTWARE|SOF_TIMESTAMPING_TX_ACK|SOF_TIMESTAMPING_OPT_ID], 4) = 0\n\
             +.1 write(4, ..., 9) = 9\n+0 > P. 1:10(9) ack 1\n+.1 < . 1:1(0) ack 10 win 65535\n{rest}"
        ))
    };
    let sent = stamp("SCM_TSTAMP_SND", 100_000_000, 8);
    let acknowledged = stamp("SCM_TSTAMP_ACK", 200_000_000, 8);
    assert!(timed(&format!("{sent}{acknowledged}")).is_pass());
    assert!(timed(&acknowledged).is_fail());
    assert!(timed(&stamp("SCM_TSTAMP_SND", 110_000_000, 8)).is_fail());
    assert!(timed(&stamp("SCM_TSTAMP_SND", 100_000_000, 9)).is_fail());
}

/// What a file or a pipe holds goes over the connection, and what is not there does not.
#[test]
fn files_and_pipes_are_sources_and_sinks_of_data() {
    let after = |lines: &str| {
        outcome(&format!(
            "`dd if=/dev/zero of=/tmp/x bs=1 count=5`\n{OPEN}+0 > S. 0:0(0) ack 1 <mss 1460>\n\
             +0 < . 1:1(0) ack 1 win 65535\n+0 accept(3, ..., ...) = 4\n{lines}"
        ))
    };
    let file = "+0 open(\"/tmp/x\", O_RDONLY) = 5\n";
    assert!(
        after(&format!("{file}+0 sendfile(4, 5, [0], 9) = 5\n+0 > P. 1:6(5) ack 1\n")).is_pass()
    );
    assert!(
        after(&format!("{file}+0 sendfile(4, 5, [2], 9) = 3\n+0 > P. 1:4(3) ack 1\n")).is_pass()
    );
    assert!(after(&format!("{file}+0 sendfile(4, 5, [0], 9) = 9\n")).is_fail());
    assert!(after("+0 open(\"/tmp/y\", O_RDONLY) = -1 ENOENT\n").is_pass());
    let pipe = "+0 pipe([5, 6]) = 0\n+0 < P. 1:101(100) ack 1 win 65535\n\
                +0 > . 1:1(0) ack 101\n";
    let echo = "+0 splice(4, NULL, 6, NULL, 60, 0) = 60\n+0 splice(5, NULL, 4, NULL, 99, 0) = 60\n";
    let echoed = format!("{pipe}{echo}+0 > P. 1:61(60) ack 101\n");
    assert!(after(&echoed).is_pass(), "{}", after(&echoed));
    assert!(after(&format!("{pipe}+0 splice(4, NULL, 6, NULL, 600, 0) = 600\n")).is_fail());
}

#[test]
fn a_script_without_buffers_gets_those_its_window_scale_needs() {
    let source = |shift: u8, before: &str| {
        format!(
            "{before}0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n\
             +0 fcntl(3, F_SETFL, O_NONBLOCK) = 0\n\
             +0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)\n\
             +0 > S 0:0(0) <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale {shift}>\n"
        )
    };
    let assumed = Outcome::PassRelaxed(vec![Relaxation::AssumedBuffer]);
    assert_eq!(outcome(&source(5, "")), assumed);
    assert_eq!(outcome(&source(7, "")), Outcome::PassExact);
    assert!(outcome(&source(5, "`defaults.sh`\n")).is_fail());
}

#[test]
fn blocking_calls_end_when_the_script_says() {
    let read = |end: &str| {
        outcome(&format!(
            "{OPEN}+0 > S. 0:0(0) ack 1 <mss 1460>\n+0 < . 1:1(0) ack 1 win 65535\n\
             +0 accept(3, ..., ...) = 4\n+0...{end} read(4, ..., 100) = 50\n\
             +.2 < P. 1:51(50) ack 1 win 65535\n+0 > . 1:1(0) ack 51\n"
        ))
    };
    assert!(read("0.2").is_pass());
    assert!(read("0.1").is_fail());
    assert!(read("0.5").is_fail());
}

#[test]
fn the_system_is_found_by_what_a_script_says() {
    let system = |source: &str| run(Path::new("t.pkt"), source, &Options::default()).system;
    assert_eq!(system("0 `sysctl -w net.inet.tcp.sack.enable=1`\n"), System::FreeBsd);
    assert_eq!(system("0 `sysctl -q net.ipv4.tcp_sack=1`\n"), System::Linux);
    assert_eq!(system(OPEN), System::Linux);
}
