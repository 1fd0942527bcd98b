//! Packetization layer path MTU discovery (RFC 4821, RFC 8899): what the path carries is found out,
//! and what that costs.

use std::time::Duration;

use fyke_stack::tcp::congestion::Algorithm;
use fyke_stack::tcp::{Config, MtuOrder, MtuProbing};

use crate::mtu_path::{Path, searching, size};

const MEGA: u64 = 1_000_000;

/// A sender that Linux would be with `tcp_mtu_probing` set.
fn linux(probing: MtuProbing) -> Config {
    let mut config = Config::linux();
    config.mtu.probing = probing;
    config.send_buffer_bytes = 32 << 10;
    config.send_buffer_bytes_max = 32 << 10;
    config
}

/// RFC 4821, section 7.7: full segments vanish, and nobody says why.
#[test]
fn rfc_4821_7_7_a_black_hole_is_left_and_what_passes_is_found() {
    for (carries, order) in [
        (1360, MtuOrder::CommonFirst),
        (1360, MtuOrder::Bisect),
        (1399, MtuOrder::CommonFirst),
        (1452, MtuOrder::Bisect),
        (1030, MtuOrder::CommonFirst),
    ] {
        let mut config = searching(MtuProbing::AfterBlackHole);
        config.mtu.order = order;
        let mut path = Path::new(config, carries);
        path.transfer(2 * MEGA);
        let (mss, search) = (path.mss(), path.search());
        assert!(mss <= carries && mss + 8 > carries, "{mss} of {carries}: {search:?}");
        assert_eq!(search.black_holes, 1);
        let info = path.info();
        assert!(info.timeouts <= 4, "{} time-outs", info.timeouts);
        assert_eq!(path.sender.take_found_mss(), Some(mss as u16), "others may know it");
        assert_eq!(path.sender.take_found_mss(), None, "once");
    }
}

/// Whatever finds the rate: BBR's states are no recovery.
#[test]
fn rfc_4821_7_4_bbr_searches_as_others_do() {
    let mut config = searching(MtuProbing::AfterBlackHole);
    config.congestion.algorithm = Algorithm::Bbr;
    let mut path = Path::new(config, 1360);
    path.transfer(2 * MEGA);
    assert!(path.mss() <= 1360 && path.mss() > 1352, "{:?}", path.search());
}

#[test]
fn a_black_hole_without_probing_is_never_left() {
    let mut path = Path::new(searching(MtuProbing::Off), 1360);
    path.run_writing(Duration::from_secs(60), MEGA, |path| path.read == MEGA);
    assert_eq!(path.read, 0);
    assert_eq!(path.info().mtu_search, None);
}

/// RFC 4821, section 7.7: when the base does not pass either, half of it is tried.
#[test]
fn rfc_4821_7_7_the_base_is_halved_down_to_the_floor() {
    let mut config = searching(MtuProbing::AfterBlackHole);
    config.mtu.floor_mss = 100;
    let mut path = Path::new(config, 300);
    path.transfer(MEGA);
    assert!(path.mss() <= 300 && path.mss() > 292, "{}", path.mss());
    assert!(path.search().black_holes >= 3, "1024, 512, 256");
}

/// RFC 8899, section 5.1.1: PMTU_RAISE_TIMER.
#[test]
fn rfc_8899_5_1_1_a_path_that_grows_is_found_after_the_interval() {
    let mut path = Path::new(searching(MtuProbing::AfterBlackHole), 1400);
    path.transfer(2 * MEGA);
    let narrow = path.mss();
    assert!((1393..=1400).contains(&narrow));
    path.carries = 9000;
    path.transfer(2 * MEGA);
    assert_eq!(path.mss(), narrow, "not before the time");
    let probes = path.probes.len();
    path.idle(Duration::from_secs(601));
    path.transfer(2 * MEGA);
    assert_eq!(path.mss(), 1460, "{:?}", path.search());
    assert_eq!(&path.probes[probes..], [1460], "the largest is what is tried first");
}

