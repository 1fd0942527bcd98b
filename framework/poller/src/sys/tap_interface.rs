//! The kernel's side of a network interface: its addresses, its MTU, up or down (netdevice(7)).

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, socket_with};

use super::tap::{interface_ioctl, named};

/// One interface by its name. Looking at it needs no right, changing it CAP_NET_ADMIN.
#[derive(Debug)]
pub struct Interface {
    /// A socket is what these calls are made on; which one does not matter.
    socket: OwnedFd,
    name: String,
}

impl Interface {
    /// The interface called `name`, which need not exist yet.
    ///
    /// # Errors
    /// `InvalidInput` for a name that none can have; when no socket can be had.
    pub fn new(name: &str) -> io::Result<Self> {
        named(name)?;
        Ok(Self { socket: datagram_socket(AddressFamily::INET)?, name: name.to_owned() })
    }

    /// Its index; `None` when there is no such interface.
    ///
    /// # Errors
    /// What the system says.
    pub fn index(&self) -> io::Result<Option<u32>> {
        match rustix::net::netdevice::name_to_index(&self.socket, &self.name) {
            Ok(index) => Ok(Some(index)),
            Err(rustix::io::Errno::NODEV) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether it is up.
    ///
    /// # Errors
    /// When it does not exist.
    pub fn is_up(&self) -> io::Result<bool> {
        Ok(self.flags()? & libc::IFF_UP as libc::c_short != 0)
    }

    /// Brings it up or down.
    ///
    /// # Errors
    /// When it does not exist; without the right.
    pub fn set_up(&self, up: bool) -> io::Result<()> {
        let mut request = named(&self.name)?;
        let flags = self.flags()?;
        let bit = libc::IFF_UP as libc::c_short;
        request.ifr_ifru.ifru_flags = if up { flags | bit } else { flags & !bit };
        interface_ioctl(&self.socket, libc::SIOCSIFFLAGS, &mut request)
    }

    /// The longest packet, without the link's header.
    ///
    /// # Errors
    /// When it does not exist.
    pub fn mtu(&self) -> io::Result<u32> {
        let mut request = named(&self.name)?;
        interface_ioctl(&self.socket, libc::SIOCGIFMTU, &mut request)?;
        // SAFETY: SIOCGIFMTU has written this member; it is an integer, so whatever is there is a value.
        let mtu = unsafe { request.ifr_ifru.ifru_mtu };
        Ok(mtu.try_into().unwrap_or(0))
    }

    /// Sets the longest packet.
    ///
    /// # Errors
    /// `InvalidInput` for one that it cannot have; without the right.
    pub fn set_mtu(&self, bytes: u32) -> io::Result<()> {
        let mut request = named(&self.name)?;
        request.ifr_ifru.ifru_mtu = bytes.try_into().unwrap_or(libc::c_int::MAX);
        interface_ioctl(&self.socket, libc::SIOCSIFMTU, &mut request)
    }

    /// Its Ethernet address.
    ///
    /// # Errors
    /// When it does not exist.
    pub fn mac(&self) -> io::Result<[u8; 6]> {
        let mut request = named(&self.name)?;
        interface_ioctl(&self.socket, libc::SIOCGIFHWADDR, &mut request)?;
        // SAFETY: SIOCGIFHWADDR has written this member; it consists of integers.
        let address = unsafe { request.ifr_ifru.ifru_hwaddr };
        let mut mac = [0; 6];
        mac.iter_mut().zip(address.sa_data).for_each(|(to, from)| *to = from as u8);
        Ok(mac)
    }

    /// Gives it an address whose first `prefix` bits name the network: its IPv4 address, or one more
    /// IPv6 address, usable at once (without a search for duplicates, RFC 4862 section 5.4: the only
    /// other end of a new device's wire is the caller).
    ///
    /// # Errors
    /// `AlreadyExists` for an IPv6 address that it has; `PermissionDenied` without the right, and for
    /// IPv6 where that is switched off.
    pub fn set_address(&self, address: IpAddr, prefix: u8) -> io::Result<()> {
        match address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
                self.set_inet(libc::SIOCSIFADDR, address)?;
                self.set_inet(libc::SIOCSIFNETMASK, mask.into())
            }
            IpAddr::V6(address) => self.add_inet6(address.octets(), prefix.min(128)),
        }
    }

