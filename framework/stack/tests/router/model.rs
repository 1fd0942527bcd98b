//! The table of a NAT box against a model of it: a list that is searched from end to end.

use std::collections::BTreeMap;
use std::time::Duration;

use fyke_clock::Instant;
use fyke_stack::nat::{NatConfig, NatFiltering, NatMapping};
use fyke_stack::router::DropReason;
use proptest::prelude::*;

use crate::rig::*;

const TIMEOUT: Duration = Duration::from_secs(120);
const FIRST_PORT: u16 = 2000;
const PORTS: usize = 6;
const SESSIONS_MAX: usize = 12;
const SESSIONS_EACH_MAX: usize = 8;
const MAPPINGS_EACH_MAX: usize = 3;

type Inside = (u8, u16);
type Peer = (u8, u16);

#[derive(Clone, Debug)]
enum Step {
    Out(Inside, Peer),
    In(u16, Peer),
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let inside = (2..5_u8, prop_oneof![Just(2001_u16), Just(2002), Just(9000), Just(9001)]);
    let peer = (1..3_u8, 50..52_u16);
    let step = prop_oneof![
        6 => (inside, peer.clone()).prop_map(|(inside, peer)| Step::Out(inside, peer)),
        5 => (FIRST_PORT..FIRST_PORT + PORTS as u16 + 1, peer)
            .prop_map(|(port, peer)| Step::In(port, peer)),
        1 => (1..130_u64).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..120)
}

/// A session, and the mapping it is of.
#[derive(Clone, Copy, Debug)]
struct Session {
    port: u16,
    inside: Inside,
    peer: Peer,
    used: Instant,
}

struct Model {
    sessions: Vec<Session>,
    depends: bool,
    filtering: NatFiltering,
}

impl Model {
    fn expire(&mut self, now: Instant) {
        self.sessions.retain(|session| session.used + TIMEOUT > now);
    }

    /// The mapping that a packet from inside would use.
    fn mapping(&self, inside: Inside, peer: Peer) -> Option<u16> {
        let same = |it: &&Session| it.inside == inside && (!self.depends || it.peer == peer);
        self.sessions.iter().find(same).map(|it| it.port)
    }

    /// What becomes of a packet from inside; the box says which port it took for a new mapping.
    fn out(
        &mut self,
        now: Instant,
        inside: Inside,
        peer: Peer,
        chosen: Option<u16>,
    ) -> Result<u16, DropReason> {
        self.expire(now);
        let known = self.mapping(inside, peer);
        let session = self.sessions.iter_mut().find(|it| it.inside == inside && it.peer == peer);
        if let (Some(session), Some(port)) = (session, known) {
            session.used = now;
            return Ok(port);
        }
        let of_host = self.sessions.iter().filter(|it| it.inside.0 == inside.0);
        let (count, mut ports): (usize, Vec<u16>) =
            (of_host.clone().count(), of_host.map(|it| it.port).collect());
        ports.sort_unstable();
        ports.dedup();
        if self.sessions.len() >= SESSIONS_MAX {
            return Err(DropReason::NatExhausted);
        }
        if count >= SESSIONS_EACH_MAX || (known.is_none() && ports.len() >= MAPPINGS_EACH_MAX) {
            return Err(DropReason::NatHostLimit);
        }
        let port = match known {
            Some(port) => port,
            None => {
                let taken = |port: u16| self.sessions.iter().any(|it| it.port == port);
                let range = FIRST_PORT..FIRST_PORT + PORTS as u16;
                if range.clone().all(taken) {
                    return Err(DropReason::NatExhausted);
                }
                let port = chosen.expect("a port is free");
                assert!(range.contains(&port) && !taken(port), "{port} is not free");
                let own = range.contains(&inside.1) && !taken(inside.1);
                assert!(!own || port == inside.1, "the inside's own port was free");
                port
            }
        };
        self.sessions.push(Session { port, inside, peer, used: now });
        Ok(port)
    }

    fn incoming(&mut self, now: Instant, port: u16, peer: Peer) -> Result<Inside, DropReason> {
        self.expire(now);
        let filtering = self.filtering;
        let of_port: Vec<&mut Session> =
            self.sessions.iter_mut().filter(|it| it.port == port).collect();
        let Some(inside) = of_port.first().map(|it| it.inside) else {
            return Err(DropReason::NatNoMapping);
        };
        let mut passes = filtering == NatFiltering::EndpointIndependent;
        for session in of_port {
            passes |= filtering == NatFiltering::AddressDependent && session.peer.0 == peer.0;
            if session.peer == peer {
                session.used = now;
                return Ok(inside);
            }
        }
        if passes { Ok(inside) } else { Err(DropReason::NatFiltered) }
    }
}

fn inside_text((host, port): Inside) -> String {
    format!("192.168.1.{host}:{port}")
}

fn peer_text((host, port): Peer) -> String {
    format!("203.0.113.{host}:{port}")
}

fn run(steps: &[Step], mapping: NatMapping, filtering: NatFiltering) {
    let config = NatConfig::new()
        .mapping(mapping)
        .filtering(filtering)
        .hairpinning(false)
        .udp_timeout(TIMEOUT)
        .ports(FIRST_PORT..=FIRST_PORT + PORTS as u16 - 1)
        .sessions_max(SESSIONS_MAX)
        .sessions_per_host_max(SESSIONS_EACH_MAX)
        .mappings_per_host_max(MAPPINGS_EACH_MAX);
    let mut rig = Rig::nat(config);
    let depends = mapping == NatMapping::AddressAndPortDependent;
    let mut model = Model { sessions: Vec::new(), depends, filtering };
    for step in steps {
        match *step {
            Step::Pass(seconds) => {
                rig.pass(Duration::from_secs(seconds));
            }
            Step::Out(inside, peer) => {
                let seen = rig.input(rig.lan, &udp(&inside_text(inside), &peer_text(peer), b"x"));
                let from = seen.sent.first().map(|(_, frame, _)| ends(frame).0);
                let port = from.map(|from| at(&from).port());
                let expected = model.out(rig.now, inside, peer, port);
                let found = port.ok_or_else(|| seen.dropped[0]);
                assert_eq!(found, expected, "{step:?}");
            }
            Step::In(port, peer) => {
                let to = format!("{OUTSIDE}:{port}");
                let seen = rig.input(rig.wan, &udp(&peer_text(peer), &to, b"x"));
                let to = seen.sent.first().map(|(_, frame, _)| ends(frame).1);
                let expected = model.incoming(rig.now, port, peer).map(inside_text);
                assert_eq!(to.ok_or_else(|| seen.dropped[0]), expected, "{step:?}");
            }
        }
        model.expire(rig.now);
        let now = rig.now;
        let nat = rig.router.nat_mut().unwrap();
        let ports: BTreeMap<u16, ()> = model.sessions.iter().map(|it| (it.port, ())).collect();
        assert_eq!((nat.sessions(now), nat.mappings(now)), (model.sessions.len(), ports.len()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_table_does_what_the_list_does(
        steps in steps(),
        depends in any::<bool>(),
        filtering in 0..3_usize,
    ) {
        let mapping = match depends {
            true => NatMapping::AddressAndPortDependent,
            false => NatMapping::EndpointIndependent,
        };
        let filters = [
            NatFiltering::EndpointIndependent,
            NatFiltering::AddressDependent,
            NatFiltering::AddressAndPortDependent,
        ];
        run(&steps, mapping, filters[filtering]);
    }
}