/// A raise that finds nothing leaves everything as it is.
#[test]
fn rfc_8899_5_1_1_a_path_that_did_not_grow_costs_a_few_probes() {
    let mut path = Path::new(searching(MtuProbing::AfterBlackHole), 1360);
    path.transfer(2 * MEGA);
    let before = path.info();
    path.idle(Duration::from_secs(601));
    path.transfer(2 * MEGA);
    let (info, search) = (path.info(), path.search());
    assert_eq!((path.mss(), info.timeouts), (1360, before.timeouts));
    assert_eq!(info.recoveries, before.recoveries, "no probe is a sign of congestion");
    assert!(search.probes < 40, "{search:?}");
}

/// RFC 4821, section 7.6.2: the loss of a probe alone is not congestion, and its bytes go again,
/// they and nothing else.
#[test]
fn rfc_4821_7_6_2_a_probe_that_is_lost_alone_costs_no_window() {
    for sack in [true, false] {
        let mut config = searching(MtuProbing::Always);
        config.sack = sack;
        config.mtu.attempts_max = 1;
        let mut path = Path::new(config, 1300);
        path.transfer(2 * MEGA);
        let (info, search) = (path.info(), path.search());
        assert!(search.lost >= 2, "{search:?}");
        assert_eq!((info.recoveries, info.timeouts, info.undone), (0, 0, 0), "sack {sack}");
        assert_eq!(info.slow_start_threshold, u32::MAX, "no reduction, ever");
        let lost: usize = path.probes.iter().filter(|probe| **probe > 1300).map(|p| p - 12).sum();
        assert_eq!(path.bytes_again(), lost as u64, "the probes' bytes, once");
        assert!((1293..=1300).contains(&path.mss()));
    }
}

/// The same transfer with lost probes takes as long as one without probing whose segments fit.
#[test]
fn rfc_4821_7_6_2_goodput_is_unhurt_by_probing() {
    let took = |probing: MtuProbing, mss_max: u16| {
        let mut config = searching(probing);
        config.mss_max = mss_max;
        // The window is the limit. Where the send buffer is, a hole costs a round trip as always.
        config.send_buffer_bytes = 1 << 20;
        config.send_buffer_bytes_max = 1 << 20;
        config.congestion.window_bytes_max = 128 << 10;
        let mut path = Path::new(config, 1300);
        let took = path.transfer(4 * MEGA);
        (took.as_secs_f64(), path.info().mtu_search.map_or(0, |search| search.lost))
    };
    let ((fits, _), (probing, lost)) =
        (took(MtuProbing::Off, 1300), took(MtuProbing::Always, 1460));
    assert!(lost >= 4, "{lost} probes lost");
    assert!(probing < fits * 1.03, "{probing} seconds instead of {fits}");
}

/// RFC 4821, section 7.6.1: when all sizes pass one probe is enough, and bytes in flight count, not
/// segments: the window does not change.
#[test]
fn rfc_4821_7_6_1_the_largest_is_tried_first_and_the_window_is_kept() {
    let mut path = Path::new(searching(MtuProbing::Always), 1460);
    assert_eq!(path.mss(), 1024, "section 7.2: the initial size");
    path.transfer(MEGA);
    assert_eq!((&path.probes[..], path.mss()), (&[1460][..], 1460));
    let info = path.info();
    assert_eq!((info.bytes_sent_again, info.recoveries), (0, 0));
    assert_eq!(path.sender.take_found_mss(), None, "the link's own size is no news");
}

/// RFC 4821, section 7.6.4: lost among others, a probe says nothing, and losses are congestion.
#[test]
fn rfc_4821_7_6_4_a_probe_lost_among_others_is_inconclusive() {
    let mut path = Path::new(searching(MtuProbing::Always), 1460);
    let mut burst = 0;
    path.loses = Box::new(move |_, segment| {
        // The first probe and the segment before and behind it.
        burst += usize::from(burst > 0 || size(segment) > 1024);
        (1..=3).contains(&burst)
    });
    path.transfer(2 * MEGA);
    let (info, search) = (path.info(), path.search());
    assert_eq!(search.lost, 0, "{search:?}");
    assert!(info.recoveries >= 1, "congestion is answered");
    assert_eq!(path.mss(), 1460, "and the size is tried again");
}

