//! A switch: learns which station is behind which port, forgets it after a while, and floods what
//! it does not know.

use std::collections::BTreeMap;
use std::time::Duration;

use fyke_clock::Instant;
use fyke_stack::wire::MacAddress;
use fyke_stack::wire::ethernet;

use crate::drops::DropReason;
use crate::frame::Frame;
use crate::outputs::Outputs;

/// How a switch behaves.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SwitchConfig {
    /// Stations that are remembered at most (4096). What does not fit is flooded.
    pub stations_max: usize,
    /// How long a station that says nothing is remembered (five minutes).
    pub age: Duration,
}

impl Default for SwitchConfig {
    fn default() -> Self {
        Self { stations_max: 4096, age: Duration::from_secs(300) }
    }
}

#[derive(Debug)]
struct Station {
    port: u16,
    heard: Instant,
}

#[derive(Debug)]
pub(crate) struct SwitchState {
    config: SwitchConfig,
    ports: u16,
    stations: BTreeMap<MacAddress, Station>,
    /// No station is older before that time, so that a full table is not swept at every frame.
    sweep_not_before: Instant,
}

impl SwitchState {
    pub(crate) fn new(config: SwitchConfig) -> Self {
        Self { config, ports: 0, stations: BTreeMap::new(), sweep_not_before: Instant::ZERO }
    }

    pub(crate) fn add_port(&mut self) -> u16 {
        self.ports += 1;
        self.ports - 1
    }

    /// Stations that are remembered.
    pub(crate) fn stations(&self) -> usize {
        self.stations.len()
    }

    pub(crate) fn receive(&mut self, now: Instant, port: u16, frame: Frame, out: &mut Outputs) {
        let Ok(header) = ethernet::Frame::parse(&frame.bytes) else {
            out.drop(DropReason::Malformed, frame);
            return;
        };
        let (source, destination) = (header.source(), header.destination());
        if source.is_unicast() {
            self.learn(now, source, port);
        }
        match self.port_of(now, destination) {
            Some(known) if known == port => out.drop(DropReason::SamePort, frame),
            Some(known) => out.send(known, frame),
            None => {
                let others = (0..self.ports).filter(|other| *other != port);
                others.for_each(|other| out.send(other, frame.clone()));
            }
        }
    }

    fn learn(&mut self, now: Instant, source: MacAddress, port: u16) {
        if let Some(station) = self.stations.get_mut(&source) {
            *station = Station { port, heard: now };
            return;
        }
        if self.stations.len() >= self.config.stations_max {
            self.sweep(now);
        }
        if self.stations.len() < self.config.stations_max {
            self.stations.insert(source, Station { port, heard: now });
        }
    }

    fn sweep(&mut self, now: Instant) {
        if now < self.sweep_not_before {
            return;
        }
        let age = self.config.age;
        self.stations.retain(|_, station| station.heard + age > now);
        let oldest = self.stations.values().map(|station| station.heard).min();
        self.sweep_not_before = oldest.unwrap_or(now) + age;
    }

    /// Where a station is; `None` for those that are not known and for groups.
    fn port_of(&self, now: Instant, destination: MacAddress) -> Option<u16> {
        let station = self.stations.get(&destination)?;
        (station.heard + self.config.age > now).then_some(station.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::NodeId;
    use fyke_stack::wire::Emit;

    fn frame(from: u8, to: u8) -> Frame {
        let mac = |n: u8| match n {
            0xff => MacAddress::BROADCAST,
            n => MacAddress([2, 0, 0, 0, 0, n]),
        };
        let header = ethernet::Header {
            destination: mac(to),
            source: mac(from),
            vlan: None,
            ethertype: ethernet::EtherType::IPV4,
        };
        Frame::new(header.to_vec(), NodeId(u32::from(from)))
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_nanos(seconds * 1_000_000_000)
    }

    fn sent(switch: &mut SwitchState, now: Instant, port: u16, frame: Frame) -> Vec<u16> {
        let mut out = Outputs::default();
        switch.receive(now, port, frame, &mut out);
        out.sends.iter().map(|(port, _)| *port).collect()
    }

    fn switch(stations_max: usize) -> SwitchState {
        let mut switch = SwitchState::new(SwitchConfig { stations_max, ..SwitchConfig::default() });
        (0..4).for_each(|_| _ = switch.add_port());
        switch
    }

    #[test]
    fn learns_floods_and_forgets() {
        let mut switch = switch(10);
        assert_eq!(sent(&mut switch, at(0), 0, frame(1, 2)), [1, 2, 3], "2 is not known");
        assert_eq!(sent(&mut switch, at(1), 2, frame(2, 1)), [0], "1 was learned");
        assert_eq!(sent(&mut switch, at(2), 0, frame(1, 2)), [2]);
        assert_eq!(sent(&mut switch, at(3), 0, frame(1, 0xff)), [1, 2, 3]);
        assert_eq!(sent(&mut switch, at(4), 2, frame(3, 2)), [0; 0], "2 is on the same port");
        assert_eq!(sent(&mut switch, at(5), 3, frame(2, 1)), [0], "2 has moved");
        assert_eq!(sent(&mut switch, at(6), 0, frame(1, 2)), [3]);
        assert_eq!(sent(&mut switch, at(306), 0, frame(1, 2)), [1, 2, 3], "2 was forgotten");
    }

    #[test]
    fn the_table_is_bounded() {
        let mut switch = switch(2);
        for n in 1..100 {
            sent(&mut switch, at(0), 1, frame(n, 0xff));
        }
        assert_eq!(switch.stations(), 2);
        assert_eq!(sent(&mut switch, at(1), 0, frame(200, 1)), [1], "the first ones are known");
        assert_eq!(sent(&mut switch, at(1), 0, frame(200, 99)), [1, 2, 3], "the others not");
        sent(&mut switch, at(301), 0, frame(50, 0xff));
        assert_eq!(switch.stations(), 1, "old ones made room");
    }
}
