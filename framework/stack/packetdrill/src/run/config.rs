//! How a script wants to be run: its `--option` lines.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::outcome::SkipReason;
use crate::script::{Script, ScriptOption};

/// A script's options, with what upstream assumes for those that are missing.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) local: IpAddr,
    pub(crate) remote: IpAddr,
    /// The port `bind` means by `...`.
    pub(crate) bind_port: u16,
    /// The port `connect` means by `...`.
    pub(crate) connect_port: u16,
    pub(crate) tolerance: Duration,
    /// A tolerance in percent of the time since the last event, when that is more.
    pub(crate) tolerance_percent: f64,
    pub(crate) mtu: u16,
    /// Microseconds of a tick of the script's timestamps; zero: values are not looked at.
    pub(crate) timestamp_tick_micros: u64,
    /// Calls that return something else do not fail the script.
    pub(crate) calls_may_differ: bool,
    /// The stack's own habits instead of a system's: a script of ours about what an RFC wants.
    pub(crate) own_habits: bool,
    /// A large packet of the script does not stand for several smaller ones.
    pub(crate) strict_segments: bool,
}

/// The MTU that upstream's runners give scripts over IPv6.
const MTU_V6: u16 = 1520;

/// What is wrong with the options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BadOption {
    Skip(SkipReason),
    Wrong { line: u32, message: String },
}

impl Config {
    /// What upstream assumes for a script without options.
    pub(crate) fn standard(v6: bool, tolerance: Duration) -> Self {
        let (local, remote) = if v6 {
            (
                IpAddr::V6(Ipv6Addr::new(0xfd3d, 0x0a0b, 0x17d6, 0, 0, 0, 0, 1)),
                IpAddr::V6(Ipv6Addr::new(0xfd3d, 0xfa7b, 0xd17d, 0, 0, 0, 0, 1)),
            )
        } else {
            (IpAddr::V4(Ipv4Addr::new(192, 168, 0, 1)), IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)))
        };
        Self {
            local,
            remote,
            bind_port: 8080,
            connect_port: 8080,
            tolerance,
            tolerance_percent: 12.5,
            mtu: 1500,
            timestamp_tick_micros: 0,
            calls_may_differ: false,
            own_habits: false,
            strict_segments: false,
        }
    }

    /// Reads a script's options; `tolerance` is the least that is used, `v6` is for a script that does
    /// not say its version.
    pub(crate) fn of(script: &Script, tolerance: Duration, v6: bool) -> Result<Self, BadOption> {
        let says =
            |o: &ScriptOption| matches!(o.name.as_str(), "ip_version" | "local_ip" | "remote_ip");
        let asked = script.options.iter().any(says);
        let wanted = v6 && !asked && !named(script, "6") && !named(script, "4");
        let v6 = wanted
            || script.options.iter().any(|o| {
                o.name == "ip_version" && o.value.as_deref() == Some("ipv6")
                    || o.name == "local_ip" && o.value.as_deref().is_some_and(|v| v.contains(':'))
            })
            || (named(script, "6") && !asked);
        let mut config = Self::standard(v6, tolerance);
        if wanted {
            config.mtu = MTU_V6;
        }
        for option in &script.options {
            config.set(option)?;
        }
        config.tolerance = config.tolerance.max(tolerance);
        Ok(config)
    }

    fn set(&mut self, option: &ScriptOption) -> Result<(), BadOption> {
        let text = option.value.as_deref().unwrap_or("");
        match option.name.as_str() {
            "local_ip" => self.local = number(option)?,
            "remote_ip" => self.remote = number(option)?,
            "bind_port" => self.bind_port = number(option)?,
            "connect_port" => self.connect_port = number(option)?,
            "tolerance_usecs" => self.tolerance = Duration::from_micros(number(option)?),
            "tolerance_percent" => self.tolerance_percent = number(option)?,
            "mtu" => self.mtu = number(option)?,
            "tcp_ts_tick_usecs" => self.timestamp_tick_micros = number(option)?,
            "non_fatal" => self.calls_may_differ = text.contains("syscall"),
            "habits" if text == "fyke" => self.own_habits = true,
            "strict_segments" => self.strict_segments = true,
            "udp_encapsulation" => return Err(BadOption::Skip(SkipReason::TcpOverUdp)),
            name if name.starts_with("psp_") => return Err(BadOption::Skip(SkipReason::Psp)),
            "tcp_md5_secret" => return Err(BadOption::Skip(SkipReason::Md5)),
            // These say how upstream is to talk to a kernel, or were used up by the parser.
            "ip_version"
            | "define"
            | "D"
            | "gateway_ip"
            | "netmask_ip"
            | "speed"
            | "verbose"
            | "debug"
            | "mss"
            | "dry_run"
            | "init_scripts"
            | "tcp_ts_ecr_scaled"
            | "persistent_tun_dev"
            | "tun_dev"
            | "no_cleanup"
            | "code_command"
            | "code_format"
            | "code_sockopt"
            | "wire_client"
            | "wire_client_dev"
            | "wire_server"
            | "wire_server_dev"
            | "wire_server_ip"
            | "wire_server_port"
            | "local_linklocal_ip"
            | "gateway_linklocal_ip"
            | "send_omit_free" => {}
            name => {
                let message = format!("unknown option --{name}");
                return Err(BadOption::Wrong { line: option.line, message });
            }
        }
        Ok(())
    }

    /// The end of a flow the script speaks for, on this port.
    pub(crate) fn remote(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.remote, port)
    }

    /// By how much something may be late, `since` the event before.
    pub(crate) fn tolerance(&self, since: Duration) -> Duration {
        self.tolerance.max(since.mul_f64((self.tolerance_percent / 100.0).clamp(0.0, 1.0)))
    }
}

