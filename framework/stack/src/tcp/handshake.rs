//! What two ends agree upon with their SYNs, as a value: small enough for a SYN cache, complete
//! enough to make a connection of it when the third segment comes.

use fyke_clock::Instant;

use super::config::{Config, EcnMode};
use super::{Flags, Options, Segment, SeqNum, Timestamp};

/// The largest shift the window scale option may ask for (RFC 7323, section 2.3).
pub(crate) const WINDOW_SCALE_MAX: u8 = 14;

/// What the caller brings to a new connection, because a connection knows neither addresses nor
/// secrets nor links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Initial {
    /// Our initial sequence number (RFC 6528).
    pub iss: SeqNum,
    /// Added to our clock in timestamps, so that they tell nobody how long we run (RFC 7323,
    /// section 5.4).
    pub timestamp_offset: u32,
    /// How long segments may be.
    pub mss: Mss,
}

/// How long segments may be in either direction: MTUs without IP's and TCP's fixed headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mss {
    /// What our link takes in (MMS_R of RFC 9293, section 3.7.1): this is what the peer is told. A
    /// path that is narrow on the way out says nothing about the way in.
    pub receive: u16,
    /// What the path carries, as far as is known: this bounds what we send.
    pub send: u16,
}

impl Mss {
    /// Nothing is known but the link: the same in both directions.
    #[must_use]
    pub const fn both(mss: u16) -> Self {
        Self { receive: mss, send: mss }
    }
}

/// The state of a passive open between SYN and the ACK of our SYN-ACK.
///
/// A listener may keep these instead of connections (RFC 4987, section 3.3), or none at all and
/// build one from a cookie: [`Connection::from_handshake`](super::Connection::from_handshake).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handshake {
    /// Our initial sequence number.
    pub iss: SeqNum,
    /// The peer's.
    pub irs: SeqNum,
    /// The window of the peer's last segment, as it stood in the header.
    pub window: u16,
    /// The peer's maximum segment size.
    pub peer_mss: u16,
    /// The peer's window scale, when scaling is agreed.
    pub window_scale: Option<u8>,
    /// Whether selective acknowledgements are agreed.
    pub sack: bool,
    /// The peer's last timestamp, when timestamps are agreed.
    pub timestamp: Option<u32>,
    /// What is added to our clock in timestamps.
    pub timestamp_offset: u32,
    /// Whether ECN is agreed.
    pub ecn: bool,
    /// When our SYN-ACK went out, when it went out once: what the acknowledgement is measured
    /// against (Karn's rule).
    pub sent: Option<Instant>,
}

impl Handshake {
    /// What `config` makes of a peer's SYN.
    #[must_use]
    pub fn of_syn(config: &Config, syn: &Segment, initial: Initial) -> Self {
        let options = &syn.options;
        let scale = options.window_scale.filter(|_| config.window_scaling);
        let asks_ecn = syn.flags.contains(Flags::ECE | Flags::CWR);
        Self {
            iss: initial.iss,
            irs: syn.seq,
            window: syn.window,
            peer_mss: peer_mss(config, options),
            window_scale: scale.map(|shift| shift.min(WINDOW_SCALE_MAX)),
            sack: options.sack_permitted && config.sack,
            timestamp: options.timestamp.filter(|_| config.timestamps).map(|t| t.value),
            timestamp_offset: initial.timestamp_offset,
            ecn: asks_ecn && config.ecn != EcnMode::Off,
            sent: None,
        }
    }

    /// What a connection's timestamps say at a time, with its offset: for what answers when there
    /// is no connection any more, as in TIME-WAIT.
    #[must_use]
    pub fn timestamp_clock(now: Instant, offset: u32) -> u32 {
        timestamp_clock(now, offset)
    }

    /// The SYN-ACK for it, where the link takes in segments of `link_mss`.
    #[must_use]
    pub fn syn_ack(&self, config: &Config, link_mss: u16, now: Instant) -> Segment {
        let mut flags = Flags::SYN | Flags::ACK;
        if self.ecn {
            flags |= Flags::ECE;
        }
        let mut options = Options {
            mss: Some(own_mss(config, link_mss)),
            window_scale: self.window_scale.map(|_| own_window_scale(config)),
            sack_permitted: self.sack,
            timestamp: self
                .timestamp
                .map(|echo| Timestamp { value: timestamp_clock(now, self.timestamp_offset), echo }),
            ..Options::default()
        };
        if config.plain_syn {
            options = Options::default();
        }
        Segment {
            seq: self.iss,
            ack: self.irs + 1,
            flags,
            window: first_window(config),
            options,
            ..Segment::default()
        }
    }
}

/// The peer's maximum segment size: what it told, never below our floor.
pub(crate) fn peer_mss(config: &Config, options: &Options) -> u16 {
    options.mss.unwrap_or(config.mss_default).max(config.mss_min)
}

/// The maximum segment size we tell: what the link takes in, without options (RFC 6691).
pub(crate) fn own_mss(config: &Config, link_mss: u16) -> u16 {
    link_mss.min(config.mss_max.max(config.mss_min)).max(1)
}

/// The shift that makes our largest window fit into sixteen bits.
pub(crate) fn own_window_scale(config: &Config) -> u8 {
    let largest = config.receive_buffer_bytes_max.max(config.receive_buffer_bytes);
    let mut shift = 0;
    while shift < WINDOW_SCALE_MAX && largest >> shift > u32::from(u16::MAX) {
        shift += 1;
    }
    shift
}

/// The window of a SYN, which is never scaled (RFC 7323, section 2.2).
pub(crate) fn first_window(config: &Config) -> u16 {
    u16::try_from(config.receive_buffer_bytes).unwrap_or(u16::MAX)
}

/// Our timestamp clock: milliseconds, from an offset of the connection's own.
pub(crate) fn timestamp_clock(now: Instant, offset: u32) -> u32 {
    // The option's clock is meant to wrap: its low 32 bits are the value.
    let millis = now.as_nanos() / 1_000_000;
    ((millis & u64::from(u32::MAX)) as u32).wrapping_add(offset)
}
