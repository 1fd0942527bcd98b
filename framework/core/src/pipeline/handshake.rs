//! For stages that have to agree on something with the peer before messages can pass, and that
//! number what they send: TLS.

use crate::pipeline::cell::FiredKind;
use crate::pipeline::context::Ctx;
use crate::promise::Promise;

impl<O, W> Ctx<'_, O, W> {
    /// Reads on also while the channel is not writable, whatever its options say, until this is
    /// called with `false`.
    ///
    /// For a stage that holds what is written (and [accounts](Self::account) for it) until the peer
    /// has answered something: the channel would wait for itself otherwise.
    pub fn read_while_unwritable(&mut self, on: bool) {
        self.core.reads_while_unwritable = on;
    }

    /// Sends a message in front of what handles of the channel have written and this stage has not
    /// seen yet.
    ///
    /// For a stage whose messages carry numbers of its own, and that sends one outside of its
    /// `write`: with [`write`](Self::write) the handles' messages would come through this stage,
    /// and get the next numbers, before the one at hand has left.
    pub fn write_ahead(&mut self, msg: W) {
        if !self.is_first() {
            self.make_room();
        }
        self.fired.kind = FiredKind::Write;
        self.fired.write = Some(msg);
        self.fired.promise = Promise::NONE;
    }
}
