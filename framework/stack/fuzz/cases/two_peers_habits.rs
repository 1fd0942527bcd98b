//! What a case of two peers reads from its input: numbers, and the habits of an end.

use std::time::Duration;

use fyke_stack::tcp::congestion::Algorithm;
use fyke_stack::tcp::{Config, EcnMode, KeepAlive, MtuOrder, MtuProbing};

/// Bytes of the input, zeros when there are none left.
pub(super) struct Bits<'a>(pub(super) &'a [u8]);

impl Bits<'_> {
    pub(super) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub(super) fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    pub(super) fn long(&mut self) -> u32 {
        u32::from(self.word()) << 16 | u32::from(self.word())
    }
}

/// The habits of an end.
pub(super) fn config(bits: &mut Bits<'_>) -> Config {
    let [habits, more, sizes, times] = [bits.byte(), bits.byte(), bits.byte(), bits.byte()];
    let on = |byte: u8, bit: u8| byte & 1 << bit != 0;
    let mut config = if on(habits, 0) { Config::freebsd() } else { Config::linux() };
    config.sack = !on(habits, 1);
    config.timestamps = !on(habits, 2);
    config.window_scaling = !on(habits, 3);
    config.nagle = !on(habits, 4);
    config.rack = !on(habits, 5);
    config.tail_loss_probe = !on(habits, 6);
    config.limited_transmit = !on(habits, 7);
    config.f_rto = !on(more, 0);
    config.timestamps_required = on(more, 1);
    config.reset_anywhere = on(more, 2);
    config.window_tells_room ^= on(more, 3);
    config.ecn = [EcnMode::Off, EcnMode::Passive, EcnMode::Active, EcnMode::Active]
        [usize::from(more >> 4 & 3)];
    config.congestion.algorithm =
        [Algorithm::Cubic, Algorithm::Reno, Algorithm::NewReno, Algorithm::Cubic]
            [usize::from(more >> 6)];
    config.receive_buffer_bytes = [65_536, 700, 3000, 20_000][usize::from(sizes & 3)];
    config.receive_buffer_bytes_max = [65_536, 700, 1 << 20, 1 << 24][usize::from(sizes >> 2 & 3)];
    config.send_buffer_bytes = [65_536, 1, 3000, 20_000][usize::from(sizes >> 4 & 3)];
    config.gso_bytes_max = [0, 65_535][usize::from(sizes >> 6 & 1)];
    config.out_of_order_ranges_max = [1024, 2][usize::from(sizes >> 7)];
    config.scoreboard_entries_max = [16_384, 3][usize::from(times & 1)];
    config.delayed_ack = Duration::from_millis([40, 0, 200, 499][usize::from(times >> 1 & 3)]);
    config.black_hole_timeouts = times >> 3 & 3;
    config.mtu.probing =
        [MtuProbing::Off, MtuProbing::AfterBlackHole, MtuProbing::Always, MtuProbing::Always]
            [usize::from(times >> 3 & 3)];
    config.mtu.initial_mss = [200, 1024][usize::from(sizes & 1)];
    config.mtu.base_mss = [100, 512][usize::from(more >> 2 & 1)];
    config.mtu.order = [MtuOrder::Bisect, MtuOrder::CommonFirst][usize::from(times & 1)];
    config.mtu.window_segments_min = 0;
    config.mtu.interval = Duration::from_millis(500);
    config.user_timeout = on(times, 5).then_some(Duration::from_secs(20));
    config.keep_alive = on(times, 6).then(|| KeepAlive {
        idle: Duration::from_secs(3),
        interval: Duration::from_secs(1),
        probes: 5,
    });
    config.quick_acks = if on(times, 7) { 0 } else { 16 };
    config
}
