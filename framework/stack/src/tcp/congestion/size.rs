//! The window when segments change their size: it counts bytes, so it stays, but where it stands for
//! one segment or for the first ones.

use super::types::initial_window;
use super::{CongestionConfig, Controller, Phase};

impl Controller {
    /// Segments are of another size from now on; `untouched` when no data has been sent yet, so that
    /// the initial window is counted anew.
    pub fn set_mss(&mut self, mss: u32, config: &CongestionConfig, untouched: bool) {
        // The window after a time-out is one segment, of whatever size.
        let one = self.phase == Phase::Loss && self.window == self.mss;
        self.mss = mss.max(1);
        self.window = if one { self.mss } else { self.window };
        self.initial_window = initial_window(config, self.mss).min(self.window_max);
        let (mss, initial_window) = (self.mss, self.initial_window);
        if self.by_rate(|bbr| bbr.set_mss(mss, initial_window, untouched)) {
            return;
        }
        if untouched && self.phase == Phase::SlowStart {
            self.window = self.initial_window;
        }
        self.window = self.window.max(self.mss);
    }
}