    fn flags(&self) -> io::Result<libc::c_short> {
        let mut request = named(&self.name)?;
        interface_ioctl(&self.socket, libc::SIOCGIFFLAGS, &mut request)?;
        // SAFETY: SIOCGIFFLAGS has written this member; it is an integer.
        Ok(unsafe { request.ifr_ifru.ifru_flags })
    }

    fn set_inet(&self, call: libc::Ioctl, address: Ipv4Addr) -> io::Result<()> {
        let mut request = named(&self.name)?;
        let [a, b, c, d] = address.octets().map(|byte| byte as libc::c_char);
        // A `sockaddr_in` as its bytes: the port, then the address, in the network's order.
        request.ifr_ifru.ifru_addr = libc::sockaddr {
            sa_family: libc::AF_INET as libc::sa_family_t,
            sa_data: [0, 0, a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0],
        };
        interface_ioctl(&self.socket, call, &mut request)
    }

    fn add_inet6(&self, octets: [u8; 16], prefix: u8) -> io::Result<()> {
        let index = self.index()?.ok_or(io::ErrorKind::NotFound)?;
        ask_route(&new_inet6(index, octets, prefix))
    }
}

/// The length of a netlink message's header and of the kernel's answer's start (netlink(7)).
const HEADER: usize = 16;

/// RTM_NEWADDR with its header (rtnetlink(7)): one that must be new, and that shall be answered.
///
/// The address is usable at once: nobody has looked for a duplicate (IFA_F_NODAD). Until the kernel
/// has done that, which takes a second, it connects to the far end from `::1`, and never gets there.
fn new_inet6(index: u32, octets: [u8; 16], prefix: u8) -> Vec<u8> {
    let flags = libc::NLM_F_REQUEST | libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_EXCL;
    let mut message = vec![0; HEADER];
    // `ifaddrmsg`: family, prefix, eight bits of flags, scope, and the interface.
    message.extend([libc::AF_INET6 as u8, prefix, 0, libc::RT_SCOPE_UNIVERSE]);
    message.extend(index.to_ne_bytes());
    attribute(&mut message, libc::IFA_LOCAL, &octets);
    attribute(&mut message, libc::IFA_ADDRESS, &octets);
    attribute(&mut message, libc::IFA_FLAGS, &u32::to_ne_bytes(libc::IFA_F_NODAD));
    let len = message.len() as u32;
    message[..4].copy_from_slice(&len.to_ne_bytes());
    message[4..6].copy_from_slice(&libc::RTM_NEWADDR.to_ne_bytes());
    message[6..8].copy_from_slice(&(flags as u16).to_ne_bytes());
    message
}

/// Appends an `rtattr`. All that are used here end where the next may begin, on four bytes.
fn attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let len = 4 + value.len() as u16;
    message.extend(len.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(value);
}

/// Sends one message to the kernel's routing side and returns what it says.
fn ask_route(message: &[u8]) -> io::Result<()> {
    // No protocol is protocol 0, NETLINK_ROUTE.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    rustix::net::send(&socket, message, SendFlags::empty())?;
    let mut answer = [0; 256];
    let (len, _) = rustix::net::recv(&socket, &mut answer, RecvFlags::empty())?;
    // `nlmsgerr` begins with a negative errno, or nothing when all went well.
    let code = answer[..len].get(HEADER..).and_then(|rest| rest.first_chunk::<4>());
    match code.map(|bytes| i32::from_ne_bytes(*bytes)) {
        Some(0) => Ok(()),
        Some(errno) => Err(io::Error::from_raw_os_error(errno.wrapping_neg())),
        None => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn datagram_socket(family: AddressFamily) -> io::Result<OwnedFd> {
    Ok(socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_can_be_looked_at() {
        let lo = Interface::new("lo").unwrap();
        assert!(lo.index().unwrap().is_some());
        assert!(lo.mtu().unwrap() > 1000);
        assert_eq!(lo.mac().unwrap(), [0; 6]);
        lo.is_up().unwrap();
    }

    #[test]
    fn an_interface_that_is_not_there_has_no_index_and_nothing_else() {
        let none = Interface::new("fyke-none").unwrap();
        assert_eq!(none.index().unwrap(), None);
        assert_eq!(none.mtu().unwrap_err().raw_os_error(), Some(libc::ENODEV));
        assert_eq!(none.is_up().unwrap_err().raw_os_error(), Some(libc::ENODEV));
        none.set_address([10, 7, 0, 1].into(), 24).unwrap_err();
        let error = none.set_address(IpAddr::from([0xfd; 16]), 64).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert_eq!(Interface::new("").unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
