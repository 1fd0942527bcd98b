//! The kernel pings the stack: ARP, ICMP, and fragments both ways.

use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use fyke_poller::Backend;
use fyke_transport::userspace::TapOptions;
use socket2::{Domain, Protocol, Socket, Type};

use crate::runner::{Needs, Test};
use crate::support::{STACK, noise, open, serve_queue};

pub(crate) const TESTS: &[Test] = &[
    ("the_kernel_pings_the_stack", Needs::Namespace, ping),
    ("the_kernel_pings_the_stack_over_ipv6", Needs::Namespace, ping6),
];

fn ping() {
    for vnet in [true, false] {
        serve_queue(Backend::EpollLevel, open(&TapOptions::default().vnet_hdr(vnet)), || {
            let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)).unwrap();
            // 4000 bytes are three fragments, and so is the answer.
            for len in [0, 56, 4000, 20_000] {
                exchange(&socket, STACK.into(), (8, 0), 20, len);
            }
        });
    }
}

fn ping6() {
    let options = TapOptions::default().address("fd00:7::1/64".parse().unwrap());
    let address = "fd00:7::2".parse().unwrap();
    serve_queue(Backend::EpollLevel, open(&options), move || {
        let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6)).unwrap();
        for len in [56, 4000] {
            exchange(&socket, address, (128, 129), 0, len);
        }
    });
}

/// Sends an echo request until its answer comes. What the kernel puts before it is `header` bytes.
fn exchange(socket: &Socket, to: IpAddr, (ask, answer): (u8, u8), header: usize, len: usize) {
    let mut request = vec![ask, 0, 0, 0, 0x12, 0x34, 0, len as u8];
    request.extend(noise(len));
    if header > 0 {
        let sum = fyke_stack::wire::Sum::new().with([&*request]).checksum();
        request[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    let to = SocketAddr::new(to, 0).into();
    // The kernel's own address may not be usable in the first second (duplicate detection).
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut buffer = vec![0; 70_000];
    for _ in 0..60 {
        if socket.send_to(&request, &to).is_err() {
            std::thread::yield_now();
        }
        // Others' messages come here, too.
        for _ in 0..10 {
            let Ok(count) = (&*socket).read(&mut buffer) else { break };
            let got = &buffer[header.min(count)..count];
            if got.first() == Some(&answer) && got[4..] == request[4..] {
                return;
            }
        }
    }
    panic!("no answer of {len} bytes from the stack");
}
