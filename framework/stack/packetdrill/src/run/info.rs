//! `tcp_info` of the connection under test, as names for assertions.

use std::time::Duration;

use fyke_clock::Instant;
use fyke_stack::tcp::congestion::Phase;
use fyke_stack::tcp::{Info, State};

use super::kernel::{File, Kernel, Place};
use super::system::{System, state_numbers};
use crate::python::Scope;

/// Bits of `tcpi_options`, the same in both systems as far as they go.
const OPTIONS: &[(&str, u32)] = &[
    ("TCPI_OPT_TIMESTAMPS", 1),
    ("TCPI_OPT_SACK", 2),
    ("TCPI_OPT_WSCALE", 4),
    ("TCPI_OPT_ECN", 8),
    ("TCPI_OPT_ECN_SEEN", 16),
    ("TCPI_OPT_SYN_DATA", 32),
];

/// Phases of congestion control as Linux names them.
const PHASES: &[(&str, u32)] = &[
    ("TCP_CA_Open", 0),
    ("TCP_CA_Disorder", 1),
    ("TCP_CA_CWR", 2),
    ("TCP_CA_Recovery", 3),
    ("TCP_CA_Loss", 4),
];

/// What Linux shows for a threshold that was never set.
const SSTHRESH_NONE: u32 = 0x7fff_ffff;

/// Puts all names into the scope.
pub(super) fn define(scope: &mut Scope, kernel: &mut Kernel) {
    let system = kernel.settings.system;
    for (name, number) in OPTIONS.iter().chain(PHASES).chain(state_numbers(system)) {
        scope.set(*name, *number);
    }
    let place = match kernel.under_test.and_then(|descriptor| kernel.file(descriptor)) {
        Some(File::Socket(socket)) => socket.place,
        _ => Place::Fresh,
    };
    let (state, info) = match place {
        Place::Fresh | Place::Bound(_) => (closed_number(system), None),
        Place::Listening(..) => (listen_number(system), None),
        Place::Tcp(id) => match kernel.host().stack.info(id) {
            Some(info) => (number(system, info.state), Some(info.until(kernel.host().now()))),
            None => (closed_number(system), None),
        },
    };
    scope.set("tcpi_state", state);
    if let Some(info) = info {
        fields(scope, &info, system);
        times(scope, &info, kernel.host().now());
        scope.set("tcpi_advmss", kernel.told_mss());
    }
}

fn fields(scope: &mut Scope, info: &Info, system: System) {
    let mss = info.send_mss.max(1);
    let scaled = info.window_scales.is_some();
    let bits = [info.timestamps, info.sack, scaled, info.ecn, false, info.syn_data];
    let bits = bits.iter().enumerate().map(|(i, on)| u32::from(*on) << i);
    scope.set("tcpi_options", bits.sum::<u32>());
    let (theirs, ours) = info.window_scales.unwrap_or((0, 0));
    scope.set("tcpi_snd_wscale", u32::from(theirs));
    scope.set("tcpi_rcv_wscale", u32::from(ours));
    scope.set("tcpi_rto", micros(Some(info.rto)));
    scope.set("tcpi_rtt", micros(info.rtt));
    scope.set("tcpi_rttvar", micros(info.rtt_variation));
    scope.set("tcpi_min_rtt", micros(info.rtt_min));
    scope.set("tcpi_snd_mss", info.send_mss);
    scope.set("tcpi_rcv_mss", info.receive_mss);
    scope.set("tcpi_backoff", u32::from(info.back_offs));
    scope.set("tcpi_retransmits", u32::from(info.back_offs));
    scope.set("tcpi_unacked", info.unacknowledged.div_ceil(mss));
    scope.set("tcpi_sacked", info.sacked / mss);
    // Linux counts as lost, until it arrives, also what was sent again since.
    let recovers = matches!(info.phase, Phase::Recovery | Phase::Loss);
    let lost = info.lost + if recovers { info.resent } else { 0 };
    scope.set("tcpi_lost", lost.div_ceil(mss));
    scope.set("tcpi_retrans", info.resent.div_ceil(mss));
    // How many duplicate acknowledgements make a loss, with the reordering that was seen.
    scope.set("tcpi_reordering", info.reordering_bytes.div_ceil(mss).max(3));
    scope.set("tcpi_reord_seen", info.reordered);
    scope.set("tcpi_dsack_dups", info.duplicates);
    scope.set("tcpi_delivered", info.delivered);
    scope.set("tcpi_delivered_ce", info.delivered_marked);
    scope.set("tcpi_probes", u32::from(info.probes_unanswered));
    scope.set("tcpi_notsent_bytes", info.unsent);
    scope.set("tcpi_bytes_received", info.bytes_received);
    scope.set("tcpi_bytes_sent", info.bytes_sent + info.bytes_sent_again);
    scope.set("tcpi_bytes_retrans", info.bytes_sent_again);
    scope.set("tcpi_bytes_acked", info.bytes_acknowledged);
    scope.set("tcpi_data_segs_in", info.data_segments_in);
    scope.set("tcpi_data_segs_out", info.data_segments_out);
    scope.set("tcpi_delivery_rate", info.delivery_rate.unwrap_or(0));
    scope.set("tcpi_pacing_rate", info.pacing_rate.unwrap_or(u64::MAX));
    scope.set("tcpi_segs_in", info.segments_in);
    scope.set("tcpi_segs_out", info.segments_out);
    scope.set("tcpi_rcv_space", info.receive_buffer);
    let phase = match info.phase {
        Phase::Recovery => 3,
        Phase::Loss => 4,
        // Something was overtaken, and nothing is taken for lost yet.
        _ if info.sacked > 0 => 1,
        _ => 0_u32,
    };
    scope.set("tcpi_ca_state", phase);
    // Linux counts in segments, FreeBSD in bytes.
    let unit = if system == System::Linux { mss } else { 1 };
    scope.set("tcpi_snd_cwnd", info.congestion_window / unit);
    let threshold = match info.slow_start_threshold {
        u32::MAX => SSTHRESH_NONE,
        bytes => bytes / unit,
    };
    scope.set("tcpi_snd_ssthresh", threshold);
}

