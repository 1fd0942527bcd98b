//! Devices that vanish, and what they may bring.

mod userspace_support;

use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use fyke_core::transport::TransportSeat;
use fyke_stack::{Offload, RxMeta, TxFrame, TxSink};
use fyke_transport::userspace::{Device, Frame, Userspace};
use proptest::collection::vec;
use proptest::prelude::*;
use userspace_support::{Log, World, options, plain};

#[test]
fn a_device_that_vanishes_ends_its_channels_and_nothing_else() {
    let (mut world, cable) = World::pair();
    let server = world.hosts[0].listen("10.9.0.1:80", plain(), false);
    let (client, accepted) = world.connection(&server, plain());
    let endpoint =
        world.hosts[1].datagram(Some("10.9.0.2:7"), None, fyke_core::SocketOptions::new()).unwrap();
    // A connect that is under way.
    let waiting = world.hosts[1].connect(&"10.9.0.99:80".parse().unwrap(), plain());
    cable.cut();
    world.settle();
    let broken = [Log::Error(ErrorKind::NetworkDown), Log::Inactive];
    assert_eq!(client.log(), broken);
    assert_eq!(accepted.log(), broken);
    assert_eq!(endpoint.log(), [Log::Error(ErrorKind::NetworkDown)]);
    let error = waiting.try_recv().unwrap().err().unwrap();
    assert_eq!(userspace_support::kind_of(&error), ErrorKind::NetworkDown);
    // What is asked for later is refused with the same words; the loop lives on.
    let error = world.hosts[0].try_listen("10.9.0.1:81", plain(), false).err().unwrap();
    assert!(error.to_string().contains("the device cable is gone: the cable is cut"), "{error}");
    let again = world.hosts[1].connect(&server.address, plain());
    world.pass(Duration::from_secs(60));
    assert!(again.try_recv().unwrap().is_err());
    let another = World::pair();
    drop(another);
}

#[test]
fn a_loop_that_ends_is_silence_for_the_other() {
    let (mut world, _cable) = World::pair();
    let server = world.hosts[0].listen("10.9.0.1:80", plain(), false);
    let (client, _accepted) = world.connection(&server, plain());
    let gone = world.hosts.remove(0);
    drop(gone);
    client.send("hello?");
    world.pass(Duration::from_secs(10));
    assert_eq!(client.log(), []);
}

/// A device whose frames a test writes.
#[derive(Clone, Default)]
struct Script(Arc<Mutex<Vec<Bytes>>>);

struct Player {
    script: Script,
    sent: usize,
}

impl TxSink for Player {
    fn transmit(&mut self, _: TxFrame<'_>) {
        self.sent += 1;
    }
}

impl Device for Player {
    fn name(&self) -> &str {
        "script"
    }

    fn attach(&mut self, _: &TransportSeat<'_>, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn offload(&self) -> Offload {
        Offload::default()
    }

    fn receive(&mut self, frames: &mut Vec<Frame>, budget: usize) -> io::Result<bool> {
        let mut script = self.script.0.lock().unwrap();
        let count = script.len().min(budget);
        let frame = |bytes| Frame { bytes, meta: RxMeta::default() };
        frames.extend(script.drain(..count).map(frame));
        // It is asked again and again, as nobody tells of new frames.
        Ok(true)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn garbage_is_counted_and_dropped(
        frames in vec((any::<bool>(), vec(any::<u8>(), 0..200)), 1..100),
    ) {
        let script = Script::default();
        let player = script.clone();
        let mac = [2, 0, 0, 0, 0, 9];
        let factory = Userspace::new(options(0).mac(mac.into()), move |_| {
            Ok(Player { script: player.clone(), sent: 0 })
        });
        let mut world = World::of(&[&factory]);
        let server = world.hosts[0].listen("0.0.0.0:80", plain(), true);
        let count = frames.len() as u64;
        for (ipv6, mut payload) in frames {
            // Half of them get further than the link header.
            let kind: [u8; 2] = if ipv6 { [0x86, 0xdd] } else { [8, 0] };
            let mut frame = [mac.as_slice(), &[2, 0, 0, 0, 0, 8], &kind].concat();
            frame.append(&mut payload);
            script.0.lock().unwrap().push(frame.into());
        }
        for _ in 0..4 {
            world.hosts[0].event_loop.turn(Some(Duration::ZERO)).unwrap();
        }
        let transport = world.hosts[0].transport;
        let core = world.hosts[0].event_loop.core();
        let transport: &mut fyke_transport::userspace::StackTransport<Player> =
            core.transport_as(transport).unwrap();
        let counters = transport.stack().counters();
        prop_assert_eq!(counters.frames_in, count);
        prop_assert_eq!(counters.drops.total(), count);
        prop_assert!(server.accepted().is_none());
    }
}
