//! getsockopt: what a script expects an option to be, compared with what it is.

use fyke_stack::tcp::Info;

use super::super::outcome::SkipReason;
use super::super::system::System;
use super::socket::Options;
use super::{Attempt, Errno, Kernel, Place, args, names};
use crate::script::Expr;

/// What an option is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Value(i64),
    Error(Option<Errno>),
}

impl Kernel {
    /// The segment size that the socket under test told, or would.
    pub(crate) fn told_mss(&mut self) -> u32 {
        let headers = if self.config.local.is_ipv4() { 40 } else { 60 };
        let path = u32::from(self.config.mtu).saturating_sub(headers);
        let socket = self.under_test.and_then(|descriptor| self.socket(descriptor).ok());
        let asked = socket.and_then(|socket| socket.options.segment_max);
        asked.map_or(path, |asked| path.min(asked.into()))
    }

    pub(super) fn call_getsockopt(&mut self, a: &[Expr]) -> Result<Attempt, Attempt> {
        let descriptor = args::descriptor(a)?;
        let name = names::option(a, self.settings.system);
        let expected = args::at(a, 3)?.clone();
        let place = self.socket(descriptor)?.place;
        if name == "SO_ERROR" {
            return self.get_error(descriptor, place, &expected);
        }
        let options = self.socket(descriptor)?.options.clone();
        if name == "TCP_CONGESTION" {
            return Ok(self.get_congestion(&options, &expected));
        }
        if name == "TCP_REMOTE_UDP_ENCAPS_PORT" {
            return Ok(Attempt::Skip(SkipReason::TcpOverUdp));
        }
        let info = match place {
            Place::Tcp(id) => self.host().stack.info(id),
            _ => None,
        };
        let Some(found) = self.option_value(&name, &options, info.as_ref()) else {
            return Ok(Attempt::Unknown(format!("the option {name}")));
        };
        if expected == Expr::Ellipsis {
            return Ok(Attempt::Done(0));
        }
        let Some(wanted) = args::number(&expected, self.settings.system) else {
            return Ok(Attempt::Unknown(format!("{name} as {expected:?}")));
        };
        Ok(if wanted == found {
            Attempt::Done(0)
        } else {
            Attempt::Wrong(format!("{name} is {found}, expected {wanted}"))
        })
    }

    /// The value of an option, and for SO_ERROR the error's name.
    pub(crate) fn option(&mut self, descriptor: i64, name: &str) -> Result<Found, Attempt> {
        let place = self.socket(descriptor)?.place;
        let options = self.socket(descriptor)?.options.clone();
        let id = match place {
            Place::Tcp(id) => Some(id),
            _ => None,
        };
        if name == "SO_ERROR" {
            let error = id.map(|id| self.take_error(descriptor, id)).transpose()?.flatten();
            return Ok(Found::Error(error));
        }
        let info = id.and_then(|id| self.host().stack.info(id));
        let value = self.option_value(name, &options, info.as_ref());
        value.map(Found::Value).ok_or(Attempt::Error("ENOPROTOOPT"))
    }

    /// The error that waits, which is told once.
    fn get_error(
        &mut self,
        descriptor: i64,
        place: Place,
        expected: &Expr,
    ) -> Result<Attempt, Attempt> {
        let found = match place {
            Place::Tcp(id) => self.take_error(descriptor, id)?,
            _ => None,
        };
        let none = args::number(expected, self.settings.system) == Some(0);
        let wanted = args::word(expected);
        if wanted == found && (found.is_some() || none) {
            return Ok(Attempt::Done(0));
        }
        let (found, wanted) = (found.unwrap_or("0"), wanted.unwrap_or("0"));
        Ok(Attempt::Wrong(format!("SO_ERROR is {found}, expected {wanted}")))
    }

    fn get_congestion(&self, options: &Options, expected: &Expr) -> Attempt {
        let default = format!("{:?}", self.settings.stack.tcp.congestion.algorithm).to_lowercase();
        let found = options.congestion.clone().unwrap_or(default);
        match expected {
            Expr::Text(text) if String::from_utf8_lossy(text).starts_with(&found) => {
                Attempt::Done(0)
            }
            other => Attempt::Wrong(format!("TCP_CONGESTION is {found}, expected {other:?}")),
        }
    }

    fn option_value(&self, name: &str, options: &Options, info: Option<&Info>) -> Option<i64> {
        let settings = &self.settings;
        let tcp = &settings.stack.tcp;
        let probing = options.probing(settings);
        let seconds = |time: std::time::Duration| time.as_secs() as i64;
        Some(match name {
            "SO_RCVBUF" => match info {
                _ if options.receive_buffer.is_some() => options.receive_buffer?.into(),
                Some(info) => info.receive_buffer.into(),
                None => options.receive_buffer.unwrap_or(tcp.receive_buffer_bytes).into(),
            },
            "SO_SNDBUF" => match info {
                Some(info) => i64::try_from(info.send_buffer).ok()?,
                None => options.send_buffer.unwrap_or(tcp.send_buffer_bytes).into(),
            },
            "TCP_MAXSEG" => match info {
                // FreeBSD tells it without what timestamps take.
                Some(info) if info.timestamps && settings.system == System::FreeBsd => {
                    i64::from(info.send_mss) + 12
                }
                Some(info) => info.send_mss.into(),
                None => options.segment_max.unwrap_or(tcp.mss_default).into(),
            },
            "TCP_NODELAY" => options.no_delay.unwrap_or(!tcp.nagle).into(),
            "TCP_CORK" | "TCP_NOPUSH" => options.cork.unwrap_or(false).into(),
            "TCP_NOOPT" => options.no_options.into(),
            "SO_REUSEADDR" => options.reuse.unwrap_or(false).into(),
            "SO_KEEPALIVE" => options.keep_alive.into(),
            "TCP_KEEPIDLE" => seconds(probing.idle),
            "TCP_KEEPINTVL" => seconds(probing.interval),
            "TCP_KEEPCNT" => probing.probes.into(),
            "TCP_KEEPINIT" => seconds(options.connect_timeout.unwrap_or(settings.connect_timeout)),
            "TCP_USER_TIMEOUT" => {
                options.user_timeout.map_or(0, |time| i64::try_from(time.as_millis()).unwrap_or(0))
            }
            "TCP_NOTSENT_LOWAT" => options.not_sent_low_water.unwrap_or(0).into(),
            "TCP_SYNCNT" => options.syn_retries.unwrap_or(tcp.syn_retries).into(),
            "TCP_DEFER_ACCEPT" => options.defer_accept.into(),
            "IP_TOS" | "IPV6_TCLASS" => options.traffic_class.into(),
            "IP_TTL" | "IPV6_UNICAST_HOPS" => {
                options.hop_limit.unwrap_or(settings.stack.hop_limit).into()
            }
            _ => return None,
        })
    }
}
