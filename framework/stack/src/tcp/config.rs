//! What a connection may do and how much of everything it may take: every limit by name.
//!
//! A [`Config`] is shared by all connections of a stack or of a listener; an option set on one
//! connection gives that one a copy of its own. [`Config::linux`] and [`Config::freebsd`] are the
//! two personalities: what an unchanged kernel of that kind would do, so that scripts written for
//! it hold here.

use core::time::Duration;

use super::congestion::CongestionConfig;
use super::mtu::MtuConfig;

/// At which rate text leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Pacing {
    /// As fast as the windows let it, unless the congestion control has a rate of its own.
    #[default]
    Off,
    /// At this share of the congestion window in a round trip. A share above 100 % leaves the window
    /// what limits.
    ByWindow {
        /// While the window doubles each round trip: at least 200 %, or it could not.
        slow_start_percent: u16,
        /// Otherwise.
        avoidance_percent: u16,
    },
}

impl Pacing {
    /// The shares that Linux takes.
    pub const USUAL: Self = Self::ByWindow { slow_start_percent: 200, avoidance_percent: 120 };
}

/// Whether congestion is told by marks instead of losses (RFC 3168).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum EcnMode {
    /// Never.
    Off,
    /// When the peer asks for it, as kernels do.
    #[default]
    Passive,
    /// Ask for it when connecting, too.
    Active,
}

/// When a silent connection is probed (RFC 9293, section 3.8.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepAlive {
    /// Silence before the first probe.
    pub idle: Duration,
    /// Time between probes.
    pub interval: Duration,
    /// Probes without an answer after which the connection is given up.
    pub probes: u8,
}

impl Default for KeepAlive {
    /// Two hours, 75 seconds, nine probes.
    fn default() -> Self {
        Self { idle: Duration::from_secs(7200), interval: Duration::from_secs(75), probes: 9 }
    }
}

