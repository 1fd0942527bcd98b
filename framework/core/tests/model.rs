//! Random pipelines against simple models: nothing is lost, nothing comes twice, and the order
//! within each direction is kept on every link.

mod support;

use std::sync::{Arc, Mutex};

use fyke_core::embedded::{EmbeddedChannel, MessageChannel};
use fyke_core::{
    ChannelOptions, Context, Ctx, DuplexContext, DuplexHandler, InboundHandler, Never,
    OutboundContext, OutboundHandler, Promise, Result, Sender,
};
use proptest::prelude::*;

use support::{Frames, Letters, frame, on_read};

/// A message that may still be doubled or turned around so many times.
#[derive(Clone, Copy, Debug)]
struct Msg {
    id: u32,
    turns: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Role {
    Inbound,
    Outbound,
    Duplex,
}

/// What a stage does with messages that have turns left; each act costs one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Act {
    Pass,
    Double,
    /// Passes on, and sends another one back.
    Bounce,
    /// The other way round.
    BounceFirst,
}

#[derive(Clone, Copy, Debug)]
struct Plan {
    role: Role,
    inbound: Act,
    outbound: Act,
}

/// What went in and out at one stage, by direction.
#[derive(Clone, Default)]
struct Seen {
    read: Vec<u32>,
    fired: Vec<u32>,
    write: Vec<u32>,
    written: Vec<u32>,
}

#[derive(Default)]
struct Journal {
    next_id: u32,
    stages: Vec<Seen>,
}

struct Node {
    at: usize,
    plan: Plan,
    journal: Arc<Mutex<Journal>>,
}

/// The two ways out of a stage.
enum Way {
    Inwards,
    Outwards,
}

impl Node {
    /// What becomes of a message, in order. Copies get a number of their own.
    fn act(&self, msg: Msg, way: Way) -> Vec<(bool, Msg)> {
        let mut journal = self.journal.lock().unwrap();
        let inwards = matches!(way, Way::Inwards);
        let seen = &mut journal.stages[self.at];
        if inwards {
            seen.read.push(msg.id)
        } else {
            seen.write.push(msg.id)
        }
        let act = if inwards { self.plan.inbound } else { self.plan.outbound };
        let mut out = Vec::new();
        if msg.turns == 0 || act == Act::Pass {
            out.push((inwards, msg));
        } else {
            journal.next_id += 1;
            let turns = msg.turns - 1;
            let copy = Msg { id: journal.next_id, turns };
            let back = if act == Act::Double { inwards } else { !inwards };
            out.push((inwards, Msg { turns, ..msg }));
            out.insert(usize::from(act != Act::BounceFirst), (back, copy));
        }
        let seen = &mut journal.stages[self.at];
        for (inwards, msg) in &out {
            if *inwards { seen.fired.push(msg.id) } else { seen.written.push(msg.id) }
        }
        out
    }
}

impl DuplexHandler for Node {
    type In = Msg;
    type Out = Msg;
    type WriteIn = Msg;
    type WriteOut = Msg;

    fn read(&mut self, cx: &mut DuplexContext<'_, Self>, msg: Msg) -> Result<()> {
        for (inwards, msg) in self.act(msg, Way::Inwards) {
            if inwards { cx.fire_read(msg) } else { cx.write(msg) }
        }
        Ok(())
    }

    fn write(&mut self, cx: &mut DuplexContext<'_, Self>, msg: Msg, _: Promise) -> Result<()> {
        for (inwards, msg) in self.act(msg, Way::Outwards) {
            if inwards { cx.fire_read(msg) } else { cx.write(msg) }
        }
        Ok(())
    }
}

struct NodeIn(Node);

impl InboundHandler for NodeIn {
    type In = Msg;
    type Out = Msg;
    type Write = Msg;

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: Msg) -> Result<()> {
        for (inwards, msg) in self.0.act(msg, Way::Inwards) {
            if inwards { cx.fire_read(msg) } else { cx.write(msg) }
        }
        Ok(())
    }
}

