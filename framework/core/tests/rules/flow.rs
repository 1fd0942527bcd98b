//! Rules 4, 5, 6 and 9: how much, how far, and what is handed over.

use std::sync::Arc;

use fyke_buffer::ByteBuf;
use fyke_codec::Decoder;
use fyke_core::embedded::{EmbeddedChannel, MessageChannel};
use fyke_core::event_loop::LoopOptions;
use fyke_core::{
    ChannelOptions, CloseReason, CodecError, Context, Ctx, DuplexContext, DuplexHandler, ErrorKind,
    FileRegion, InboundHandler, Never, Offloaded, Outgoing, Promise, RegionSource, Result, Sender,
    Stage,
};

use crate::support::world::{Trigger, World};
use crate::support::{Frames, Jobs, Letters, Log, Tell, Watch, frame, on_read, outcome};

/// 4. Every queue counts: bytes that a handler holds count towards the water marks.
#[test]
fn rule_04_bytes_held_by_a_handler_count() {
    let options = ChannelOptions::new().water_marks(10, 20);
    let mut channel = EmbeddedChannel::with_options(options, |ch| {
        let hold = |cx: &mut Ctx<'_, Never, Outgoing>, bytes: ByteBuf| {
            let change: i64 = String::from_utf8_lossy(bytes.as_slice()).parse().unwrap();
            cx.account(change);
            Ok(())
        };
        ch.pipeline().inbound("hold", on_read(hold))
    });
    channel.write_inbound("21");
    assert!(!channel.is_writable());
    assert!(!channel.is_reading(), "a channel above its mark reads nothing");
    assert_eq!(channel.pending_bytes(), 21);
    channel.run(|cx| cx.account(-10));
    assert!(!channel.is_writable(), "11 bytes are above the low mark");
    channel.run(|cx| cx.account(-1));
    assert!(channel.is_writable());
    assert!(channel.is_reading());
}

/// 4, the hard limit: a write beyond it fails, the channel ends, and nothing is sent behind the
/// hole in the stream.
#[test]
fn rule_04_beyond_the_hard_limit_a_write_fails() {
    let options = ChannelOptions::new().outbound_bytes_max(10);
    let mut channel =
        EmbeddedChannel::with_options(options, |ch| ch.pipeline().inbound("end", on_read(drop_it)));
    channel.set_room(Some(2));
    let mut first = channel.write_outbound(Outgoing::from("01234567")).unwrap();
    assert_eq!(outcome(&mut first), None);
    channel.set_room(Some(0));
    channel.run(|cx| {
        let sender: Sender<Outgoing> = cx.sender().unwrap();
        let second = sender.send_with_promise("89abcdef".into()).unwrap();
        let third = sender.send_with_promise("!".into()).unwrap();
        cx.spawn(async move {
            let error = second.await.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::OutboundFull { pending: 6, limit: 10 }));
            assert!(third.await.unwrap_err().is_closed());
        });
    });
    channel.set_room(None);
    assert_eq!(channel.close_reason(), Some(CloseReason::Limit));
    assert_eq!(channel.read_outbound(), b"01", "nothing leaves behind the hole");
    assert_eq!(outcome(&mut first), Some(false));
}

/// Zeroes without end.
struct Zeroes;

