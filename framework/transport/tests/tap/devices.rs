//! Making, attaching to, sharing and losing devices.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream, UdpSocket};
use std::os::fd::AsFd;

use fyke_poller::Backend;
use fyke_poller::sys::Interface;
use fyke_transport::userspace::{Device, TapError, TapOptions};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use crate::runner::{Needs, Test};
use crate::support::{KERNEL, PORT, STACK, open, serve_queue};

pub(crate) const TESTS: &[Test] = &[
    ("a_new_device_is_set_up_and_goes_with_its_queue", Needs::Namespace, new_device),
    ("an_existing_device_is_left_as_it_is", Needs::Namespace, existing_device),
    ("what_is_asked_for_is_changed_on_an_existing_device", Needs::Namespace, changed_device),
    ("a_device_has_as_many_queues_as_asked_for", Needs::Namespace, several_queues),
    ("a_device_with_an_owner_is_refused", Needs::Namespace, owned_device),
    ("a_right_that_is_missing_is_named", Needs::NoRights, missing_right),
    ("a_device_that_vanishes_ends_its_channels_only", Needs::Namespace, vanished_device),
];

/// Whether the kernel has this address.
fn is_ours(address: impl Into<IpAddr>) -> bool {
    UdpSocket::bind((address.into(), 0)).is_ok()
}

fn new_device() {
    let interface = Interface::new("fyke0").unwrap();
    assert_eq!(interface.index().unwrap(), None);
    let options = TapOptions::default().mtu(1400);
    let queue = open(&options);
    assert!(interface.is_up().unwrap());
    assert_eq!((interface.mtu().unwrap(), queue.mtu()), (1400, 1400));
    assert!(is_ours(KERNEL) && !is_ours(STACK));
    let device = queue.into_device();
    assert!(device.offload().checksum && device.offload().gso_bytes_max > 60_000);
    drop(device);
    assert_eq!(interface.index().unwrap(), None);

    let six = TapOptions::new("other").address("fd00:7::1/64".parse().unwrap());
    let queue = open(&six.vnet_hdr(false));
    assert!(!is_ours(KERNEL), "only what was asked for");
    let device = queue.into_device();
    assert!(device.offload().checksum, "what the kernel is not asked to do is done here");
    assert!(Interface::new("other").unwrap().is_up().unwrap());
    let bare = open(&TapOptions::new("bare").without_address());
    assert!(Interface::new("bare").unwrap().is_up().unwrap());
    drop(bare);
}

fn existing_device() {
    let first = open(&TapOptions::default().address("10.9.0.1/24".parse().unwrap()));
    first.set_persistent(true).unwrap();
    drop(first);
    let interface = Interface::new("fyke0").unwrap();
    assert!(interface.index().unwrap().is_some(), "it stays");
    // It was made with one queue, so that is all there is to have.
    let queues = TapOptions::default().queues(4).open().unwrap();
    assert_eq!(queues.len(), 1);
    assert!(is_ours([10, 9, 0, 1]) && !is_ours(KERNEL));
    drop(queues);

    interface.set_up(false).unwrap();
    let queue = open(&TapOptions::default());
    assert!(!interface.is_up().unwrap(), "left as it is");
    queue.set_persistent(false).unwrap();
    drop(queue);
    assert_eq!(interface.index().unwrap(), None);
}

fn changed_device() {
    let first = open(&TapOptions::default());
    first.set_persistent(true).unwrap();
    drop(first);
    let interface = Interface::new("fyke0").unwrap();
    interface.set_up(false).unwrap();
    let address = "10.9.0.1/24".parse().unwrap();
    let queue = open(&TapOptions::default().address(address).mtu(9000).offload(false));
    assert!(interface.is_up().unwrap() && is_ours([10, 9, 0, 1]));
    assert_eq!((queue.mtu(), interface.mtu().unwrap()), (9000, 9000));
}

fn several_queues() {
    let queues = TapOptions::default().queues(3).open().unwrap();
    assert_eq!(queues.len(), 3);
    queues[0].set_persistent(true).unwrap();
    drop(queues);
    // It was made for several: one is opened the other way.
    assert_eq!(TapOptions::default().open().unwrap().len(), 1);
}

fn owned_device() {
    let _owner = open(&TapOptions::default());
    let error = TapOptions::default().open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceBusy);
    assert!(error.to_string().contains("another program"), "{error}");
    // An interface that is no TAP device.
    let error = TapOptions::new("lo").open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let error = TapOptions::new("no such name").open().unwrap_err();
    assert!(error.get_ref().is_some_and(|inner| inner.is::<TapError>()));
}

/// In a user namespace without root's rights, which everybody has.
fn missing_right() {
    let error = TapOptions::default().open().unwrap_err();
    let text = error.to_string();
    for part in ["fyke0", "CAP_NET_ADMIN", "unshare -Urn"] {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}

fn vanished_device() {
    Interface::new("lo").unwrap().set_up(true).unwrap();
    let queue = open(&TapOptions::default());
    let fd = queue.as_fd().try_clone_to_owned().unwrap();
    serve_queue(Backend::EpollLevel, queue, || {
        let mut beside = TcpStream::connect((Ipv4Addr::LOCALHOST, PORT)).unwrap();
        let mut client = TcpStream::connect((IpAddr::from(STACK), PORT)).unwrap();
        echo(&mut beside);
        echo(&mut client);
        delete_interface("fyke0");
        // The kernel's channels on the same loop go on; those of the device have ended.
        echo(&mut beside);
        let error = TcpStream::connect((IpAddr::from(STACK), PORT)).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NetworkUnreachable), "{error}");
    });
    let error = fyke_poller::sys::read_frame(&fd, &mut [0; 9]).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::BADFD.raw_os_error()));
}

fn echo(client: &mut TcpStream) {
    client.write_all(b"hello").unwrap();
    let mut got = [0; 5];
    client.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"hello");
}

/// RTM_DELLINK (rtnetlink(7)).
fn delete_interface(name: &str) {
    const DELETE_LINK: u16 = 17;
    const REQUEST_WITH_ACK: u16 = 1 | 4;
    let index = Interface::new(name).unwrap().index().unwrap().unwrap();
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        None, // NETLINK_ROUTE is protocol 0
    )
    .unwrap();
    let mut message = Vec::new();
    message.extend(32_u32.to_ne_bytes());
    message.extend(DELETE_LINK.to_ne_bytes());
    message.extend(REQUEST_WITH_ACK.to_ne_bytes());
    message.extend([0; 8]); // number, sender
    message.extend([0; 4]); // family, padding, type
    message.extend(index.to_ne_bytes());
    message.extend([0; 8]); // flags, what to change
    let kernel = SocketAddrNetlink::new(0, 0);
    rustix::net::sendto(&socket, &message, SendFlags::empty(), &kernel).unwrap();
    let mut answer = [0; 64];
    rustix::net::recv(&socket, &mut answer, RecvFlags::empty()).unwrap();
    let code = i32::from_ne_bytes(answer[16..20].try_into().unwrap());
    assert_eq!(code, 0, "the interface could not be deleted");
}
