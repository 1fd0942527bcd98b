//! What a connection has counted since it began.

use core::time::Duration;

use super::Connection;

/// The counters of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counted {
    /// Segments received.
    pub segments_in: u64,
    /// Segments sent.
    pub segments_out: u64,
    /// Bytes received in order.
    pub bytes_received: u64,
    /// Bytes sent for the first time.
    pub bytes_sent: u64,
    /// Bytes sent again.
    pub bytes_sent_again: u64,
    /// Bytes acknowledged, in order.
    pub bytes_acknowledged: u64,
    /// Segments received with payload; wraps.
    pub data_segments_in: u32,
    /// Segments sent with payload; wraps.
    pub data_segments_out: u32,
    /// Segments known to have arrived, the SYN among them; wraps.
    pub delivered: u32,
    /// Segments among them whose acknowledgements told of congestion (RFC 3168).
    pub delivered_marked: u32,
    /// Segments that the peer had twice (RFC 2883).
    pub duplicates: u32,
    /// How many acknowledgements showed segments that were overtaken.
    pub reordered: u32,
    /// How long there was something to send.
    pub busy: Duration,
    /// How long of that the peer's window was in the way.
    pub window_limited: Duration,
    /// How long of that the send buffer was too small for a writer.
    pub buffer_limited: Duration,
    /// Segments dropped for an old timestamp (PAWS).
    pub old_timestamps: u32,
    /// Challenge acknowledgements sent (RFC 5961).
    pub challenges: u32,
    /// Window and keep-alive probes sent.
    pub probes_sent: u32,
    /// Retransmission time-outs.
    pub timeouts: u32,
    /// Fast recoveries.
    pub recoveries: u32,
    /// Reductions of the window that were taken back.
    pub undone: u32,
}

impl Connection {
    /// The counters at this moment.
    pub(super) fn counted(&self) -> Counted {
        let stats = &self.stats;
        let rare = stats.rare_now();
        let board = self.send.outgoing.as_ref().map(|outgoing| &outgoing.board);
        Counted {
            reordered: board.map_or(0, |board| board.reordering().1),
            segments_in: stats.segments_in,
            segments_out: stats.segments_out,
            bytes_received: stats.bytes_received,
            bytes_sent: stats.bytes_sent,
            bytes_sent_again: stats.bytes_sent_again,
            bytes_acknowledged: self.bytes_acknowledged(),
            data_segments_in: stats.data_segments_in,
            data_segments_out: stats.data_segments_out,
            delivered: stats.delivered,
            delivered_marked: rare.delivered_marked,
            duplicates: rare.duplicates,
            busy: stats.busy(),
            window_limited: rare.window_limited,
            buffer_limited: rare.buffer_limited,
            old_timestamps: rare.old_timestamps,
            challenges: rare.challenges,
            probes_sent: rare.probes_sent,
            timeouts: rare.timeouts,
            recoveries: rare.recoveries,
            undone: rare.undone,
        }
    }
}
