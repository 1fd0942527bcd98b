//! What may be set on one connection. The common ones are a bit; the others give the connection a
//! configuration of its own.

use alloc::sync::Arc;
use core::time::Duration;

use fyke_clock::Instant;

use super::Connection;
use crate::tcp::config::{KeepAlive, Pacing};
use crate::tcp::congestion::Algorithm;

/// An option of one connection, as `setsockopt` knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionOption {
    /// Small segments do not wait (TCP_NODELAY).
    NoDelay(bool),
    /// Only full segments go out, until it is taken off or time is up (TCP_CORK, TCP_NOPUSH).
    Cork(bool),
    /// Acknowledge everything at once (TCP_QUICKACK).
    QuickAck(bool),
    /// Probe a silent peer (SO_KEEPALIVE and its times).
    KeepAlive(Option<KeepAlive>),
    /// Data unacknowledged for so long ends the connection (TCP_USER_TIMEOUT).
    UserTimeout(Option<Duration>),
    /// The largest segment to send (TCP_MAXSEG).
    SegmentBytesMax(u16),
    /// The send buffer, which does not grow by itself any more (SO_SNDBUF).
    SendBufferBytes(u32),
    /// The receive buffer, which does not grow by itself any more (SO_RCVBUF).
    ReceiveBufferBytes(u32),
    /// Report writability only with so few bytes unsent (TCP_NOTSENT_LOWAT).
    NotSentLowWaterBytes(u32),
    /// Closing resets (SO_LINGER with zero).
    ResetOnClose(bool),
    /// Times a SYN is sent again (TCP_SYNCNT).
    SynRetries(u8),
    /// How long to wait for the peer's FIN after closing (TCP_LINGER2).
    FinWait2(Duration),
    /// The congestion control, before data flows (TCP_CONGESTION).
    Congestion(Algorithm),
    /// How what is sent is spread over the round trip.
    Pacing(Pacing),
    /// The most payload that leaves in a second, in bytes (SO_MAX_PACING_RATE).
    PacingRateMax(Option<u64>),
}

impl Connection {
    /// Sets an option.
    pub fn set_option(&mut self, now: Instant, option: ConnectionOption) {
        match option {
            ConnectionOption::NoDelay(on) => {
                self.no_delay = on;
                // What waits goes now, also from under a cork; what comes later follows its rules.
                self.due.push |= on && self.unsent() > 0;
            }
            ConnectionOption::Cork(on) => {
                self.cork = on;
                self.due.push |= !on && self.unsent() > 0;
            }
            ConnectionOption::QuickAck(on) => {
                self.quick_ack = on;
                self.due.ack |= on && self.timers.ack.is_set();
            }
            ConnectionOption::KeepAlive(keep_alive) => {
                self.keep_alive = keep_alive.is_some();
                if keep_alive.is_some() && self.config.keep_alive != keep_alive {
                    Arc::make_mut(&mut self.config).keep_alive = keep_alive;
                }
                self.probes = 0;
                self.receive.heard = now;
                self.arm_keep_alive(now);
            }
            ConnectionOption::ReceiveBufferBytes(bytes) => {
                self.receive.buffer = bytes.max(1);
                self.receive.fixed = true;
            }
            ConnectionOption::SendBufferBytes(bytes) => {
                self.send.capacity = bytes.max(1);
                if let Some(outgoing) = &mut self.send.outgoing {
                    outgoing.buffer.set_capacity(bytes.max(1) as usize);
                }
                self.set_own(option);
                self.tell_writable();
            }
            ConnectionOption::SegmentBytesMax(_) => {
                self.set_own(option);
                self.mss_changed();
            }
            ConnectionOption::Congestion(_) => {
                self.set_own(option);
                self.begin_congestion(0);
                self.pacing_changed();
            }
            ConnectionOption::Pacing(_) | ConnectionOption::PacingRateMax(_) => {
                self.set_own(option);
                self.pacing_changed();
            }
            _ => self.set_own(option),
        }
    }

    /// Changes the connection's own copy of the configuration.
    fn set_own(&mut self, option: ConnectionOption) {
        let config = Arc::make_mut(&mut self.config);
        match option {
            ConnectionOption::UserTimeout(limit) => config.user_timeout = limit,
            ConnectionOption::SegmentBytesMax(bytes) => config.mss_max = bytes,
            ConnectionOption::SendBufferBytes(bytes) => {
                config.send_buffer_bytes = bytes;
                config.send_buffer_bytes_max = bytes;
            }
            ConnectionOption::NotSentLowWaterBytes(bytes) => {
                config.not_sent_low_water_bytes = bytes
            }
            ConnectionOption::ResetOnClose(on) => config.reset_on_close = on,
            ConnectionOption::SynRetries(times) => config.syn_retries = times,
            ConnectionOption::FinWait2(time) => config.fin_wait_2 = time,
            ConnectionOption::Congestion(algorithm) => config.congestion.algorithm = algorithm,
            ConnectionOption::Pacing(pacing) => config.pacing = pacing,
            ConnectionOption::PacingRateMax(rate) => config.pacing_rate_max = rate,
            _ => {}
        }
    }
}
