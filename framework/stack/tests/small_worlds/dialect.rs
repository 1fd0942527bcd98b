//! How the two ends speak, and where their numbers begin.

use std::time::Duration;

use fyke_stack::tcp::{Config, EcnMode, KeepAlive};

use crate::program::BUFFER;

/// What both ends are.
#[derive(Debug)]
pub struct Dialect {
    pub name: &'static str,
    configs: [fn() -> Config; 2],
    /// Initial sequence numbers: the circle ends within the SYN, the text or the FIN.
    pub isses: [u32; 2],
    /// Where the timestamp clocks begin, in milliseconds before the end of their circle.
    pub before_wrap: [u32; 2],
    /// What arrives at one time is taken in before any of it is answered.
    pub batches: bool,
}

pub const DIALECTS: &[Dialect] = &[
    Dialect {
        name: "the plain machine",
        configs: [plain, plain],
        isses: [u32::MAX, u32::MAX - 50],
        before_wrap: [0, 0],
        batches: false,
    },
    Dialect {
        name: "Linux's",
        configs: [Config::linux, Config::linux],
        isses: [u32::MAX - 130, u32::MAX - 20],
        before_wrap: [35, 500],
        batches: false,
    },
    Dialect {
        name: "FreeBSD's to Linux's",
        configs: [Config::freebsd, Config::linux],
        isses: [0x7fff_ffff - 30, 0x7fff_ffff - 130],
        before_wrap: [1 << 31, 20],
        batches: false,
    },
    Dialect {
        name: "this house's, with probes",
        configs: [probing, probing],
        isses: [u32::MAX - 451, 0x8000_0000 - 121],
        before_wrap: [3000, (1 << 31) + 70],
        batches: false,
    },
    Dialect {
        name: "that of large windows, in batches",
        configs: [large, large],
        isses: [u32::MAX - 1, 0x8000_0000 - 1],
        before_wrap: [45, (1 << 31) + 25],
        batches: true,
    },
];

/// The windows of so large a buffer have a scale of five.
const LARGE: u32 = 1 << 20;

impl Dialect {
    /// The configuration of an end, for little data.
    pub fn config(&self, end: usize) -> Config {
        let mut config = (self.configs[end])();
        config.receive_buffer_bytes = BUFFER as u32;
        config.receive_buffer_bytes_max = config.receive_buffer_bytes_max.min(LARGE);
        if !self.batches {
            config.receive_buffer_bytes_max = BUFFER as u32;
        }
        config.receive_buffer_in_segments = false;
        config
    }
}

/// No options, no quick acknowledgements.
fn plain() -> Config {
    let mut config = Config::linux();
    config.timestamps = false;
    config.sack = false;
    config.window_scaling = false;
    config.quick_acks = 0;
    config.answer_unsent_ack = true;
    config
}

/// Silence is asked about long before anybody writes.
fn probing() -> Config {
    let (idle, interval) = (Duration::from_secs(5 * 24 * 3600), Duration::from_secs(60));
    let mut config = Config::default();
    config.keep_alive = Some(KeepAlive { idle, interval, probes: 5 });
    config.nagle = false;
    config.quick_acks = 0;
    config
}

/// Windows have a scale, segments leave in larger ones, and routers may mark them.
fn large() -> Config {
    let mut config = Config::linux();
    config.receive_buffer_bytes_max = LARGE;
    config.gso_bytes_max = 65_000;
    config.ecn = EcnMode::Active;
    config
}
