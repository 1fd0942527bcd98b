//! How connections find out what their path carries when no router says so (RFC 4821, RFC 8899):
//! the choices and the numbers. What a connection does with them is `connection/mtu_probe`.

use core::time::Duration;

/// When a connection searches for the size of segments its path carries by trying (RFC 4821), as
/// Linux's `net.ipv4.tcp_mtu_probing` has it. What routers say (RFC 1191, RFC 8201) counts always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum MtuProbing {
    /// Never.
    Off,
    /// Once full segments seem to vanish, or a router told of a narrow link: then sizes are tried
    /// from the base upwards, and again when the interval is over.
    #[default]
    AfterBlackHole,
    /// From the beginning: segments are small at first, and larger ones are tried.
    Always,
}

/// In which order sizes are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum MtuOrder {
    /// What is half way between what passes and what does not, as Linux does.
    Bisect,
    /// The largest first when nothing speaks against it; then what links usually carry and lies
    /// near the half way (RFC 4821, section 7.3). On the paths there are it needs fewer probes, and
    /// ends at the size of the link instead of a few bytes below.
    #[default]
    CommonFirst,
}

/// How path MTUs are searched for. Sizes are those of the maximum segment size option: the packet
/// without the fixed headers of IP and TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MtuConfig {
    /// When sizes are tried.
    pub probing: MtuProbing,
    /// In which order.
    pub order: MtuOrder,
    /// What a connection begins with when it searches from the beginning (eff_pmtu of RFC 4821,
    /// section 7.2).
    pub initial_mss: u16,
    /// Time-outs in a row after which a black hole is assumed (RFC 4821, section 7.7); 0 never.
    pub black_hole_timeouts: u8,
    /// What is believed to pass everywhere (search_low of RFC 4821, BASE_PLPMTU of RFC 8899):
    /// where a search begins, and what a black hole throws it back to.
    pub base_mss: u16,
    /// While even that does not pass, half of it is taken, again and again, down to this
    /// (MIN_PLPMTU of RFC 8899).
    pub floor_mss: u16,
    /// What passes and what does not are so close that the search is over.
    pub threshold_bytes: u16,
    /// Probes of one size that have to be lost before it counts as too large (MAX_PROBES of
    /// RFC 8899): one lost packet may be chance. The search goes on after the first of them, and
    /// comes back for the others when it has found what is next to that size.
    pub attempts_max: u8,
    /// The congestion window in segments below which nothing is probed.
    pub window_segments_min: u8,
    /// After how long larger sizes are tried again (PMTU_RAISE_TIMER of RFC 8899).
    pub interval: Duration,
}

impl Default for MtuConfig {
    fn default() -> Self {
        Self::USUAL
    }
}

impl MtuConfig {
    /// What is done unless something else is asked for: nothing before a path swallows full segments.
    pub const USUAL: Self = Self {
        probing: MtuProbing::AfterBlackHole,
        order: MtuOrder::CommonFirst,
        initial_mss: 1024,
        black_hole_timeouts: 3,
        base_mss: 1024,
        floor_mss: 512,
        threshold_bytes: 8,
        attempts_max: 3,
        window_segments_min: 6,
        interval: Duration::from_secs(600),
    };

    /// What an unchanged Linux does: nothing; and its numbers for when it is told to.
    #[must_use]
    pub fn linux() -> Self {
        Self {
            probing: MtuProbing::Off,
            order: MtuOrder::Bisect,
            floor_mss: 48,
            window_segments_min: 11,
            attempts_max: 1,
            ..Self::default()
        }
    }
}
