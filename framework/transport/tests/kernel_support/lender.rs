//! An outbound queue for tests. Only a channel of core makes a [`Gather`], so here is a channel whose
//! transport lends each gather to the write that is being tested.

use std::any::Any;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use fyke_buffer::Pool;
use fyke_clock::{Instant, VirtualClock};
use fyke_core::driver::{Driver, Readiness, Wakeup};
use fyke_core::event_loop::ChannelSpec;
use fyke_core::transport::{
    CloseMode, Handle, Incoming, Read, Transport, TransportEvent, TransportFactory, TransportSeat,
    Wrote,
};
use fyke_core::{
    Address, ChannelKey, ChannelOptions, Datagram, EventLoop, Gather, LoopOptions, Outgoing,
    Sender, SocketOptions,
};

/// Messages beyond this are not offered; more than the transport gathers.
const OFFERED_MAX: usize = 80;

/// What a channel has still to send.
#[derive(Default)]
pub(crate) struct Offer {
    queue: VecDeque<Outgoing>,
}

impl Offer {
    pub(crate) fn push(&mut self, message: impl Into<Outgoing>) {
        let message = match message.into() {
            Outgoing::Buf(buf) => Outgoing::Bytes(buf.freeze()),
            other => other,
        };
        if !message.is_empty() {
            self.queue.push_back(message);
        }
    }

    /// Bytes that wait.
    pub(crate) fn pending(&self) -> u64 {
        self.queue.iter().map(Outgoing::len).sum()
    }

    /// Offers the front in one write, and drops what was taken. Answers also how much was offered.
    pub(crate) fn write<T: Transport>(
        &mut self,
        transport: &Rc<RefCell<T>>,
        handle: Handle,
    ) -> io::Result<(usize, u64)> {
        let transport = Rc::clone(transport);
        let result = with_gather(self.queue.iter().take(OFFERED_MAX).map(again), move |gather| {
            let offered = gather.offered();
            transport.borrow_mut().write(handle, gather).map(|wrote| (wrote, offered))
        });
        match result? {
            (Wrote::Now(n), offered) => {
                self.advance(n as u64);
                Ok((n, offered))
            }
            (Wrote::InFlight, _) => panic!("the kernel transport answers at once"),
        }
    }

    fn advance(&mut self, mut n: u64) {
        while n > 0 {
            let front = self.queue.pop_front().expect("more was taken than was offered");
            let part = n.min(front.len());
            n -= part;
            let rest = match front {
                Outgoing::Bytes(bytes) => Outgoing::Bytes(bytes.slice(part as usize..)),
                Outgoing::File(mut region) => {
                    region.advance(part);
                    Outgoing::File(region)
                }
                other => other,
            };
            if !rest.is_empty() {
                self.queue.push_front(rest);
            }
        }
    }
}

/// The same message once more.
fn again(message: &Outgoing) -> Outgoing {
    match message {
        Outgoing::Bytes(bytes) => Outgoing::Bytes(bytes.clone()),
        Outgoing::File(region) => Outgoing::File(region.clone()),
        other => panic!("{other:?} is not kept"),
    }
}

type Borrower = Box<dyn FnOnce(&mut Gather<'_>)>;

thread_local! {
    static BORROWER: RefCell<Option<Borrower>> = const { RefCell::new(None) };
    static LENDER: RefCell<Option<Lender>> = const { RefCell::new(None) };
}

/// Calls `borrower` with a gather of `messages`.
fn with_gather<T: 'static>(
    messages: impl IntoIterator<Item = Outgoing>,
    borrower: impl FnOnce(&mut Gather<'_>) -> T + 'static,
) -> T {
    let result = Rc::new(RefCell::new(None));
    let answer = Rc::clone(&result);
    let borrower: Borrower = Box::new(move |gather| *answer.borrow_mut() = Some(borrower(gather)));
    BORROWER.with_borrow_mut(|slot| *slot = Some(borrower));
    LENDER.with_borrow_mut(|lender| {
        let lender = lender.get_or_insert_with(Lender::new);
        for message in messages {
            lender.sender.send(message).expect("the lender's channel is open");
        }
        lender.event_loop.turn(Some(Duration::ZERO)).unwrap();
    });
    result.take().expect("the messages were offered")
}

struct Lender {
    event_loop: EventLoop<IdleDriver, VirtualClock>,
    sender: Sender<Outgoing>,
}

impl Lender {
    fn new() -> Self {
        let options = LoopOptions::new(99, 0);
        let mut event_loop = EventLoop::new(IdleDriver, VirtualClock::new(), options);
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

/// A driver that never waits.
struct IdleDriver;

struct IdleWakeup;

impl Wakeup for IdleWakeup {
    fn wake(&self) {}
}

impl Driver for IdleDriver {
    fn wait(&mut self, _: Option<Duration>, _: &mut Vec<Readiness>) -> io::Result<()> {
        Ok(())
    }

    fn waker(&self) -> Arc<dyn Wakeup> {
        Arc::new(IdleWakeup)
    }

    fn registry(&self) -> &dyn Any {
        &()
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

/// Connects at once, and lends what it is offered.
struct Lending {
    connecting: VecDeque<ChannelKey>,
}

fn unused<T>() -> io::Result<T> {
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
        unused()
    }

    fn accept(&mut self, _: Handle) -> io::Result<Option<(Incoming, Address)>> {
        unused()
    }

    fn adopt(&mut self, _: ChannelKey, _: Incoming, _: &SocketOptions) -> io::Result<Handle> {
        unused()
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
        unused()
    }

    fn read(&mut self, _: Handle, _: usize, _: &Pool) -> io::Result<Read> {
        Ok(Read::WouldBlock)
    }

    fn receive(&mut self, _: Handle, _: &mut Vec<Datagram>, _: &Pool) -> io::Result<bool> {
        unused()
    }

    fn write(&mut self, _: Handle, out: &mut Gather<'_>) -> io::Result<Wrote> {
        if let Some(borrower) = BORROWER.with_borrow_mut(Option::take) {
            borrower(out);
        }
        // Whatever became of them: these bytes are done with.
        Ok(Wrote::Now(usize::try_from(out.offered()).expect("a length in memory")))
    }

    fn send(&mut self, _: Handle, _: &[Datagram]) -> io::Result<usize> {
        unused()
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