impl RegionSource for Zeroes {
    fn read_at(&self, _: u64, into: &mut [u8]) -> std::io::Result<usize> {
        into.fill(0);
        Ok(into.len())
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// 4, the hard limit is for memory: a piece of a file behind its head may be larger, stops the
/// reading as any write does, and what is written behind it still counts.
#[test]
fn rule_04_file_regions_take_no_memory() {
    let options = ChannelOptions::new().water_marks(5, 10).outbound_bytes_max(20);
    let mut channel =
        EmbeddedChannel::with_options(options, |ch| ch.pipeline().inbound("end", on_read(drop_it)));
    channel.set_room(Some(0));
    let mut head = channel.write_outbound(Outgoing::from("head")).unwrap();
    let region = FileRegion::new(Arc::new(Zeroes), 0, 1000);
    let mut file = channel.write_outbound(Outgoing::from(region)).unwrap();
    assert_eq!(channel.pending_bytes(), 1004);
    assert!(channel.is_open() && !channel.is_reading());
    channel.set_room(Some(504));
    assert_eq!((outcome(&mut head), outcome(&mut file)), (Some(true), None));
    let mut behind = channel.write_outbound(Outgoing::from("0123456789abcdef")).unwrap();
    channel.set_room(None);
    assert_eq!((outcome(&mut file), outcome(&mut behind)), (Some(true), Some(true)));
    assert_eq!(channel.read_outbound().len(), 4 + 1000 + 16);
    channel.set_room(Some(0));
    drop(channel.write_outbound(Outgoing::from("0123456789abcdef")).unwrap());
    let mut over = channel.write_outbound(Outgoing::from("01234")).unwrap();
    assert_eq!(outcome(&mut over), Some(false));
    assert_eq!(channel.close_reason(), Some(CloseReason::Limit));
}

fn drop_it(_: &mut Ctx<'_, Never, Outgoing>, _: ByteBuf) -> Result<()> {
    Ok(())
}

/// Waits for offloaded work at its first message.
struct Waits;

impl DuplexHandler for Waits {
    type In = u8;
    type Out = u8;
    type WriteIn = u8;
    type WriteOut = u8;

    fn read(&mut self, cx: &mut DuplexContext<'_, Self>, _: u8) -> Result<()> {
        cx.offload(|| ());
        Ok(())
    }

    fn write(&mut self, cx: &mut DuplexContext<'_, Self>, msg: u8, promise: Promise) -> Result<()> {
        cx.write_with(msg, promise);
        Ok(())
    }
}

/// 4, the inbox of a stage that waits: it is bounded like any queue.
#[test]
fn rule_04_the_inbox_of_a_waiting_stage_is_bounded() {
    let jobs = Jobs::default();
    let mut options = LoopOptions::new(0, 0);
    options.offload = Arc::new(jobs.clone());
    let mut world = World::with_options(Trigger::Level, usize::MAX, options);
    let (tell, told) = std::sync::mpsc::channel();
    let line = world.connect(ChannelOptions::default(), move |ch| {
        ch.pipeline()
            .codec("letters", Letters)
            .inbound("tell", Tell::<u8, u8>::new(&tell))
            .duplex("waits", Waits)
    });
    world.feed(line, b"x");
    world.settle();
    assert_eq!(jobs.len(), 1);
    let channel = told.recv().unwrap();
    let sender: Sender<u8> = channel.sender().unwrap();
    for _ in 0..3 {
        for _ in 0..40_000 {
            let _ = sender.send(b'.');
        }
        world.settle();
    }
    assert_eq!(channel.close_reason(), Some(CloseReason::Limit));
}

/// 5. Demand: with auto-read off, one request is for one message. A decoder that consumed bytes and
///    produced nothing asks for more by itself.
#[test]
fn rule_05_a_request_stands_until_a_message_arrives() {
    let options = ChannelOptions::new().auto_read(false);
    let mut channel =
        EmbeddedChannel::with_options(options, |ch| ch.pipeline().codec("frames", Frames));
    channel.write_inbound(frame(b"early"));
    assert_eq!(channel.read_inbound::<ByteBuf>(), None, "nobody has asked");
    assert!(!channel.is_reading());
    channel.run(|cx| cx.request_read());
    assert_eq!(channel.read_inbound::<ByteBuf>().unwrap(), b"early");
    assert!(!channel.is_reading(), "one was asked for, one came");

    channel.run(|cx| cx.request_read());
    for byte in frame(b"slowly") {
        assert!(channel.is_reading(), "no message yet, so the request stands");
        channel.write_inbound(vec![byte]);
    }
    assert_eq!(channel.read_inbound::<ByteBuf>().unwrap(), b"slowly");
    assert!(!channel.is_reading());

    // Two requests and three messages in one buffer: the third one waits.
    channel.run(|cx| cx.request_read());
    channel.run(|cx| cx.request_read());
    channel.write_inbound([frame(b"1"), frame(b"2"), frame(b"3")].concat());
    assert_eq!(channel.drain_inbound::<ByteBuf>().len(), 2);
    channel.run(|cx| cx.request_read());
    assert_eq!(channel.read_inbound::<ByteBuf>().unwrap(), b"3");
}

/// 5, with a decoder behind a decoder: only what reaches the application meets the demand.
#[test]
fn rule_05_demand_is_met_behind_the_last_decoder() {
    let options = ChannelOptions::new().auto_read(false);
    let mut channel = EmbeddedChannel::with_options(options, |ch| {
        ch.pipeline().decoder("outer", Frames).decoder("inner", Frames)
    });
    channel.run(|cx| cx.request_read());
    let inner = frame(b"hello");
    channel.write_inbound(frame(&inner[..3]));
    assert_eq!(channel.read_inbound::<ByteBuf>(), None);
    channel.write_inbound([frame(&inner[3..]), frame(&frame(b"more"))].concat());
    assert_eq!(channel.drain_inbound::<ByteBuf>(), [ByteBuf::from("hello")]);
    channel.run(|cx| cx.request_read());
    assert_eq!(channel.drain_inbound::<ByteBuf>(), [ByteBuf::from("more")]);
}

/// 5, last part: a paused channel still learns that its peer has closed.
#[test]
fn rule_05_a_paused_channel_learns_of_the_end() {
    let log = Log::new();
    let l = log.clone();
    let mut channel = EmbeddedChannel::new(move |ch| {
        ch.pipeline()
            .codec("letters", Letters)
            .inbound("watch", Watch::<u8, u8>::new("", &l))
            .inbound(
                "pause",
                on_read(|cx: &mut Ctx<'_, u8, u8>, msg: u8| {
                    cx.set_auto_read(false);
                    cx.fire_read(msg);
                    Ok(())
                }),
            )
    });
    channel.write_inbound("abc");
    assert_eq!(channel.drain_inbound::<u8>(), b"a");
    log.take();
    channel.finish_inbound();
    assert_eq!(log.text(), "event", "and nothing else before what is unread");
    for expected in [b"b", b"c"] {
        channel.run(|cx| cx.set_auto_read(true));
        assert_eq!(channel.drain_inbound::<u8>(), expected);
    }
    channel.run(|cx| cx.set_auto_read(true));
    assert!(log.text().contains("read_closed"));
    assert_eq!(channel.close_reason(), Some(CloseReason::PeerEnd));
}

/// 5, the same when the end was reported first and the channel was paused afterwards.
#[test]
fn rule_05_a_channel_paused_later_learns_of_the_end_too() {
    let log = Log::new();
    let l = log.clone();
    let mut world = World::new();
    let line = world.connect(ChannelOptions::default(), move |ch| {
        let pause = |cx: &mut Ctx<'_, Never, u8>, _: u8| {
            cx.set_auto_read(false);
            Ok(())
        };
        ch.pipeline()
            .codec("letters", Letters)
            .inbound("watch", Watch::<u8, u8>::new("", &l))
            .inbound("pause", on_read(pause))
    });
    log.take();
    world.feed(line, b"abc");
    world.end(line);
    world.settle();
    assert_eq!(log.text(), "read_complete event");
}

