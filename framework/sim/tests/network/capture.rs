//! Captures: the same bytes from the same seed, and comments that tell what happened.

use fyke_sim::stack::wire::pcapng::Reader;
use fyke_sim::{LinkConfig, NatConfig, RouterConfig};

use crate::support::*;

fn comments(bytes: &[u8]) -> Vec<String> {
    let packets = Reader::new(bytes).packets();
    packets.flat_map(|packet| packet.unwrap().comments).collect()
}

/// A network with one of everything, and some traffic.
fn story(seed: u64) -> Vec<u8> {
    let world = fyke_sim::World::new(seed);
    let capture = world.capture_in_memory().unwrap();
    let server = echo_host(&world, "server", "203.0.113.2/24", Some("203.0.113.1"));
    let client = client_host(&world, "client", "192.168.1.2/24", Some("192.168.1.1"));
    let switch = world.switch("lan").unwrap();
    let nat = world.nat("nat", "192.168.1.1/24", "198.51.100.2/24", NatConfig::new()).unwrap();
    nat.router().route("0.0.0.0/0", "198.51.100.1").unwrap();
    let router = world.router("isp", RouterConfig::new()).unwrap();
    let (near, far) =
        (router.port(&["198.51.100.1/24"]).unwrap(), router.port(&["203.0.113.1/24"]).unwrap());
    let bad = LinkConfig::new()
        .delay(ms(7))
        .jitter(ms(2))
        .loss(0.03)
        .corrupt(0.01)
        .duplicate(0.02)
        .reorder(0.03);
    world.link(&client, &switch, LinkConfig::new()).unwrap();
    world.link(&switch, &nat.inside(), LinkConfig::new()).unwrap();
    world.link(&nat.outside(), &near, bad).unwrap();
    world.link(&far, &server, LinkConfig::new().delay(ms(1))).unwrap();
    let id = connect(&client, "203.0.113.2:7");
    send(&client, id, &pattern(200_000));
    world.run_for(secs(30)).unwrap();
    assert_eq!(received(&client, id), 200_000, "seed {seed}");
    world.end_capture().unwrap();
    capture.bytes()
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let (first, second, other) = (story(11), story(11), story(12));
    assert!(first == second, "two runs of one seed differ");
    assert!(first != other, "two seeds give the same");
    assert!(first.len() > 400_000);
}

#[test]
fn comments_tell_what_the_network_did() {
    let comments = comments(&story(13));
    for wanted in [
        "dropped: random loss",
        "corrupted: bit ",
        "duplicated: arrives again at ",
        "reordered: held back by 5ms",
        "sent again: it was ",
    ] {
        assert!(comments.iter().any(|text| text.starts_with(wanted)), "none says {wanted:?}");
    }
}

#[test]
fn data_that_is_sent_again_tells_what_became_of_the_first() {
    let (world, _server, client, link) = pair(14, LinkConfig::new().delay(ms(10)));
    let capture = world.capture_in_memory().unwrap();
    let id = echo(&world, &client, "10.0.0.1:7", 100);
    link.set_up(false);
    send(&client, id, &pattern(100));
    world.run_for(ms(5)).unwrap();
    link.set_up(true);
    await_bytes(&world, &client, id, 200).unwrap();
    world.end_capture().unwrap();
    let comments = comments(&capture.bytes());
    assert!(comments.iter().any(|text| text == "dropped: link down"), "{comments:?}");
    let again = comments.iter().find(|text| text.starts_with("sent again")).unwrap();
    assert!(again.ends_with("(link down)"), "{again}");
}
