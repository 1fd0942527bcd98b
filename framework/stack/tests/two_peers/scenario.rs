//! What a seed stands for.

use std::sync::Arc;
use std::time::Duration;

use fyke_clock::Instant;
use fyke_stack::tcp::congestion::Algorithm;
use fyke_stack::tcp::{
    CloseReason, Config, Connection, EcnMode, Flags, Initial, KeepAlive, Mss, MtuOrder, MtuProbing,
    Pacing, Segment, SeqNum,
};

use crate::end::{End, Program};
use crate::link::{Link, LinkConfig, Narrow};
use crate::rng::Rng;
use crate::world::{HOURS, Sent, World};

#[derive(Debug, Clone)]
pub struct Scenario {
    pub seed: u64,
    pub configs: [Config; 2],
    pub links: [LinkConfig; 2],
    pub programs: [Program; 2],
    pub isses: [u32; 2],
    pub path_mss: u16,
    pub both_open: bool,
    pub attacks: f64,
}

impl Scenario {
    pub fn of_seed(seed: u64) -> Self {
        let rng = &mut Rng::new(seed);
        let mut links = [link(rng), link(rng)];
        let path_mss = rng.pick(&[1460, 1440, 536, 1460, 8960]);
        let narrow = rng.chance(0.15).then(|| Narrow {
            from: Instant::from_nanos(1_000_000_000 + rng.magnitude(1_000_000..=2_000_000_000)),
            mss: rng.within(60..=1500) as u16,
            tells: rng.chance(0.7),
            until: Instant::MAX,
        });
        // A world takes as long as its slowest direction: little data over bad links.
        let bad = links.iter().any(|link| link.loss > 0.1 || link.burst_goes_on > 0.5);
        let most = if bad { 60_000 } else { 600_000 };
        let mut programs = [program(rng, most), program(rng, most)];
        if !programs.iter().any(|program| program.finishes_first) {
            programs[0].finishes_first = true;
        }
        if rng.chance(0.05) {
            programs[0].abort_at = Some(rng.below(programs[1].total.max(1)).max(1));
        }
        links[rng.below(2) as usize].narrow = narrow;
        let mut short = Rng::new(seed ^ SHORTAGE_DRAWS);
        for program in &mut programs {
            program.shortages = short.chance(0.15).then(|| short.next());
        }
        let mut configs = [config(rng), config(rng)];
        pace(&mut configs, &mut Rng::new(seed ^ PACING_DRAWS));
        for config in &mut configs {
            if narrow.is_some_and(|narrow| !narrow.tells) {
                // Nobody says why: the connection has to find out.
                config.black_hole_timeouts = 2;
                config.black_hole_mss = 60;
            }
        }
        search(seed, &mut configs, &mut links);
        Self {
            seed,
            configs,
            links,
            programs,
            isses: [iss(rng), iss(rng)],
            path_mss,
            both_open: rng.chance(0.1),
            attacks: if rng.chance(0.25) { rng.magnitude(1..=500) as f64 / 1000.0 } else { 0.0 },
        }
    }
}

/// Half of the worlds search for what their path carries, and in some it grows again. Drawn apart,
/// so that the other half are the worlds they always were.
fn search(seed: u64, configs: &mut [Config; 2], links: &mut [LinkConfig; 2]) {
    let rng = &mut Rng::new(seed ^ 0x0004_8210);
    if rng.chance(0.5) {
        return;
    }
    for config in configs {
        let mtu = &mut config.mtu;
        mtu.probing = rng.pick(&[MtuProbing::AfterBlackHole, MtuProbing::Always]);
        mtu.order = rng.pick(&[MtuOrder::Bisect, MtuOrder::CommonFirst]);
        mtu.initial_mss = rng.pick(&[100, 512, 1024, 1400]);
        mtu.base_mss = rng.pick(&[60, 512, 1024]);
        mtu.floor_mss = 48;
        mtu.threshold_bytes = rng.pick(&[0, 1, 8, 64]);
        mtu.attempts_max = rng.below(4) as u8;
        mtu.window_segments_min = rng.pick(&[0, 4, 11]);
        mtu.interval = Duration::from_millis(rng.magnitude(1..=600_000));
        let has_to = config.black_hole_timeouts > 0;
        mtu.black_hole_timeouts = if has_to { 2 } else { rng.pick(&[0, 1, 3]) };
    }
    for link in links {
        if let Some(narrow) = &mut link.narrow
            && rng.chance(0.3)
        {
            let after = Duration::from_millis(rng.magnitude(10..=60_000));
            narrow.until = narrow.from + after;
        }
    }
}