/// Two letters, as a pair.
struct Pairs;

impl Decoder for Pairs {
    type Item = u8;

    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<u8>, CodecError> {
        if src.readable() < 2 {
            return Ok(None);
        }
        src.skip(1).unwrap();
        Ok(src.read_u8().ok())
    }
}

/// 6. Removal hands over leftovers: the replacement gets the unread bytes before any new byte.
#[test]
fn rule_06_a_replacement_gets_the_unread_bytes_first() {
    let mut channel = EmbeddedChannel::new(|ch| {
        let switch = |cx: &mut Ctx<'_, u8, Outgoing>, msg: u8| {
            if msg == b'!' {
                cx.edit(|e| {
                    e.replace("letters", "pairs", Stage::decoder(Pairs));
                })?;
            }
            cx.fire_read(msg);
            Ok(())
        };
        ch.pipeline().decoder("letters", Letters).inbound("switch", on_read(switch))
    });
    channel.write_inbound("ab!cdefg");
    assert_eq!(channel.drain_inbound::<u8>(), b"ab!df");
    assert_eq!(channel.stages(), ["pairs", "switch"]);
    channel.write_inbound("hij");
    assert_eq!(channel.drain_inbound::<u8>(), b"hj", "g was still there, in front of h");
}

/// 6, several at once: what stood behind is older and is handed over first.
#[test]
fn rule_06_leftovers_of_two_decoders_keep_their_order() {
    let mut channel = EmbeddedChannel::new(|ch| {
        let switch = |cx: &mut Ctx<'_, u8, Outgoing>, msg: u8| {
            if msg == b'!' {
                cx.edit(|e| {
                    e.remove("outer").replace("inner", "plain", Stage::decoder(Letters));
                })?;
            }
            cx.fire_read(msg);
            Ok(())
        };
        ch.pipeline()
            .decoder("outer", Frames)
            .decoder("inner", Letters)
            .inbound("switch", on_read(switch))
    });
    let mut bytes = frame(b"ab!cd");
    bytes.extend_from_slice(b"ef");
    channel.write_inbound(bytes);
    assert_eq!(channel.drain_inbound::<u8>(), b"ab!cdef");
    assert_eq!(channel.stages(), ["plain", "switch"]);
}

