//! The language: what scripts look like as values, and what is refused, with its line.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use fyke_packetdrill::python::{CodeError, Scope};
use fyke_packetdrill::script::{
    Action, Body, Direction, EcnSpec, Event, Expr, OptionSpec, OptionsSpec, Quoted, Script,
    TcpSpec, When, parse,
};

fn read(source: &str) -> Script {
    parse(Path::new("test.pkt"), source, &BTreeMap::new()).unwrap()
}

fn refuse(source: &str) -> String {
    parse(Path::new("test.pkt"), source, &BTreeMap::new()).unwrap_err().to_string()
}

fn one(source: &str) -> Event {
    let mut script = read(source);
    assert_eq!(script.events.len(), 1, "{source}");
    script.events.remove(0)
}

fn tcp(source: &str) -> TcpSpec {
    match one(source).action {
        Action::Packet(packet) => match packet.body {
            Body::Tcp(tcp) => tcp,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn times_are_exact_and_of_five_kinds() {
    let ms = Duration::from_millis;
    let cases = [
        ("0 > . 1:1(0)", When::At(ms(0))),
        ("1.25 > . 1:1(0)", When::At(ms(1250))),
        ("+.005 > . 1:1(0)", When::After(ms(5))),
        ("* > . 1:1(0)", When::Any),
        ("1~2 > . 1:1(0)", When::Between(ms(1000), ms(2000))),
        ("+1~+2.5 > . 1:1(0)", When::AfterBetween(ms(1000), ms(2500))),
    ];
    for (source, when) in cases {
        assert_eq!(one(source).when, when, "{source}");
    }
    let Action::Call(call) = one("+.1...0.200 connect(3, ..., ...) = 0").action else { panic!() };
    assert_eq!(call.end, Some(ms(200)));
}

#[test]
fn a_segment_has_all_its_parts() {
    let segment = tcp(
        "+0 < S. 10:12(2) ack 1 win 65535 urg 2 <mss 1460,nop,wscale 6,sackOK,TS val 100 ecr 7!>\
         /udp(1 > 9811)",
    );
    assert_eq!(segment.flags.bits, 0x12);
    assert_eq!((segment.seq.start, segment.seq.length), (Some(10), 2));
    assert_eq!((segment.ack, segment.window, segment.urgent), (Some(1), Some(65535), 2));
    assert_eq!(segment.udp, Some((1, 9811)));
    let options = [
        OptionSpec::Mss(1460),
        OptionSpec::Nop,
        OptionSpec::WindowScale(6),
        OptionSpec::SackPermitted,
        OptionSpec::Timestamp { value: Some(100), echo: 7, echo_absolute: true },
    ];
    assert_eq!(segment.options, OptionsSpec::Exact(options.to_vec()));
}

#[test]
fn the_other_dialect_has_marks_of_its_own() {
    assert!(tcp("+0 > R. 0:0(0)! ack 2").seq.absolute);
    let any = tcp("+0 > S. ...(0) ack 1 <...>");
    assert_eq!((any.seq.start, any.options), (None, OptionsSpec::Any));
    let echo = tcp("+0 > . 1:1(0) <TS val ... ecr 5>");
    let wanted = OptionSpec::Timestamp { value: None, echo: 5, echo_absolute: false };
    assert_eq!(echo.options, OptionsSpec::Exact(vec![wanted]));
    assert_eq!(tcp("+0 < - 1:1(0)").flags.bits, 0);
    assert_eq!(tcp("+0 < FPU.EW 1:1(0)").flags.bits, 0xf9);
    assert_eq!(tcp("+0 < S.5 1:1(0)").flags.ace, Some(5));
}

#[test]
fn options_with_bytes_keep_leading_zeros() {
    let cookie = |text: &str| tcp(&format!("+0 < S 0:0(0) win 1 <{text}>")).options;
    let exact = |option| OptionsSpec::Exact(vec![option]);
    assert_eq!(cookie("FO 0102"), exact(OptionSpec::FastOpen(vec![1, 2])));
    assert_eq!(cookie("FO"), exact(OptionSpec::FastOpen(vec![])));
    assert_eq!(cookie("FOEXP 8b7d"), exact(OptionSpec::FastOpenExperimental(vec![0x8b, 0x7d])));
    assert_eq!(cookie("md5 valid"), exact(OptionSpec::Md5(None)));
    assert_eq!(cookie("gen-30 ff"), exact(OptionSpec::Other(30, vec![0xff])));
    assert_eq!(cookie("exp-f989"), exact(OptionSpec::Other(254, vec![0xf9, 0x89])));
    assert_eq!(cookie("0204"), OptionsSpec::Raw(vec![2, 4]));
    assert_eq!(cookie("sack 1:2 3:4"), exact(OptionSpec::Sack(vec![(1, 2), (3, 4)])));
}

#[test]
fn ip_fields_stand_in_either_bracket() {
    let packet = |source: &str| match one(source).action {
        Action::Packet(packet) => packet,
        other => panic!("{other:?}"),
    };
    let fields = packet("+0 > (tos 0xe0, ttl 4) . 1:1(0)").ip;
    assert_eq!((fields.tos.all, fields.ttl), (Some(0xe0), Some(4)));
    assert_eq!(packet("+0 < [ect0] . 1:1(0)").ip.tos.ecn, Some(EcnSpec::Bits(2)));
    assert_eq!(packet("+0 > [ect01] . 1:1(0)").ip.tos.ecn, Some(EcnSpec::Ect01));
    assert_eq!(packet("+0 < (hlim 3) . 1:1(0)").ip.ttl, Some(3));
    let ports = packet("+0 < 5000 > 80 S 0:0(0) win 1");
    assert_eq!(ports.direction, Direction::Inbound);
    assert!(matches!(ports.body, Body::Tcp(TcpSpec { ports: Some((5000, 80)), .. })));
    let outer = packet("+0 < ipv4 1.2.3.4 > 5.6.7.8: ipv6 ::1 > 2001:db8::1: udp (7)");
    assert_eq!(outer.outer.len(), 2);
    assert_eq!(outer.body, Body::Udp { ports: None, length: 7 });
}

#[test]
fn icmp_quotes_a_packet() {
    let Action::Packet(packet) = one("+0 < icmp unreachable frag_needed mtu 500 [1:3(2)]").action
    else {
        panic!()
    };
    let Body::Icmp(icmp) = packet.body else { panic!() };
    assert_eq!((icmp.kind.as_str(), icmp.code.as_deref()), ("unreachable", Some("frag_needed")));
    assert_eq!(icmp.mtu, Some(500));
    assert!(matches!(icmp.quoted, Some(Quoted::Tcp { seq, .. }) if seq.length == 2));
}

#[test]
fn older_scripts_quote_first() {
    let Action::Packet(packet) = one("1 < [1:3(2)] icmp unreachable frag_needed mtu 500").action
    else {
        panic!()
    };
    let Body::Icmp(icmp) = packet.body else { panic!() };
    assert!(matches!(icmp.quoted, Some(Quoted::Tcp { seq, .. }) if seq.length == 2));
    assert_eq!(icmp.mtu, Some(500));
}

#[test]
fn other_protocols_are_stepped_over() {
    let script = read(
        "0 < sctp: INIT[flgs=0, tag=1, a_rwnd=1500,\n  os=1, is=1, tsn=1]\n+0 > sctp: ABORT[]\n\
         * > . 1:1(0) ack 1\n0.5 < icmp unreachable [sctp(1)]\n",
    );
    assert_eq!(script.events.len(), 4);
    let body = |at: usize| match &script.events[at].action {
        Action::Packet(packet) => packet.body.clone(),
        other => panic!("{other:?}"),
    };
    assert!(matches!(body(0), Body::Other(_)));
    assert!(matches!(body(2), Body::Tcp(_)));
    let Body::Icmp(icmp) = body(3) else { panic!() };
    assert_eq!(icmp.quoted, Some(Quoted::Other("sctp".into())));
}

#[test]
fn calls_have_structures_strings_and_errors() {
    let call = |source: &str| match one(source).action {
        Action::Call(call) => call,
        other => panic!("{other:?}"),
    };
    let read = call("+0 read(3, ..., 10) = -1 EAGAIN (Resource temporarily unavailable)");
    assert_eq!(read.arguments, [Expr::Integer(3), Expr::Ellipsis, Expr::Integer(10)]);
    assert_eq!((read.result, read.errno.as_deref()), (Expr::Integer(-1), Some("EAGAIN")));
    assert_eq!(read.note.as_deref(), Some("Resource temporarily unavailable"));
    let flags = call("+0 fcntl(3, F_GETFL) = 0x02 (flags O_RDWR)");
    assert_eq!((flags.result, flags.errno), (Expr::Integer(2), None));
    let text = call("+0 write(3, \"a\\x41\" \"\\n\", 3) = 3");
    assert_eq!(text.arguments[1], Expr::Text(b"aA\n".to_vec()));
    let poll = call("+0 poll([{fd=3, events=POLLIN|POLLOUT, revents=POLLIN}], 1, 0) = 1");
    let Expr::List(list) = &poll.arguments[0] else { panic!() };
    let Expr::Struct(fields) = &list[0] else { panic!() };
    assert_eq!(fields[1].name.as_deref(), Some("events"));
    assert!(matches!(fields[1].value, Expr::Or(..)));
    let message =
        call("+0 sendmsg(3, {msg_name(...)=..., msg_iov(1)=[{..., 5}], msg_flags=0}, 0) = 5");
    let Expr::Struct(fields) = &message.arguments[1] else { panic!() };
    assert_eq!(fields[1].index, Some(Expr::Integer(1)));
}

#[test]
fn what_ifdef_and_define_say_holds_for_the_rest() {
    let source = "--define=CC=\"reno\"\n#ifdef A\n0 `a`\n#endif\n#ifdef B\n0 `b`\n#endif\n\
                  0 setsockopt(3, IPPROTO_TCP, TCP_CONGESTION, CC, 4) = 0\n";
    let defines = BTreeMap::from([("A".to_owned(), String::new())]);
    let script = parse(Path::new("t"), source, &defines).unwrap();
    assert_eq!(script.events[0].action, Action::Command("a".into()));
    let Action::Call(call) = &script.events[1].action else { panic!() };
    assert_eq!(call.arguments[3], Expr::Text(b"reno".to_vec()));
    assert_eq!(script.events.len(), 2);
}

#[test]
fn commands_without_a_time_stand_first_and_last() {
    let script = read("--mtu=1280\n--x\n`init`\n0 `now`\n`end`\n");
    assert_eq!(script.options[0].value.as_deref(), Some("1280"));
    assert_eq!(script.options[1].value, None);
    assert_eq!((script.init.as_deref(), script.cleanup.as_deref()), (Some("init"), Some("end")));
    assert_eq!(read("s// comment\n0 `now`\n").stray.as_deref(), Some("s"));
}

#[test]
fn errors_name_file_and_line() {
    let cases = [
        ("// a\n/* b\n */ 0 ! . 1:1(0)", "test.pkt:3: expected a packet"),
        ("0 < S 0:1(0) win 1", "test.pkt:1: 0:1 is not 0 bytes long"),
        ("\n0 > X 0:0(0)", "unknown TCP flag: X"),
        ("0 > . 0:0(0) <foo 1>", "unknown TCP option: foo"),
        ("0 > . 0:0(0) win 70000", "a window is out of range: 70000"),
        ("* < . 0:0(0)", "only an expected packet"),
        ("2~1 > . 0:0(0)", "backwards"),
        ("0 `a\n", "test.pkt:1: a ` that is not closed"),
        ("#ifdef A\n0 `a`\n", "test.pkt:1: #ifdef without #endif"),
        ("0 close(3 = 0", "expected ',', found '='"),
        ("0 `a`\n`b`\n0 `c`", "expected the end of the script"),
    ];
    for (source, wanted) in cases {
        let message = refuse(source);
        assert!(message.contains(wanted), "{source:?} gave {message}");
    }
}

#[test]
fn what_nests_without_end_is_refused() {
    let deep = format!("0 f({}1{}) = 0", "[".repeat(5000), "]".repeat(5000));
    assert!(refuse(&deep).contains("nests too deep"));
    let code = format!("assert {}1{}", "(".repeat(5000), ")".repeat(5000));
    assert!(matches!(Scope::default().run(&code), Err(CodeError::Invalid(_))));
}

#[test]
fn assertions_are_counted_and_told() {
    let mut scope = Scope::default();
    scope.set("tcpi_rtt", 5000_u32);
    scope.set("flags", 5_u32);
    let held = scope.run("x = 3; x += 2\nassert x == 5, x # why\nassert 1 <= tcpi_rtt <= 9000");
    assert_eq!(held, Ok(2));
    assert_eq!(scope.run("assert (flags & 4) != 0 and not flags == 4 or False"), Ok(1));
    assert_eq!(scope.run("assert 2 + 3 * 4 == 14 and -2 ** 2 == -4 and 7 // 2 == 3"), Ok(1));
    assert_eq!(scope.run("assert x == 5, \\\n  'no'"), Ok(1));
    assert_eq!(scope.run("assert x == 5;\\\n assert x > 4;\\"), Ok(2));
    let failed = scope.run("assert x == 6, 'x=%d of %s' % (x, flags)");
    assert_eq!(failed, Err(CodeError::Assertion("x == 6 (x=5 of 5)".into())));
    assert_eq!(scope.run("assert tcpi_nothing == 1"), Err(CodeError::Name("tcpi_nothing".into())));
    for wrong in ["assert", "assert 1 1", "1 / 0", "import os", "assert 'a' < 1", "x = = 2"] {
        assert!(matches!(scope.run(wrong), Err(CodeError::Invalid(_))), "{wrong}");
    }
}
