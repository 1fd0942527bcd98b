//! getsockopt and setsockopt.

use std::ffi::{c_int, c_void};

use fyke_packetdrill::run::{Call, OptionValue};
use libc::socklen_t;

use crate::abi::UserData;
use crate::calls::{value, with};
use crate::memory::{bytes, fill};
use crate::names::{self, TCP_INFO_WORDS};
use crate::world::World;

pub(crate) extern "C" fn getsockopt(
    userdata: UserData,
    fd: c_int,
    level: c_int,
    number: c_int,
    data: *mut c_void,
    length: *mut socklen_t,
) -> c_int {
    with(userdata, |world| {
        let name = names::option(level, number).ok_or(libc::ENOPROTOOPT)?;
        let found = match name {
            "TCP_INFO" => tcp_info(world, fd),
            // Asked for together with TCP_INFO; nothing of it is told.
            "TCP_CC_INFO" | "SO_MEMINFO" => vec![0; 64],
            _ => {
                let found = world.with(|machine| machine.option(fd.into(), name));
                let number = match found.map_err(names::errno)? {
                    OptionValue::Number(n) => n as i32,
                    OptionValue::Error(name) => name.map_or(0, names::errno),
                };
                number.to_ne_bytes().to_vec()
            }
        };
        if length.is_null() {
            return Err(libc::EFAULT);
        }
        // SAFETY: the caller's length goes with the caller's buffer.
        let room = unsafe { *length } as usize;
        let n = fill(data, room, &found);
        // SAFETY: as above.
        unsafe { *length = n as socklen_t };
        Ok(0)
    }) as c_int
}

/// Linux's `struct tcp_info`: eight bytes, then words.
fn tcp_info(world: &World, fd: c_int) -> Vec<u8> {
    let info = world.with(|machine| machine.tcp_info(fd.into()));
    let get = |name: &str| info.get(&format!("tcpi_{name}")).copied().unwrap_or(0);
    let byte = |name: &str| get(name) as u8;
    let mut out = vec![
        byte("state"),
        byte("ca_state"),
        byte("retransmits"),
        byte("probes"),
        byte("backoff"),
        byte("options"),
        byte("snd_wscale") & 15 | byte("rcv_wscale") << 4,
        0,
    ];
    for name in TCP_INFO_WORDS {
        out.extend(u32::try_from(get(name)).unwrap_or(u32::MAX).to_ne_bytes());
    }
    // Later versions have more; what is not told is zero.
    out.resize(280, 0);
    out
}

pub(crate) extern "C" fn setsockopt(
    userdata: UserData,
    fd: c_int,
    level: c_int,
    number: c_int,
    data: *const c_void,
    length: socklen_t,
) -> c_int {
    with(userdata, |world| {
        let name = names::option(level, number).ok_or(libc::ENOPROTOOPT)?;
        let raw = bytes(data, length as usize);
        let word = |at: usize| {
            let word = raw.get(at..at + 4).and_then(|b| <[u8; 4]>::try_from(b).ok());
            word.map(|b| i64::from(i32::from_ne_bytes(b)))
        };
        let call = match name {
            "SO_LINGER" => {
                let (on, time) = (word(0).ok_or(libc::EINVAL)?, word(4).ok_or(libc::EINVAL)?);
                Call::SetLinger(fd.into(), on != 0, time)
            }
            "TCP_CONGESTION" => {
                let text = String::from_utf8_lossy(raw).trim_end_matches('\0').to_owned();
                Call::SetCongestion(fd.into(), text)
            }
            // One byte is enough for options of IP.
            _ => {
                let single = raw.first().map(|byte| i64::from(*byte));
                let number = word(0).or(single).ok_or(libc::EINVAL)?;
                let unsigned = name == "TCP_NOTSENT_LOWAT" && number < 0;
                let number = if unsigned { i64::from(u32::MAX) } else { number };
                Call::SetOption(fd.into(), name, number)
            }
        };
        value(world.call(&call))
    }) as c_int
}
