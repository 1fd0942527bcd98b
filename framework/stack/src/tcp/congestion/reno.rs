//! Growth and reduction of Reno and NewReno (RFC 5681), counting bytes (RFC 3465).

/// How much was acknowledged since the window last grew.
#[derive(Debug, Clone, Default)]
pub(super) struct Reno {
    acked: u32,
}

impl Reno {
    /// Congestion avoidance: one segment more for each window that was acknowledged.
    pub(super) fn grow(&mut self, window: u32, mss: u32, acked: u32) -> u32 {
        self.acked = self.acked.saturating_add(acked);
        if self.acked < window {
            return window;
        }
        self.acked -= window;
        // One ACK acknowledges no more than a window.
        self.acked = self.acked.min(window);
        window.saturating_add(mss)
    }

    /// The new ssthresh: half of what was outstanding (RFC 5681, equation 4).
    pub(super) fn reduce(&mut self, flight: u32) -> u32 {
        self.acked = 0;
        flight / 2
    }
}