/// Limits and habits of connections.
///
/// Fields may be changed freely; what makes no sense is bent to what does where it is used.
///
/// ```
/// use fyke_stack::tcp::Config;
///
/// let mut config = Config::default();
/// config.nagle = false;
/// config.receive_buffer_bytes_max = 1 << 20;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The largest segment to send or to ask for, whatever the path would carry.
    pub mss_max: u16,
    /// What to assume of a peer that does not tell its maximum (RFC 9293, section 3.7.1).
    pub mss_default: u16,
    /// The smallest maximum segment size taken from a peer or an ICMP error: below it every byte
    /// would cost a packet (the SACK panic attacks).
    pub mss_min: u16,
    /// The largest super-segment handed to the device at once; 0 when it cannot cut.
    pub gso_bytes_max: u32,
    /// Ask for and grant timestamps (RFC 7323).
    pub timestamps: bool,
    /// Drop segments without the option once timestamps are agreed (RFC 7323, section 3.2).
    pub timestamps_required: bool,
    /// Ask for and grant selective acknowledgements (RFC 2018).
    pub sack: bool,
    /// Ask for and grant window scaling (RFC 7323).
    pub window_scaling: bool,
    /// Explicit congestion notification.
    pub ecn: EcnMode,

    /// The receive buffer of a new connection, and with it its first window.
    pub receive_buffer_bytes: u32,
    /// How far the receive buffer grows with the bandwidth-delay product; the window scale is
    /// chosen for it. Not above the initial size: the buffer does not grow.
    pub receive_buffer_bytes_max: u32,
    /// The most out-of-order ranges kept; the farthest is dropped beyond it.
    pub out_of_order_ranges_max: usize,
    /// The send buffer of a new connection: how much may be written and not acknowledged.
    pub send_buffer_bytes: u32,
    /// How far the send buffer grows with the congestion window.
    pub send_buffer_bytes_max: u32,
    /// Report writability only when at most so many bytes are unsent.
    pub not_sent_low_water_bytes: u32,

    /// Wait with small segments while data is unacknowledged (RFC 9293, section 3.7.4).
    pub nagle: bool,
    /// How long a cork holds a partial segment back.
    pub cork_timeout: Duration,
    /// With Nagle: a small segment waits only while another small one is unacknowledged, not while
    /// anything is.
    pub minshall: bool,
    /// The congestion control of new connections.
    pub congestion: CongestionConfig,
    /// Lower the congestion window when nothing was sent for a while (RFC 5681, section 4.1).
    pub slow_start_after_idle: bool,
    /// Send up to two new segments on the first two duplicate acknowledgements (RFC 3042).
    pub limited_transmit: bool,
    /// Probe the tail of a flight before the retransmission timer (RFC 8985, section 7).
    pub tail_loss_probe: bool,
    /// Spread what is sent over the round trip. An algorithm with a rate of its own, as BBR, needs no
    /// telling.
    pub pacing: Pacing,
    /// The most payload that leaves in a second, in bytes, with or without pacing (SO_MAX_PACING_RATE).
    pub pacing_rate_max: Option<u64>,
    /// Find losses by time (RFC 8985); otherwise by counting (RFC 6675).
    pub rack: bool,
    /// The most ranges the scoreboard keeps apart; beyond it losses are found later.
    pub scoreboard_entries_max: u32,
    /// Detect a spurious time-out by the acknowledgements after it (RFC 5682).
    pub f_rto: bool,

    /// The retransmission time-out before the first measurement (RFC 6298).
    pub rto_initial: Duration,
    /// Its lower bound.
    pub rto_min: Duration,
    /// The least that the variation of round trips adds to it (G of RFC 6298, section 2), for
    /// clocks and peers that are not exact.
    pub rto_variation_min: Duration,
    /// Its upper bound.
    pub rto_max: Duration,
    /// What is added to it, for the peer's delayed acknowledgements.
    pub rto_slack: Duration,
    /// Times a SYN is sent again.
    pub syn_retries: u8,
    /// How many of the first ones come without doubling the wait.
    pub syn_linear_retries: u8,
    /// Times a SYN-ACK is sent again.
    pub syn_ack_retries: u8,
    /// Times data is sent again by time-outs before the connection is given up.
    pub retries: u8,
    /// Times data is sent again by time-outs when the process has closed the connection.
    pub orphan_retries: u8,
    /// Probes of a closed window before a connection is given up that the process has closed; an
    /// open one is probed for ever (RFC 9293, section 3.8.6.1).
    pub orphan_probes: u8,
    /// Data unacknowledged for so long ends the connection (RFC 5482).
    pub user_timeout: Option<Duration>,
    /// The first wait before a zero window is probed is the retransmission time-out; never above this.
    pub persist_max: Duration,
    /// The longest an acknowledgement is held back; zero acknowledges at once. RFC 9293, section
    /// 3.8.6.3, allows 500 ms.
    pub delayed_ack: Duration,
    /// Full-sized segments after which an acknowledgement is due: 2 by RFC 9293.
    pub ack_every_segments: u8,
    /// Count small segments for that, too.
    pub ack_small_segments: bool,
    /// Segments at the beginning, and after silence, that are acknowledged at once.
    pub quick_acks: u8,
    /// Probing of silent connections; off unless told.
    pub keep_alive: Option<KeepAlive>,
    /// How long a connection closed by the process waits for the peer's FIN.
    pub fin_wait_2: Duration,
    /// How long TIME_WAIT lasts: twice the maximum segment lifetime.
    pub time_wait: Duration,
    /// Closing discards what was not sent and resets the connection (linger 0).
    pub reset_on_close: bool,

    /// Challenge acknowledgements a connection sends in a second (RFC 5961, section 7).
    pub challenge_acks_per_second: u8,
    /// The shortest time between two acknowledgements of segments out of the window. Those without
    /// text count among the challenges, too, so that two ends without this interval do not answer
    /// each other for ever.
    pub invalid_ack_interval: Duration,
    /// Searching for what the path carries (RFC 4821).
    pub mtu: MtuConfig,
    /// Time-outs of full-sized segments before a black hole is assumed although nothing is searched
    /// for; 0 never.
    pub black_hole_timeouts: u8,
    /// The segment size that is kept from then on.
    pub black_hole_mss: u16,

    /// An acknowledgement of what was never sent is answered, as RFC 9293, section 3.10.7.4, wants
    /// it, not only dropped.
    pub answer_unsent_ack: bool,
    /// A connection that ends because nothing came back tells the peer by a reset, which RFC 9293,
    /// section 3.10.8, does not ask for.
    pub reset_on_timeout: bool,
    /// Any reset inside the window ends the connection, as RFC 793 had it, not only one at exactly
    /// RCV.NXT (RFC 5961, section 3.2).
    pub reset_anywhere: bool,
    /// A SYN inside the window resets the connection, as RFC 793 had it, instead of being
    /// challenged (RFC 5961, section 4.2).
    pub reset_on_syn: bool,
    /// SYN and FIN together are not looked at, but in TIME-WAIT, where they can open nothing.
    pub drop_syn_fin: bool,
    /// A later SYN between the same ends ends TIME-WAIT and opens a connection (RFC 6191).
    pub time_wait_reuse: bool,
    /// The acknowledgement of the peer's FIN repeats ours, when that was not acknowledged yet.
    pub ack_repeats_fin: bool,
    /// SYNs carry no option at all.
    pub plain_syn: bool,
    /// A SYN tells no more than the path is known to carry, although that is about the way out only:
    /// less than RFC 9293, section 3.7.1, lets it tell.
    pub syn_tells_path: bool,
    /// Times a SYN is sent again with all its options; later ones have the segment size only.
    pub syn_option_retries: u8,
    /// Times a SYN is sent again with its ECN flags (RFC 3168, section 6.1.1.1).
    pub syn_ecn_retries: u8,
    /// How long connecting is tried, whatever the number of retries.
    pub syn_timeout: Option<Duration>,
    /// The receive buffer is rounded up to whole segments when their size is agreed.
    pub receive_buffer_in_segments: bool,
    /// The window says how much room there is as long as that is not silly (a quarter of the buffer
    /// or a segment), instead of growing by segments only (RFC 9293, section 3.8.6.2.2). What lies
    /// in the room is in the window, even where the field could not say so.
    pub window_tells_room: bool,
}

