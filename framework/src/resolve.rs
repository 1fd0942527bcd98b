//! What bootstraps take as an address.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use fyke_core::Address;

/// Anything that names addresses: `"127.0.0.1:80"`, `"localhost:80"`, `("::1", 80)`, a
/// `SocketAddr`, `"unix:/run/x.sock"`, `"local:name"`, an [`Address`].
///
/// A host name is looked up with the operating system's resolver, which blocks.
pub trait ToAddresses {
    /// The addresses, in the order in which to try them.
    ///
    /// # Errors
    /// When the name cannot be looked up.
    fn to_addresses(&self) -> io::Result<Vec<Address>>;
}

fn inet(addresses: impl ToSocketAddrs) -> io::Result<Vec<Address>> {
    Ok(addresses.to_socket_addrs()?.map(Address::Inet).collect())
}

impl ToAddresses for str {
    fn to_addresses(&self) -> io::Result<Vec<Address>> {
        match self.parse() {
            Ok(address) => Ok(vec![address]),
            Err(_) => inet(self),
        }
    }
}

impl ToAddresses for String {
    fn to_addresses(&self) -> io::Result<Vec<Address>> {
        self.as_str().to_addresses()
    }
}

impl ToAddresses for Address {
    fn to_addresses(&self) -> io::Result<Vec<Address>> {
        Ok(vec![self.clone()])
    }
}

impl ToAddresses for SocketAddr {
    fn to_addresses(&self) -> io::Result<Vec<Address>> {
        Ok(vec![Address::Inet(*self)])
    }
}

impl ToAddresses for (IpAddr, u16) {
    fn to_addresses(&self) -> io::Result<Vec<Address>> {
        Ok(vec![Address::Inet((*self).into())])
    }
}

impl ToAddresses for (&str, u16) {
    fn to_addresses(&self) -> io::Result<Vec<Address>> {
        inet(*self)
    }
}

impl<T: ToAddresses + ?Sized> ToAddresses for &T {
    fn to_addresses(&self) -> io::Result<Vec<Address>> {
        (**self).to_addresses()
    }
}

/// Tries `each` address until one works; the last error is the one that is told.
pub(crate) fn first_that_works<T>(
    addresses: impl ToAddresses,
    mut each: impl FnMut(Address) -> io::Result<T>,
) -> io::Result<T> {
    let mut last = io::Error::new(io::ErrorKind::AddrNotAvailable, "the name has no address");
    for address in addresses.to_addresses()? {
        match each(address) {
            Ok(made) => return Ok(made),
            Err(error) => last = error,
        }
    }
    Err(last)
}