/// Numbers near the edges of their circle come often.
fn iss(rng: &mut Rng) -> u32 {
    match rng.below(4) {
        0 => (rng.below(100_000) as u32).wrapping_neg(),
        1 => 0x7fff_ffff - rng.below(100_000) as u32,
        2 => rng.below(3) as u32,
        _ => rng.next() as u32,
    }
}

fn config(rng: &mut Rng) -> Config {
    let mut config = if rng.chance(0.7) { Config::linux() } else { Config::freebsd() };
    config.sack = rng.chance(0.8);
    config.timestamps = rng.chance(0.7);
    config.timestamps_required = rng.chance(0.3);
    config.window_scaling = rng.chance(0.8);
    config.ecn = rng.pick(&[EcnMode::Off, EcnMode::Passive, EcnMode::Active]);
    config.nagle = rng.chance(0.5);
    config.minshall = rng.chance(0.5);
    config.congestion.algorithm =
        rng.pick(&[Algorithm::Reno, Algorithm::NewReno, Algorithm::Cubic, Algorithm::Cubic]);
    config.congestion.hystart = rng.chance(0.5);
    config.gso_bytes_max = rng.pick(&[0, 0, 16_384, 65_535]);
    config.receive_buffer_bytes = rng.magnitude(600..=200_000) as u32;
    config.receive_buffer_bytes_max = rng.magnitude(600..=2_000_000) as u32;
    config.send_buffer_bytes = rng.magnitude(500..=200_000) as u32;
    config.out_of_order_ranges_max = rng.magnitude(1..=1000) as usize;
    config.tail_loss_probe = rng.chance(0.8);
    config.f_rto = rng.chance(0.8);
    config.limited_transmit = rng.chance(0.8);
    config.delayed_ack = Duration::from_millis(rng.pick(&[0, 40, 100, 500]));
    config.quick_acks = rng.pick(&[0, 16]);
    config.keep_alive = rng.chance(0.1).then(|| KeepAlive {
        idle: Duration::from_secs(20),
        interval: Duration::from_secs(10),
        probes: 200,
    });
    // Losses are heavy in some of the worlds; giving up is tested elsewhere.
    (config.retries, config.orphan_retries, config.orphan_probes) = (200, 200, 200);
    (config.syn_retries, config.syn_ack_retries) = (200, 200);
    config.rto_max = Duration::from_secs(rng.pick(&[10, 60, 120]));
    config
}

/// Numbers of its own, so that seeds from before there was pacing mean the same in all else.
const PACING_DRAWS: u64 = 0x7061_6365_7061_6365;

/// As [`PACING_DRAWS`], from before hosts could be short of memory.
const SHORTAGE_DRAWS: u64 = 0x7368_6f72_7461_6765;

/// In a share of the worlds text leaves at a rate.
fn pace(configs: &mut [Config; 2], rng: &mut Rng) {
    for config in configs {
        config.congestion.rate_samples = rng.chance(0.2);
        if rng.chance(0.25) {
            config.pacing = Pacing::ByWindow {
                slow_start_percent: rng.within(100..=400) as u16,
                avoidance_percent: rng.within(50..=200) as u16,
            };
        }
        if rng.chance(0.15) {
            config.pacing_rate_max = Some(rng.magnitude(2_000..=100_000_000));
        }
        if rng.chance(0.35) {
            config.congestion.algorithm = Algorithm::Bbr;
        }
    }
}

fn link(rng: &mut Rng) -> LinkConfig {
    let delay = Duration::from_nanos(rng.magnitude(10_000..=400_000_000));
    let rate = if rng.chance(0.3) { 0 } else { rng.magnitude(20_000..=100_000_000) };
    let mut link = LinkConfig::clean(delay, rate);
    link.queue_bytes = rng.magnitude(20_000..=2_000_000);
    if rng.chance(0.6) {
        link.loss = rng.magnitude(1..=250) as f64 / 1000.0;
    }
    if rng.chance(0.2) {
        link.burst_begin = rng.magnitude(1..=20) as f64 / 1000.0;
        link.burst_goes_on = rng.below(900) as f64 / 1000.0;
    }
    if rng.chance(0.4) {
        link.duplicate = rng.magnitude(1..=300) as f64 / 1000.0;
    }
    if rng.chance(0.4) {
        link.reorder = rng.magnitude(1..=500) as f64 / 1000.0;
        link.late = Duration::from_nanos(rng.magnitude(10_000..=500_000_000));
    }
    if rng.chance(0.2) {
        link.corrupt = rng.magnitude(1..=50) as f64 / 1000.0;
    }
    if rng.chance(0.3) {
        link.mark_bytes = link.queue_bytes / 3;
    }
    link
}

