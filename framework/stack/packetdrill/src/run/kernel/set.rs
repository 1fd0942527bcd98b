//! setsockopt.

use std::time::Duration;

use fyke_stack::TcpId;
use fyke_stack::tcp::ConnectionOption;

use super::super::outcome::SkipReason;
use super::super::settings;
use super::super::system::System;
use super::{Attempt, Kernel, Place, args, names};
use crate::script::Expr;

impl Kernel {
    pub(super) fn call_setsockopt(&mut self, a: &[Expr]) -> Result<Attempt, Attempt> {
        let descriptor = args::descriptor(a)?;
        let name = names::option(a, self.settings.system);
        if let Some(reason) = skipped(&name) {
            return Ok(Attempt::Skip(reason));
        }
        let argument = args::at(a, 3)?;
        if is_null(argument) {
            self.socket(descriptor)?;
            return Ok(Attempt::Error("EFAULT"));
        }
        if name == "TCP_FASTOPEN_KEY" {
            return self.set_fast_open_key(descriptor, a);
        }
        if name == "SO_LINGER" {
            return self.set_linger(descriptor, argument);
        }
        if name == "TCP_CONGESTION" {
            return self.set_congestion(descriptor, argument);
        }
        let value = args::number(argument, self.settings.system);
        let Some(value) = value else {
            return Ok(Attempt::Unknown(format!("{name} with {argument:?}")));
        };
        let place = self.socket(descriptor)?.place;
        if let Some(refusal) = self.refuse(&name, value, place) {
            return Ok(refusal);
        }
        if let (Place::Tcp(id), "SO_TIMESTAMPING") = (place, name.as_str()) {
            let (_, acknowledged) = self.stream_progress(id);
            self.socket(descriptor)?.notices.number_from(acknowledged);
        }
        if !self.remember(descriptor, &name, value)? {
            return Ok(Attempt::Unknown(format!("the option {name}")));
        }
        match place {
            Place::Tcp(id) => self.apply(descriptor, id, &name),
            Place::Listening(id, address) => {
                // What connections inherit is fixed when listening begins: it begins again. Nobody
                // waits to be accepted yet in scripts that do this.
                let host = self.host();
                let now = host.now();
                let again = host.stack.close_listener(now, id);
                self.socket(descriptor)?.place = Place::Bound(address);
                match again {
                    Ok(()) => self.listen(descriptor),
                    Err(error) => Ok(Attempt::Wrong(format!("the stack says: {error}"))),
                }
            }
            _ => Ok(Attempt::Done(0)),
        }
    }

    /// What kernels do not let a socket have.
    fn refuse(&self, name: &str, value: i64, place: Place) -> Option<Attempt> {
        let closed = matches!(place, Place::Fresh | Place::Bound(_));
        match name {
            "TCP_FASTOPEN_CONNECT" | "SO_ZEROCOPY" if !(0..=1).contains(&value) => {
                Some(Attempt::Error("EINVAL"))
            }
            "TCP_FASTOPEN_CONNECT" if !self.settings.clients_open_fast() => {
                Some(Attempt::Error("EOPNOTSUPP"))
            }
            "TCP_FASTOPEN_CONNECT" if !closed => Some(Attempt::Error("EINVAL")),
            _ => None,
        }
    }

