//! What a direction of a link does to frames.

use std::time::Duration;

/// Loss in bursts: the model of Gilbert and Elliott. The link is in a good or a bad state, and each
/// frame may change that.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct BurstLoss {
    /// How likely a frame turns a good link bad.
    pub to_bad: f64,
    /// How likely a frame turns a bad link good: one over the mean length of a burst.
    pub to_good: f64,
    /// How likely a frame is lost while the link is good.
    pub loss_good: f64,
    /// How likely a frame is lost while the link is bad.
    pub loss_bad: f64,
}

impl BurstLoss {
    /// Bursts of `length` frames in the mean, all lost, that are `share` of all frames.
    #[must_use]
    pub fn new(share: f64, length: f64) -> Self {
        let share = share.clamp(0.0, 0.99);
        let to_good = 1.0 / length.max(1.0);
        let to_bad = to_good * share / (1.0 - share);
        Self { to_bad, to_good, loss_good: 0.0, loss_bad: 1.0 }
    }
}

/// What a direction of a link does to the frames it carries. The default carries everything at once
/// and loses nothing.
///
/// ```
/// use std::time::Duration;
/// use fyke_sim::LinkConfig;
///
/// let dsl = LinkConfig::new()
///     .delay(Duration::from_millis(15))
///     .rate_mbit(16.0)
///     .queue_packets(100)
///     .loss(0.001);
/// # assert_eq!(dsl.rate_bits_per_s, Some(16_000_000));
/// ```
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct LinkConfig {
    /// From the last bit sent to the last bit received.
    pub delay: Duration,
    /// The delay is longer by up to so much, evenly spread. Order is kept all the same.
    pub jitter: Duration,
    /// Bits a second; `None` is without limit.
    pub rate_bits_per_s: Option<u64>,
    /// Frames that wait for their turn at most; the one that does not fit is dropped (1000).
    pub queue_packets_max: usize,
    /// Bytes of frames that wait at most (16 MiB).
    pub queue_bytes_max: usize,
    /// Frames under way at most, those that wait included (100 000).
    pub in_flight_packets_max: usize,
    /// How likely a frame is lost.
    pub loss: f64,
    /// Loss in bursts.
    pub burst_loss: Option<BurstLoss>,
    /// How likely a frame is overtaken by the ones behind it.
    pub reorder: f64,
    /// How much later such a frame arrives.
    pub reorder_delay: Duration,
    /// How likely a frame arrives twice.
    pub duplicate: f64,
    /// How likely one bit of a frame is flipped.
    pub corrupt: f64,
    /// The longest packet (without its Ethernet header) that fits; longer ones vanish.
    pub mtu: usize,
    /// Whether it carries anything at all.
    pub up: bool,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            rate_bits_per_s: None,
            queue_packets_max: 1000,
            queue_bytes_max: 16 << 20,
            in_flight_packets_max: 100_000,
            loss: 0.0,
            burst_loss: None,
            reorder: 0.0,
            reorder_delay: Duration::from_millis(5),
            duplicate: 0.0,
            corrupt: 0.0,
            mtu: 1500,
            up: true,
        }
    }
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident => $field:ident : $type:ty,)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(mut self, value: $type) -> Self {
            self.$field = value;
            self
        }
    )*};
}

impl LinkConfig {
    /// A perfect link.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// How long a frame takes.
        delay => delay: Duration,
        /// How much longer it may take.
        jitter => jitter: Duration,
        /// Bits a second; `None` is without limit.
        rate => rate_bits_per_s: Option<u64>,
        /// Frames that wait at most.
        queue_packets => queue_packets_max: usize,
        /// Bytes that wait at most.
        queue_bytes => queue_bytes_max: usize,
        /// Frames under way at most.
        in_flight_packets => in_flight_packets_max: usize,
        /// How likely a frame is lost.
        loss => loss: f64,
        /// Loss in bursts.
        burst_loss => burst_loss: Option<BurstLoss>,
        /// How likely a frame is overtaken.
        reorder => reorder: f64,
        /// How much later such a frame arrives.
        reorder_delay => reorder_delay: Duration,
        /// How likely a frame arrives twice.
        duplicate => duplicate: f64,
        /// How likely a bit of a frame is flipped.
        corrupt => corrupt: f64,
        /// The longest packet that fits.
        mtu => mtu: usize,
        /// Whether it carries anything.
        up => up: bool,
    }

    /// Megabits a second.
    #[must_use]
    pub fn rate_mbit(self, mbit: f64) -> Self {
        self.rate(Some((mbit * 1e6).max(1.0) as u64))
    }
}
