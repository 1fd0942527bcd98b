//! Embedded channels whose pipelines do not begin with bytes: for handlers of typed messages.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use fyke_buffer::ByteBuf;

use super::EmbeddedChannel;
use crate::error::Result;
use crate::event_loop::ChannelInit;
use crate::handler::{DuplexContext, DuplexHandler};
use crate::options::ChannelOptions;
use crate::outgoing::Outgoing;
use crate::pipeline::{IntoStages, PipelineBuilder};
use crate::promise::Promise;

type Written<O> = Rc<RefCell<VecDeque<O>>>;

/// The first stage of a [`MessageChannel`]: messages come in by events, and what is written stays
/// here.
struct Feed<I, O> {
    written: Written<O>,
    message: PhantomData<fn() -> I>,
}

struct Arrived<I>(I);

impl<I: 'static, O: 'static> DuplexHandler for Feed<I, O> {
    type In = ByteBuf;
    type Out = I;
    type WriteIn = O;
    type WriteOut = Outgoing;

    fn added(&mut self, cx: &mut DuplexContext<'_, Self>) -> Result<()> {
        cx.set_attribute(Rc::clone(&self.written));
        Ok(())
    }

    fn read(&mut self, _: &mut DuplexContext<'_, Self>, _: ByteBuf) -> Result<()> {
        Ok(())
    }

    fn write(&mut self, _: &mut DuplexContext<'_, Self>, msg: O, promise: Promise) -> Result<()> {
        self.written.borrow_mut().push_back(msg);
        promise.succeed();
        Ok(())
    }

    fn events(&self) -> crate::EventFilter {
        crate::EventFilter::of::<Arrived<I>>()
    }

    fn event(&mut self, cx: &mut DuplexContext<'_, Self>, event: crate::Event) -> Result<()> {
        match event.take::<Arrived<I>>() {
            Ok(Arrived(msg)) => cx.fire_read(msg),
            Err(event) => cx.pass_event(event),
        }
        Ok(())
    }
}

/// An [`EmbeddedChannel`] whose handlers read `I` and write `O` instead of bytes.
///
/// ```
/// use fyke_core::embedded::MessageChannel;
/// use fyke_core::{Context, InboundHandler, Never, Result};
///
/// struct Double;
/// impl InboundHandler for Double {
///     type In = u32;
///     type Out = Never;
///     type Write = u64;
///     fn read(&mut self, cx: &mut Context<'_, Self>, n: u32) -> Result<()> {
///         cx.write(u64::from(n) * 2);
///         Ok(())
///     }
/// }
///
/// let mut channel = MessageChannel::<u32, u64>::new(|p| p.inbound("double", Double));
/// channel.feed(21);
/// assert_eq!(channel.written(), Some(42));
/// ```
pub struct MessageChannel<I, O> {
    channel: EmbeddedChannel,
    written: Written<O>,
    message: PhantomData<fn(I)>,
}

impl<I: 'static, O: 'static> MessageChannel<I, O> {
    /// A connected channel with default options.
    ///
    /// # Panics
    /// When the pipeline cannot be built.
    pub fn new<S: IntoStages>(
        init: impl Fn(PipelineBuilder<I, O>) -> S + Send + Sync + 'static,
    ) -> Self {
        Self::with_options(ChannelOptions::default(), init)
    }

    /// A connected channel.
    ///
    /// # Panics
    /// When the pipeline cannot be built.
    pub fn with_options<S: IntoStages>(
        options: ChannelOptions,
        init: impl Fn(PipelineBuilder<I, O>) -> S + Send + Sync + 'static,
    ) -> Self {
        let mut channel =
            EmbeddedChannel::with_options(options, move |ch: &mut ChannelInit<'_>| {
                let feed = Feed::<I, O> { written: Rc::default(), message: PhantomData };
                init(ch.pipeline().duplex("feed", feed))
            });
        let written = channel.attribute::<Written<O>>().expect("the feed has set it");
        Self { channel, written, message: PhantomData }
    }

    /// A message arrives.
    pub fn feed(&mut self, msg: I) {
        self.channel.fire_event(Arrived(msg));
    }

    /// The next message that was written.
    pub fn written(&mut self) -> Option<O> {
        self.written.borrow_mut().pop_front()
    }

    /// All messages that were written.
    pub fn drain_written(&mut self) -> Vec<O> {
        self.written.borrow_mut().drain(..).collect()
    }
}

impl<I, O> Deref for MessageChannel<I, O> {
    type Target = EmbeddedChannel;

    fn deref(&self) -> &EmbeddedChannel {
        &self.channel
    }
}

impl<I, O> DerefMut for MessageChannel<I, O> {
    fn deref_mut(&mut self) -> &mut EmbeddedChannel {
        &mut self.channel
    }
}

impl<I, O> fmt::Debug for MessageChannel<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.channel.fmt(f)
    }
}