/// What depends on when it is asked.
fn times(scope: &mut Scope, info: &Info, now: Instant) {
    let ago = |at| u64::try_from(now.saturating_duration_since(at).as_millis()).unwrap_or(u64::MAX);
    scope.set("tcpi_last_data_sent", ago(info.data_sent_at));
    scope.set("tcpi_last_data_recv", ago(info.data_received_at));
    scope.set("tcpi_last_ack_recv", ago(info.heard_at));
    scope.set("tcpi_rcv_rtt", micros(info.receive_rtt));
    scope.set("tcpi_busy_time", micros(Some(info.busy)));
    scope.set("tcpi_rwnd_limited", micros(Some(info.window_limited)));
    scope.set("tcpi_sndbuf_limited", micros(Some(info.buffer_limited)));
}

fn micros(time: Option<Duration>) -> u64 {
    time.map_or(0, |time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

fn closed_number(system: System) -> u32 {
    number(system, State::Closed)
}

fn listen_number(system: System) -> u32 {
    named(system, if system == System::Linux { "TCP_LISTEN" } else { "TCPI_LISTEN" })
}

fn named(system: System, name: &str) -> u32 {
    state_numbers(system).iter().find(|(n, _)| *n == name).map_or(0, |(_, number)| *number)
}

fn number(system: System, state: State) -> u32 {
    let (linux, freebsd) = match state {
        State::Established => ("TCP_ESTABLISHED", "TCPI_ESTABLISHED"),
        State::SynSent => ("TCP_SYN_SENT", "TCPI_SYN_SENT"),
        State::SynReceived => ("TCP_SYN_RECV", "TCPI_SYN_RECEIVED"),
        State::FinWait1 => ("TCP_FIN_WAIT1", "TCPI_FIN_WAIT_1"),
        State::FinWait2 => ("TCP_FIN_WAIT2", "TCPI_FIN_WAIT_2"),
        State::TimeWait => ("TCP_TIME_WAIT", "TCPI_TIME_WAIT"),
        State::Closed => ("TCP_CLOSE", "TCPI_CLOSED"),
        State::CloseWait => ("TCP_CLOSE_WAIT", "TCPI_CLOSE_WAIT"),
        State::LastAck => ("TCP_LAST_ACK", "TCPI_LAST_ACK"),
        State::Closing => ("TCP_CLOSING", "TCPI_CLOSING"),
    };
    named(system, if system == System::Linux { linux } else { freebsd })
}
