//! Channels over fyke's own stack, from loop to loop over a cable.

mod userspace_support;

use fyke_core::ChannelOptions;
use userspace_support::{Log, World, ip, pattern};

fn plain() -> ChannelOptions {
    ChannelOptions::new()
}

/// Writes as much as it likes and reads all the while, as only a test may.
fn greedy() -> ChannelOptions {
    plain().pause_when_unwritable(false)
}

#[test]
fn bytes_come_back_and_both_sides_end_in_order() {
    let (mut world, _cable) = World::pair();
    let server = world.hosts[0].listen("0.0.0.0:80", plain(), true);
    assert_eq!(server.address.to_string(), "0.0.0.0:80");
    let address = format!("{}:80", ip(0)).parse().unwrap();
    let answer = world.hosts[1].connect(&address, greedy());
    world.settle();
    let client = answer.try_recv().unwrap().unwrap();
    let accepted = server.accepted().unwrap();
    assert_eq!(accepted.channel.local_address(), Some(&address));
    assert_eq!(accepted.address.as_ref(), client.channel.local_address());

    let sent = pattern(1_000_000, 3);
    client.send(sent.clone());
    world.settle();
    assert!(client.log() == [Log::Bytes(sent)], "other bytes came back");
    client.channel.close();
    world.settle();
    assert_eq!(client.log(), [Log::Inactive]);
    assert_eq!(accepted.log(), [Log::ReadClosed, Log::Inactive]);
}
