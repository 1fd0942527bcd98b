//! What the scenarios with heartbeats promise, and that a seed draws the same picture again.

use clap::Parser as _;

use super::ALL;
use crate::{Flags, Outcome, plot};

fn run(name: &str, flags: &[&str]) -> Outcome {
    let flags = Flags::parse_from(["sim", "--scenario", name].iter().chain(flags));
    let scenario = ALL.iter().find(|scenario| scenario.name == name).expect("a scenario");
    let world = flags.world().unwrap();
    (scenario.run)(&flags, &world).unwrap()
}

fn fact<'a>(outcome: &'a Outcome, name: &str) -> &'a str {
    let mut facts = outcome.facts.iter();
    &facts.find(|(what, _)| what == name).unwrap_or_else(|| panic!("no fact {name:?}")).1
}

/// The first number in `text` behind `words`.
fn number(text: &str, words: &str) -> f64 {
    let at = text.find(words).unwrap_or_else(|| panic!("no {words:?} in {text:?}")) + words.len();
    let digits: String =
        text[at..].chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    digits.parse().unwrap()
}

#[test]
fn heartbeats_lose_nothing_and_others_do() {
    for seed in ["1", "2"] {
        let outcome = run("nat", &["--seed", seed]);
        for wire in ["TCP", "UDP"] {
            let with = fact(&outcome, &format!("{wire} with heartbeats"));
            assert_eq!(number(with, "arrived, "), 0.0, "{with}");
            let without = fact(&outcome, &format!("{wire} without"));
            assert!(number(without, "arrived, ") > 10.0, "{without}");
        }
    }
}

#[test]
fn intervals_settle_below_what_boxes_remember() {
    let outcome = run("nat-learning", &["--seed", "3"]);
    for (name, forgets) in [
        ("TCP, 60 s", 60.0),
        ("UDP, 60 s", 60.0),
        ("TCP, 300 s", 300.0),
        ("TCP, 120 s, then 40 s", 40.0),
    ] {
        let fact = fact(&outcome, name);
        let settled = number(fact, "settles at ");
        assert!(settled < forgets && settled > forgets * 0.4, "{name}: {fact}");
    }
}

#[test]
fn a_silent_peer_is_found_out_in_time_by_all() {
    let outcome = run("silent-peer", &["--many", "20"]);
    for name in ["20 over TCP", "20 over UDP"] {
        let fact = fact(&outcome, name);
        assert!(number(fact, "the last one after ") <= 90.0, "{fact}");
    }
}

#[test]
fn each_way_to_find_a_rate_has_its_phases() {
    for (by, name, phases) in [
        ("cubic", "CUBIC", &["slow start", "fast recovery", "congestion avoidance"][..]),
        ("newreno", "NewReno", &["slow start", "congestion avoidance"]),
        ("reno", "Reno", &["slow start", "congestion avoidance"]),
        ("bbr", "BBR", &["Startup", "ProbeBW, CRUISE", "ProbeBW, UP", "Rates of"]),
    ] {
        let outcome = run("bottleneck", &["--size", "5MB", "--loss", "0.2%", "--congestion", by]);
        let svg = plot::draw(&outcome.figure);
        assert!(svg.contains(&format!("({name})")), "{by}");
        assert!(phases.iter().all(|phase| svg.contains(phase)), "{by}");
        assert_eq!(by == "bbr", svg.contains("pacing rate"), "{by}");
    }
}

#[test]
fn a_seed_draws_the_same_picture() {
    let draw = |seed: &str| {
        let outcome = run("nat-learning", &["--time", "20m", "--seed", seed]);
        plot::draw(&outcome.figure)
    };
    let first = draw("4");
    assert!(first.starts_with("<svg") && first.contains("a box that forgets after 300 s"));
    assert!(first == draw("4"));
    assert!(first != draw("5"));
}
