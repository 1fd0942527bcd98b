//! `read_complete` goes past handlers that say nothing to it, once they have shown that; never past one
//! that does, nor past messages that wait.

use std::marker::PhantomData;

use fyke_buffer::ByteBuf;
use fyke_core::embedded::EmbeddedChannel;
use fyke_core::{Context, InboundHandler, Never, Outgoing, Result};

use crate::support::{Log, Watch, on_read};

/// Says nothing to `read_complete`.
struct Silent;

impl InboundHandler for Silent {
    type In = ByteBuf;
    type Out = ByteBuf;
    type Write = Outgoing;

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
        cx.fire_read(msg);
        Ok(())
    }
}

/// Lets `inner` speak, and itself from the second time on.
struct Wrapped<H> {
    inner: H,
    log: Log,
    completed: usize,
}

impl<H> InboundHandler for Wrapped<H>
where
    H: InboundHandler<In = ByteBuf, Out = ByteBuf, Write = Outgoing>,
{
    type In = ByteBuf;
    type Out = ByteBuf;
    type Write = Outgoing;

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
        self.inner.read(cx, msg)
    }

    fn read_complete(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.completed += 1;
        if self.completed > 1 {
            self.log.add(format!("wrapper {}", self.completed));
        }
        self.inner.read_complete(cx)
    }
}

/// Passes messages on; says nothing to `read_complete` either. Generic, as handlers are.
struct Pass<T>(PhantomData<fn() -> T>);

impl<T: 'static> InboundHandler for Pass<T> {
    type In = ByteBuf;
    type Out = ByteBuf;
    type Write = Outgoing;

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
        cx.fire_read(msg);
        Ok(())
    }
}

fn drop_it(_: &mut fyke_core::Ctx<'_, Never, Outgoing>, _: ByteBuf) -> Result<()> {
    Ok(())
}

#[test]
fn it_comes_to_those_behind_silent_ones_every_time() {
    let log = Log::new();
    let l = log.clone();
    let mut channel = EmbeddedChannel::new(move |ch| {
        ch.pipeline()
            .inbound("silent", Silent)
            .inbound("pass", Pass::<u8>(PhantomData))
            .inbound("watch", Watch::<ByteBuf, Outgoing>::new("", &l))
            .inbound("silent too", Silent)
            .inbound("end", on_read(drop_it))
    });
    log.take();
    for _ in 0..3 {
        channel.write_inbound("x");
        assert_eq!(log.text(), "read_complete");
    }
}

#[test]
fn a_handler_that_wraps_a_silent_one_is_told_every_time() {
    let log = Log::new();
    let l = log.clone();
    let mut channel = EmbeddedChannel::new(move |ch| {
        let inner = Wrapped { inner: Silent, log: l.clone(), completed: 0 };
        ch.pipeline()
            .inbound("wrapped twice", Wrapped { inner, log: l.clone(), completed: 10 })
            .inbound("end", on_read(drop_it))
    });
    log.take();
    channel.write_inbound("x");
    assert_eq!(log.text(), "wrapper 11");
    channel.write_inbound("x");
    assert_eq!(log.text(), "wrapper 12 wrapper 2");
}