/// Only doubles or passes: there is no way back from here.
struct NodeOut(Node);

impl OutboundHandler for NodeOut {
    type In = Msg;
    type Out = Msg;

    fn write(&mut self, cx: &mut OutboundContext<'_, Self>, msg: Msg, _: Promise) -> Result<()> {
        for (_, msg) in self.0.act(msg, Way::Outwards) {
            cx.write(msg);
        }
        Ok(())
    }
}

/// How many messages reach the tail and the wire when one goes into stage `at`.
fn expected(plans: &[Plan], at: isize, inwards: bool, turns: u8) -> (usize, usize) {
    let Some(plan) = usize::try_from(at).ok().and_then(|at| plans.get(at)) else {
        return if inwards { (1, 0) } else { (0, 1) };
    };
    let on =
        |inwards: bool, turns| expected(plans, at + if inwards { 1 } else { -1 }, inwards, turns);
    let skipped = matches!((plan.role, inwards), (Role::Inbound, false) | (Role::Outbound, true));
    let act = if inwards { plan.inbound } else { plan.outbound };
    if skipped || turns == 0 || act == Act::Pass {
        return on(inwards, turns);
    }
    let back = if act == Act::Double { inwards } else { !inwards };
    let (first, second) = (on(inwards, turns - 1), on(back, turns - 1));
    (first.0 + second.0, first.1 + second.1)
}

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let act = || {
        prop_oneof![Just(Act::Pass), Just(Act::Double), Just(Act::Bounce), Just(Act::BounceFirst),]
    };
    let role = prop_oneof![Just(Role::Inbound), Just(Role::Outbound), Just(Role::Duplex)];
    let plan = (role, act(), act()).prop_map(|(role, inbound, outbound)| {
        let outbound = match (role, outbound) {
            (Role::Outbound, Act::Bounce | Act::BounceFirst) => Act::Double,
            (_, act) => act,
        };
        Plan { role, inbound, outbound }
    });
    prop::collection::vec(plan, 1..=NAMES.len())
}

fn channel(plans: &[Plan], journal: &Arc<Mutex<Journal>>) -> MessageChannel<Msg, Msg> {
    journal.lock().unwrap().stages = vec![Seen::default(); plans.len()];
    let (plans, journal) = (plans.to_vec(), Arc::clone(journal));
    MessageChannel::new(move |mut p| {
        for (at, plan) in plans.iter().enumerate() {
            let node = Node { at, plan: *plan, journal: Arc::clone(&journal) };
            p = match plan.role {
                Role::Inbound => p.inbound(NAMES[at], NodeIn(node)),
                Role::Outbound => p.outbound(NAMES[at], NodeOut(node)),
                Role::Duplex => p.duplex(NAMES[at], node),
            };
        }
        p
    })
}

/// On every link what was sent has arrived, in the same order. `ends` is what was fed and written
/// from outside, and what reached the tail and the wire.
fn check_links(plans: &[Plan], stages: &[Seen], ends: [&[u32]; 4]) {
    let [fed, from_tail, tail, wire] = ends;
    // A stage that an inbound-only stage writes past joins that stage's writes with those from
    // further behind, so a link outwards is compared by its senders' orders.
    let mut arriving = fed.to_vec();
    for (plan, seen) in plans.iter().zip(stages) {
        if plan.role != Role::Outbound {
            assert_eq!(seen.read, arriving);
            arriving.clone_from(&seen.fired);
        }
    }
    assert_eq!(tail, arriving);
    let mut senders: Vec<&[u32]> = vec![from_tail];
    for (plan, seen) in plans.iter().zip(stages).rev() {
        if plan.role == Role::Inbound {
            senders.push(&seen.written);
            continue;
        }
        check_merge(&seen.write, &senders);
        senders = vec![&seen.written];
    }
    check_merge(wire, &senders);
}

