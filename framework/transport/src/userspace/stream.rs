//! Connections: made, adopted, read, written and ended.

use std::io;

use fyke_buffer::{ByteBuf, Pool};
use fyke_core::channel::outbound::file_shrank;
use fyke_core::transport::{CloseMode, Handle, Incoming, Read, TransportEvent, Wrote};
use fyke_core::{Address, ChannelKey, FileRegion, Front, Gather, Share, SocketOptions};
use fyke_stack::tcp::CloseReason;
use fyke_stack::{StackError, TcpId};

use super::error::{close_error, inet, invalid, io_error, not_open};
use super::listener::Accepted;
use super::options::{self, Habits};
use super::sockets::{Notice, Sockets};
use super::table::{Kind, Named};

/// Up to so many bytes the stack copies together anyway.
const COPY_BYTES_MAX: usize = 1024;
/// From so many bytes in one piece on a read shares them instead of copying. A device's block is at
/// most some four times as long, so what a channel holds keeps no more than that alive.
const LENT_BYTES_MIN: usize = 32 * 1024;
/// How much of a file is read at a time.
const FILE_CHUNK_BYTES: usize = 64 * 1024;
/// The most of a file that is read in one write, so that a fast peer does not keep the loop from
/// everybody else.
const FILE_BYTES_PER_WRITE: usize = 1 << 20;

/// How far a connection is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Connecting,
    /// Accepted, and not yet a channel's.
    Waiting,
    Open,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) id: TcpId,
    owner: ChannelKey,
    stage: Stage,
    /// Whether the owner wants to hear of bytes.
    reading: bool,
    /// The owner was not told of bytes, or of the end, because it did not want to hear.
    owed: bool,
    /// The peer's end was reported.
    fin: bool,
}

impl Named for Stream {
    const KIND: Kind = Kind::Stream;

    fn id(&self) -> u64 {
        self.id.as_u64()
    }
}

impl Stream {
    fn new(id: TcpId, owner: ChannelKey, stage: Stage) -> Self {
        Self { id, owner, stage, reading: true, owed: false, fin: false }
    }

    /// An accepted connection that nobody has yet.
    pub(super) fn waiting(id: TcpId) -> Self {
        Self { reading: false, ..Self::new(id, ChannelKey::new(0, 0), Stage::Waiting) }
    }

    /// Whom its events are for.
    #[inline]
    pub(super) fn owner(&self) -> Option<ChannelKey> {
        (self.stage != Stage::Waiting).then_some(self.owner)
    }

    pub(super) fn is_connecting(&self) -> bool {
        self.stage == Stage::Connecting
    }

    pub(super) fn is_reading(&self) -> bool {
        self.reading
    }

    /// Answers whether a report is owed now.
    pub(super) fn set_reading(&mut self, on: bool) -> bool {
        self.reading = on;
        on && std::mem::take(&mut self.owed)
    }

    /// There is something to read: whether the owner is told now.
    #[inline]
    fn tell_readable(&mut self) -> Option<TransportEvent> {
        self.owed |= !self.reading;
        self.owner().filter(|_| self.reading).map(TransportEvent::Readable)
    }
}

impl Sockets {
    fn stream(&self, connection: Handle) -> io::Result<&Stream> {
        self.check_alive()?;
        self.streams.get(connection).ok_or_else(not_open)
    }

    pub(super) fn connect(
        &mut self,
        owner: ChannelKey,
        address: &Address,
        options: &SocketOptions,
    ) -> io::Result<Handle> {
        self.check_alive()?;
        let remote = inet(address)?;
        options::check_family(options, remote.is_ipv6())?;
        let habits = Habits::of(options)?;
        let mut connect = self.configs.connect(&habits);
        connect.local = options.local_address.as_ref().map(inet).transpose()?;
        let id = Self::answer(self.stack.connect(self.now, remote, connect))?;
        if let Some(option) = habits.quick_ack() {
            Self::answer(self.stack.set_option(self.now, id, option))?;
        }
        Ok(self.streams.insert(Stream::new(id, owner, Stage::Connecting)))
    }