fn program(rng: &mut Rng, most: u64) -> Program {
    Program {
        total: if rng.chance(0.15) { 0 } else { rng.magnitude(1..=most) },
        write_max: rng.magnitude(1..=100_000) as usize,
        read_max: rng.magnitude(1..=100_000) as usize,
        pause: if rng.chance(0.3) { rng.below(300) as f64 / 1000.0 } else { 0.0 },
        pause_max: Duration::from_nanos(rng.magnitude(10_000..=3_000_000_000)),
        finishes_first: rng.chance(0.6),
        abort_at: None,
        shortages: None,
    }
}

/// The world of a scenario, with both ends opening.
pub fn world(scenario: &Scenario) -> World {
    let now = Instant::from_nanos(1_000_000_000 + scenario.seed % 1000);
    let mut rng = Rng::new(!scenario.seed);
    let initial = |at: usize| Initial {
        iss: SeqNum::new(scenario.isses[at]),
        timestamp_offset: scenario.isses[1 - at].rotate_left(7),
        mss: Mss::both(scenario.path_mss),
    };
    let config = |at: usize| Arc::new(scenario.configs[at].clone());
    let first = Connection::connect(config(0), initial(0), now);
    let second = if scenario.both_open {
        Connection::connect(config(1), initial(1), now)
    } else {
        // The listener heard a SYN; that the first end's own comes again later is a test, too.
        Connection::accept(config(1), &first_syn(scenario, initial(0), now), initial(1), now)
    };
    let end = |at: usize, connection| {
        let (program, iss) = (scenario.programs[at].clone(), initial(at).iss);
        End::new(at, connection, program, iss)
    };
    let mut ends = [end(0, first), end(1, second)];
    if !scenario.both_open {
        let syn = first_syn(scenario, initial(0), now);
        ends[1].arrives(&syn, initial(0).iss);
    }
    rng.next();
    let links = scenario.links.clone().map(Link::new);
    let mut world = World::new(ends, links, rng, usize::from(scenario.path_mss), now);
    world.attacks = scenario.attacks;
    world
}

fn first_syn(scenario: &Scenario, initial: Initial, now: Instant) -> Segment {
    let mut sent = Sent::default();
    Connection::connect(Arc::new(scenario.configs[0].clone()), initial, now).poll(now, &mut sent);
    let syn = sent.0.remove(0);
    assert!(syn.flags.contains(Flags::SYN));
    syn
}

/// Runs a scenario to its end and says what went wrong.
pub fn run(scenario: &Scenario, tell: bool) -> Result<(), String> {
    let mut world = world(scenario);
    world.tell = tell;
    let until = world.now + HOURS;
    let aborts = scenario.programs.iter().any(|program| program.abort_at.is_some());
    let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        world.run(until, |world| world.ends.iter().all(End::is_done))
    }));
    if tell {
        eprintln!("{}{scenario:#?}", world.story());
    }
    let gone = world.ends.iter().any(|end| end.closed == Some(CloseReason::Aborted));
    match ran {
        // The reset was lost and the other end only listens: what keep-alive is for.
        Ok(Err(why)) if gone && why.starts_with("a stall") => return Ok(()),
        Ok(outcome) => outcome.map_err(|why| format!("{why}; {}", state_of(&world)))?,
        Err(panic) => std::panic::resume_unwind(panic),
    }
    for at in 0..2 {
        let (end, peer) = (&world.ends[at], &world.ends[1 - at]);
        if aborts {
            // A prefix was delivered, and it was the right one.
            continue;
        }
        if peer.written != peer.program.total || end.read != peer.written {
            return Err(format!("end {at} read {} of {}", end.read, peer.program.total));
        }
        // The last acknowledgement may be lost so often that the peer's TIME_WAIT is over.
        let fine = [CloseReason::Finished, CloseReason::Reset];
        if !end.closed.is_some_and(|reason| fine.contains(&reason)) {
            return Err(format!("end {at} closed by {:?}", end.closed));
        }
    }
    Ok(())
}

fn state_of(world: &World) -> String {
    let of = |end: &End| {
        let info = end.connection.info();
        format!(
            "[{} wrote {} of {}, read {}, unsent {}, unacknowledged {}, closed {:?}]",
            info.state,
            end.written,
            end.program.total,
            end.read,
            info.unsent,
            info.unacknowledged,
            end.closed
        )
    };
    format!("{} and {}, {} under way", of(&world.ends[0]), of(&world.ends[1]), world.under_way())
}

/// The story of a scenario, told twice the same.
pub fn story(scenario: &Scenario) -> String {
    let mut world = world(scenario);
    world.tell = true;
    let until = world.now + HOURS;
    let ended = world.run(until, |world| world.ends.iter().all(End::is_done));
    format!("{}{ended:?}", world.story())
}
