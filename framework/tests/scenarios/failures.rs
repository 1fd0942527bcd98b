//! What goes wrong in one channel stays there.

use fyke::prelude::*;
use fyke::{ChannelInit, CloseReason, CodecError, Decoder, Stages};
use fyke_codecs::frames::LengthField;

use crate::support::*;

pub(crate) const SCENARIOS: List = list![
    a_panic_closes_one_channel,
    an_error_of_a_handler_closes_one_channel,
    a_frame_that_is_too_large_closes_one_channel,
    what_cannot_be_decoded_closes_one_channel,
    the_answers_to_what_came_before_the_error_arrive,
    an_initialiser_that_fails_closes_its_connection,
];

/// Panics at `p`, fails at `f`, and echoes everything else.
struct Fragile(Tap<ByteBuf>);

impl InboundHandler for Fragile {
    type In = ByteBuf;
    type Out = Never;
    type Write = ByteBuf;

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.0.active(cx)
    }

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
        match msg.first() {
            Some(b'p') => std::panic::panic_any(WANTED_PANIC),
            Some(b'f') => Err(Error::handler(WANTED_PANIC)),
            _ => {
                cx.write(msg);
                Ok(())
            }
        }
    }
}

/// A decoder that refuses an `x`.
#[derive(Debug)]
struct NoX;

impl Decoder for NoX {
    type Item = ByteBuf;

    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<ByteBuf>, CodecError> {
        match src.first() {
            None => Ok(None),
            Some(b'x') => Err(CodecError::malformed("there is an x")),
            Some(_) => Ok(Some(src.split_to(1))),
        }
    }
}

/// One connection does `bad` and ends for `reason`; another is served before and after.
fn one_fails<W: 'static>(
    world: &World,
    build: fn(&mut ChannelInit<'_>, Tap<W>) -> Stages,
    good: &'static [u8],
    bad: &'static [u8],
) -> CloseReason {
    let server = world.listen(ChannelOptions::new(), build);
    let mut healthy = world.bytes_client(&server.address, ChannelOptions::new());
    let _healthy_at_server = server.accept();
    let failing = world.bytes_client(&server.address, ChannelOptions::new());
    let failing_at_server = server.accept();
    healthy.send(good);
    assert_eq!(healthy.bytes(good.len()), good);
    failing.send(bad);
    let reason = failing_at_server.channel.wait_closed();
    // How the failing one sees it depends on what was under way; that it ends does not.
    assert_eq!(failing.ending().0.last(), Some(&Log::Inactive));
    healthy.send(good);
    assert_eq!(healthy.bytes(good.len()), good);
    let mut late = world.bytes_client(&server.address, ChannelOptions::new());
    late.send(good);
    assert_eq!(late.bytes(good.len()), good);
    reason
}

fn framed(ch: &mut ChannelInit<'_>, tap: Tap<ByteBuf>) -> Stages {
    let frames = LengthField::u32().max_frame(1000);
    ch.pipeline().codec("frames", frames).inbound("fragile", Fragile(tap)).into()
}

const GOOD: &[u8] = b"\0\0\0\x05hello";

fn a_panic_closes_one_channel() -> Scenario {
    everywhere(|world| {
        let reason = one_fails(world, framed, GOOD, b"\0\0\0\x01p");
        assert_eq!(reason, CloseReason::Panic);
    })
}

fn an_error_of_a_handler_closes_one_channel() -> Scenario {
    everywhere(|world| {
        let reason = one_fails(world, framed, GOOD, b"\0\0\0\x01f");
        assert_eq!(reason, CloseReason::Handler);
    })
}

fn a_frame_that_is_too_large_closes_one_channel() -> Scenario {
    everywhere(|world| {
        let reason = one_fails(world, framed, GOOD, b"\x7f\0\0\0what follows");
        assert_eq!(reason, CloseReason::Limit);
    })
}

fn what_cannot_be_decoded_closes_one_channel() -> Scenario {
    everywhere(|world| {
        let reason = one_fails(
            world,
            |ch, tap| ch.pipeline().decoder("no-x", NoX).inbound("echo", EchoTap(tap)).into(),
            b"abc",
            b"axb",
        );
        assert_eq!(reason, CloseReason::Protocol);
    })
}

/// The whole frame in front of a bad one is handled, and its answer still arrives.
fn the_answers_to_what_came_before_the_error_arrive() -> Scenario {
    everywhere(|world| {
        let server = world.listen(ChannelOptions::new(), framed);
        let client = world.bytes_client(&server.address, ChannelOptions::new());
        let peer = server.accept();
        client.send([GOOD, GOOD, b"\xff\xff\xff\xff"].concat());
        assert_eq!(peer.channel.wait_closed(), CloseReason::Limit);
        let (log, reason) = client.ending();
        assert_eq!(log[0], Log::Bytes([GOOD, GOOD].concat()));
        (log, reason)
    })
}

fn an_initialiser_that_fails_closes_its_connection() -> Scenario {
    everywhere(|world| {
        let refuse = std::sync::atomic::AtomicBool::new(true);
        let server = world.server().child(move |ch| -> Result<Stages> {
            if refuse.swap(false, std::sync::atomic::Ordering::AcqRel) {
                return Err(Error::handler("not this one"));
            }
            Ok(ch.pipeline().inbound("echo", Echo).into())
        });
        let server = server.bind(world.free_address()).unwrap();
        // The one that is refused may be reset before it knows that it was connected.
        let refused = world.client().handler(|ch| ch.pipeline().inbound("echo", Echo));
        if let Ok(channel) = refused.connect(server.local_address()).wait() {
            let _ = channel.wait_closed();
        }
        let mut served = world.bytes_client(server.local_address(), ChannelOptions::new());
        served.send("hello");
        assert_eq!(served.bytes(5), b"hello");
    })
}