    pub(super) fn adopt(
        &mut self,
        owner: ChannelKey,
        incoming: Incoming,
        options: &SocketOptions,
    ) -> io::Result<Handle> {
        let accepted: Accepted = incoming
            .take()
            .map_err(|_| invalid("this connection is not of the userspace stack"))?;
        let id = accepted.id();
        if !accepted.is_of(&self.handle, self.id) {
            return Err(invalid("a connection of the stack lives on the loop that accepted it"));
        }
        self.check_alive()?;
        // From here on a failure closes the connection, as a dropped `Accepted` does.
        let habits = Habits::of(options)?;
        self.change_habits(id, &habits, accepted.habits())?;
        let handle = Kind::Stream.handle(id.as_u64());
        let stream = self.streams.get_mut(handle).ok_or_else(not_open)?;
        accepted.adopted();
        (stream.owner, stream.stage) = (owner, Stage::Open);
        // Reading starts at once.
        if stream.set_reading(true) {
            self.notices.push(Notice::Readable(handle));
        }
        Ok(handle)
    }

    fn change_habits(&mut self, id: TcpId, habits: &Habits, had: &Habits) -> io::Result<()> {
        for option in habits.changes(had) {
            Self::answer(self.stack.set_option(self.now, id, option))?;
        }
        if let Some(class) = habits.new_traffic_class(had) {
            Self::answer(self.stack.set_traffic_class(id, class))?;
        }
        if let Some(limit) = habits.new_hop_limit(had) {
            Self::answer(self.stack.set_hop_limit(id, limit))?;
        }
        Ok(())
    }

    pub(super) fn read(
        &mut self,
        connection: Handle,
        want: usize,
        pool: &Pool,
    ) -> io::Result<Read> {
        let stream = self.stream(connection)?;
        let (id, fin) = (stream.id, stream.fin);
        let readable = self.stack.readable(id).min(want.max(1));
        if readable == 0 {
            // No buffer for nothing: only what it means is asked for.
            return match self.stack.read_into(self.now, id, &mut [0]) {
                Ok(None) => Ok(Read::End),
                Ok(Some(_)) | Err(StackError::WouldBlock) => Ok(Read::WouldBlock),
                Err(error) => Err(io_error(error)),
            };
        }
        let bytes = self.take_bytes(id, readable, pool)?;
        // The end may have been reported already, and has not been read yet.
        let more = fin || self.stack.readable(id) > 0;
        Ok(Read::Data { bytes, more })
    }

    /// The next bytes, at most `want` of those that there are: as they lie in the device's block when
    /// that keeps little else alive, and copied together otherwise.
    fn take_bytes(&mut self, id: TcpId, want: usize, pool: &Pool) -> io::Result<ByteBuf> {
        let scattered = self.stack.readable_scattered(id, LENT_BYTES_MIN, want);
        if scattered == 0 && want >= LENT_BYTES_MIN {
            let bytes = Self::answer(self.stack.read(self.now, id, want))?.unwrap_or_default();
            return Ok(pool.lend(bytes));
        }
        // Of a long piece that follows nothing is copied: it has its own read.
        let want = if scattered == 0 { want } else { scattered };
        let mut bytes = pool.take(want);
        let room = &mut bytes.spare_mut()[..want];
        let count = Self::answer(self.stack.read_into(self.now, id, room))?.unwrap_or(0);
        bytes.advance_writer(count);
        Ok(bytes)
    }

    pub(super) fn write(
        &mut self,
        connection: Handle,
        out: &mut Gather<'_>,
        pool: &Pool,
    ) -> io::Result<Wrote> {
        let id = self.stream(connection)?.id;
        if let Front::File(region) = out.front() {
            return self.write_file(connection, id, region, pool).map(Wrote::Now);
        }
        let (stack, now) = (&mut self.stack, self.now);
        let mut failed = None;
        let taken = out.share(COPY_BYTES_MAX, |share| {
            let taken = match share {
                Share::Slice(slice) => stack.write_slice(now, id, slice),
                Share::Bytes(bytes) => stack.write(now, id, bytes),
            };
            taken.unwrap_or_else(|error| {
                failed = Some(error);
                0
            })
        });
        match failed {
            // What was taken before counts for nothing: the connection is over.
            Some(error) => Err(io_error(error)),
            None => Ok(Wrote::Now(taken)),
        }
    }