/// 9. No executor per handler: work is offloaded, that stage's input waits, and goes on in order.
#[test]
fn rule_09_offloaded_work_keeps_the_order() {
    struct Slow;
    impl InboundHandler for Slow {
        type In = u8;
        type Out = u8;
        type Write = u8;

        fn read(&mut self, cx: &mut Context<'_, Self>, msg: u8) -> Result<()> {
            match msg.is_ascii_lowercase() {
                true => cx.offload(move || msg.to_ascii_uppercase()),
                false => cx.fire_read(msg),
            }
            Ok(())
        }

        fn offloaded(&mut self, cx: &mut Context<'_, Self>, result: Offloaded) -> Result<()> {
            cx.fire_read(result.take::<u8>()?);
            Ok(())
        }
    }
    let mut channel = MessageChannel::<u8, u8>::new(|p| p.inbound("slow", Slow));
    for msg in *b"a1bc2" {
        channel.feed(msg);
    }
    assert_eq!(channel.drain_inbound::<u8>(), b"A1BC2");
    let mut channel =
        EmbeddedChannel::new(|ch| ch.pipeline().codec("letters", Letters).inbound("slow", Slow));
    channel.write_inbound("x1yz2");
    channel.write_inbound("3a");
    assert_eq!(channel.drain_inbound::<u8>(), b"X1YZ23A");
}

/// Gives each byte and then, taking nothing, an `End`.
#[derive(Default)]
struct Echoing(bool);

impl Decoder for Echoing {
    type Item = char;

    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<char>, CodecError> {
        if std::mem::take(&mut self.0) {
            return Ok(Some('.'));
        }
        let byte = src.read_u8().ok();
        self.0 = byte.is_some();
        Ok(byte.map(char::from))
    }
}

/// 5. A decoder is asked until it has nothing more, though it may have taken all bytes before; and
///    what it has left when the channel pauses comes when the pause is over.
#[test]
fn rule_05_a_decoder_may_give_more_than_it_takes() {
    let mut channel =
        EmbeddedChannel::new(|ch| ch.pipeline().decoder("echoing", Echoing::default()));
    channel.write_inbound("ab");
    assert_eq!(channel.drain_inbound::<char>(), ['a', '.', 'b', '.']);
    let options = ChannelOptions::new().auto_read(false);
    let mut channel = EmbeddedChannel::with_options(options, |ch| {
        ch.pipeline().decoder("echoing", Echoing::default())
    });
    channel.write_inbound("a");
    for expected in [vec![], vec!['a'], vec!['.'], vec![]] {
        assert_eq!(channel.drain_inbound::<char>(), expected);
        channel.run(|cx| cx.request_read());
    }
}
