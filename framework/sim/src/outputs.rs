//! What a box says to the world after it was given a frame or time has passed: boxes decide, the
//! world acts.

use crate::drops::DropReason;
use crate::frame::Frame;

/// Frames to send by port, and frames that end here.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    pub(crate) sends: Vec<(u16, Frame)>,
    pub(crate) drops: Vec<(DropReason, Frame)>,
}

impl Outputs {
    pub(crate) fn send(&mut self, port: u16, frame: Frame) {
        self.sends.push((port, frame));
    }

    pub(crate) fn drop(&mut self, reason: DropReason, frame: Frame) {
        self.drops.push((reason, frame));
    }
}
