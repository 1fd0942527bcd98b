//! PRR (RFC 9937, RFC 6937) by its examples and its properties.

use fyke_stack::tcp::congestion::Prr;
use proptest::prelude::*;

use super::Random;

const MSS: u32 = 1000;

/// RFC 6937, section 4, figure 1: 20 segments in flight, the first is lost, ssthresh 10. The third
/// SACK begins the recovery; each ACK lets out a little more than half a segment.
#[test]
fn one_loss_halves_the_flight_evenly() {
    // Two were SACKed before (RFC 9937, section 6).
    let mut prr = Prr::new(10 * MSS, 18 * MSS);
    let mut pipe = 16 * MSS;
    let mut sent = Vec::new();
    for ack in 0..17 {
        if ack > 0 {
            pipe -= MSS;
        }
        let window = prr.on_ack(MSS, pipe, false, MSS);
        let mut out = 0;
        while pipe + MSS <= window {
            prr.on_sent(MSS);
            pipe += MSS;
            out += 1;
        }
        sent.push(out);
    }
    assert_eq!((sent.iter().sum::<u32>(), pipe), (10, 10 * MSS), "{sent:?}");
    assert_eq!(sent[0], 1, "the fast retransmit goes at once");
    assert!(sent.iter().all(|out| *out <= 1), "no burst: {sent:?}");
    assert!(sent[1..].windows(3).all(|w| w.iter().sum::<u32>() >= 1), "no pause: {sent:?}");
}

/// Figure 2: 15 of 20 are lost. Below ssthresh PRR conserves packets, or grows as in slow start while
/// there is no further loss.
#[test]
fn heavy_loss_goes_slowly() {
    for (safe, expected) in [(false, [1, 1, 1, 1]), (true, [2, 2, 2, 2])] {
        let mut prr = Prr::new(10 * MSS, 20 * MSS);
        let mut pipe = MSS;
        for (ack, out) in expected.into_iter().enumerate() {
            let window = prr.on_ack(MSS, pipe, safe, MSS);
            assert_eq!(window - pipe, out * MSS, "safe {safe}, ACK {ack}");
            prr.on_sent(out * MSS);
            pipe += out * MSS - MSS;
        }
    }
}

#[test]
fn an_ack_that_delivers_nothing_lets_nothing_out() {
    let mut prr = Prr::new(10 * MSS, 20 * MSS);
    assert_eq!(prr.on_ack(0, 8 * MSS, true, MSS), 9 * MSS, "but the first retransmission goes");
    prr.on_sent(MSS);
    assert_eq!(prr.on_ack(0, 9 * MSS, true, MSS), 9 * MSS);
}

/// What was not sent when it could have been is made up for, and not more.
#[test]
fn catches_up_after_the_application_paused() {
    let mut prr = Prr::new(10 * MSS, 20 * MSS);
    let mut pipe = 15 * MSS;
    for _ in 0..8 {
        prr.on_ack(MSS, pipe, true, MSS);
        pipe -= MSS;
    }
    // Eight delivered, none sent, 7 in flight: three more make the flight ssthresh.
    assert_eq!(prr.on_ack(MSS, pipe, true, MSS), 10 * MSS);
}

proptest! {
    /// The flight never exceeds the larger of ssthresh and what it was, and if all that is not lost
    /// is acknowledged with data to send, it ends at ssthresh.
    #[test]
    fn ends_at_ssthresh(seed: u64, flight in 4_u32..200, lost in 1_u32..100) {
        let mut random = Random(seed);
        let lost = lost.min(flight / 3);
        let ssthresh = (flight * 7 / 10) * MSS;
        let mut prr = Prr::new(ssthresh, flight * MSS);
        let mut pipe = (flight - lost) * MSS;
        let first = pipe;
        // One flight of ACKs, some of them for two segments.
        let mut left = flight - lost;
        while left > 0 {
            let delivered = (1 + random.below(2)).min(left);
            left -= delivered;
            pipe -= delivered * MSS;
            let window = prr.on_ack(delivered * MSS, pipe, true, MSS);
            prop_assert!(window <= first.max(ssthresh) + MSS);
            while pipe + MSS <= window {
                prr.on_sent(MSS);
                pipe += MSS;
            }
        }
        let low = ssthresh.min(first) - 2 * MSS;
        prop_assert!((low..=ssthresh).contains(&pipe), "{pipe} of {ssthresh}");
    }
}
