//! Looking on at an interface.
#![cfg(target_os = "linux")]
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "a test")]

use std::io::{self, ErrorKind};
use std::net::UdpSocket;
use std::time::Duration;

use fyke_poller::sys::PacketSocket;

/// A socket on an interface; `None` where it is not permitted.
fn open(interface: &str) -> Option<io::Result<PacketSocket>> {
    match PacketSocket::open(interface) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            println!("skipped: looking on at interfaces takes CAP_NET_RAW");
            None
        }
        opened => Some(opened),
    }
}

#[test]
fn a_datagram_on_the_loopback_is_seen_as_it_leaves_and_as_it_comes() {
    let Some(opened) = open("lo") else { return };
    let packets = opened.unwrap();
    packets.set_timeout(Duration::from_secs(60)).unwrap();
    let (sender, receiver) =
        (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let text = b"a datagram that nobody else on this machine would send: 1834720";
    sender.send_to(text, receiver.local_addr().unwrap()).unwrap();
    let (mut buffer, mut directions) = ([0; 50], Vec::new());
    while directions.len() < 2 {
        let seen = packets.receive(&mut buffer).unwrap();
        // Other tests talk on the loopback, too.
        if seen.full_len == 14 + 20 + 8 + text.len() && buffer[42..] == text[..8] {
            assert_eq!(seen.len, 50, "it is cut to the buffer");
            directions.push(seen.outgoing);
        }
    }
    assert_eq!(directions, [true, false]);
}

#[test]
fn an_interface_that_is_not_there_is_an_error() {
    let Some(opened) = open("no-such-thing") else { return };
    assert_eq!(opened.unwrap_err().raw_os_error(), Some(19), "ENODEV");
}
