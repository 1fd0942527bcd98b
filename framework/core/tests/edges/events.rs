//! User events by type, in both directions; attributes.

use std::rc::Rc;

use fyke_core::embedded::EmbeddedChannel;
use fyke_core::{
    Context, DuplexContext, DuplexHandler, Event, EventFilter, InboundHandler, Promise, Result,
};

use crate::support::{Letters, Log};

struct Apple;
struct Pear(u8);
struct Secret(#[expect(dead_code)] Rc<u8>);

/// Logs the events that it has subscribed to, and passes them on (or keeps pears of an odd number).
struct Fruit {
    name: &'static str,
    filter: EventFilter,
    log: Log,
}

impl DuplexHandler for Fruit {
    type In = u8;
    type Out = u8;
    type WriteIn = u8;
    type WriteOut = u8;

    fn read(&mut self, cx: &mut DuplexContext<'_, Self>, msg: u8) -> Result<()> {
        match msg {
            b'a' => cx.fire_event(Apple),
            b'A' => cx.fire_event_outbound(Apple),
            b'p' => cx.fire_event(Pear(2)),
            b'P' => cx.fire_event_outbound(Pear(2)),
            _ => {}
        }
        cx.fire_read(msg);
        Ok(())
    }

    fn write(&mut self, cx: &mut DuplexContext<'_, Self>, msg: u8, promise: Promise) -> Result<()> {
        cx.write_with(msg, promise);
        Ok(())
    }

    fn events(&self) -> EventFilter {
        self.filter
    }

    fn event(&mut self, cx: &mut DuplexContext<'_, Self>, event: Event) -> Result<()> {
        let what = match (event.is::<Apple>(), event.get::<Pear>()) {
            (true, _) => "apple".to_owned(),
            (_, Some(Pear(n))) => format!("pear{n}"),
            _ => "other".to_owned(),
        };
        self.log.add(format!("{}:{what}", self.name));
        match event.take::<Pear>() {
            Ok(Pear(n)) if n % 2 == 1 => {}
            Ok(pear) => cx.fire_event(pear),
            Err(event) => cx.pass_event(event),
        }
        Ok(())
    }
}

fn channel(log: &Log) -> EmbeddedChannel {
    let l = log.clone();
    EmbeddedChannel::new(move |ch| {
        let fruit = |name, filter| Fruit { name, filter, log: l.clone() };
        ch.pipeline()
            .codec("letters", Letters)
            .duplex("1", fruit("1", EventFilter::of::<Apple>()))
            .duplex("2", fruit("2", EventFilter::NONE))
            .duplex("3", fruit("3", EventFilter::of::<Pear>().and::<Apple>()))
            .duplex("4", fruit("4", EventFilter::ALL))
    })
}

#[test]
fn events_reach_their_subscribers_only() {
    let log = Log::new();
    let mut channel = channel(&log);
    channel.fire_event(Apple);
    assert_eq!(log.text(), "1:apple 3:apple 4:apple");
    channel.fire_event(Pear(2));
    assert_eq!(log.text(), "3:pear2 4:pear2");
    channel.fire_event(Pear(1));
    assert_eq!(log.text(), "3:pear1", "it was kept");
    channel.fire_event("something else");
    assert_eq!(log.text(), "4:other");
    channel.channel().fire_event(Apple).unwrap();
    channel.run_pending();
    assert_eq!(log.text(), "1:apple 3:apple 4:apple");
}

#[test]
fn events_travel_both_ways_from_where_they_are_fired() {
    let log = Log::new();
    let mut channel = channel(&log);
    channel.run(|cx| cx.fire_event_outbound(Apple));
    assert_eq!(log.text(), "4:apple 3:apple 1:apple");
    channel.run(|cx| cx.fire_event(Apple));
    assert_eq!(log.text(), "", "there is nobody behind the tail");
    channel.run(|cx| cx.fire_event_outbound(Secret(Rc::new(1))));
    assert_eq!(log.text(), "4:other", "an event need not be Send");
    // Each of the four handlers fires inwards, and the message goes on behind its event.
    channel.write_inbound("a");
    assert_eq!(log.text(), "3:apple 4:apple 3:apple 4:apple 4:apple");
    channel.write_inbound("A");
    assert_eq!(log.text(), "3:apple 1:apple 1:apple 1:apple", "a busy handler hears of it later");
}

/// Counts in an attribute that handlers of the channel share.
struct Count;

#[derive(Default)]
struct Total(Rc<std::cell::Cell<u32>>);

impl InboundHandler for Count {
    type In = u8;
    type Out = u8;
    type Write = u8;

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: u8) -> Result<()> {
        if cx.attribute::<Total>().is_none() {
            assert!(cx.set_attribute(Total::default()).is_none());
        }
        let total = cx.attribute_mut::<Total>().unwrap();
        total.0.set(total.0.get() + 1);
        let count = total.0.get();
        cx.channel().set_attribute(count);
        cx.fire_read(msg);
        Ok(())
    }
}

#[test]
fn attributes_of_the_loop_and_of_handles() {
    let mut channel = EmbeddedChannel::new(|ch| {
        assert!(ch.set_attribute("from the initialiser").is_none());
        ch.pipeline().codec("letters", Letters).inbound("x", Count).inbound("y", Count)
    });
    channel.write_inbound("abc");
    let handle = channel.channel();
    assert_eq!(handle.attribute::<u32>(), Some(6));
    assert_eq!(handle.attribute::<u64>(), None);
    assert_eq!(handle.set_attribute(1_u32), Some(6));
    assert_eq!(channel.attribute::<&str>(), Some("from the initialiser"));
    assert_eq!(channel.attribute::<u32>(), None, "these two do not mix");
    channel.run(|cx| {
        assert_eq!(cx.set_attribute("new"), Some("from the initialiser"));
        assert_eq!(cx.attribute::<&str>(), Some(&"new"));
    });
}
