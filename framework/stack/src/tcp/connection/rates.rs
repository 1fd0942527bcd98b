//! When the application, and not the network, is what limits the rate (draft-ietf-ccwg-bbr, section
//! 4.1.1.3): samples taken meanwhile say less than they could.

use super::Connection;

impl Connection {
    /// Notes whether the connection has run out of data: called before something is written, an
    /// acknowledgement is taken in, or a timer sends something, because only who goes on then has
    /// left a gap.
    #[inline]
    pub(super) fn check_app_limited(&mut self) {
        if self.send.outgoing.as_ref().is_some_and(|outgoing| outgoing.board.samples_rates()) {
            self.mark_app_limited();
        }
    }

    fn mark_app_limited(&mut self) {
        let (unsent, mss) = (self.unsent(), self.mss());
        let Some(outgoing) = &mut self.send.outgoing else { return };
        // Less than a segment may be held back for more of its kind.
        let idle = unsent < mss
            && outgoing.board.pipe() < outgoing.congestion.window()
            && outgoing.board.lost() == 0;
        if idle {
            outgoing.board.mark_app_limited();
        }
    }
}
