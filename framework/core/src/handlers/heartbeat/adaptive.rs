//! How long a connection may be silent before a NAT box forgets it, learned: a pure state machine.
//!
//! ```text
//!   growing -- a mapping survived: the interval grows from what is known to be good
//!      |
//!      +-- a mapping was lost after a longer silence than any that was survived
//!      v
//!   settled -- survived often enough, if asked for: growing again
//!      |
//!      +-- lost twice although it should have survived: the network has become stricter (or is
//!          another one), so the interval is halved
//! ```
//!
//! RFC 4787 REQ-5 (UDP: no less than two minutes, five recommended) and RFC 5382 REQ-5 (TCP: two
//! hours and four minutes) say what boxes should grant; many grant much less, which is why this is
//! learned.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Bounds and steps of an [`AdaptiveInterval`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct AdaptiveConfig {
    /// Never ask more often than this (5 s).
    pub min: Duration,
    /// The first interval in a network of which nothing is known (15 s, as of RFC 8445 section
    /// 11 for STUN: practically every box puts up with it).
    pub initial: Duration,
    /// Never ask more seldom than this (10 min).
    pub max: Duration,
    /// The next interval in percent of the silence that was survived (150).
    pub growth_percent: u32,
    /// After a loss the interval is so many percent of the longest silence that was survived (90).
    pub margin_percent: u32,
    /// After so many survived silences in a row a settled interval grows again, at the price of one
    /// connection: never by default.
    pub grow_again_after: Option<u32>,
}

impl Default for AdaptiveConfig {
    fn default() -> Self {
        Self {
            min: Duration::from_secs(5),
            initial: Duration::from_secs(15),
            max: Duration::from_secs(600),
            growth_percent: 150,
            margin_percent: 90,
            grow_again_after: None,
        }
    }
}

impl AdaptiveConfig {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the bounds. An initial interval beyond them is moved to them.
    ///
    /// # Panics
    /// When `min` is zero or above `max`.
    #[must_use]
    pub fn bounds(mut self, min: Duration, max: Duration) -> Self {
        assert!(!min.is_zero() && min <= max, "no interval is between {min:?} and {max:?}");
        (self.min, self.max) = (min, max);
        self.initial = self.initial.clamp(min, max);
        self
    }

    /// Sets the first interval; it is moved into the bounds.
    #[must_use]
    pub fn initial(mut self, initial: Duration) -> Self {
        self.initial = initial.clamp(self.min, self.max);
        self
    }

    /// Sets [`Self::growth_percent`].
    ///
    /// # Panics
    /// When it is no growth (100 or less).
    #[must_use]
    pub fn growth_percent(mut self, percent: u32) -> Self {
        assert!(percent > 100, "{percent} percent is no growth");
        self.growth_percent = percent;
        self
    }

    /// Sets [`Self::margin_percent`].
    ///
    /// # Panics
    /// When it is not between 1 and 100.
    #[must_use]
    pub fn margin_percent(mut self, percent: u32) -> Self {
        assert!((1..=100).contains(&percent), "a margin of {percent} percent is none");
        self.margin_percent = percent;
        self
    }

    /// Sets [`Self::grow_again_after`].
    #[must_use]
    pub fn grow_again_after(mut self, survived: Option<u32>) -> Self {
        self.grow_again_after = survived;
        self
    }
}

/// What is known of a network: a value to store, and to hand to
/// [`IntervalMemory::set`](super::IntervalMemory::set) the next time.
///
/// Its text can be parsed again:
///
/// ```
/// use std::time::Duration;
///
/// use fyke_core::handlers::LearnedInterval;
///
/// let learned = LearnedInterval {
///     survived: Duration::from_secs(50),
///     lost: Some(Duration::from_secs(75)),
///     ..LearnedInterval::default()
/// };
/// assert_eq!(learned.to_string(), "survived=50000ms lost=75000ms strikes=0 streak=0");
/// assert_eq!("lost=75000ms survived=50000ms".parse(), Ok(learned));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct LearnedInterval {
    /// The longest silence that a mapping survived.
    pub survived: Duration,
    /// The shortest longer one after which it was gone.
    pub lost: Option<Duration>,
    /// Losses that should not have been, after all that is known.
    pub strikes: u32,
    /// Long silences that were survived since the last loss.
    pub streak: u32,
}

/// A text that is no [`LearnedInterval`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParseLearnedError;

impl fmt::Display for LearnedInterval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "survived={}ms", self.survived.as_millis())?;
        if let Some(lost) = self.lost {
            write!(f, " lost={}ms", lost.as_millis())?;
        }
        write!(f, " strikes={} streak={}", self.strikes, self.streak)
    }
}

impl FromStr for LearnedInterval {
    type Err = ParseLearnedError;

