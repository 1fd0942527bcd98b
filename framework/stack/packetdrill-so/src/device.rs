//! Packets in and out, and time.

use std::ffi::{c_int, c_longlong, c_uint, c_void};
use std::time::Duration;

use libc::{timeval, timezone};

use crate::abi::UserData;
use crate::calls::with;
use crate::memory::{bytes, fill};

pub(crate) extern "C" fn netdev_send(
    userdata: UserData,
    data: *const c_void,
    length: usize,
) -> c_int {
    let packet = bytes(data, length).to_vec();
    with(userdata, |world| world.inject(packet).map(|()| 0).map_err(|_| libc::EIO)) as c_int
}

pub(crate) extern "C" fn netdev_receive(
    userdata: UserData,
    data: *mut c_void,
    length: *mut usize,
    time: *mut c_longlong,
) -> c_int {
    with(userdata, |world| {
        let found = world.sniff();
        // SAFETY: both are packetdrill's own variables.
        let (length, time) = unsafe { (&mut *length, &mut *time) };
        match found {
            Some((at, packet)) => {
                *length = fill(data, *length, &packet);
                *time = at.as_micros() as c_longlong;
            }
            None => *length = 0,
        }
        Ok(0)
    }) as c_int
}

pub(crate) extern "C" fn usleep(userdata: UserData, micros: c_uint) -> c_int {
    with(userdata, |world| {
        world.sleep(Duration::from_micros(micros.into()));
        Ok(0)
    }) as c_int
}

pub(crate) extern "C" fn gettimeofday(
    userdata: UserData,
    out: *mut timeval,
    _zone: *mut timezone,
) -> c_int {
    with(userdata, |world| {
        let now = world.now();
        // SAFETY: null or packetdrill's own variable.
        if let Some(out) = unsafe { out.as_mut() } {
            out.tv_sec = now.as_secs() as libc::time_t;
            out.tv_usec = now.subsec_micros().into();
        }
        Ok(0)
    }) as c_int
}
