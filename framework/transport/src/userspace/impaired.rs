//! A bad wire before a good device: frames are lost, doubled and overtaken, as a seed says.

use std::collections::VecDeque;
use std::fmt;
use std::io;

use bytes::Bytes;
use fyke_core::driver::Readiness;
use fyke_core::transport::TransportSeat;
use fyke_stack::{Gso, Offload, TxChecksum, TxFrame, TxSink};

use super::device::{Device, Frame};

/// How bad a wire is: shares of the frames, each direction for itself.
///
/// The same seed and the same frames give the same troubles.
#[derive(Debug, Clone, Copy, PartialEq)]
#[must_use]
pub struct Impairment {
    loss: f64,
    reorder: f64,
    duplicate: f64,
    seed: u64,
}

impl Impairment {
    /// No trouble at all, but a seed for what is asked for.
    pub fn new(seed: u64) -> Self {
        Self { loss: 0.0, reorder: 0.0, duplicate: 0.0, seed }
    }

    /// This share of the frames is lost (0.01 is one in a hundred).
    pub fn loss(mut self, share: f64) -> Self {
        self.loss = share;
        self
    }

    /// This share of the frames is overtaken by up to eight later ones.
    pub fn reorder(mut self, share: f64) -> Self {
        self.reorder = share;
        self
    }

    /// This share of the frames comes twice.
    pub fn duplicate(mut self, share: f64) -> Self {
        self.duplicate = share;
        self
    }
}

/// What became of frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ImpairedCounters {
    /// Frames that were lost.
    pub lost: u64,
    /// Frames that were overtaken.
    pub reordered: u64,
    /// Frames that came twice.
    pub duplicated: u64,
}

/// A [`Device`] behind a bad wire, for tests of what must survive one.
pub struct Impaired<D> {
    device: D,
    incoming: Wire<Frame>,
    outgoing: Wire<Kept>,
    /// Frames that were received and not looked at yet.
    fresh: Vec<Frame>,
}

impl<D: Device> Impaired<D> {
    /// `device` behind a wire as bad as `impairment` says.
    #[must_use]
    pub fn new(device: D, impairment: Impairment) -> Self {
        Self {
            device,
            incoming: Wire::new(impairment, 1),
            outgoing: Wire::new(impairment, 2),
            fresh: Vec::new(),
        }
    }

    /// What became of the frames that came in, and of those that went out.
    #[must_use]
    pub fn counters(&self) -> (ImpairedCounters, ImpairedCounters) {
        (self.incoming.counters, self.outgoing.counters)
    }

    /// The device.
    #[must_use]
    pub fn device(&self) -> &D {
        &self.device
    }
}

impl<D: Device> TxSink for Impaired<D> {
    fn ready(&self) -> bool {
        self.device.ready()
    }

    fn transmit(&mut self, frame: TxFrame<'_>) {
        let Self { device, outgoing, .. } = self;
        let fate = outgoing.fate();
        if fate == Fate::Pass && outgoing.held.is_empty() {
            return device.transmit(frame);
        }
        outgoing.carry(Kept::new(&frame), fate, |kept| kept.send(device));
    }
}

impl<D: Device> Device for Impaired<D> {
    fn name(&self) -> &str {
        self.device.name()
    }

    fn attach(&mut self, seat: &TransportSeat<'_>, key: u64) -> io::Result<()> {
        self.device.attach(seat, key)
    }

    /// What goes out is cut before the wire, so that troubles are those of single frames.
    fn offload(&self) -> Offload {
        Offload { gso_bytes_max: 0, ..self.device.offload() }
    }

    fn ready(&mut self, readiness: Readiness) {
        Device::ready(&mut self.device, readiness);
    }

    fn receive(&mut self, frames: &mut Vec<Frame>, budget: usize) -> io::Result<bool> {
        let more = self.device.receive(&mut self.fresh, budget);
        for frame in self.fresh.drain(..) {
            let fate = self.incoming.fate();
            self.incoming.carry(frame, fate, |frame| frames.push(frame));
        }
        let more = more?;
        if !more {
            // Nothing overtakes any more.
            self.incoming.release(|frame| frames.push(frame));
        }
        Ok(more)
    }

    fn flush(&mut self) -> io::Result<()> {
        let Self { device, outgoing, .. } = self;
        outgoing.release(|kept| kept.send(device));
        device.flush()
    }
}

impl<D: fmt::Debug> fmt::Debug for Impaired<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Impaired")
            .field("device", &self.device)
            .field("incoming", &self.incoming.counters)
            .field("outgoing", &self.outgoing.counters)
            .finish_non_exhaustive()
    }
}

