//! Channels from elsewhere: handles, senders, groups.

use std::time::Duration;

use fyke_core::channel::{ChannelGroup, MAILBOX_ENTRIES_MAX};
use fyke_core::embedded::EmbeddedChannel;
use fyke_core::event_loop::LoopOptions;
use fyke_core::{Channel, ChannelOptions, CloseReason, LinkError, SendFailure, Sender};

use crate::support::world::{Trigger, World};
use crate::support::{Letters, Tell};

fn letters(world: &mut World, options: ChannelOptions) -> (usize, Channel) {
    let (tell, told) = std::sync::mpsc::channel();
    let line = world.connect(options, move |ch| {
        ch.pipeline().codec("letters", Letters).inbound("tell", Tell::<u8, u8>::new(&tell))
    });
    (line, told.recv().unwrap())
}

#[test]
fn a_sender_knows_its_type() {
    let channel = EmbeddedChannel::new(|ch| ch.pipeline().codec::<u8, _>("letters", Letters));
    assert!(channel.channel().sender::<u8>().is_ok());
    let Err(error) = channel.channel().sender::<String>() else { panic!("it is a sender of u8") };
    assert!(matches!(
        error,
        LinkError::Mismatch { produces: "alloc::string::String", takes: "u8", .. }
    ));
}

/// While the loop does not come to it, other threads cannot fill the memory.
#[test]
fn a_full_mailbox_gives_messages_back() {
    let mut world = World::new();
    let (line, channel) = letters(&mut world, ChannelOptions::new().water_marks(1 << 20, 1 << 20));
    let sender: Sender<u8> = channel.sender().unwrap();
    for _ in 0..MAILBOX_ENTRIES_MAX {
        sender.send(b'x').unwrap();
    }
    let refused = sender.send(b'y').unwrap_err();
    assert_eq!((refused.message, refused.reason), (b'y', SendFailure::Full));
    world.settle();
    assert_eq!(world.sent(line).len(), MAILBOX_ENTRIES_MAX);
    assert!(sender.send(b'z').is_ok());
}

/// What threads send is all there, and each thread's messages are in its order.
#[test]
fn senders_of_many_threads() {
    let mut world = World::new();
    let options = ChannelOptions::new().water_marks(1 << 20, 1 << 20);
    let (line, channel) = letters(&mut world, options);
    let threads: Vec<_> = (0..4_u8)
        .map(|thread| {
            let sender: Sender<u8> = channel.sender().unwrap();
            std::thread::spawn(move || {
                for n in 0..1000_u32 {
                    sender.send(thread * 64 + (n % 64) as u8).unwrap();
                }
            })
        })
        .collect();
    let mut sent = Vec::new();
    while !threads.iter().all(std::thread::JoinHandle::is_finished) {
        world.turn();
        sent.extend(world.sent(line));
    }
    world.settle();
    sent.extend(world.sent(line));
    assert_eq!(sent.len(), 4000);
    for thread in 0..4_u8 {
        let own: Vec<u8> = sent.iter().copied().filter(|byte| byte / 64 == thread).collect();
        let expected: Vec<u8> = (0..1000_u32).map(|n| thread * 64 + (n % 64) as u8).collect();
        assert_eq!(own, expected);
    }
    assert!(world.event_loop.stats().tasks > 0);
}

#[test]
fn handles_act_in_the_order_of_asking() {
    let mut world = World::new();
    let (line, channel) = letters(&mut world, ChannelOptions::default());
    let sender: Sender<u8> = channel.sender().unwrap();
    sender.send(b'a').unwrap();
    channel
        .clone()
        .execute(|cx| {
            cx.channel().set_attribute(cx.pending_bytes());
        })
        .unwrap();
    sender.send(b'b').unwrap();
    channel.shutdown().unwrap();
    sender.send(b'c').unwrap();
    world.settle();
    assert_eq!(world.sent(line), b"ab", "nothing is sent behind our end");
    assert!(world.line(line, |l| l.shut_down));
    assert_eq!(channel.attribute::<u64>(), Some(1));
    assert!(!channel.is_writable());
}

#[test]
fn a_group_reaches_channels_of_several_loops() {
    let group = ChannelGroup::<u8>::new();
    let mut worlds =
        [0, 1].map(|id| World::with_options(Trigger::Level, usize::MAX, LoopOptions::new(id, 0)));
    let mut lines = Vec::new();
    for (index, world) in worlds.iter_mut().enumerate() {
        for _ in 0..2 {
            let options = ChannelOptions::new().water_marks(0, 1);
            let (line, channel) = letters(world, options);
            assert!(group.add(channel.sender().unwrap()));
            assert!(!group.add(channel.sender().unwrap()), "it is in already");
            lines.push((index, line, channel));
        }
    }
    let members = group.len();
    assert_eq!(members, 4);
    let sent = group.broadcast(&b'x');
    assert_eq!((sent.sent, sent.refused), (members, 0));
    let chosen = lines[0].2.id();
    let some = group.broadcast_if(&b'y', |channel| channel.id() == chosen);
    assert_eq!(some.sent, 1);
    worlds.iter_mut().for_each(World::settle);

    // One that is not writable is left out by `try_broadcast_if`, and only by that.
    let (world, line, channel) = lines.last().unwrap();
    worlds[*world].line(*line, |l| l.room = Some(0));
    let sender: Sender<u8> = channel.sender().unwrap();
    sender.send(b'1').unwrap();
    sender.send(b'2').unwrap();
    worlds[*world].settle();
    assert_eq!(sender.try_send(b'3').unwrap_err().reason, SendFailure::Full);
    let tried = group.try_broadcast_if(&b'z', |_| true);
    assert_eq!((tried.sent, tried.refused), (members - 1, 1));

    assert!(group.remove(chosen).is_some());
    assert!(!group.contains(chosen));
    group.close_all();
    for world in &mut worlds {
        world.settle();
        world.advance(Duration::from_secs(60));
    }
    assert!(group.is_empty(), "closed channels leave the group");
    assert_eq!(lines.last().unwrap().2.close_reason(), Some(CloseReason::Local));
}