    /// Reads a piece of a file and writes it, until there is no room.
    fn write_file(
        &mut self,
        connection: Handle,
        id: TcpId,
        region: &FileRegion,
        pool: &Pool,
    ) -> io::Result<usize> {
        let goal = usize::try_from(region.len()).unwrap_or(usize::MAX).min(FILE_BYTES_PER_WRITE);
        let mut sent = 0;
        while sent < goal {
            let room = self.stack.writable(id);
            if room == 0 {
                Self::answer(self.stack.want_writable(self.now, id))?;
                return Ok(sent);
            }
            let want = room.min(goal - sent).min(FILE_CHUNK_BYTES);
            let mut chunk = pool.take(want);
            let offset = region.offset() + sent as u64;
            let read = region.source().read_at(offset, &mut chunk.spare_mut()[..want])?;
            if read == 0 {
                return Err(file_shrank());
            }
            chunk.advance_writer(read);
            sent += Self::answer(self.stack.write(self.now, id, chunk.freeze()))?;
        }
        if (sent as u64) < region.len() {
            // Less than was offered means full to the caller; there is still room.
            self.notices.push(Notice::Writable(connection));
        }
        Ok(sent)
    }

    pub(super) fn shutdown(&mut self, connection: Handle) -> io::Result<()> {
        let id = self.stream(connection)?.id;
        Self::answer(self.stack.shutdown(self.now, id))
    }

    pub(super) fn close_stream(&mut self, handle: Handle, mode: CloseMode) {
        let Some(stream) = self.streams.remove(handle) else { return };
        let closed = match mode {
            CloseMode::Orderly => self.stack.close(self.now, stream.id),
            CloseMode::Abort => self.stack.abort(self.now, stream.id),
        };
        debug_assert!(closed.is_ok(), "a connection of the table is the stack's, too");
    }

    // ---- what the stack reports ----

    pub(super) fn report_connected(&mut self, id: TcpId, events: &mut Vec<TransportEvent>) {
        if let Some(stream) = self.streams.by_id(id.as_u64())
            && stream.stage == Stage::Connecting
        {
            stream.stage = Stage::Open;
            events.push(TransportEvent::Connected(stream.owner, Ok(())));
        }
    }

    #[inline]
    pub(super) fn report_readable(&mut self, id: TcpId, events: &mut Vec<TransportEvent>) {
        let stream = self.streams.by_id(id.as_u64());
        events.extend(stream.and_then(Stream::tell_readable));
    }

    #[inline]
    pub(super) fn report_acked(&mut self, id: TcpId, bytes: u32, events: &mut Vec<TransportEvent>) {
        let owner = self.streams.by_id(id.as_u64()).and_then(|stream| stream.owner());
        events.extend(owner.map(|owner| TransportEvent::Acked(owner, bytes as usize)));
    }

    pub(super) fn report_peer_fin(&mut self, id: TcpId, events: &mut Vec<TransportEvent>) {
        let Some(stream) = self.streams.by_id(id.as_u64()) else { return };
        stream.fin = true;
        let readable = stream.tell_readable();
        // A channel that waits to be adopted reads the end, and needs no other word of it.
        events.extend(stream.owner().map(TransportEvent::PeerClosed));
        events.extend(readable);
    }

    pub(super) fn report_closed(
        &mut self,
        id: TcpId,
        reason: CloseReason,
        events: &mut Vec<TransportEvent>,
    ) {
        let Some(stream) = self.streams.by_id(id.as_u64()) else { return };
        match stream.stage {
            Stage::Connecting => {
                events.push(TransportEvent::Connected(stream.owner, Err(close_error(reason))));
            }
            // The first read tells.
            Stage::Waiting => stream.owed = true,
            Stage::Open if reason == CloseReason::Finished => {}
            Stage::Open => {
                // What came before the end can still be read.
                if self.stack.readable(id) > 0 {
                    events.extend(stream.tell_readable());
                }
                events.push(TransportEvent::Failed(stream.owner, close_error(reason)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_connections_take_twenty_megabytes() {
        assert!(size_of::<Option<Stream>>() <= 20, "{}", size_of::<Option<Stream>>());
    }
}
