//! When sockets hold more than the host has to give; what is counted, and why, is told by
//! [`Memory`](crate::interface::memory::Memory).

use fyke_clock::Instant;

use super::Stack;
use super::counters::DropReason;
use crate::tcp::{Flags, Segment};

/// Of a super-segment without a size this much is taken when memory is full.
const SEGMENT_BYTES: usize = 1460;

impl Stack {
    /// A connection has stalled: it is among the first that make room.
    pub(crate) fn note_stalled(&mut self, index: u32, generation: u32) {
        let Some(socket) = self.tcp.sockets.at_mut(index) else { return };
        socket.stalled = true;
        self.net.memory.push_stalled(index, generation);
        if self.net.memory.is_overgrown(self.tcp.sockets.len()) {
            let sockets = &self.tcp.sockets;
            self.net.memory.retain_stalled(|(index, generation)| {
                sockets.get(*index, *generation).is_some_and(|socket| socket.stalled)
            });
        }
    }

    /// Ends connections that hold bytes for nobody, until there is room again or no more of them.
    pub(crate) fn relieve(&mut self, now: Instant) {
        while self.net.memory.is_full()
            && let Some((index, generation)) = self.net.memory.pop_stalled()
        {
            let Some(socket) = self.tcp.sockets.get_mut(index, generation) else { continue };
            socket.stalled = false;
            if !socket.connection.is_stalled() {
                continue;
            }
            self.net.counters.evicted += 1;
            socket.connection.evict();
            self.mark_dirty(index);
            self.settle(now, index);
        }
    }

    /// What of a segment may be taken when memory is full: its acknowledgement, which frees some,
    /// and its text when it is the next for a connection that has none. `None`: all of it.
    pub(crate) fn trimmed(
        &mut self,
        now: Instant,
        index: u32,
        segment: &Segment,
    ) -> Option<Segment> {
        if segment.payload.is_empty() {
            return None;
        }
        let socket = self.tcp.sockets.at(index)?;
        let size = match usize::from(segment.gso_size) {
            0 => SEGMENT_BYTES,
            size => size,
        };
        let keeps = if socket.connection.is_waiting_for(segment.seq) { size } else { 0 };
        if segment.payload.len() <= keeps {
            return None;
        }
        let mut trimmed = segment.clone();
        trimmed.payload.truncate(keeps);
        trimmed.gso_size = 0;
        trimmed.flags = trimmed.flags.without(Flags::FIN);
        self.net.drop_in(now, DropReason::BuffersFull);
        Some(trimmed)
    }
}