/// Linux's numbers, but for what is set by [`Config::linux`].
const LINUX: Config = Config {
    mss_max: u16::MAX,
    mss_default: 536,
    mss_min: 48,
    gso_bytes_max: 0,
    timestamps: true,
    timestamps_required: false,
    sack: true,
    window_scaling: true,
    ecn: EcnMode::Passive,
    receive_buffer_bytes: 65_536,
    receive_buffer_bytes_max: 6 << 20,
    out_of_order_ranges_max: 1024,
    send_buffer_bytes: 87_040,
    send_buffer_bytes_max: 4 << 20,
    not_sent_low_water_bytes: u32::MAX,
    nagle: true,
    cork_timeout: Duration::from_millis(200),
    minshall: true,
    congestion: CongestionConfig::USUAL,
    slow_start_after_idle: true,
    limited_transmit: true,
    tail_loss_probe: true,
    pacing: Pacing::Off,
    pacing_rate_max: None,
    rack: true,
    scoreboard_entries_max: 16_384,
    f_rto: true,
    rto_initial: Duration::from_secs(1),
    rto_min: Duration::from_millis(200),
    rto_variation_min: Duration::from_millis(200),
    rto_max: Duration::from_secs(120),
    rto_slack: Duration::ZERO,
    syn_retries: 6,
    syn_linear_retries: 0,
    syn_ack_retries: 5,
    retries: 15,
    orphan_retries: 8,
    orphan_probes: 8,
    user_timeout: None,
    persist_max: Duration::from_secs(120),
    delayed_ack: Duration::from_millis(40),
    ack_every_segments: 2,
    ack_small_segments: false,
    quick_acks: 16,
    keep_alive: None,
    fin_wait_2: Duration::from_secs(60),
    time_wait: Duration::from_secs(60),
    reset_on_close: false,
    challenge_acks_per_second: 10,
    invalid_ack_interval: Duration::from_millis(500),
    mtu: MtuConfig::USUAL,
    black_hole_timeouts: 0,
    black_hole_mss: 536,
    answer_unsent_ack: false,
    reset_on_timeout: false,
    reset_anywhere: false,
    reset_on_syn: false,
    drop_syn_fin: false,
    time_wait_reuse: true,
    ack_repeats_fin: false,
    plain_syn: false,
    syn_tells_path: true,
    syn_option_retries: u8::MAX,
    syn_ecn_retries: 0,
    syn_timeout: None,
    receive_buffer_in_segments: false,
    window_tells_room: false,
};

impl Default for Config {
    /// Linux's habits, but a SYN is sent once more: connecting is tried for four minutes, as
    /// RFC 9293, section 3.8.3, wants at least three; acknowledgements of what was never sent are
    /// answered, as section 3.10.7.4 has it; SYNs tell what the link takes in, whatever is known of the
    /// path; and one that swallows full segments is searched for the size it carries (RFC 4821).
    fn default() -> Self {
        let mtu = MtuConfig::default();
        Self {
            syn_retries: 7,
            answer_unsent_ack: true,
            syn_tells_path: false,
            mtu,
            ..Self::linux()
        }
    }
}

impl Config {
    /// What an unchanged Linux does.
    #[must_use]
    pub fn linux() -> Self {
        let congestion = CongestionConfig { reduce_from_window: true, ..CongestionConfig::USUAL };
        Self { congestion, mtu: MtuConfig::linux(), ..LINUX }
    }

    /// What an unchanged FreeBSD does.
    #[must_use]
    pub fn freebsd() -> Self {
        Self {
            timestamps_required: true,
            receive_buffer_bytes: 65_536,
            receive_buffer_bytes_max: 2 << 20,
            out_of_order_ranges_max: 100,
            send_buffer_bytes: 32_768,
            send_buffer_bytes_max: 2 << 20,
            minshall: false,
            ack_small_segments: true,
            f_rto: false,
            rack: false,
            tail_loss_probe: false,
            rto_initial: Duration::from_secs(1),
            rto_min: Duration::from_millis(30),
            rto_variation_min: Duration::ZERO,
            rto_max: Duration::from_secs(64),
            rto_slack: Duration::from_millis(200),
            syn_retries: 12,
            syn_ack_retries: 3,
            retries: 12,
            orphan_retries: 12,
            orphan_probes: 12,
            persist_max: Duration::from_secs(60),
            delayed_ack: Duration::from_millis(40),
            quick_acks: 0,
            keep_alive: None,
            invalid_ack_interval: Duration::ZERO,
            black_hole_timeouts: 0,
            time_wait_reuse: false,
            ack_repeats_fin: true,
            answer_unsent_ack: true,
            reset_on_timeout: true,
            syn_ecn_retries: 1,
            syn_timeout: Some(Duration::from_secs(75)),
            receive_buffer_in_segments: true,
            window_tells_room: true,
            ..Self::linux()
        }
    }
}
