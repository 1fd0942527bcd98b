//! The transport and the driver of embedded channels.

use std::any::Any;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use fyke_buffer::{ByteBuf, Pool};

use crate::address::Address;
use crate::channel::ChannelKey;
use crate::channel::outbound::Gather;
use crate::driver::{Driver, Readiness, Wakeup};
use crate::options::SocketOptions;
use crate::outgoing::Datagram;
use crate::transport::{CloseMode, Handle, Incoming, Read, Transport, TransportEvent, Wrote};

/// A driver under which nothing ever happens.
pub(super) struct StillDriver;

struct NobodySleeps;

impl Wakeup for NobodySleeps {
    fn wake(&self) {}
}

impl Driver for StillDriver {
    fn wait(&mut self, _: Option<Duration>, _: &mut Vec<Readiness>) -> io::Result<()> {
        Ok(())
    }

    fn waker(&self) -> Arc<dyn Wakeup> {
        Arc::new(NobodySleeps)
    }

    fn registry(&self) -> &dyn Any {
        self
    }
}

/// What the test sees of the transport.
#[derive(Default)]
pub(super) struct Wire {
    pub(super) inbound: VecDeque<ByteBuf>,
    pub(super) datagrams_in: VecDeque<Datagram>,
    pub(super) ended: bool,
    /// What was sent, in the buffers in which it came.
    outbound: VecDeque<ByteBuf>,
    pub(super) datagrams_out: Vec<Datagram>,
    pub(super) room: Option<usize>,
    pub(super) hold: bool,
    held: Option<Vec<u8>>,
    pub(super) write_calls: usize,
    pub(super) shut_down: bool,
}

impl Wire {
    fn take(&mut self, n: usize) -> usize {
        let n = self.room.map_or(n, |room| room.min(n));
        if let Some(room) = &mut self.room {
            *room -= n;
        }
        n
    }

    /// Everything that was sent, in one buffer.
    pub(super) fn read_outbound(&mut self) -> ByteBuf {
        let mut all = self.outbound.pop_front().unwrap_or_default();
        for buf in self.outbound.drain(..) {
            all.write_slice(buf.as_slice());
        }
        all
    }

    pub(super) fn complete(&mut self, n: Option<usize>) -> Option<usize> {
        let held = self.held.take()?;
        let n = n.unwrap_or(held.len()).min(held.len());
        self.outbound.push_back(ByteBuf::from(&held[..n]));
        Some(n)
    }
}

pub(super) struct EmbeddedTransport(pub(super) Rc<RefCell<Wire>>);

fn unsupported<T>() -> io::Result<T> {
    Err(io::ErrorKind::Unsupported.into())
}

impl Transport for EmbeddedTransport {
    fn name(&self) -> &'static str {
        "embedded"
    }

    fn listen(
        &mut self,
        _: ChannelKey,
        _: &Address,
        _: &SocketOptions,
    ) -> io::Result<(Handle, Address)> {
        unsupported()
    }

    fn accept(&mut self, _: Handle) -> io::Result<Option<(Incoming, Address)>> {
        unsupported()
    }

    fn adopt(&mut self, _: ChannelKey, _: Incoming, _: &SocketOptions) -> io::Result<Handle> {
        Ok(Handle(0))
    }

    fn connect(&mut self, _: ChannelKey, _: &Address, _: &SocketOptions) -> io::Result<Handle> {
        unsupported()
    }

    fn datagram(
        &mut self,
        _: ChannelKey,
        _: Option<&Address>,
        _: Option<&Address>,
        _: &SocketOptions,
    ) -> io::Result<(Handle, Address)> {
        unsupported()
    }

    fn read(&mut self, _: Handle, _: usize, _: &Pool) -> io::Result<Read> {
        let mut wire = self.0.borrow_mut();
        match wire.inbound.pop_front() {
            Some(bytes) => {
                let more = !wire.inbound.is_empty() || wire.ended;
                Ok(Read::Data { bytes, more })
            }
            None if wire.ended => Ok(Read::End),
            None => Ok(Read::WouldBlock),
        }
    }

    fn receive(&mut self, _: Handle, batch: &mut Vec<Datagram>, _: &Pool) -> io::Result<bool> {
        batch.extend(self.0.borrow_mut().datagrams_in.drain(..));
        Ok(false)
    }

    fn write(&mut self, _: Handle, out: &mut Gather<'_>) -> io::Result<Wrote> {
        let mut wire = self.0.borrow_mut();
        wire.write_calls += 1;
        if wire.hold {
            let mut held = vec![0; usize::try_from(out.offered()).unwrap_or(0)];
            let n = out.copy_to(&mut held)?;
            held.truncate(n);
            wire.held = Some(held);
            return Ok(Wrote::InFlight);
        }
        let offered = usize::try_from(out.offered()).unwrap_or(usize::MAX);
        let n = wire.take(offered);
        let mut left = n;
        while let Some(buf) = out.take(left) {
            left -= buf.readable();
            wire.outbound.push_back(buf);
        }
        if left > 0 {
            let mut rest = ByteBuf::with_capacity(left);
            let copied = out.copy_to(&mut rest.spare_mut()[..left])?;
            rest.advance_writer(copied);
            wire.outbound.push_back(rest);
            left -= copied;
        }
        Ok(Wrote::Now(n - left))
    }

    fn send(&mut self, _: Handle, batch: &[Datagram]) -> io::Result<usize> {
        let mut wire = self.0.borrow_mut();
        wire.write_calls += 1;
        let n = wire.take(batch.len());
        for datagram in &batch[..n] {
            wire.datagrams_out.push(Datagram {
                peer: datagram.peer.clone(),
                local: datagram.local,
                payload: ByteBuf::from(datagram.payload.as_slice()),
                truncated: false,
            });
        }
        Ok(n)
    }

    fn set_reading(&mut self, _: Handle, _: bool) {}

    fn shutdown(&mut self, _: Handle) -> io::Result<()> {
        self.0.borrow_mut().shut_down = true;
        Ok(())
    }

    fn close(&mut self, _: Handle, _: CloseMode) {
        self.0.borrow_mut().shut_down = true;
    }

    fn local_address(&self, _: Handle) -> io::Result<Address> {
        Ok(Address::local("embedded"))
    }

    fn ready(&mut self, _: Readiness, _: &mut Vec<TransportEvent>) {}
}
