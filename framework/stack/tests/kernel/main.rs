//! What a Linux kernel answers to odd packets, and what we do.
//!
//! `cases.txt` has questions and the kernel's answers, as `record.py` heard them; here the stack is asked
//! the same. Where the two differ, `differences.txt` says why: a difference that is not there fails, and
//! so does one that is there and none any more.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "a test")]

mod said;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bytes::Bytes;
use fyke_clock::Instant;
use fyke_stack::wire::MacAddress;
use fyke_stack::{ListenOptions, Medium, RxMeta, Seed, Stack, StackConfig, UdpId, UdpOptions};

use said::said;

const CASES: &str = include_str!("cases.txt");
const DIFFERENCES: &str = include_str!("differences.txt");

/// One question and its answers.
#[derive(Default)]
struct Case {
    name: String,
    asked: Vec<Vec<u8>>,
    kernel: Vec<Vec<u8>>,
}

/// Bytes in hexadecimal, perhaps with a count of zeros behind them.
fn bytes_of(text: &str) -> Vec<u8> {
    let (hex, zeros) = text.split_once('+').unwrap_or((text, "0"));
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    let mut bytes: Vec<u8> = (0..hex.len()).step_by(2).map(digit).collect();
    bytes.resize(bytes.len() + zeros.parse::<usize>().unwrap(), 0);
    bytes
}

fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in CASES.lines() {
        match (line.split_once(' '), cases.last_mut()) {
            (Some(("=", name)), _) => {
                cases.push(Case { name: name.to_owned(), ..Case::default() });
            }
            (Some((">", frame)), Some(case)) => case.asked.push(bytes_of(frame)),
            (Some(("<", frame)), Some(case)) => case.kernel.push(bytes_of(frame)),
            _ => assert!(line.is_empty() || line.starts_with('#'), "{line}"),
        }
    }
    cases
}

/// Why a case differs, by its name.
fn differences() -> BTreeMap<&'static str, &'static str> {
    let mut reasons = BTreeMap::new();
    let mut reason = "";
    for line in DIFFERENCES.lines() {
        if let Some(why) = line.strip_prefix("# ") {
            reason = why;
        } else if !line.is_empty() {
            assert!(!reason.is_empty(), "{line} has no reason");
            assert_eq!(reasons.insert(line, reason), None, "{line} stands there twice");
        }
    }
    reasons
}

/// The host that the kernel was, with the same sockets.
struct Host {
    now: Instant,
    stack: Stack,
    echo: UdpId,
}

impl Host {
    fn new() -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        let mut config = StackConfig::new(Medium::Ethernet(MacAddress([2, 0, 0, 0, 0, 1])));
        config.duplicate_address_probes = 0;
        config.limits.icmp_errors_per_second = u32::MAX;
        config.limits.icmp_errors_per_second_each = u32::MAX;
        let mut stack = Stack::new(config, Seed::from(1), now);
        for address in ["10.99.0.1/24", "2001:db8:99::1/64", "fe80::1/64"] {
            stack.add_address(now, address.parse().unwrap()).unwrap();
        }
        for address in ["10.99.0.2", "10.99.0.9", "2001:db8:99::2", "fe80::2"] {
            let mac = MacAddress([2, 0, 0, 0, 0, 0x99]);
            stack.set_neighbor(now, address.parse().unwrap(), mac);
        }
        let echo = stack.udp_bind("[::]:7777".parse().unwrap(), UdpOptions::default()).unwrap();
        stack.listen("[::]:80".parse().unwrap(), ListenOptions::default()).unwrap();
        let mut host = Self { now, stack, echo };
        // What it says by itself.
        host.answers();
        host
    }

    fn answers(&mut self) -> Vec<Bytes> {
        while let Ok(datagram) = self.stack.udp_receive(self.echo) {
            if datagram.from.port() != 0 && !datagram.from.ip().is_unspecified() {
                let (to, payload) = (Some(datagram.from), datagram.payload);
                self.stack.udp_send(self.now, self.echo, to, payload).unwrap();
            }
        }
        let mut frames: Vec<Bytes> = Vec::new();
        self.stack.poll_transmit(self.now, &mut frames, usize::MAX);
        frames
    }

    fn ask(&mut self, case: &Case) -> Vec<Bytes> {
        let mut answers = Vec::new();
        for frame in &case.asked {
            self.stack.input(self.now, Bytes::copy_from_slice(frame), RxMeta::default());
            answers.extend(self.answers());
        }
        answers
    }
}

fn words(frames: &[impl AsRef<[u8]>], case: &Case) -> Vec<String> {
    let mut words: Vec<_> =
        frames.iter().filter_map(|frame| said(frame.as_ref(), &case.asked)).collect();
    words.sort();
    words
}

/// Each question alone: what the kernel kept of one for the next is not ours to guess.
#[test]
fn odd_packets_are_answered_as_by_the_kernel_or_for_a_reason() {
    let reasons = differences();
    let (mut wrong, mut used) = (String::new(), 0);
    for case in cases() {
        let (ours, kernel) = (words(&Host::new().ask(&case), &case), words(&case.kernel, &case));
        let reason = reasons.get(case.name.as_str());
        used += usize::from(reason.is_some());
        if (ours == kernel) == reason.is_some() {
            writeln!(wrong, "{}\n  kernel {kernel:?}\n  ours   {ours:?}", case.name).unwrap();
        }
    }
    assert!(wrong.is_empty(), "not as differences.txt says:\n{wrong}");
    assert_eq!(used, reasons.len(), "a difference is told of a case that there is none of");
}
