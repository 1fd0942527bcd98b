//! What the settings of a kernel (`sysctl`) mean for the stack.

use std::time::Duration;

use fyke_stack::StackConfig;
use fyke_stack::tcp::congestion::Algorithm;
use fyke_stack::tcp::{Config, EcnMode, KeepAlive};

use super::cookies::{self, Key};
use super::host;
use super::mtu;
use super::outcome::SkipReason;
use super::system::System;

/// The key of fast open in google's defaults.
const DEFAULT_KEY: &str = "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4";

/// The settings in force for what is made next.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) system: System,
    pub(crate) stack: StackConfig,
    /// When connections are probed that ask for it.
    pub(crate) keep_alive: KeepAlive,
    /// How long a connect is tried.
    pub(crate) connect_timeout: Duration,
    /// A setting was changed that the stack has no word for.
    pub(crate) unknown: bool,
    /// `tcp_fastopen`, its bits as Linux has them.
    pub(crate) fast_open: i64,
    /// `tcp_fastopen_key`; a kernel makes one up that no script can know.
    pub(crate) fast_open_keys: Vec<Key>,
}

/// What became of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It holds from now on.
    Done,
    /// It needs what is not there.
    Skip(SkipReason),
    /// It is not a setting of this system, or has no such value.
    Unknown,
}

impl Settings {
    pub(crate) fn new(system: System) -> Self {
        let mut stack = match system {
            System::Linux => StackConfig::new(host::MEDIUM),
            System::FreeBsd => StackConfig::freebsd(host::MEDIUM),
        };
        if system == System::Linux {
            // The kernel's own, which gives a SYN up a little early.
            stack.tcp = Config::linux();
            // Linux counts every byte an acknowledgement covers (RFC 3465 lets it be two segments).
            stack.tcp.congestion.ack_segments_max = u32::MAX;
        }
        let keep_alive = match system {
            System::Linux => KeepAlive::default(),
            System::FreeBsd => KeepAlive { probes: 8, ..KeepAlive::default() },
        };
        let connect_timeout = Duration::from_secs(75);
        // Linux lets clients ask for it unless told otherwise.
        let fast_open = i64::from(system == System::Linux);
        Self {
            system,
            stack,
            keep_alive,
            connect_timeout,
            unknown: false,
            fast_open,
            fast_open_keys: Vec::new(),
        }
    }

    /// What google's scripts are written for, where it is not what an unchanged Linux does.
    pub(crate) fn defaults(&mut self) {
        let tcp = &mut self.stack.tcp;
        tcp.receive_buffer_bytes = 540_000;
        tcp.receive_buffer_bytes_max = 15 << 20;
        tcp.send_buffer_bytes = 256 << 10;
        tcp.send_buffer_bytes_max = 4 << 20;
        tcp.syn_retries = 5;
        tcp.slow_start_after_idle = false;
        tcp.ecn = EcnMode::Off;
        self.fast_open = 0x7_0403;
        self.fast_open_keys = cookies::keys(DEFAULT_KEY).unwrap_or_default();
    }

    /// Makes the receive buffer the one that this window scale is chosen for; says whether it was
    /// another.
    pub(crate) fn assume_window_scale(&mut self, shift: u8) -> bool {
        let largest = u32::from(u16::MAX) << shift.min(14);
        let tcp = &mut self.stack.tcp;
        let fits = |bytes: u32| bytes <= largest && (shift == 0 || bytes > largest / 2);
        if fits(tcp.receive_buffer_bytes_max.max(tcp.receive_buffer_bytes)) {
            return false;
        }
        tcp.receive_buffer_bytes_max = largest;
        tcp.receive_buffer_bytes = tcp.receive_buffer_bytes.min(largest);
        true
    }

    /// Whether clients may open fast (a bit of `tcp_fastopen`).
    pub(crate) fn clients_open_fast(&self) -> bool {
        self.fast_open & 0x1 != 0
    }

    /// Whether clients send data without a cookie, which the stack does not.
    pub(crate) fn clients_need_no_cookie(&self) -> bool {
        self.system == System::Linux && self.fast_open & 0x4 != 0
    }

    /// Whether listeners take data without a cookie, which the stack does not.
    pub(crate) fn listeners_need_no_cookie(&self) -> bool {
        self.system == System::Linux && self.fast_open & 0x202 == 0x202
    }

