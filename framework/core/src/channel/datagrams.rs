//! Datagrams that wait to be sent. A stream channel has none, and nothing is held for them.

use std::collections::VecDeque;

use crate::outgoing::Datagram;
use crate::promise::Promise;

/// The outbound queue of a datagram channel.
#[derive(Default)]
pub(crate) struct Datagrams(Option<Box<Queue>>);

#[derive(Default)]
struct Queue {
    /// Apart from their promises, because transports take slices.
    datagrams: VecDeque<Datagram>,
    promises: VecDeque<Promise>,
}

impl Datagrams {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|queue| queue.datagrams.is_empty())
    }

    pub(crate) fn push(&mut self, datagram: Datagram, promise: Promise) {
        let queue = self.0.get_or_insert_default();
        queue.datagrams.push_back(datagram);
        queue.promises.push_back(promise);
    }

    pub(crate) fn pop(&mut self) -> Option<(Datagram, Promise)> {
        let queue = self.0.as_mut()?;
        queue.datagrams.pop_front().zip(queue.promises.pop_front())
    }

    /// Up to `max` from the front.
    pub(crate) fn batch(&mut self, max: usize) -> &[Datagram] {
        let Some(queue) = &mut self.0 else { return &[] };
        let n = queue.datagrams.len().min(max);
        &queue.datagrams.make_contiguous()[..n]
    }

    /// Bytes of the first `n`, at least one for each.
    pub(crate) fn bytes_of(&self, n: usize) -> u64 {
        let Some(queue) = &self.0 else { return 0 };
        queue.datagrams.iter().take(n).map(|d| d.payload.readable().max(1) as u64).sum()
    }
}
