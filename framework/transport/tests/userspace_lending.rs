//! Long pieces are lent to the pipeline as they lie in the device's memory; short ones are copied, so
//! that a channel that keeps what it was given keeps little more than that alive.

mod userspace_support;

use std::sync::mpsc::{Sender, channel};

use fyke_buffer::ByteBuf;
use fyke_core::event_loop::ChannelSpec;
use fyke_core::{ChannelOptions, Context, InboundHandler, Never, Outgoing, Result};
use userspace_support::{World, pattern, plain};

/// The least that is lent; `transport/src/userspace/stream.rs` says why.
const LENT_BYTES_MIN: usize = 32 * 1024;

/// Tells what it is given.
struct Keeper(Sender<ByteBuf>);

impl InboundHandler for Keeper {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn read(&mut self, _: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
        let _ = self.0.send(msg);
        Ok(())
    }
}

/// What a keeper is given of messages of these lengths, each sent when the last was read.
fn given(options: ChannelOptions, lengths: &[usize]) -> Vec<ByteBuf> {
    let (mut world, _cable) = World::pair();
    let server = world.hosts[0].listen("10.9.0.1:80", plain(), false);
    let (keeper, kept) = channel();
    let spec = ChannelSpec::new(options, move |ch| {
        ch.pipeline().inbound("keeper", Keeper(keeper.clone()))
    });
    let client = &mut world.hosts[1];
    client.event_loop.core().connect(client.transport, &server.address, &spec, |_| {});
    world.settle();
    let sender = server.accepted().unwrap();
    for (seed, length) in lengths.iter().enumerate() {
        sender.send(pattern(*length, seed as u8));
        world.settle();
    }
    drop(world);
    kept.try_iter().collect()
}

#[test]
fn long_pieces_are_lent_and_short_ones_are_copied() {
    let lengths = [100; 5].into_iter().chain([400_000; 3]).chain([100, 2000]).collect::<Vec<_>>();
    let given = given(plain(), &lengths);
    let (lent, copied): (Vec<_>, Vec<_>) = given.iter().partition(|bytes| bytes.is_lent());
    assert!(lent.len() > 3, "{} of {}", lent.len(), given.len());
    assert!(lent.iter().all(|bytes| bytes.readable() >= LENT_BYTES_MIN));
    assert!(copied.len() >= 7, "the short messages at least");
    // They outlive the loop that they came from, and nobody writes to them meanwhile.
    let all: Vec<u8> = given.iter().flat_map(|bytes| bytes.iter().copied()).collect();
    let sent = lengths.iter().enumerate().flat_map(|(seed, length)| pattern(*length, seed as u8));
    assert!(all.iter().copied().eq(sent));
}

/// A writer's last segment is short, and the next one's first is long.
#[test]
fn a_short_piece_costs_no_long_one_its_loan() {
    let lengths = [[262_144; 4], [1_504, 262_144, 1_504, 262_144]].concat();
    let given = given(plain(), &lengths);
    let copied: usize = given.iter().filter(|b| !b.is_lent()).map(|b| b.readable()).sum();
    let all: usize = lengths.iter().sum();
    assert_eq!(given.iter().map(|bytes| bytes.readable()).sum::<usize>(), all);
    assert!(copied < all / 4, "{copied} of {all} bytes were copied");
}

#[test]
fn who_reads_little_at_a_time_is_lent_nothing() {
    let options = plain().read_bytes_max(LENT_BYTES_MIN / 2);
    let given = given(options, &[400_000]);
    assert!(given.iter().all(|bytes| !bytes.is_lent() && bytes.readable() <= LENT_BYTES_MIN / 2));
    assert_eq!(given.iter().map(|bytes| bytes.readable()).sum::<usize>(), 400_000);
}
