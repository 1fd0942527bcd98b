//! How connections end: in halves, in order, at once.

use fyke::prelude::*;
use fyke::{CloseReason, Stages};
use fyke_codecs::frames::FixedLength;

use crate::support::*;

pub(crate) const SCENARIOS: List = list![
    after_the_peers_end_everything_is_echoed_and_then_our_end_comes,
    with_half_closure_our_direction_stays_open,
    our_half_is_closed_and_we_read_on,
    what_was_written_before_a_close_arrives_and_what_follows_fails,
    closed_inside_read_the_other_messages_of_the_buffer_are_not_delivered,
    a_reset_is_an_error_of_that_channel_alone,
    everybody_is_told_of_a_close_and_closing_twice_does_nothing,
];

fn after_the_peers_end_everything_is_echoed_and_then_our_end_comes() -> Scenario {
    everywhere(|world| {
        let options = narrow(ChannelOptions::new());
        let server = world.server().options(options).child(|ch| ch.pipeline().inbound("e", Echo));
        let server = server.bind(world.free_address()).unwrap();
        // It does not read before it has ended its side: more waits than the water marks allow.
        let options = narrow(greedy().auto_read(false).allow_half_closure(true));
        let client = world.bytes_client(server.local_address(), options);
        let data = random_bytes(4 << 20, 1);
        client.send(data.clone());
        client.channel.shutdown().unwrap();
        client.channel.set_auto_read(true).unwrap();
        let (mut log, reason) = client.ending();
        assert!(log.remove(0) == Log::Bytes(data), "other bytes came back");
        assert_eq!(log, [Log::ReadClosed, Log::Inactive]);
        assert_eq!(reason, CloseReason::PeerEnd);
    })
}

fn with_half_closure_our_direction_stays_open() -> Scenario {
    everywhere(|world| {
        let half = ChannelOptions::new().allow_half_closure(true);
        let mut pair = world.pair(half.clone(), half);
        pair.client.send("last question");
        pair.client.channel.shutdown().unwrap();
        assert_eq!(pair.server.bytes(13), b"last question");
        assert_eq!(pair.server.next(), Log::ReadClosed);
        pair.server.assert_quiet(1);
        pair.server.send_and_wait("late ");
        assert_eq!(pair.client.bytes(5), b"late ");
        pair.server.send("answer");
        pair.server.channel.close();
        let client = pair.client.ending();
        assert_eq!(client.0[0], Log::Bytes(b"answer".to_vec()));
        (client, pair.server.ending())
    })
}

fn our_half_is_closed_and_we_read_on() -> Scenario {
    everywhere(|world| {
        let half = ChannelOptions::new().allow_half_closure(true);
        let mut pair = world.pair(half, ChannelOptions::new());
        pair.server.send("that is all");
        pair.server.channel.shutdown().unwrap();
        assert_eq!(pair.client.bytes(11), b"that is all");
        assert_eq!(pair.client.next(), Log::ReadClosed);
        let sent = pair.server.sender().send_with_promise("no".into()).unwrap().wait();
        assert!(sent.unwrap_err().is_closed(), "nothing can be written behind our end");
        for n in 0..5_u8 {
            pair.client.send_and_wait(vec![n; 1000]);
            assert_eq!(pair.server.bytes(1000), [n; 1000]);
        }
        pair.client.channel.close();
        (pair.client.ending(), pair.server.ending())
    })
}

fn what_was_written_before_a_close_arrives_and_what_follows_fails() -> Scenario {
    everywhere(|world| {
        let mut pair = world.pair(ChannelOptions::new(), ChannelOptions::new());
        let sender = pair.server.sender();
        let data = random_bytes(200_000, 2);
        let before = sender.send_with_promise(data.clone().into()).unwrap();
        pair.server.channel.close();
        // The channel is closing, or closed already: then the message comes back at once.
        let after = match sender.send_with_promise("late".into()) {
            Ok(promise) => promise.wait().unwrap_err(),
            Err(_) => sender.channel().flush().unwrap_err(),
        };
        assert!(after.is_closed());
        assert!(pair.client.bytes(data.len()) == data, "other bytes came");
        before.wait().unwrap();
        let ends = (pair.client.ending(), pair.server.ending());
        assert!(sender.send("later".into()).is_err());
        ends
    })
}

/// Answers the first message and closes; what it writes then fails.
struct CloseInRead(Tap<Outgoing>);

impl InboundHandler for CloseInRead {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.0.active(cx)
    }

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
        self.0.write_down(Log::Frame(msg.to_vec()));
        cx.write(msg.into());
        cx.close();
        let after = cx.write_with_promise("too late".into());
        let channel = cx.channel();
        cx.spawn(async move {
            channel.set_attribute(after.await.is_err_and(|error| error.is_closed()));
        });
        Ok(())
    }

    fn inactive(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.0.inactive(cx)
    }
}

fn closed_inside_read_the_other_messages_of_the_buffer_are_not_delivered() -> Scenario {
    everywhere(|world| {
        let server = world.listen(ChannelOptions::new(), |ch, tap| -> Stages {
            let stages = ch.pipeline().decoder("cut", FixedLength::new(4));
            stages.inbound("close", CloseInRead(tap)).into()
        });
        let client = world.bytes_client(&server.address, ChannelOptions::new());
        let peer = server.accept();
        client.send("one.two.three...");
        let channel = peer.channel.clone();
        let logs = (peer.ending(), client.ending());
        assert_eq!(logs.0.0, [Log::Frame(b"one.".to_vec()), Log::Inactive]);
        world.servers.shutdown(HANG);
        assert_eq!(channel.attribute::<bool>(), Some(true), "a write after close fails");
        logs
    })
}

fn a_reset_is_an_error_of_that_channel_alone() -> Scenario {
    everywhere(|world| {
        let mut pair = world.pair(ChannelOptions::new().auto_read(false), ChannelOptions::new());
        let mut other = world.bytes_client(&pair.listening.address, ChannelOptions::new());
        let mut other_at_server = pair.listening.accept();
        // A Unix stream is reset only when the one that closes has not read everything.
        pair.server.send_and_wait("nobody reads this");
        pair.client.channel.abort();
        let (log, reason) = pair.server.ending();
        assert_eq!(log, [Log::Error("Reset".to_owned()), Log::Inactive]);
        assert_eq!(reason, CloseReason::PeerReset);
        assert_eq!(pair.client.ending(), (vec![Log::Inactive], CloseReason::Local));

        other.send("still here");
        assert_eq!(other_at_server.bytes(10), b"still here");
        other_at_server.send("and served");
        assert_eq!(other.bytes(10), b"and served");
        pair.server = other_at_server;
    })
}

fn everybody_is_told_of_a_close_and_closing_twice_does_nothing() -> Scenario {
    everywhere(|world| {
        let pair = world.pair(ChannelOptions::new(), ChannelOptions::new());
        let handles: Vec<_> = (0..4).map(|_| pair.client.channel.clone()).collect();
        let waiting: Vec<_> = handles
            .into_iter()
            .map(|channel| Helper::start(move || channel.wait_closed()))
            .collect();
        assert_eq!(pair.client.channel.close_reason(), None);
        pair.client.channel.close_with(CloseReason::TimedOut);
        pair.client.channel.close();
        for helper in waiting {
            assert_eq!(helper.join(), CloseReason::TimedOut);
        }
        pair.client.channel.close();
        assert!(pair.client.channel.fire_event(Note(1)).is_err());
        (pair.client.ending(), pair.server.ending())
    })
}