/// Scripts that are meant for one version only have that in their names, and not always in their options.
fn named(script: &Script, version: &str) -> bool {
    let name = script.path.file_stem().map(|name| name.to_string_lossy().into_owned());
    let ends = [format!("ipv{version}"), format!("-v{version}")];
    name.is_some_and(|name| ends.iter().any(|end| name.ends_with(end)))
}

fn number<T: std::str::FromStr>(option: &ScriptOption) -> Result<T, BadOption> {
    let text = option.value.as_deref().unwrap_or("");
    let wrong = || BadOption::Wrong {
        line: option.line,
        message: format!("--{} has no such value: {text}", option.name),
    };
    text.parse().map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;
    use crate::script::parse;

    fn config(options: &str) -> Result<Config, BadOption> {
        let source = format!("{options}\n0 `x`\n");
        let script = parse(Path::new("t"), &source, &BTreeMap::new()).unwrap();
        Config::of(&script, Duration::from_millis(4), false)
    }

    #[test]
    fn what_is_missing_is_as_upstream_assumes() {
        let config = config("--tolerance_usecs=20000\n--mtu=1280\n--non_fatal=syscall").unwrap();
        assert_eq!(config.local.to_string(), "192.168.0.1");
        assert_eq!((config.mtu, config.calls_may_differ), (1280, true));
        assert_eq!(config.tolerance(Duration::ZERO), Duration::from_millis(20));
        assert_eq!(config.tolerance(Duration::from_secs(8)), Duration::from_secs(1));
    }

    #[test]
    fn version_six_has_addresses_of_its_own() {
        assert_eq!(config("--ip_version=ipv6").unwrap().local.to_string(), "fd3d:a0b:17d6::1");
        assert_eq!(config("--local_ip=fd::1").unwrap().remote.to_string(), "fd3d:fa7b:d17d::1");
    }

    #[test]
    fn a_name_tells_the_version_when_no_option_does() {
        let local = |name: &str, options: &str, v6| {
            let source = format!("{options}\n0 `x`\n");
            let script = parse(Path::new(name), &source, &BTreeMap::new()).unwrap();
            let config = Config::of(&script, Duration::ZERO, v6).unwrap();
            (config.local.is_ipv6(), config.mtu)
        };
        assert_eq!(local("a.pkt", "", false), (false, 1500));
        assert_eq!(local("a.pkt", "", true), (true, 1520));
        assert_eq!(local("a-v4.pkt", "", true), (false, 1500));
        assert_eq!(local("a-ipv6.pkt", "", false), (true, 1500));
        assert_eq!(local("a-ipv6.pkt", "--ip_version=ipv4", true), (false, 1500));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let skip = |reason| Some(BadOption::Skip(reason));
        assert_eq!(config("--udp_encapsulation=tcp").err(), skip(SkipReason::TcpOverUdp));
        assert!(matches!(config("--mtu=x"), Err(BadOption::Wrong { line: 1, .. })));
        assert!(config("--habits=fyke").is_ok_and(|config| config.own_habits));
        assert!(matches!(config("--habits=tea"), Err(BadOption::Wrong { .. })));
        assert!(matches!(config("--nonsense=1"), Err(BadOption::Wrong { .. })));
    }
}
