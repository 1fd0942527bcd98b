//! The stack's refusals as the errors that the kernel gives for the same.

use std::io::{self, ErrorKind};

use fyke_core::Address;
use fyke_stack::StackError;
use fyke_stack::tcp::CloseReason;
use std::net::SocketAddr;

/// An error with the stack's as its source.
pub(super) fn io_error(error: StackError) -> io::Error {
    let kind = match error {
        StackError::Closed(reason) => kind_of_close(reason),
        StackError::NoSuchSocket | StackError::NotConnected => ErrorKind::NotConnected,
        // A port of a host of several loops that another of them has.
        StackError::AddressInUse | StackError::OtherShard(_) => ErrorKind::AddrInUse,
        StackError::AddressNotAvailable | StackError::NoPorts => ErrorKind::AddrNotAvailable,
        StackError::InvalidAddress | StackError::InvalidOption => ErrorKind::InvalidInput,
        StackError::Unreachable => ErrorKind::NetworkUnreachable,
        StackError::LimitReached => ErrorKind::QuotaExceeded,
        StackError::WouldBlock => ErrorKind::WouldBlock,
        StackError::Shutdown => ErrorKind::BrokenPipe,
        StackError::MessageTooLong => ErrorKind::FileTooLarge,
        StackError::ConnectionRefused => ErrorKind::ConnectionRefused,
        _ => ErrorKind::Other,
    };
    io::Error::new(kind, error)
}

/// Why a connection is over, as an error.
pub(super) fn close_error(reason: CloseReason) -> io::Error {
    io::Error::new(kind_of_close(reason), StackError::Closed(reason))
}

fn kind_of_close(reason: CloseReason) -> ErrorKind {
    match reason {
        CloseReason::Reset => ErrorKind::ConnectionReset,
        CloseReason::Refused | CloseReason::PortUnreachable => ErrorKind::ConnectionRefused,
        CloseReason::Unreachable => ErrorKind::HostUnreachable,
        CloseReason::OutOfMemory => ErrorKind::OutOfMemory,
        reason if reason.is_timeout() => ErrorKind::TimedOut,
        // What we ended ourselves takes nothing more.
        _ => ErrorKind::BrokenPipe,
    }
}

pub(super) fn not_open() -> io::Error {
    io::Error::new(ErrorKind::NotConnected, "the handle is not open")
}

pub(super) fn invalid(text: impl Into<String>) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, text.into())
}

/// The IP address and port of an address; an IPv4 address in IPv6's clothes is an IPv4 address.
pub(super) fn inet(address: &Address) -> io::Result<SocketAddr> {
    match address.as_inet() {
        Some(inet) => Ok(SocketAddr::new(inet.ip().to_canonical(), inet.port())),
        None => Err(io::Error::new(
            ErrorKind::Unsupported,
            format!("the userspace stack has no address {address}"),
        )),
    }
}

/// Why the device is gone; errors of the system cannot be copied.
#[derive(Debug)]
pub(super) struct Failure {
    kind: ErrorKind,
    text: String,
}

impl Failure {
    pub(super) fn new(device: &str, error: &io::Error) -> Self {
        Self { kind: error.kind(), text: format!("the device {device} is gone: {error}") }
    }

    /// The error again.
    pub(super) fn error(&self) -> io::Error {
        io::Error::new(self.kind, self.text.clone())
    }
}
