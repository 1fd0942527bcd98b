//! A `Gather` for tests. Only a channel of core makes one, so here is a channel: its transport
//! lends each gather to the write that is being tested.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

use fyke_buffer::Pool;
use fyke_clock::{Instant, VirtualClock};
use fyke_core::driver::Readiness;
use fyke_core::event_loop::ChannelSpec;
use fyke_core::transport::{
    CloseMode, Handle, Incoming, Read, Transport, TransportEvent, TransportFactory, TransportSeat,
    Wrote,
};
use fyke_core::{
    Address, ChannelKey, ChannelOptions, Datagram, EventLoop, Gather, LoopOptions, Outgoing,
    Sender, SocketOptions,
};

use super::TestDriver;

/// A transport that several owners drive.
pub(crate) type Shared = Rc<RefCell<Box<dyn Transport>>>;

/// What is done with the next gather.
type Borrower = Box<dyn FnOnce(&mut Gather<'_>)>;

thread_local! {
    static BORROWER: RefCell<Option<Borrower>> = const { RefCell::new(None) };
    static LENDER: RefCell<Option<Lender>> = const { RefCell::new(None) };
}

/// Offers `messages` to `transport` in one write.
pub(crate) fn write(
    transport: &Shared,
    handle: Handle,
    messages: impl IntoIterator<Item = Outgoing>,
) -> io::Result<Wrote> {
    let result = Rc::new(RefCell::new(None));
    let (transport, answer) = (Rc::clone(transport), Rc::clone(&result));
    let borrower: Borrower = Box::new(move |gather| {
        // The lender's loop would swallow a panic.
        let write = AssertUnwindSafe(|| transport.borrow_mut().write(handle, gather));
        *answer.borrow_mut() = Some(catch_unwind(write));
    });
    BORROWER.with_borrow_mut(|slot| *slot = Some(borrower));
    LENDER.with_borrow_mut(|lender| {
        let lender = lender.get_or_insert_with(Lender::new);
        for message in messages {
            lender.sender.send(message).expect("the lender's channel is open");
        }
        lender.event_loop.turn(Some(Duration::ZERO)).unwrap();
    });
    let result = result.borrow_mut().take();
    result.expect("the message was offered").unwrap_or_else(|panic| resume_unwind(panic))
}

struct Lender {
    event_loop: EventLoop<TestDriver, VirtualClock>,
    sender: Sender<Outgoing>,
}

impl Lender {
    fn new() -> Self {
        let clock = VirtualClock::new();
        let mut event_loop = EventLoop::new(TestDriver::new(), clock, LoopOptions::new(99, 0));
        let id = event_loop.transport(&LendingFactory).unwrap();
        let options = ChannelOptions::new().water_marks(usize::MAX >> 1, usize::MAX >> 1);
        let spec = ChannelSpec::new(options, |channel| channel.pipeline());
        let (told, connected) = mpsc::channel();
        event_loop.core().connect(id, &Address::local("lender"), &spec, move |result| {
            told.send(result).expect("the test waits");
        });
        event_loop.turn(Some(Duration::ZERO)).unwrap();
        let channel = connected.try_recv().expect("connected in one turn").unwrap();
        Self { event_loop, sender: channel.sender().unwrap() }
    }
}

struct LendingFactory;

impl TransportFactory for LendingFactory {
    fn key(&self) -> &'static str {
        "lender"
    }

    fn create(&self, _: TransportSeat<'_>) -> io::Result<Box<dyn Transport>> {
        Ok(Box::new(Lending { connecting: VecDeque::new() }))
    }
}

struct Lending {
    connecting: VecDeque<ChannelKey>,
}

fn never<T>() -> io::Result<T> {
    Err(io::ErrorKind::Unsupported.into())
}

impl Transport for Lending {
    fn name(&self) -> &'static str {
        "lender"
    }

    fn listen(
        &mut self,
        _: ChannelKey,
        _: &Address,
        _: &SocketOptions,
    ) -> io::Result<(Handle, Address)> {
        never()
    }

    fn accept(&mut self, _: Handle) -> io::Result<Option<(Incoming, Address)>> {
        never()
    }

    fn adopt(&mut self, _: ChannelKey, _: Incoming, _: &SocketOptions) -> io::Result<Handle> {
        never()
    }

    fn connect(&mut self, owner: ChannelKey, _: &Address, _: &SocketOptions) -> io::Result<Handle> {
        self.connecting.push_back(owner);
        Ok(Handle(0))
    }

    fn datagram(
        &mut self,
        _: ChannelKey,
        _: Option<&Address>,
        _: Option<&Address>,
        _: &SocketOptions,
    ) -> io::Result<(Handle, Address)> {
        never()
    }

    fn read(&mut self, _: Handle, _: usize, _: &Pool) -> io::Result<Read> {
        Ok(Read::WouldBlock)
    }

    fn receive(&mut self, _: Handle, _: &mut Vec<Datagram>, _: &Pool) -> io::Result<bool> {
        never()
    }

    fn write(&mut self, _: Handle, out: &mut Gather<'_>) -> io::Result<Wrote> {
        if let Some(borrower) = BORROWER.with_borrow_mut(Option::take) {
            borrower(out);
        }
        // Whatever became of them: these bytes are done with.
        Ok(Wrote::Now(out.offered() as usize))
    }

    fn send(&mut self, _: Handle, _: &[Datagram]) -> io::Result<usize> {
        never()
    }

    fn set_reading(&mut self, _: Handle, _: bool) {}

    fn shutdown(&mut self, _: Handle) -> io::Result<()> {
        Ok(())
    }

    fn close(&mut self, _: Handle, _: CloseMode) {}

    fn local_address(&self, _: Handle) -> io::Result<Address> {
        Ok(Address::local("lender"))
    }

    fn ready(&mut self, _: Readiness, _: &mut Vec<TransportEvent>) {}

    fn poll(&mut self, _: Instant, events: &mut Vec<TransportEvent>) {
        events.extend(self.connecting.drain(..).map(|key| TransportEvent::Connected(key, Ok(()))));
    }
}
