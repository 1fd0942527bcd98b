//! Rule 1 for handlers that let messages past: what goes past them overtakes nothing.

use fyke_buffer::ByteBuf;
use fyke_core::embedded::EmbeddedChannel;
use fyke_core::handlers::LoggingHandler;
use fyke_core::{Ctx, DuplexContext, DuplexHandler, Env, Never, Outgoing, Promise, Result};

use tracing::Level;

use crate::support::{Letters, Log, on_read};

/// Lets small letters past in both directions and logs what comes to it. A digit becomes two letters.
struct Sieve(Log);

impl DuplexHandler for Sieve {
    type In = u8;
    type Out = u8;
    type WriteIn = u8;
    type WriteOut = Outgoing;

    const PASSES: bool = true;
    const ENCODES: bool = true;

    fn passes(&self, msg: &u8) -> bool {
        msg.is_ascii_lowercase()
    }

    fn read(&mut self, cx: &mut DuplexContext<'_, Self>, msg: u8) -> Result<()> {
        self.0.add(format!("read {}", char::from(msg)));
        if msg.is_ascii_digit() {
            cx.fire_read(b'p');
            cx.fire_read(b'q');
        } else {
            cx.fire_read(msg);
        }
        Ok(())
    }

    fn encode(&mut self, _: &Env, msg: &u8, dst: &mut ByteBuf) -> bool {
        if msg.is_ascii_lowercase() {
            dst.write_u8(*msg);
        }
        msg.is_ascii_lowercase()
    }

    fn write(&mut self, cx: &mut DuplexContext<'_, Self>, msg: u8, promise: Promise) -> Result<()> {
        self.0.add(format!("write {}", char::from(msg)));
        cx.write_with(Outgoing::Buf(ByteBuf::from(&[msg])), promise);
        Ok(())
    }
}

fn echoing(log: &Log) -> EmbeddedChannel {
    let log = log.clone();
    EmbeddedChannel::new(move |ch| {
        let echo = |cx: &mut Ctx<'_, Never, u8>, msg: u8| {
            cx.write(msg);
            Ok(())
        };
        ch.pipeline()
            .decoder("letters", Letters)
            .duplex("sieve", Sieve(log.clone()))
            .inbound("echo", on_read(echo))
    })
}

#[test]
fn rule_01_what_goes_past_a_handler_does_not_come_to_it() {
    let log = Log::new();
    let mut channel = echoing(&log);
    channel.write_inbound("abc");
    assert_eq!(channel.read_outbound(), b"abc");
    assert_eq!(log.text(), "");
    channel.write_inbound("aBc");
    assert_eq!(channel.read_outbound(), b"aBc");
    assert_eq!(log.text(), "read B write B");
}

/// While something that the handler fired has not left, what comes back waits, and nothing goes past.
#[test]
fn rule_01_nothing_goes_past_what_waits() {
    let log = Log::new();
    let mut channel = echoing(&log);
    channel.write_inbound("a1b");
    assert_eq!(channel.read_outbound(), b"apqb");
    assert_eq!(log.text(), "read 1 write p write q");
}

/// A promise is kept when its bytes have gone, so such a message comes to `write`.
#[test]
fn rule_01_a_promise_keeps_its_place() {
    let log = Log::new();
    let mut channel = echoing(&log);
    channel.hold_writes(true);
    channel.write_inbound("a");
    let mut written = channel.write_outbound(b'b').unwrap();
    assert_eq!(log.text(), "write b");
    assert!(written.try_result().is_none(), "nothing has gone yet");
    channel.complete_write(None);
    channel.complete_write(None);
    assert!(matches!(written.try_result(), Some(Ok(()))));
    assert_eq!(channel.read_outbound(), b"ab");
}

/// A handler that is not next to the transport has nowhere to append.
#[test]
fn rule_01_behind_another_handler_all_is_written() {
    let log = Log::new();
    let kept = log.clone();
    let mut channel = EmbeddedChannel::new(move |ch| {
        let pass = |cx: &mut Ctx<'_, Never, u8>, msg: u8| {
            cx.write(msg);
            Ok(())
        };
        ch.pipeline()
            .duplex("below", LoggingHandler::<ByteBuf, Outgoing>::new(Level::TRACE))
            .decoder("letters", Letters)
            .duplex("sieve", Sieve(kept.clone()))
            .inbound("echo", on_read(pass))
    });
    channel.write_inbound("ab");
    assert_eq!(channel.read_outbound(), b"ab");
    assert_eq!(log.text(), "write a write b");
}
