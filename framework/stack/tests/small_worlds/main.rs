//! Every way in which a network can fail a short connection, one after the other.
//!
//! A world is two connections and what their applications do: open, say little, close. It runs once
//! with nothing going wrong; then once for each packet and each [`Fate`](fate::Fate) that can befall
//! it, and for each pair of packets, and so on up to a number of faults. Nothing is drawn by lot:
//! what is found once is found always, and what is not found with so many faults is not there.
//!
//! After each packet a connection must agree with a model of it that is slow and simple enough to be
//! read against the RFC ([`model`]), and each segment that leaves must be one that may
//! ([`leaving`]). All numbers are near the ends of their circles.
//!
//! By default there is one fault in a run, and each play is given in one dialect. More by a command:
//!
//! ```text
//! FYKE_FAULTS=1 cargo test --release -p fyke-stack --test small_worlds    all dialects: seconds
//! FYKE_FAULTS=2 cargo test --release -p fyke-stack --test small_worlds    two faults: minutes
//! ```
#![forbid(unsafe_code)]
#![allow(missing_docs, unreachable_pub, reason = "a test")]

mod dialect;
mod end;
mod fate;
mod hostile;
mod leaving;
mod model;
mod program;
#[path = "../two_peers/rng.rs"]
mod rng;
#[path = "../two_peers/seeds.rs"]
mod seeds;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use dialect::{DIALECTS, Dialect};
use fate::{FATES, FEW, Fate, Script};
use hostile::Hostile;
use program::{PROGRAMS, Play};
use seeds::seeds;
use world::World;

/// Packets of a run that something may happen to: whoever needs more is in the same states again.
const PACKETS_MAX: usize = 40;

/// How many faults somebody asks for.
fn asked() -> Option<usize> {
    let text = std::env::var("FYKE_FAULTS").ok()?;
    Some(text.trim().parse().expect("FYKE_FAULTS: a number"))
}

/// Faults in a run: one, unless more are asked for.
fn faults() -> usize {
    asked().unwrap_or(1)
}

/// The dialects that a play is given in: all, but one of them when nobody asks, each in its turn.
fn dialects(play: &Play) -> Vec<&'static Dialect> {
    let turn = PROGRAMS.iter().position(|other| other.name == play.name).unwrap_or(0);
    let all = DIALECTS.iter().cycle().skip(turn).take(DIALECTS.len());
    all.take(if asked().is_some() { DIALECTS.len() } else { 1 }).collect()
}

/// Runs a script; tells how many packets there were. A failure is told with the whole story.
fn run(play: &Play, dialect: &Dialect, script: &Script) -> Option<usize> {
    let ran = catch_unwind(AssertUnwindSafe(|| World::new(play, dialect, script).run()));
    if ran.is_err() {
        let mut told = World::new(play, dialect, script);
        told.tell = true;
        let _ = catch_unwind(AssertUnwindSafe(|| told.run()));
        eprintln!("{}{} in {}, with {script:?}\n", told.story, play.name, dialect.name);
    }
    ran.ok()
}

/// Tries every fate of every packet from `from` on, with `left` faults to come; counts the runs.
/// Ends with the first that fails.
fn explore(
    (play, dialect): (&Play, &Dialect),
    fates: &[Fate],
    script: &mut Script,
    from: usize,
    left: usize,
) -> Option<u64> {
    let packets = run(play, dialect, script)?.min(PACKETS_MAX);
    let mut runs = 1;
    for packet in from..if left == 0 { from } else { packets } {
        for fate in fates {
            script.push((packet, *fate));
            let further = explore((play, dialect), fates, script, packet + 1, left - 1);
            script.pop();
            runs += further?;
        }
    }
    Some(runs)
}

/// Plays with these fates; every one that fails is told.
fn explore_all<'a>(plays: impl IntoIterator<Item = &'a Play>, fates: &[Fate], faults: usize) {
    let mut failed = Vec::new();
    for play in plays {
        for dialect in dialects(play) {
            match explore((play, dialect), fates, &mut Script::new(), 0, faults) {
                Some(runs) => eprintln!("{} in {}: {runs} runs", play.name, dialect.name),
                None => failed.push((play.name, dialect.name)),
            }
        }
    }
    assert!(failed.is_empty(), "these worlds failed: {failed:?}");
}

fn explore_half(half: usize) {
    let (first, second) = PROGRAMS.split_at(PROGRAMS.len() / 2);
    explore_all([first, second][half], FATES, faults());
}

#[test]
fn no_fault_harms_the_first_half() {
    explore_half(0);
}

#[test]
fn no_fault_harms_the_second_half() {
    explore_half(1);
}

/// The few fates that matter most, one more of them at a time.
#[test]
fn one_fault_more_of_the_worst_harms_neither() {
    explore_all(PROGRAMS.iter().filter(|play| play.short), FEW, faults() + 1);
}

#[test]
fn whatever_a_peer_sends_means_what_it_should() {
    let mut failed = Vec::new();
    for seed in seeds(0..200) {
        if catch_unwind(|| Hostile::of_seed(seed).run()).is_err() {
            let mut told = Hostile::of_seed(seed);
            told.tell = true;
            let _ = catch_unwind(AssertUnwindSafe(|| told.run()));
            eprintln!("{}seed {seed}\n", told.story);
            failed.push(seed);
        }
    }
    assert!(failed.is_empty(), "these seeds failed: {failed:?}");
}
