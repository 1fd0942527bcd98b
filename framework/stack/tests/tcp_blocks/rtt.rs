//! RFC 6298 by its equations, and what surrounds them.

use fyke_stack::tcp::rtt::{RttConfig, RttEstimator, expected_samples};
use proptest::prelude::*;

use super::{Duration, Instant, at_ms, ms};

fn fine() -> RttConfig {
    RttConfig { min_rto: Duration::from_nanos(1), ..RttConfig::default() }
}

/// Section 2: (sample, SRTT, RTTVAR, RTO) in microseconds, worked by hand.
#[test]
fn follows_the_equations_of_rfc_6298() {
    let mut rtt = RttEstimator::new(&fine());
    assert_eq!(rtt.rto(), ms(1000), "(2.1)");
    assert_eq!((rtt.srtt(), rtt.rttvar(), rtt.min_rtt()), (None, None, None));
    let table = [
        // (2.2): SRTT = R, RTTVAR = R / 2, RTO = SRTT + 4 RTTVAR
        (100_000, 100_000, 50_000, 300_000),
        // (2.3): RTTVAR = 3/4 * 50000 + 1/4 * 100000, SRTT = 7/8 * 100000 + 1/8 * 200000
        (200_000, 112_500, 62_500, 362_500),
        (112_500, 112_500, 46_875, 300_000),
        (20_500, 101_000, 58_156, 333_625),
    ];
    for (sample, srtt, rttvar, rto) in table {
        rtt.sample(Instant::ZERO, Duration::from_micros(sample), 1);
        assert_eq!(rtt.srtt().unwrap().as_micros(), srtt, "SRTT after {sample}");
        assert_eq!(rtt.rttvar().unwrap().as_micros(), rttvar, "RTTVAR after {sample}");
        assert_eq!(rtt.rto().as_micros(), rto, "RTO after {sample}");
    }
    assert_eq!(rtt.latest(), Some(Duration::from_micros(20_500)));
}

#[test]
fn the_time_out_is_bounded() {
    let mut rtt = RttEstimator::new(&RttConfig::default());
    rtt.sample(Instant::ZERO, ms(1), 1);
    assert_eq!(rtt.rto(), ms(200), "(2.4), with the floor of the field");
    rtt.sample(Instant::ZERO, Duration::from_secs(3600 * 24), 1);
    assert_eq!(rtt.rto(), Duration::from_secs(120), "(2.5)");

    // A system whose variance never falls below its shortest time-out.
    let coarse = RttConfig { granularity: ms(200), ..RttConfig::default() };
    let mut rtt = RttEstimator::new(&coarse);
    for _ in 0..1000 {
        rtt.sample(Instant::ZERO, ms(50), 1);
    }
    assert_eq!(rtt.rto(), ms(250));
}

/// Section 5: (5.5) doubles, a sample ends it, (5.7) the first time-out of data after a lost SYN.
#[test]
fn backs_off_and_comes_back() {
    let mut rtt = RttEstimator::new(&RttConfig::default());
    rtt.sample(Instant::ZERO, ms(100), 1);
    for (backs, rto) in [300, 600, 1200, 2400, 4800].into_iter().enumerate() {
        assert_eq!(rtt.rto(), ms(rto));
        assert_eq!(rtt.back_offs() as usize, backs);
        assert_eq!(rtt.base_rto(), ms(300));
        rtt.back_off();
    }
    (0..100).for_each(|_| rtt.back_off());
    assert_eq!(rtt.rto(), Duration::from_secs(120));
    rtt.sample(Instant::ZERO, ms(100), 1);
    assert_eq!((rtt.back_offs(), rtt.rto()), (0, rtt.base_rto()));
    rtt.back_off();
    rtt.reset_back_off();
    assert_eq!(rtt.rto(), rtt.base_rto());

    let mut rtt = RttEstimator::new(&RttConfig::default());
    rtt.back_off();
    assert_eq!(rtt.rto(), ms(2000));
    rtt.syn_was_lost();
    assert_eq!(rtt.rto(), ms(3000));
    rtt.sample(Instant::ZERO, ms(100), 1);
    assert_eq!(rtt.rto(), ms(300));
}