    /// Keeps an option for the socket; says whether it is known.
    fn remember(&mut self, descriptor: i64, name: &str, value: i64) -> Result<bool, Attempt> {
        let system = self.settings.system;
        let options = &mut self.socket(descriptor)?.options;
        let seconds = Some(Duration::from_secs(u64::try_from(value).unwrap_or(0)));
        let millis = Duration::from_millis(u64::try_from(value).unwrap_or(0));
        let on = value != 0;
        let size = u32::try_from(value).unwrap_or(u32::MAX);
        match name {
            "SO_REUSEADDR" | "SO_REUSEPORT" => options.reuse = Some(on),
            "SO_KEEPALIVE" => options.keep_alive = on,
            "TCP_FASTOPEN" => {
                options.fast_open = on && system == System::FreeBsd;
                options.fast_open_queue = usize::try_from(value).ok();
            }
            "SO_ZEROCOPY" => options.zero_copy = on,
            "SO_TIMESTAMPING" => options.timestamping = value,
            "TCP_FASTOPEN_CONNECT" => options.fast_open_connect = on,
            "TCP_NODELAY" => options.no_delay = Some(on),
            "TCP_CORK" | "TCP_NOPUSH" => options.cork = Some(on),
            "TCP_QUICKACK" => options.quick_ack = Some(on),
            "TCP_KEEPIDLE" => options.keep_idle = seconds,
            "TCP_KEEPINTVL" => options.keep_interval = seconds,
            "TCP_KEEPCNT" => options.keep_count = u8::try_from(value).ok(),
            "TCP_KEEPINIT" => options.connect_timeout = seconds,
            "TCP_USER_TIMEOUT" => options.user_timeout = on.then_some(millis),
            "TCP_MAXSEG" => options.segment_max = u16::try_from(value).ok(),
            "TCP_NOTSENT_LOWAT" => options.not_sent_low_water = Some(size),
            "TCP_SYNCNT" => options.syn_retries = u8::try_from(value).ok(),
            "TCP_DEFER_ACCEPT" => options.defer_accept = on,
            "TCP_NOOPT" => options.no_options = on,
            "SO_SNDBUF" => options.send_buffer = Some(buffer(system, size, 4608)),
            "SO_RCVBUF" => options.receive_buffer = Some(buffer(system, size, 2304)),
            "IP_TOS" | "IPV6_TCLASS" => options.traffic_class = (value & 0xff) as u8,
            "IP_TTL" | "IPV6_UNICAST_HOPS" => options.hop_limit = u8::try_from(value).ok(),
            // Where packets are queued and whose they are does not show on the wire here.
            "IP_MTU_DISCOVER" | "SO_MARK" | "SO_PRIORITY" | "IP_FREEBIND" | "TCP_INQ" => {}
            "SO_MAX_PACING_RATE" => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Tells the connection about an option that was just set.
    fn apply(&mut self, descriptor: i64, id: TcpId, name: &str) -> Result<Attempt, Attempt> {
        let settings = self.settings.clone();
        let options = self.socket(descriptor)?.options.clone();
        let option = match name {
            "TCP_NODELAY" => options.no_delay.map(ConnectionOption::NoDelay),
            "TCP_CORK" | "TCP_NOPUSH" => options.cork.map(ConnectionOption::Cork),
            "TCP_QUICKACK" => options.quick_ack.map(ConnectionOption::QuickAck),
            "TCP_USER_TIMEOUT" => Some(ConnectionOption::UserTimeout(options.user_timeout)),
            "TCP_MAXSEG" => options.segment_max.map(ConnectionOption::SegmentBytesMax),
            "TCP_SYNCNT" => options.syn_retries.map(ConnectionOption::SynRetries),
            "SO_SNDBUF" => options.send_buffer.map(ConnectionOption::SendBufferBytes),
            "SO_RCVBUF" => {
                let room = options.receive_room(settings.system);
                room.map(ConnectionOption::ReceiveBufferBytes)
            }
            "TCP_NOTSENT_LOWAT" => {
                options.not_sent_low_water.map(ConnectionOption::NotSentLowWaterBytes)
            }
            "SO_KEEPALIVE" | "TCP_KEEPIDLE" | "TCP_KEEPINTVL" | "TCP_KEEPCNT" => {
                let probing = options.keep_alive.then(|| options.probing(&settings));
                (options.keep_alive || name == "SO_KEEPALIVE")
                    .then_some(ConnectionOption::KeepAlive(probing))
            }
            "SO_LINGER" => {
                Some(ConnectionOption::ResetOnClose(options.linger == Some(Duration::ZERO)))
            }
            "TCP_CONGESTION" => {
                let algorithm = options.congestion.as_deref().and_then(settings::algorithm);
                algorithm.map(ConnectionOption::Congestion)
            }
            _ => None,
        };
        if let Some(option) = option {
            self.set(id, option)?;
        }
        let stack = &mut self.host().stack;
        let done = match (name, options.hop_limit) {
            ("IP_TOS" | "IPV6_TCLASS", _) => stack.set_traffic_class(id, options.traffic_class),
            ("IP_TTL" | "IPV6_UNICAST_HOPS", Some(limit)) => stack.set_hop_limit(id, limit),
            _ => Ok(()),
        };
        Ok(done.map_or(Attempt::Error("EINVAL"), |()| Attempt::Done(0)))
    }

    fn set_linger(&mut self, descriptor: i64, argument: &Expr) -> Result<Attempt, Attempt> {
        let part = |name: &str| match args::field(argument, name) {
            Some(Expr::Integer(n)) => Some(*n),
            _ => None,
        };
        let seconds = |n: i64| Duration::from_secs(u64::try_from(n).unwrap_or(0));
        let on = part("onoff").or(part("l_onoff"));
        let time = part("linger").or(part("l_linger"));
        let (Some(on), Some(time)) = (on, time) else {
            return Ok(Attempt::Unknown("such a linger".to_owned()));
        };
        let socket = self.socket(descriptor)?;
        socket.options.linger = (on != 0).then(|| seconds(time));
        match socket.place {
            Place::Tcp(id) => self.apply(descriptor, id, "SO_LINGER"),
            _ => Ok(Attempt::Done(0)),
        }
    }

    fn set_congestion(&mut self, descriptor: i64, argument: &Expr) -> Result<Attempt, Attempt> {
        let name = match argument {
            Expr::Text(text) => String::from_utf8_lossy(text).trim_end_matches('\0').to_owned(),
            other => return Ok(Attempt::Unknown(format!("TCP_CONGESTION with {other:?}"))),
        };
        if settings::algorithm(&name).is_none() {
            return Ok(Attempt::Error("ENOENT"));
        }
        let socket = self.socket(descriptor)?;
        socket.options.congestion = Some(name);
        match socket.place {
            Place::Tcp(id) => self.apply(descriptor, id, "TCP_CONGESTION"),
            _ => Ok(Attempt::Done(0)),
        }
    }
}

/// The size a kernel makes of a buffer's asked one: Linux doubles it, for what it adds itself.
fn buffer(system: System, asked: u32, least: u32) -> u32 {
    match system {
        System::Linux => asked.saturating_mul(2).max(least),
        System::FreeBsd => asked,
    }
}

fn is_null(expression: &Expr) -> bool {
    matches!(expression, Expr::Word(word) if word == "NULL")
}

/// Options of features that are not there.
fn skipped(name: &str) -> Option<SkipReason> {
    Some(match name {
        "TCP_FASTOPEN_NO_COOKIE" => SkipReason::FastOpenBare,
        "TCP_REMOTE_UDP_ENCAPS_PORT" => SkipReason::TcpOverUdp,
        "TCP_MD5SIG" => SkipReason::Md5,
        // On an unchanged Linux this is only for sockets in repair; scripts that set it otherwise were
        // written with a kernel that gave the number another meaning.
        "TCP_TIMESTAMP" => SkipReason::PrivateKernel,
        name if name.starts_with("TCP_REPAIR") || name == "TCP_QUEUE_SEQ" => SkipReason::Repair,
        "TCP_FUNCTION_BLK" => SkipReason::TcpFunctions,
        name if name.starts_with("TCP_RACK_") => SkipReason::TcpFunctions,
        _ => return None,
    })
}