    /// How many connections a listener opens fast, by what was asked for it and its backlog.
    pub(crate) fn fast_open_pending_max(&self, asked: Option<usize>, backlog: usize) -> usize {
        const SERVER: i64 = 0x2;
        const EVERY_LISTENER: i64 = 0x400;
        if self.system != System::Linux || self.fast_open & SERVER == 0 {
            return 0;
        }
        let everyone = self.fast_open & EVERY_LISTENER != 0;
        asked.unwrap_or(if everyone { backlog } else { 0 })
    }

    /// Sets one setting by its name in the kernel.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Effect {
        let done = if let Some(name) = name.strip_prefix("net.ipv4.tcp_") {
            self.set_linux(name, value)
        } else if let Some(name) = name.strip_prefix("net.inet.tcp.") {
            self.set_freebsd(name, value)
        } else if name.starts_with("net.inet.sctp.") || name.starts_with("net.inet.udplite.") {
            return Effect::Skip(SkipReason::Protocol);
        } else if let Some(name) = name.strip_prefix("net.core.") {
            self.set_core(name, value)
        } else if name == "cubic.parameters.hystart_detect" {
            // By delay and by trains of ACKs: what is usual. Neither can be had alone.
            (value.trim() == "3").then_some(Effect::Done).or(Some(Effect::Skip(SkipReason::Device)))
        } else if name == "kern.ipc.maxsockbuf" {
            value.parse().ok().map(|bytes| self.set_buffers_max(bytes))
        } else {
            None
        };
        done.unwrap_or(Effect::Unknown)
    }

    /// Settings of all sockets of Linux: the limits of what SO_RCVBUF and SO_SNDBUF may ask for, and
    /// how packets are queued for a device. Neither shows in what the stack sends.
    fn set_core(&mut self, name: &str, value: &str) -> Option<Effect> {
        let names =
            ["rmem_max", "wmem_max", "rmem_default", "wmem_default", "default_qdisc", "somaxconn"];
        self.unknown |= !value.is_empty();
        names.contains(&name).then_some(Effect::Done)
    }

    fn set_buffers_max(&mut self, bytes: u32) -> Effect {
        self.stack.tcp.receive_buffer_bytes_max = bytes;
        self.stack.tcp.send_buffer_bytes_max = bytes;
        Effect::Done
    }

    /// A setting that the stack has no word for: its usual value means nothing, another one is
    /// remembered, so that the script does not count as followed to the letter.
    fn only(&mut self, value: i64, usual: i64) -> Effect {
        self.unknown |= value != usual;
        Effect::Done
    }

    fn set_linux(&mut self, name: &str, value: &str) -> Option<Effect> {
        let numbers: Vec<i64> = value.split_whitespace().filter_map(number).collect();
        let first = *numbers.first().or(Some(&0))?;
        let small = u8::try_from(first);
        let tcp = &mut self.stack.tcp;
        match name {
            "timestamps" => tcp.timestamps = first != 0,
            "sack" => tcp.sack = first != 0,
            "window_scaling" => tcp.window_scaling = first != 0,
            "ecn" => {
                tcp.ecn = match first {
                    0 => EcnMode::Off,
                    1 => EcnMode::Active,
                    2 => EcnMode::Passive,
                    _ => return Some(Effect::Skip(SkipReason::AccurateEcn)),
                };
            }
            "rmem" => {
                tcp.receive_buffer_bytes = u32::try_from(*numbers.get(1)?).ok()?;
                tcp.receive_buffer_bytes_max = u32::try_from(*numbers.get(2)?).ok()?;
            }
            "wmem" => {
                tcp.send_buffer_bytes = u32::try_from(*numbers.get(1)?).ok()?;
                tcp.send_buffer_bytes_max = u32::try_from(*numbers.get(2)?).ok()?;
            }
            "syn_retries" => tcp.syn_retries = small.ok()?,
            "synack_retries" => tcp.syn_ack_retries = small.ok()?,
            "retries2" => tcp.retries = small.ok()?,
            "slow_start_after_idle" => tcp.slow_start_after_idle = first != 0,
            "frto" => tcp.f_rto = first != 0,
            "early_retrans" => tcp.tail_loss_probe = first != 0,
            "notsent_lowat" => tcp.not_sent_low_water_bytes = u32::try_from(first).ok()?,
            "congestion_control" => tcp.congestion.algorithm = algorithm(value)?,
            "syncookies" => self.stack.limits.syn_cookies = first != 0,
            "fastopen" => self.fast_open = first,
            "mtu_probing" | "base_mss" | "mtu_probe_floor" | "probe_threshold"
            | "probe_interval" => {
                mtu::set(&mut tcp.mtu, name, first)?;
            }
            "fastopen_key" => self.fast_open_keys = cookies::keys(value)?,
            "fastopen_cookies"
            | "fastopen_blackhole_timeout_sec"
            | "min_tso_segs"
            | "tso_win_divisor"
            | "pacing_ss_ratio"
            | "pacing_ca_ratio"
            | "ecn_option" => {}
            "rto_max_ms" => tcp.rto_max = millis(first)?,
            "rto_min_us" => tcp.rto_min = Duration::from_micros(u64::try_from(first).ok()?),
            "fin_timeout" => tcp.fin_wait_2 = seconds(first)?,
            "orphan_retries" if first != 0 => tcp.orphan_retries = small.ok()?,
            "syn_linear_timeouts" => tcp.syn_linear_retries = small.ok()?,
            "keepalive_time" => self.keep_alive.idle = seconds(first)?,
            "keepalive_intvl" => self.keep_alive.interval = seconds(first)?,
            "keepalive_probes" => self.keep_alive.probes = small.ok()?,
            _ => return self.set_linux_policy(name, first),
        }
        Some(Effect::Done)
    }

    /// Linux's settings whose other values the stack has no word for, with the usual ones.
    fn set_linux_policy(&mut self, name: &str, value: i64) -> Option<Effect> {
        let usual = match name {
            "fack"
            | "shrink_window"
            | "thin_linear_timeouts"
            | "no_metrics_save"
            | "low_latency"
            | "orphan_retries"
            | "plb_enabled"
            | "rfc1337"
            | "abort_on_overflow" => 0,
            "dsack" | "recovery" | "moderate_rcvbuf" | "adv_win_scale" | "autocorking"
            | "ecn_fallback" | "backlog_ack_defer" | "migrate_req" => 1,
            "tw_reuse" => 2,
            "reordering" | "retries1" => 3,
            "comp_sack_nr" => 44,
            "min_rtt_wlen" => 300,
            "invalid_ratelimit" => 500,
            "limit_output_bytes" => 1 << 20,
            "comp_sack_delay_ns" => 1_000_000,
            "comp_sack_slack_ns" => 100_000,
            _ => return None,
        };
        Some(self.only(value, usual))
    }

    fn set_freebsd(&mut self, name: &str, value: &str) -> Option<Effect> {
        let value = number(value)?;
        let on = value != 0;
        let bytes = u32::try_from(value);
        let time = Duration::from_millis(u64::try_from(value).unwrap_or(0));
        let tcp = &mut self.stack.tcp;
        match name {
            "rfc1323" => {
                tcp.timestamps = on;
                tcp.window_scaling = on;
            }
            "tolerate_missing_ts" => tcp.timestamps_required = !on,
            "sack.enable" => tcp.sack = on,
            "ecn.enable" => {
                tcp.ecn = match value {
                    0 => EcnMode::Off,
                    1 => EcnMode::Active,
                    2 => EcnMode::Passive,
                    _ => return Some(Effect::Skip(SkipReason::AccurateEcn)),
                };
            }
            "recvspace" => tcp.receive_buffer_bytes = bytes.ok()?,
            "sendspace" => tcp.send_buffer_bytes = bytes.ok()?,
            "mssdflt" | "v6mssdflt" => tcp.mss_default = u16::try_from(value).ok()?,
            "rexmit_initial" => tcp.rto_initial = time,
            "rexmit_slop" => tcp.rto_slack = time,
            // The first three keep their options, as in FreeBSD.
            "rexmit_drop_options" => tcp.syn_option_retries = if on { 2 } else { u8::MAX },
            "ecn.maxretries" => tcp.syn_ecn_retries = u8::try_from(value).ok()?,
            "insecure_rst" => tcp.reset_anywhere = on,
            "insecure_syn" => tcp.reset_on_syn = on,
            "drop_synfin" => tcp.drop_syn_fin = on,
            "delacktime" => tcp.delayed_ack = time,
            "keepidle" => self.keep_alive.idle = time,
            "keepintvl" => self.keep_alive.interval = time,
            "keepcnt" => self.keep_alive.probes = u8::try_from(value).ok()?,
            "keepinit" => {
                self.connect_timeout = time;
                tcp.syn_timeout = Some(time);
            }
            "blackhole" => self.stack.reset_unknown = !on,
            "icmp_may_rst" => self.stack.icmp_ends_open = on,
            "syncookies" => self.stack.limits.syn_cookies = on,
            "syncookies_only" if on => self.stack.limits.syn_cache_entries_max = 0,
            "fastopen.client_enable" => self.fast_open = value,
            "hostcache.purgenow" | "syncookies_only" | "path_mtu_discovery" => {}
            "udp_tunneling_port" | "udp_tunneling_overhead" if on => {
                return Some(Effect::Skip(SkipReason::TcpOverUdp));
            }
            "pmtud_blackhole_detection" if on => return Some(Effect::Skip(SkipReason::MtuProbing)),
            _ => return self.set_freebsd_policy(name, value),
        }
        Some(Effect::Done)
    }

    /// Settings whose other values the stack has no word for.
    fn set_freebsd_policy(&mut self, name: &str, value: i64) -> Option<Effect> {
        let usual = match name {
            "udp_tunneling_port" | "udp_tunneling_overhead" | "pmtud_blackhole_detection" => 0,
            // Early retransmit, which no FreeBSD had.
            "rfc5827" => 0,
            "pmtud_blackhole_mss" | "v6pmtud_blackhole_mss" => 1200,
            _ => return None,
        };
        Some(self.only(value, usual))
    }
}