#[test]
fn forgets_an_old_path_but_not_its_time_out() {
    let mut rtt = RttEstimator::new(&RttConfig::default());
    rtt.sample(Instant::ZERO, ms(400), 1);
    rtt.back_off();
    rtt.forget();
    assert_eq!((rtt.srtt(), rtt.min_rtt()), (None, None));
    assert_eq!(rtt.rto(), ms(2400));
    rtt.sample(Instant::ZERO, ms(40), 1);
    assert_eq!(rtt.srtt(), Some(ms(40)));
}

/// RFC 7323, appendix G: with many samples a window the memory is still one window long.
#[test]
fn many_samples_a_round_trip_weigh_as_one() {
    for (flight, mss, samples) in [
        (0, 1460, 1),
        (1, 1460, 1),
        (2920, 1460, 1),
        (2921, 1460, 2),
        (29_200, 1460, 10),
        (9, 0, 5),
    ] {
        assert_eq!(expected_samples(flight, mss), samples, "{flight} / {mss}");
    }
    assert_eq!(expected_samples(u32::MAX, u32::MAX), 1);

    let run = |samples: u32| {
        let mut rtt = RttEstimator::new(&fine());
        rtt.sample(Instant::ZERO, ms(100), samples);
        // Ten windows, in each of which the path is twice as slow.
        (0..10 * samples).for_each(|_| rtt.sample(Instant::ZERO, ms(200), samples));
        rtt.srtt().unwrap().as_micros()
    };
    let one = run(1);
    for samples in [2, 10, 100, 10_000] {
        let many = run(samples);
        // (1 - 1/8)^10 against (1 - 1/80)^100: the same up to the discretisation.
        assert!(many.abs_diff(one) < one / 50, "{samples}: {many} against {one}");
    }
}

#[test]
fn the_minimum_lasts_between_half_a_window_and_a_window() {
    let config = RttConfig { min_rtt_window: ms(1000), ..RttConfig::default() };
    let mut rtt = RttEstimator::new(&config);
    rtt.sample(at_ms(5_000), ms(10), 1);
    for now in (5_100..5_500).step_by(100) {
        rtt.sample(at_ms(now), ms(30), 1);
        assert_eq!(rtt.min_rtt(), Some(ms(10)), "at {now}");
    }
    for now in (6_000..7_000).step_by(100) {
        rtt.sample(at_ms(now), ms(30), 1);
    }
    assert_eq!(rtt.min_rtt(), Some(ms(30)));
    // After a long pause nothing old counts.
    rtt.sample(at_ms(60_000), ms(70), 1);
    assert_eq!(rtt.min_rtt(), Some(ms(70)));
}

proptest! {
    /// Against the equations in floating point, and never outside the bounds.
    #[test]
    fn agrees_with_floating_point(samples in prop::collection::vec((0..2_000_000_u64, 1..50_u32), 1..200)) {
        let mut rtt = RttEstimator::new(&fine());
        let (mut srtt, mut rttvar, mut first) = (0.0_f64, 0.0_f64, true);
        for (index, (micros, expected)) in samples.into_iter().enumerate() {
            rtt.sample(at_ms(index as u64), Duration::from_micros(micros), expected);
            let (sample, n) = (micros as f64 * 1e3, f64::from(expected));
            if first {
                (srtt, rttvar, first) = (sample, sample / 2.0, false);
            } else {
                rttvar += ((srtt - sample).abs() - rttvar) / (4.0 * n);
                srtt += (sample - srtt) / (8.0 * n);
            }
            let near = |ours: Duration, model: f64| (ours.as_nanos() as f64 - model).abs() < 2_000.0;
            prop_assert!(near(rtt.srtt().unwrap(), srtt));
            prop_assert!(near(rtt.rttvar().unwrap(), rttvar));
            prop_assert!(rtt.min_rtt().unwrap() <= rtt.latest().unwrap());
            prop_assert!(rtt.rto() <= Duration::from_secs(120));
        }
    }
}