/// `merged` holds the messages of all senders, each one's in its order, and nothing else.
fn check_merge(merged: &[u32], senders: &[&[u32]]) {
    assert_eq!(merged.len(), senders.iter().map(|s| s.len()).sum::<usize>());
    for sender in senders {
        let own: Vec<u32> = merged.iter().copied().filter(|id| sender.contains(id)).collect();
        assert_eq!(own, *sender);
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Feed(u8),
    /// Into the tail, at once.
    Write(u8),
    /// By a handle.
    Send(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let turns = 0..5_u8;
    let step = prop_oneof![
        turns.clone().prop_map(Step::Feed),
        turns.clone().prop_map(Step::Write),
        turns.prop_map(Step::Send),
    ];
    prop::collection::vec(step, 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn messages_are_neither_lost_nor_reordered(plans in plans(), steps in steps()) {
        let journal = Arc::new(Mutex::new(Journal { next_id: 1000, ..Journal::default() }));
        let mut channel = channel(&plans, &journal);
        let sender: Sender<Msg> = channel.channel().sender().unwrap();
        let (mut fed, mut from_tail) = (Vec::new(), Vec::new());
        let mut counts = (0, 0);
        for (id, step) in (0_u32..).zip(&steps) {
            let (turns, inwards) = match *step {
                Step::Feed(turns) => (turns, true),
                Step::Write(turns) | Step::Send(turns) => (turns, false),
            };
            let msg = Msg { id, turns };
            match step {
                Step::Feed(_) => channel.feed(msg),
                Step::Write(_) => _ = channel.write_outbound(msg).unwrap(),
                Step::Send(_) => {
                    // One at a time: a second one would be older than what a stage writes in
                    // answer to the first, and would have to pass that stage in front of it.
                    sender.send(msg).unwrap();
                    channel.run_pending();
                }
            }
            if inwards { fed.push(id) } else { from_tail.push(id) }
            let at = if inwards { 0 } else { plans.len() as isize - 1 };
            let (tail, wire) = expected(&plans, at, inwards, turns);
            counts = (counts.0 + tail, counts.1 + wire);
        }
        let tail: Vec<u32> = channel.drain_inbound::<Msg>().iter().map(|msg| msg.id).collect();
        let wire: Vec<u32> = channel.drain_written().iter().map(|msg| msg.id).collect();
        prop_assert_eq!((tail.len(), wire.len()), counts);
        let stages = journal.lock().unwrap().stages.clone();
        check_links(&plans, &stages, [&fed, &from_tail, &tail, &wire]);
    }

    /// Bytes through two decoders, echoed, over a transport with little room, with pauses.
    #[test]
    fn bytes_are_neither_lost_nor_reordered(
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..12),
        cuts in prop::collection::vec((1..30_usize, 0..40_usize, any::<bool>()), 1..20),
        marks in (0..20_usize, 0..20_usize),
    ) {
        let options = ChannelOptions::new().water_marks(marks.0, marks.0 + marks.1);
        let mut channel = EmbeddedChannel::with_options(options, |ch| {
            let echo = |cx: &mut Ctx<'_, Never, u8>, msg: u8| {
                cx.write(msg);
                Ok(())
            };
            ch.pipeline()
                .decoder("frames", Frames)
                .codec("letters", Letters)
                .inbound("echo", on_read(echo))
        });
        let input: Vec<u8> = frames.iter().flat_map(|payload| frame(payload)).collect();
        let mut rest = input.as_slice();
        channel.set_room(Some(0));
        for (cut, room, pause) in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let piece = &rest[..rest.len().min(*cut)];
            rest = &rest[piece.len()..];
            let pause = *pause;
            channel.run(move |cx| cx.set_auto_read(!pause));
            channel.write_inbound(piece.to_vec());
            channel.set_room(Some(*room));
        }
        channel.finish_inbound();
        channel.run(|cx| cx.set_auto_read(true));
        channel.set_room(None);
        let payload: Vec<u8> = frames.concat();
        let sent = channel.read_outbound();
        prop_assert_eq!(sent.as_slice(), payload.as_slice());
        prop_assert_eq!(channel.close_reason(), Some(fyke_core::CloseReason::PeerEnd));
    }
}
