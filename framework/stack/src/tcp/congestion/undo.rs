//! Reductions that were for nothing, and are taken back (RFC 4015, RFC 9438 section 4.9).

use alloc::boxed::Box;

use super::{Bbr, Controller, Growth};

/// What a reduction of the window can be taken back to (RFC 4015, RFC 9438 section 4.9).
#[derive(Debug, Clone)]
pub(super) struct Prior {
    window: u32,
    ssthresh: u32,
    growth: Growth,
}

impl Controller {
    /// The last loss or time-out was none: everything as before it, but no smaller than now.
    pub fn undo(&mut self) {
        if self.by_rate(Bbr::undo) {
            return;
        }
        if let Some(prior) = self.prior.take() {
            self.window = self.window.max(prior.window);
            self.ssthresh = self.ssthresh.max(prior.ssthresh);
            self.growth = prior.growth;
            self.prr = None;
            self.phase = self.phase_by_window();
        }
    }

    /// Whether [`undo`](Self::undo) would do anything.
    #[must_use]
    pub fn can_undo(&self) -> bool {
        self.prior.is_some()
    }

    /// The last reduction is final: what undoing would need is given up.
    pub fn forget_undo(&mut self) {
        self.prior = None;
    }

    pub(super) fn remember(&mut self) {
        self.prior = Some(Box::new(Prior {
            window: self.window,
            ssthresh: self.ssthresh,
            growth: self.growth.clone(),
        }));
    }
}
