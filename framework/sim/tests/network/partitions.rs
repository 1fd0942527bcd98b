//! Partitions: between hosts, whatever is between them.

use fyke_sim::{DropReason, LinkConfig, World};

use crate::support::*;

#[test]
fn sets_of_hosts_do_not_hear_each_other_until_it_heals() {
    let world = World::new(1);
    let switch = world.switch("lan").unwrap();
    let server = echo_host(&world, "server", "10.0.0.1/24", None);
    let near = client_host(&world, "near", "10.0.0.2/24", None);
    let far = client_host(&world, "far", "10.0.0.3/24", None);
    for host in [&server, &near, &far] {
        world.link(host, &switch, LinkConfig::new().delay(ms(1))).unwrap();
    }
    let id = echo(&world, &far, "10.0.0.1:7", 1000);
    let partition = world.partition(&[far.id()], &[server.id(), near.id()]);
    send(&far, id, &pattern(1000));
    echo(&world, &near, "10.0.0.1:7", 1000);
    world.run_for(secs(20)).unwrap();
    assert_eq!(received(&far, id), 1000);
    assert!(world.drops_of(server.id())[DropReason::Partition] > 3);
    partition.heal();
    await_bytes(&world, &far, id, 2000).unwrap();
}

#[test]
fn a_partition_beside_a_link_holds_on_the_link() {
    let (world, server, client, link) = pair(2, LinkConfig::new().delay(ms(1)));
    let id = echo(&world, &client, "10.0.0.1:7", 10);
    let partition = world.partition(&[client.id()], &[server.id()]);
    send(&client, id, &pattern(10));
    world.run_for(secs(3)).unwrap();
    assert!(link.there().drops[DropReason::Partition] > 1);
    assert_eq!(link.there().offered, link.there().carried + link.there().drops.total());
    partition.heal();
    await_bytes(&world, &client, id, 20).unwrap();
}