    fn from_str(text: &str) -> Result<Self, ParseLearnedError> {
        let number = |text: &str| text.parse::<u32>().ok();
        let millis = |text: &str| {
            text.strip_suffix("ms").and_then(|n| n.parse().ok()).map(Duration::from_millis)
        };
        let (mut learned, mut any) = (Self::default(), false);
        for (name, value) in text.split_whitespace().map(|part| part.split_once('=').unzip()) {
            let (name, value) = (name.ok_or(ParseLearnedError)?, value.ok_or(ParseLearnedError)?);
            match name {
                "survived" => learned.survived = millis(value).ok_or(ParseLearnedError)?,
                "lost" => learned.lost = Some(millis(value).ok_or(ParseLearnedError)?),
                "strikes" => learned.strikes = number(value).ok_or(ParseLearnedError)?,
                "streak" => learned.streak = number(value).ok_or(ParseLearnedError)?,
                _ => return Err(ParseLearnedError),
            }
            any |= name == "survived";
        }
        any.then_some(learned).ok_or(ParseLearnedError)
    }
}

impl fmt::Display for ParseLearnedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected `survived=<number>ms`, and perhaps `lost=<number>ms`")
    }
}

impl std::error::Error for ParseLearnedError {}

/// The longest interval between heartbeats that the boxes on the way put up with, learned from what
/// became of the silences so far. It knows no clock and no connection: whoever has them tells it.
///
/// ```
/// use std::time::Duration;
///
/// use fyke_core::handlers::{AdaptiveConfig, AdaptiveInterval};
///
/// // A box that forgets after a minute.
/// let mut adaptive = AdaptiveInterval::new(AdaptiveConfig::new(), None);
/// let mut losses = 0;
/// for _ in 0..100 {
///     let silence = adaptive.interval();
///     if silence < Duration::from_secs(60) {
///         adaptive.survived(silence);
///     } else {
///         adaptive.lost(silence);
///         losses += 1;
///     }
/// }
/// assert_eq!(losses, 1);
/// assert_eq!(adaptive.interval().as_millis(), 45_562); // 15 s x 1.5 x 1.5 x 1.5 x 0.9
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AdaptiveInterval {
    config: AdaptiveConfig,
    learned: LearnedInterval,
}

/// So many losses make a silence that was survived before one that no longer is. One alone may be a
/// server's restart, or a train in a tunnel.
const STRIKES_MAX: u32 = 2;

/// So many survived silences in a row make a strike forgotten.
const STREAK_FORGIVES: u32 = 20;

fn percent(of: Duration, percent: u32) -> Duration {
    Duration::from_nanos((of.as_nanos() * u128::from(percent) / 100) as u64)
}

impl AdaptiveInterval {
    /// Begins with what is known of the network, if anything is.
    #[must_use]
    pub fn new(config: AdaptiveConfig, learned: Option<LearnedInterval>) -> Self {
        Self { config, learned: learned.unwrap_or_default() }
    }

    /// How long nothing may pass before the next heartbeat.
    #[must_use]
    pub fn interval(&self) -> Duration {
        let AdaptiveConfig { min, initial, max, growth_percent, margin_percent, .. } = self.config;
        let survived = self.learned.survived;
        let interval = match self.learned.lost {
            None => percent(survived, growth_percent).max(initial),
            // Half of what was too long is tried, and kept when it works.
            Some(lost) if survived.is_zero() => lost / 2,
            Some(lost) => percent(survived, margin_percent).max(survived.min(lost / 2)),
        };
        interval.clamp(min, max)
    }

    /// Whether a loss has ended the growth.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.learned.lost.is_some()
    }

    /// What is known by now.
    #[must_use]
    pub fn learned(&self) -> LearnedInterval {
        self.learned
    }

    /// Nothing had passed for `silence`, and the connection was still there.
    pub fn survived(&mut self, silence: Duration) {
        let long = self.is_long(silence);
        let learned = &mut self.learned;
        learned.survived = learned.survived.max(silence);
        if learned.lost.is_some_and(|lost| lost <= learned.survived) {
            // That loss had another reason.
            learned.lost = None;
        }
        if !long {
            return;
        }
        learned.streak = learned.streak.saturating_add(1);
        if learned.streak >= STREAK_FORGIVES {
            learned.strikes = 0;
        }
        if learned.lost.is_some()
            && self.config.grow_again_after.is_some_and(|after| learned.streak >= after)
        {
            learned.lost = None;
            learned.streak = 0;
        }
    }

    /// Nothing had passed for `silence`, and the connection turned out to be dead.
    pub fn lost(&mut self, silence: Duration) {
        if !self.is_long(silence) {
            // Boxes forget after silence; this had another reason.
            return;
        }
        let learned = &mut self.learned;
        learned.streak = 0;
        if silence > learned.survived {
            learned.lost = Some(learned.lost.map_or(silence, |lost| lost.min(silence)));
            return;
        }
        learned.strikes += 1;
        if learned.strikes >= STRIKES_MAX {
            *learned = LearnedInterval { lost: Some(silence), ..LearnedInterval::default() };
        }
    }

    /// Whether it says something of silences as long as the interval. Intervals are made a little
    /// shorter by chance, and connections are silent for shorter times, too.
    fn is_long(&self, silence: Duration) -> bool {
        silence >= percent(self.interval(), 75)
    }
}