fn millis(value: i64) -> Option<Duration> {
    u64::try_from(value).ok().map(Duration::from_millis)
}

fn seconds(value: i64) -> Option<Duration> {
    u64::try_from(value).ok().map(Duration::from_secs)
}

/// A congestion control by its name.
pub(crate) fn algorithm(name: &str) -> Option<Algorithm> {
    Some(match name {
        "cubic" => Algorithm::Cubic,
        "bbr" => Algorithm::Bbr,
        "reno" | "newreno" => Algorithm::NewReno,
        _ => return None,
    })
}

fn number(text: &str) -> Option<i64> {
    match text.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_both_systems_reach_the_stack() {
        let mut linux = Settings::new(System::Linux);
        assert_eq!(linux.set("net.ipv4.tcp_timestamps", "0"), Effect::Done);
        assert_eq!(linux.set("net.ipv4.tcp_wmem", "4096 5 6"), Effect::Done);
        assert_eq!(linux.set("net.ipv4.tcp_rto_max_ms", "1000"), Effect::Done);
        assert_eq!(linux.stack.tcp.rto_max, Duration::from_secs(1));
        assert_eq!(linux.set("net.ipv4.tcp_retries1", "3"), Effect::Done);
        assert!(!linux.unknown);
        assert_eq!(linux.set("net.ipv4.tcp_shrink_window", "1"), Effect::Done);
        assert!(linux.unknown);
        assert_eq!(linux.set("net.ipv4.tcp_tea", "1"), Effect::Unknown);
        let tcp = &linux.stack.tcp;
        assert_eq!(
            (tcp.timestamps, tcp.send_buffer_bytes, tcp.send_buffer_bytes_max),
            (false, 5, 6)
        );
        let mut bsd = Settings::new(System::FreeBsd);
        assert_eq!(bsd.set("net.inet.tcp.rexmit_initial", "3000"), Effect::Done);
        assert_eq!(bsd.set("net.inet.tcp.blackhole", "2"), Effect::Done);
        assert_eq!(bsd.stack.tcp.rto_initial, Duration::from_secs(3));
        assert!(!bsd.stack.reset_unknown);
    }

    #[test]
    fn what_is_not_there_is_told() {
        let mut bsd = Settings::new(System::FreeBsd);
        let skip = Effect::Skip(SkipReason::TcpOverUdp);
        assert_eq!(bsd.set("net.inet.tcp.udp_tunneling_port", "9811"), skip);
        assert_eq!(bsd.set("net.inet.tcp.udp_tunneling_port", "0"), Effect::Done);
        assert!(!bsd.unknown);
        assert_eq!(bsd.set("net.inet.tcp.pmtud_blackhole_mss", "9"), Effect::Done);
        assert!(bsd.unknown);
        for (name, value) in
            [("net.inet.tcp.nothing", "1"), ("net.inet.tcp.keepcnt", "x"), ("x", "1")]
        {
            assert_eq!(bsd.set(name, value), Effect::Unknown, "{name}");
        }
    }
}
