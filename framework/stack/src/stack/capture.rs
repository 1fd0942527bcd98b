//! A hook that sees every frame, with a remark where there is something to say: what pcapng calls
//! a packet comment.

use fyke_clock::Instant;

/// Which way a frame went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// To the stack.
    In,
    /// To the device.
    Out,
}

/// Receives every frame the stack takes or sends.
pub trait Capture: Send {
    /// A frame, in pieces. It comes before the stack looks at it, or as it leaves.
    fn frame(&mut self, now: Instant, direction: Direction, pieces: &[&[u8]]);

    /// A remark about the last frame of that direction: why it was dropped, say.
    fn remark(&mut self, now: Instant, direction: Direction, text: &'static str);
}
