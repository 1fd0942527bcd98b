//! Water marks, pauses, flushing, demand.

use fyke_buffer::ByteBuf;
use fyke_core::embedded::EmbeddedChannel;
use fyke_core::{ChannelOptions, Ctx, InboundHandler, Never, Outgoing};

use crate::support::{Frames, Letters, Log, Watch, frame, on_read};

fn echo() -> impl InboundHandler<In = u8, Out = u8, Write = u8> {
    on_read(|cx: &mut Ctx<'_, u8, u8>, msg: u8| {
        cx.write(msg);
        cx.fire_read(msg);
        Ok(())
    })
}

#[test]
fn a_full_channel_pauses_in_the_middle_of_a_buffer() {
    let options = ChannelOptions::new().water_marks(2, 4);
    let mut channel = EmbeddedChannel::with_options(options, |ch| {
        ch.pipeline().codec("letters", Letters).inbound("echo", echo())
    });
    channel.set_room(Some(0));
    channel.write_inbound("abcdefghij");
    assert_eq!(channel.drain_inbound::<u8>(), b"abcde", "the fifth byte was one too many");
    assert!(!channel.is_writable() && !channel.is_reading());
    channel.write_inbound("kl");
    assert_eq!(channel.drain_inbound::<u8>(), b"", "paused means paused");
    channel.set_room(Some(2));
    assert_eq!(channel.drain_inbound::<u8>(), b"", "three bytes are above the low mark");
    channel.set_room(Some(1));
    assert_eq!(channel.drain_inbound::<u8>(), b"fgh");
    channel.set_room(None);
    assert_eq!(channel.drain_inbound::<u8>(), b"ijkl");
    assert_eq!(channel.read_outbound(), b"abcdefghijkl");
    assert!(channel.is_writable() && channel.is_reading());
}

#[test]
fn a_pause_holds_every_decoder_of_a_chain() {
    let mut channel = EmbeddedChannel::new(|ch| {
        let pause = |cx: &mut Ctx<'_, u8, Outgoing>, msg: u8| {
            if msg == b'|' {
                cx.set_auto_read(false);
            }
            cx.fire_read(msg);
            Ok(())
        };
        ch.pipeline()
            .decoder("outer", Frames)
            .decoder("inner", Letters)
            .inbound("pause", on_read(pause))
    });
    channel.write_inbound([frame(b"a|b"), frame(b"cd|ef"), frame(b"g")].concat());
    assert_eq!(channel.drain_inbound::<u8>(), b"a|");
    channel.run(|cx| cx.set_auto_read(true));
    assert_eq!(channel.drain_inbound::<u8>(), b"bcd|");
    channel.run(|cx| cx.set_auto_read(true));
    assert_eq!(channel.drain_inbound::<u8>(), b"efg");
}

#[test]
fn the_safe_default_can_be_given_up() {
    let options = ChannelOptions::new().water_marks(2, 4).pause_when_unwritable(false);
    let mut channel = EmbeddedChannel::with_options(options, |ch| {
        ch.pipeline().codec("letters", Letters).inbound("echo", echo())
    });
    channel.set_room(Some(0));
    channel.write_inbound("abcdefghij");
    assert_eq!(channel.drain_inbound::<u8>(), b"abcdefghij");
    assert!(!channel.is_writable() && channel.is_reading());
}

#[test]
fn a_slow_reader_cannot_fill_the_memory() {
    let options = ChannelOptions::new().water_marks(1000, 2000);
    let mut channel = EmbeddedChannel::with_options(options, |ch| {
        let echo = |cx: &mut Ctx<'_, Never, Outgoing>, bytes: ByteBuf| {
            cx.write(bytes.into());
            Ok(())
        };
        ch.pipeline().inbound("echo", on_read(echo))
    });
    channel.set_room(Some(0));
    let mut most = 0;
    for round in 0..200 {
        channel.write_inbound(vec![round as u8; 500]);
        most = most.max(channel.pending_bytes());
    }
    assert_eq!(most, 2500, "the high mark and one read");
    channel.set_room(None);
    assert_eq!(channel.read_outbound().readable(), 100_000, "nothing is lost");
}

#[test]
fn writes_leave_together_at_the_end_of_the_turn() {
    let mut channel = EmbeddedChannel::new(|ch| {
        let chatty = |cx: &mut Ctx<'_, Never, Outgoing>, _: ByteBuf| {
            for _ in 0..10 {
                cx.write("line\n".into());
            }
            Ok(())
        };
        ch.pipeline().inbound("chatty", on_read(chatty))
    });
    channel.write_inbound("go");
    assert_eq!(channel.read_outbound().readable(), 50);
    assert_eq!(channel.write_calls(), 1);
}

#[test]
fn manual_flushing_is_an_option() {
    let options = ChannelOptions::new().auto_flush(false);
    let mut channel = EmbeddedChannel::with_options(options, |ch| {
        let echo = |cx: &mut Ctx<'_, Never, u8>, msg: u8| {
            cx.write(msg);
            if msg == b'.' {
                cx.flush();
            }
            Ok(())
        };
        ch.pipeline().codec("letters", Letters).inbound("echo", on_read(echo))
    });
    channel.write_inbound("ab");
    assert_eq!((channel.write_calls(), channel.pending_bytes()), (0, 2));
    channel.write_inbound("c.d");
    assert_eq!(channel.read_outbound(), b"abc.");
    assert_eq!(channel.pending_bytes(), 1);
    channel.channel().flush().unwrap();
    channel.run_pending();
    assert_eq!(channel.read_outbound(), b"d");
    // A flush that meets a full transport goes on when there is room.
    channel.set_room(Some(1));
    channel.write_inbound("ef.");
    channel.set_room(Some(1));
    channel.set_room(Some(1));
    assert_eq!(channel.read_outbound(), b"ef.");
    // What was written and never flushed leaves when the channel closes.
    channel.set_room(None);
    channel.write_inbound("g");
    channel.channel().close();
    channel.run_pending();
    assert_eq!(channel.read_outbound(), b"g");
}

#[test]
fn demand_without_a_decoder_is_for_one_read() {
    let options = ChannelOptions::new().auto_read(false);
    let mut channel = EmbeddedChannel::with_options(options, |ch| ch.pipeline());
    assert!(!channel.is_reading());
    channel.write_inbound("ab");
    channel.write_inbound("cd");
    assert_eq!(channel.read_inbound::<ByteBuf>(), None);
    channel.run(|cx| cx.request_read());
    assert_eq!(channel.drain_inbound::<ByteBuf>(), [ByteBuf::from("ab")]);
    channel.channel().set_auto_read(true).unwrap();
    channel.run_pending();
    assert_eq!(channel.drain_inbound::<ByteBuf>(), [ByteBuf::from("cd")]);
}

#[test]
fn the_end_waits_for_demand_behind_unread_messages() {
    let log = Log::new();
    let l = log.clone();
    let options = ChannelOptions::new().auto_read(false);
    let mut channel = EmbeddedChannel::with_options(options, move |ch| {
        ch.pipeline().codec("letters", Letters).inbound("watch", Watch::<u8, u8>::new("", &l))
    });
    log.take();
    channel.write_inbound("ab");
    channel.finish_inbound();
    assert_eq!(log.text(), "event");
    channel.run(|cx| cx.request_read());
    assert_eq!(channel.drain_inbound::<u8>(), b"a");
    channel.run(|cx| cx.request_read());
    assert_eq!(channel.drain_inbound::<u8>(), b"b");
    assert!(!log.text().contains("read_closed"));
    channel.run(|cx| cx.request_read());
    assert!(log.text().starts_with("read_closed inactive"));
}
