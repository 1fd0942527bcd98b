//! Reading on demand: paused means paused, and nothing is lost.

use std::time::Duration;

use fyke::prelude::*;
use fyke::{ChannelInit, IntoStages};
use fyke_codecs::frames::LengthField;

use crate::support::*;

pub(crate) const SCENARIOS: List = list![
    with_auto_read_off_each_request_is_one_message,
    a_request_stands_until_a_message_is_whole,
    paused_in_the_middle_of_a_buffer_and_resumed_from_another_thread,
    paused_in_the_middle_of_a_buffer_and_resumed_by_a_timer,
    paused_before_the_peer_ends_and_nothing_is_lost,
];

fn frame_of(bytes: &[u8]) -> Vec<u8> {
    let mut frame = (bytes.len() as u32).to_be_bytes().to_vec();
    frame.extend(bytes);
    frame
}

fn numbered(numbers: std::ops::Range<u32>) -> Vec<u8> {
    numbers.flat_map(|n| frame_of(&n.to_be_bytes())).collect()
}

fn frames(ch: &mut ChannelInit<'_>, tap: Tap<ByteBuf>) -> impl IntoStages + use<> {
    ch.pipeline().codec("frames", LengthField::u32()).inbound("tap", tap.frames())
}

fn with_auto_read_off_each_request_is_one_message() -> Scenario {
    everywhere(|world| {
        let server = world.listen(ChannelOptions::new().auto_read(false), frames);
        let client = world.bytes_client(&server.address, ChannelOptions::new());
        let mut peer = server.accept();
        client.send_and_wait(numbered(0..10));
        peer.assert_quiet(0);
        for n in 0..5_u32 {
            peer.ask(|cx| cx.request_read());
            assert_eq!(peer.frame(), n.to_be_bytes());
            peer.assert_quiet(n);
        }
        // Two requests at once are two messages.
        peer.ask(|cx| {
            cx.request_read();
            cx.request_read();
        });
        assert_eq!(peer.frame(), 5_u32.to_be_bytes());
        assert_eq!(peer.frame(), 6_u32.to_be_bytes());
        peer.assert_quiet(99);
        peer.channel.set_auto_read(true).unwrap();
        for n in 7..10_u32 {
            assert_eq!(peer.frame(), n.to_be_bytes());
        }
        client.channel.close();
        peer.ending()
    })
}

fn a_request_stands_until_a_message_is_whole() -> Scenario {
    everywhere(|world| {
        let server = world.listen(ChannelOptions::new().auto_read(false), frames);
        let client = world.bytes_client(&server.address, ChannelOptions::new());
        let mut peer = server.accept();
        peer.ask(|cx| cx.request_read());
        let frame = frame_of(&random_bytes(3000, 1));
        for byte in &frame[..20] {
            client.send_and_wait(vec![*byte]);
        }
        peer.assert_quiet(1);
        client.send_and_wait(frame[20..].to_vec());
        assert_eq!(peer.frame(), frame[4..]);
        client.send_and_wait(frame);
        peer.assert_quiet(2);
    })
}

/// Pauses after every `every` messages; somebody else, or a timer, resumes.
struct Pausing {
    tap: Tap<ByteBuf>,
    every: u32,
    seen: u32,
    timer: bool,
}

impl InboundHandler for Pausing {
    type In = ByteBuf;
    type Out = Never;
    type Write = ByteBuf;

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.tap.active(cx)
    }

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
        self.seen += 1;
        self.tap.read(cx, msg)?;
        if self.seen.is_multiple_of(self.every) {
            cx.set_auto_read(false);
            if self.timer {
                cx.schedule(Duration::from_micros(1), 0);
            } else {
                self.tap.write_down(Log::User(self.seen));
            }
        }
        Ok(())
    }

    fn timer(&mut self, cx: &mut Context<'_, Self>, _: u64) -> Result<()> {
        cx.set_auto_read(true);
        Ok(())
    }

    fn read_closed(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.tap.read_closed(cx)
    }

    fn inactive(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.tap.inactive(cx)
    }
}

fn pausing(every: u32, timer: bool) -> impl Fn(&mut ChannelInit<'_>, Tap<ByteBuf>) -> fyke::Stages {
    move |ch, tap| {
        let handler = Pausing { tap: tap.frames(), every, seen: 0, timer };
        ch.pipeline().codec("frames", LengthField::u32()).inbound("pausing", handler).into()
    }
}

fn paused_in_the_middle_of_a_buffer_and_resumed_from_another_thread() -> Scenario {
    everywhere(|world| {
        let server = world.listen(ChannelOptions::new(), pausing(3, false));
        let client = world.bytes_client(&server.address, ChannelOptions::new());
        let mut peer = server.accept();
        client.send(numbered(0..200));
        client.channel.close();
        for n in 0..200_u32 {
            assert_eq!(peer.frame(), n.to_be_bytes());
            if (n + 1).is_multiple_of(3) {
                assert_eq!(peer.next(), Log::User(n + 1));
                peer.channel.set_auto_read(true).unwrap();
            }
        }
        peer.ending()
    })
}

fn paused_in_the_middle_of_a_buffer_and_resumed_by_a_timer() -> Scenario {
    everywhere(|world| {
        let server = world.listen(ChannelOptions::new(), pausing(7, true));
        let client = world.bytes_client(&server.address, ChannelOptions::new());
        let mut peer = server.accept();
        client.send(numbered(0..200));
        client.channel.close();
        for n in 0..200_u32 {
            assert_eq!(peer.frame(), n.to_be_bytes());
        }
        peer.ending()
    })
}

fn paused_before_the_peer_ends_and_nothing_is_lost() -> Scenario {
    everywhere(|world| {
        let server = world.listen(ChannelOptions::new().auto_read(false), bytes);
        let client = world.bytes_client(&server.address, ChannelOptions::new());
        let peer = server.accept();
        client.send_and_wait(random_bytes(10_000, 3));
        client.channel.close();
        peer.channel.set_auto_read(true).unwrap();
        let (log, reason) = peer.ending();
        assert_eq!(log[0], Log::Bytes(random_bytes(10_000, 3)));
        (log[1..].to_vec(), reason, client.ending())
    })
}
