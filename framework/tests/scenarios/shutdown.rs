//! Ending a server in order.

use std::time::Duration;

use fyke::prelude::*;
use fyke::{CloseReason, ShutdownReport};

use crate::support::*;

pub(crate) const SCENARIOS: List = list![
    without_connections_it_ends_at_once,
    idle_connections_end_at_once_and_nobody_else_is_let_in,
    a_handler_with_work_to_finish_is_waited_for,
    who_has_not_ended_by_the_deadline_is_cut_and_counted,
    what_was_written_is_sent_before_the_end,
    a_server_that_is_dropped_stops_listening_and_serves_on,
];

/// Longer than any test may take: who has to wait for it hangs.
const NEVER: Duration = Duration::from_secs(3600);

fn without_connections_it_ends_at_once() -> Scenario {
    everywhere(|world| {
        let server = world.server().child(|ch| ch.pipeline().inbound("echo", Echo));
        let server = server.bind(world.free_address()).unwrap();
        let report = server.shutdown(NEVER);
        assert!(world.servers.has_ended());
        assert!(world.servers.loops().iter().all(|one| one.execute(|_| ()).is_err()));
        report
    })
}

fn idle_connections_end_at_once_and_nobody_else_is_let_in() -> Scenario {
    everywhere(|world| {
        let pair = world.pair(ChannelOptions::new(), ChannelOptions::new());
        let report = pair.listening.server.shutdown(NEVER);
        assert_eq!(report.cut, 0);
        // A kernel refuses for a server that is gone; where its stack is gone, too, nobody does.
        let soon = ChannelOptions::new().connect_timeout(Duration::from_millis(200));
        let again = world.client().options(soon);
        let again = again.handler(|ch| ch.pipeline().inbound("echo", Echo));
        assert!(again.connect(&pair.listening.address).wait().is_err());
        (report.channels, pair.server.ending(), pair.client.ending())
    })
}

fn a_handler_with_work_to_finish_is_waited_for() -> Scenario {
    everywhere(|world| {
        let server = world.listen(ChannelOptions::new(), |ch, tap: Tap<Outgoing>| {
            ch.pipeline().inbound("tap", tap.finish_work())
        });
        let mut client = world.bytes_client(&server.address, ChannelOptions::new());
        let mut peer = server.accept();
        let group = world.servers.clone();
        let ending = Helper::start(move || group.shutdown(NEVER));
        assert_eq!(peer.next(), Log::ShuttingDown);
        client.send("one more thing");
        assert_eq!(peer.bytes(14), b"one more thing");
        peer.send("and its answer");
        assert_eq!(client.bytes(14), b"and its answer");
        peer.channel.close();
        let report = ending.join();
        assert_eq!(report, ShutdownReport { channels: 1, cut: 0 });
        (peer.ending(), client.ending())
    })
}

fn who_has_not_ended_by_the_deadline_is_cut_and_counted() -> Scenario {
    everywhere(|world| {
        let server = world.listen(ChannelOptions::new(), |ch, tap: Tap<Outgoing>| {
            ch.pipeline().inbound("tap", tap.finish_work())
        });
        let clients: Vec<_> =
            (0..3).map(|_| world.bytes_client(&server.address, ChannelOptions::new())).collect();
        let peers: Vec<_> = clients.iter().map(|_| server.accept()).collect();
        peers[1].channel.close();
        let _ = peers[1].channel.wait_closed();
        let report = server.server.shutdown(Duration::from_millis(20));
        assert_eq!(report.cut, 2);
        let reasons: Vec<_> = peers.into_iter().map(|peer| peer.ending().1).collect();
        assert_eq!(reasons[0], CloseReason::ShutdownDeadline);
        assert_eq!(reasons[2], CloseReason::ShutdownDeadline);
        assert!(clients.into_iter().all(|c| c.ending().0.last() == Some(&Log::Inactive)));
    })
}

fn what_was_written_is_sent_before_the_end() -> Scenario {
    everywhere(|world| {
        let mut pair = world.pair(narrow(ChannelOptions::new()), narrow(ChannelOptions::new()));
        let data = random_bytes(1 << 20, 5);
        pair.server.send(data.clone());
        let group = world.servers.clone();
        let ending = Helper::start(move || group.shutdown(NEVER));
        assert!(pair.client.bytes(data.len()) == data, "other bytes came");
        assert_eq!(ending.join().cut, 0);
        pair.client.ending()
    })
}

fn a_server_that_is_dropped_stops_listening_and_serves_on() -> Scenario {
    everywhere(|world| {
        let mut pair = world.pair(ChannelOptions::new(), ChannelOptions::new());
        let address = pair.listening.address.clone();
        drop(pair.listening);
        // The listener is closed on its loop, which was asked to before it is asked this.
        let _asked = world.servers.stats();
        let again = world.client().handler(|ch| ch.pipeline().inbound("echo", Echo));
        assert!(again.connect(&address).wait().is_err());
        pair.client.send("still served");
        assert_eq!(pair.server.bytes(12), b"still served");
    })
}