/// RFC 8899, section 5.1.2: MAX_PROBES. One lost packet may be chance.
#[test]
fn rfc_8899_5_1_2_probes_lost_by_chance_do_not_end_a_search_too_low() {
    let mut path = Path::new(searching(MtuProbing::Always), 1460);
    let mut probes = 0;
    path.loses = Box::new(move |_, segment| {
        probes += usize::from(size(segment) > 1024);
        size(segment) > 1024 && probes <= 2
    });
    path.transfer(MEGA);
    assert_eq!((path.mss(), path.search().lost), (1460, 2));

    let mut path = Path::new(searching(MtuProbing::Always), 1459);
    path.transfer(2 * MEGA);
    assert_eq!(path.probes.iter().filter(|probe| **probe == 1460).count(), 3);
    assert!(path.mss() > 1451);
}

/// RFC 8899, section 4.6.2: a router's word about a probe narrows the search and nothing else.
#[test]
fn rfc_8899_4_6_2_a_packet_too_big_for_a_probe_only_narrows() {
    let mut path = Path::new(searching(MtuProbing::Always), 1300);
    path.tells = true;
    path.transfer(MEGA);
    assert_eq!((&path.probes[..], path.mss()), (&[1460, 1300][..], 1300));
    let info = path.info();
    assert_eq!((info.recoveries, info.timeouts), (0, 0));
    assert_eq!(info.bytes_sent_again, 1448, "the probe's bytes, and no others");
    let others = path.sent.iter().filter(|(_, segment)| size(segment) > 1300).count();
    assert_eq!(others, 1);
}

/// RFC 8201, section 5.3, and RFC 1191, section 6.3: what a router said is tried again, by a probe.
#[test]
fn rfc_8201_5_3_what_a_router_said_is_tried_again_after_the_interval() {
    let mut path = Path::new(searching(MtuProbing::AfterBlackHole), 1200);
    path.tells = true;
    path.transfer(MEGA);
    assert_eq!((path.mss(), path.probes.len()), (1200, 0), "no probe was needed");
    path.carries = 1460;
    path.idle(Duration::from_secs(601));
    path.transfer(MEGA);
    assert_eq!(path.mss(), 1460);
    let sizes = path.sent.iter().filter(|(at, _)| *at > path.now - Duration::from_secs(5));
    let first = sizes.map(|(_, segment)| size(segment)).find(|size| *size > 1200);
    assert_eq!(first, Some(1460));
}

/// RFC 4821, section 7.8: a size that a probe found and whole flights do not pass (links of several
/// sizes side by side) is given up sooner than any other.
#[test]
fn rfc_4821_7_8_a_size_that_flights_do_not_confirm_is_given_up() {
    let mut path = Path::new(searching(MtuProbing::Always), 1460);
    let mut large = 0;
    path.loses = Box::new(move |_, segment| {
        large += usize::from(size(segment) > 1300);
        // The first one slipped through.
        size(segment) > 1300 && large > 1
    });
    path.transfer(2 * MEGA);
    assert_eq!(path.probes[0], 1460);
    let search = path.search();
    assert!(path.mss() <= 1300 && path.mss() > 1292, "{search:?}");
    assert_eq!(search.black_holes, 0, "it went back to what had passed");
}

/// The order of Linux: half way between.
#[test]
fn rfc_4821_7_3_bisection_is_what_linux_does() {
    let mut path = Path::new(linux(MtuProbing::Always), 1460);
    path.transfer(2 * MEGA);
    assert_eq!(path.probes, [1242, 1351, 1405, 1432, 1446, 1453]);
    assert_eq!(path.mss(), 1453, "within the threshold");
}
