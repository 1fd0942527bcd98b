//! Echo over pipelines on the stack, with the kernel's TCP as the client.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::thread;

use fyke_poller::Backend;
use fyke_transport::userspace::{Impaired, Impairment, TapOptions};

use crate::runner::{Needs, Test};
use crate::support::{PORT, STACK, noise, open, serve_queue};

pub(crate) const TESTS: &[Test] = &[
    ("a_mebibyte_comes_back_with_every_offload", Needs::Namespace, every_offload),
    ("a_mebibyte_comes_back_over_every_poller", Needs::Namespace, every_poller),
    ("the_stack_answers_after_the_clients_end", Needs::Namespace, half_close),
    ("a_thousand_connections_at_once", Needs::Namespace, thousand),
    ("every_byte_survives_a_bad_wire", Needs::Namespace, bad_wire),
    ("ipv6_works_as_well", Needs::Namespace, ipv6),
];

fn connect() -> TcpStream {
    TcpStream::connect((IpAddr::from(STACK), PORT)).unwrap()
}

/// Sends `bytes` and the end on one thread, and reads what comes back on this one.
fn round_trip(mut reader: TcpStream, bytes: Vec<u8>) -> Vec<u8> {
    let mut writer = reader.try_clone().unwrap();
    let sender = thread::spawn(move || {
        writer.write_all(&bytes).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut got = Vec::new();
    reader.read_to_end(&mut got).unwrap();
    sender.join().unwrap();
    got
}

fn echo_all(backend: Backend, options: &TapOptions) {
    let sent = noise(1 << 20);
    let bytes = sent.clone();
    let got = serve_queue(backend, open(options), move || round_trip(connect(), bytes));
    assert!(got == sent, "{options:?} over {backend}: what came back is something else");
}

fn every_offload() {
    for (vnet, offload) in [(true, true), (true, false), (false, false)] {
        echo_all(Backend::EpollLevel, &TapOptions::default().vnet_hdr(vnet).offload(offload));
    }
}

fn every_poller() {
    for backend in Backend::ALL {
        echo_all(backend, &TapOptions::default());
    }
}

fn half_close() {
    serve_queue(Backend::EpollLevel, open(&TapOptions::default()), || {
        let mut client = connect();
        client.write_all(b"last words").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut got = String::new();
        client.read_to_string(&mut got).unwrap();
        assert_eq!(got, "last words");
    });
}

fn thousand() {
    serve_queue(Backend::EpollLevel, open(&TapOptions::default()), || {
        let mut clients: Vec<TcpStream> = (0..1000).map(|_| connect()).collect();
        let ports: HashSet<u16> =
            clients.iter().map(|client| client.local_addr().unwrap().port()).collect();
        assert_eq!(ports.len(), clients.len());
        for round in 0..3_u8 {
            for (number, client) in clients.iter_mut().enumerate() {
                client.write_all(&[round ^ number as u8; 700]).unwrap();
            }
            for (number, client) in clients.iter_mut().enumerate() {
                let mut got = [0; 700];
                client.read_exact(&mut got).unwrap();
                assert_eq!(got, [round ^ number as u8; 700]);
            }
        }
    });
}

fn bad_wire() {
    for (seed, vnet) in [(1, true), (2, false)] {
        let sent = noise(4 << 20);
        let bytes = sent.clone();
        let queue = open(&TapOptions::default().vnet_hdr(vnet));
        let bad = Impairment::new(seed).loss(0.01).reorder(0.02).duplicate(0.01);
        let got = crate::support::serve_device(
            Backend::EpollLevel,
            queue,
            move |queue| Impaired::new(queue.into_device(), bad),
            move || round_trip(connect(), bytes),
        );
        assert!(got == sent, "seed {seed}: what came back is something else");
    }
}

fn ipv6() {
    let options = TapOptions::default().address("fd00:7::1/64".parse().unwrap());
    let stack: IpAddr = "fd00:7::2".parse().unwrap();
    let sent = noise(1 << 20);
    let bytes = sent.clone();
    let got = serve_queue(Backend::EpollLevel, open(&options), move || {
        // At once: the kernel's address on the device needs no second of duplicate detection, in which
        // it would connect from `::1`.
        let client = TcpStream::connect((stack, PORT)).unwrap();
        assert_eq!(client.local_addr().unwrap().ip(), "fd00:7::1".parse::<IpAddr>().unwrap());
        round_trip(client, bytes)
    });
    assert!(got == sent);
}