/// What happens to one frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Pass,
    Lost,
    Twice,
    /// So many frames go before it.
    Overtaken(u8),
}

/// One direction.
struct Wire<T> {
    impairment: Impairment,
    random: SplitMix,
    /// Frames that are being overtaken, and by how many more.
    held: VecDeque<(u8, T)>,
    counters: ImpairedCounters,
}

impl<T: Clone> Wire<T> {
    fn new(impairment: Impairment, direction: u64) -> Self {
        let random = SplitMix(impairment.seed.wrapping_mul(2).wrapping_add(direction));
        Self { impairment, random, held: VecDeque::new(), counters: ImpairedCounters::default() }
    }

    fn fate(&mut self) -> Fate {
        let Impairment { loss, reorder, duplicate, .. } = self.impairment;
        let dice = self.random.share();
        if dice < loss {
            self.counters.lost += 1;
            Fate::Lost
        } else if dice < loss + duplicate {
            self.counters.duplicated += 1;
            Fate::Twice
        } else if dice < loss + duplicate + reorder {
            self.counters.reordered += 1;
            Fate::Overtaken(1 + (self.random.next() % 8) as u8)
        } else {
            Fate::Pass
        }
    }

    fn carry(&mut self, frame: T, fate: Fate, mut out: impl FnMut(T)) {
        match fate {
            Fate::Lost => return,
            Fate::Overtaken(by) => return self.held.push_back((by, frame)),
            Fate::Twice => out(frame.clone()),
            Fate::Pass => {}
        }
        out(frame);
        // At most a frame or two are held at these rates: looking at all of them is cheap.
        let count = self.held.len();
        for _ in 0..count {
            let Some((by, held)) = self.held.pop_front() else { break };
            match by {
                0 | 1 => out(held),
                _ => self.held.push_back((by - 1, held)),
            }
        }
    }

    fn release(&mut self, mut out: impl FnMut(T)) {
        self.held.drain(..).for_each(|(_, frame)| out(frame));
    }
}

/// A frame to be sent that has to wait.
#[derive(Clone)]
struct Kept {
    bytes: Bytes,
    header: usize,
    network_offset: u16,
    transport_offset: u16,
    gso: Option<Gso>,
    checksum: TxChecksum,
}

impl Kept {
    fn new(frame: &TxFrame<'_>) -> Self {
        Self {
            bytes: frame.to_bytes(),
            header: frame.header.len(),
            network_offset: frame.network_offset,
            transport_offset: frame.transport_offset,
            gso: frame.gso,
            checksum: frame.checksum,
        }
    }

    fn send<D: Device>(self, device: &mut D) {
        let (header, payload) = self.bytes.split_at(self.header);
        device.transmit(TxFrame {
            header,
            payload: &[payload],
            network_offset: self.network_offset,
            transport_offset: self.transport_offset,
            gso: self.gso,
            checksum: self.checksum,
        });
    }
}

/// Steele, Lea and Flood's SplitMix64: small, and good enough to throw dice.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// From 0 to 1, without 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(impairment: Impairment, frames: u32) -> (Vec<u32>, ImpairedCounters) {
        let mut wire = Wire::new(impairment, 0);
        let mut out = Vec::new();
        for frame in 0..frames {
            let fate = wire.fate();
            wire.carry(frame, fate, |frame| out.push(frame));
        }
        wire.release(|frame| out.push(frame));
        (out, wire.counters)
    }

    #[test]
    fn shares_are_what_was_asked_for() {
        let bad = Impairment::new(7).loss(0.01).reorder(0.02).duplicate(0.01);
        let (out, counters) = run(bad, 100_000);
        for (count, share) in
            [(counters.lost, 1000), (counters.duplicated, 1000), (counters.reordered, 2000)]
        {
            assert!(count.abs_diff(share) < share / 5, "{counters:?}");
        }
        assert_eq!(out.len() as u64, 100_000 - counters.lost + counters.duplicated);
        let displaced = out.windows(2).filter(|pair| pair[1] < pair[0]).count() as u64;
        assert!(displaced > counters.reordered / 2, "{displaced} are late");
    }

    #[test]
    fn a_seed_says_it_all_and_another_one_says_another_thing() {
        let bad = |seed| Impairment::new(seed).loss(0.1).reorder(0.1).duplicate(0.1);
        assert_eq!(run(bad(1), 1000), run(bad(1), 1000));
        assert_ne!(run(bad(1), 1000).0, run(bad(2), 1000).0);
        let none = run(Impairment::new(1), 100);
        assert_eq!(none, ((0..100).collect(), ImpairedCounters::default()));
    }
}
