//! Files as bytes, a piece at a time, read away from the loop.

use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;

use fyke_buffer::ByteBuf;

use crate::channel::outbound::file_shrank;
use crate::error::{ErrorKind, Result};
use crate::event::Offloaded;
use crate::handler::{DuplexContext, DuplexHandler};
use crate::outgoing::{FileRegion, Outgoing};
use crate::promise::Promise;

/// How much of a file is read at a time, unless it is told otherwise.
const CHUNK_BYTES: usize = 64 * 1024;

/// Turns the [file regions](Outgoing::File) that are written into bytes.
///
/// For stages in front of it that have to see the bytes (TLS, codings), and for transports that cannot
/// [send files](crate::Capabilities::send_file) themselves. Netty calls it `ChunkedWriteHandler`.
///
/// One piece of one file is read at a time, by offloaded work, and only while the channel is writable: a
/// file of any size takes the memory of two pieces beside the channel's queue. What is written behind it
/// waits in order. Of that, no more than
/// [`outbound_bytes_max`](crate::ChannelOptions::outbound_bytes_max) may wait; the channel is closed
/// beyond it, as it is by any write that is too much. While a piece is read the channel does not read.
///
/// A file that has become shorter ends the connection with an error and without another byte.
///
/// `T` is what passes through it inwards, untouched.
///
/// ```
/// # use std::sync::Arc;
/// use fyke_core::embedded::EmbeddedChannel;
/// use fyke_core::handlers::ChunkedFiles;
/// use fyke_core::{FileRegion, Outgoing, RegionSource};
///
/// # struct Text;
/// # impl RegionSource for Text {
/// #     fn read_at(&self, offset: u64, into: &mut [u8]) -> std::io::Result<usize> {
/// #         let text = &b"from a file"[offset as usize..];
/// #         let n = text.len().min(into.len());
/// #         into[..n].copy_from_slice(&text[..n]);
/// #         Ok(n)
/// #     }
/// #     fn as_any(&self) -> &dyn std::any::Any { self }
/// # }
/// # let file = Arc::new(Text);
/// let mut channel = EmbeddedChannel::new(|ch| ch.pipeline().duplex("files", ChunkedFiles::new()));
/// channel.write_outbound(Outgoing::from(FileRegion::new(file, 0, 11)))?;
/// assert_eq!(channel.read_outbound(), b"from a file");
/// # Ok::<(), fyke_core::LinkError>(())
/// ```
pub struct ChunkedFiles<T = ByteBuf> {
    chunk_bytes: usize,
    /// The file that is being sent: what is left of it.
    current: Option<(FileRegion, Promise)>,
    /// A piece of it is being read.
    reading: bool,
    /// What was written behind it.
    waiting: VecDeque<(Outgoing, Promise)>,
    waiting_bytes: u64,
    /// How the channel is to end when all that has left.
    end: Option<End>,
    passes: PhantomData<fn(T)>,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Shutdown,
    Close,
}

type Cx<'a, T> = DuplexContext<'a, ChunkedFiles<T>>;

impl<T: 'static> ChunkedFiles<T> {
    /// Reads 64 KiB at a time.
    #[must_use]
    pub fn new() -> Self {
        Self {
            chunk_bytes: CHUNK_BYTES,
            current: None,
            reading: false,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            end: None,
            passes: PhantomData,
        }
    }

    /// Reads so many bytes at a time instead (at least one).
    #[must_use]
    pub fn chunk_bytes(mut self, bytes: usize) -> Self {
        self.chunk_bytes = bytes.max(1);
        self
    }

    /// Sends a message, or begins to when it is a file.
    fn take(&mut self, cx: &mut Cx<'_, T>, msg: Outgoing, promise: Promise) {
        match msg {
            Outgoing::File(region) if !region.is_empty() => {
                self.current = Some((region, promise));
                self.read_on(cx);
            }
            other => cx.write_with(other, promise),
        }
    }

    /// Has the next piece read, if there is room for it.
    fn read_on(&mut self, cx: &mut Cx<'_, T>) {
        let Some((region, _)) = &self.current else { return };
        if self.reading || !cx.is_writable() {
            return;
        }
        self.reading = true;
        let (source, offset) = (region.source().clone(), region.offset());
        let len = usize::try_from(region.len()).unwrap_or(usize::MAX).min(self.chunk_bytes);
        cx.offload(move || {
            let mut bytes = vec![0; len];
            let read = source.read_at(offset, &mut bytes)?;
            if read < len { Err(file_shrank()) } else { Ok(bytes) }
        });
    }

    /// Sends what has waited, until it has to wait again.
    fn catch_up(&mut self, cx: &mut Cx<'_, T>) {
        while self.current.is_none() {
            let Some((msg, promise)) = self.waiting.pop_front() else { break };
            self.waiting_bytes -= msg.bytes_in_memory();
            self.take(cx, msg, promise);
        }
        if self.current.is_none() {
            match self.end.take() {
                Some(End::Close) => cx.close(),
                Some(End::Shutdown) => cx.shutdown(),
                None => {}
            }
        }
    }

    /// Whether the end has to wait.
    fn holds(&mut self, end: End) -> bool {
        if self.current.is_some() {
            self.end = Some(end);
        }
        self.current.is_some()
    }
}

impl<T: 'static> Default for ChunkedFiles<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: 'static> DuplexHandler for ChunkedFiles<T> {
    type In = T;
    type Out = T;
    type WriteIn = Outgoing;
    type WriteOut = Outgoing;

    fn read(&mut self, cx: &mut Cx<'_, T>, msg: T) -> Result<()> {
        cx.fire_read(msg);
        Ok(())
    }

    fn write(&mut self, cx: &mut Cx<'_, T>, msg: Outgoing, promise: Promise) -> Result<()> {
        if self.current.is_none() {
            self.take(cx, msg, promise);
            return Ok(());
        }
        let limit = cx.options().outbound_bytes_max;
        let waiting = self.waiting_bytes.saturating_add(msg.bytes_in_memory());
        if waiting > limit as u64 && self.waiting_bytes > 0 {
            cx.abort();
            let pending = self.waiting_bytes as usize;
            return Err(ErrorKind::OutboundFull { pending, limit }.into());
        }
        self.waiting_bytes = waiting;
        self.waiting.push_back((msg, promise));
        Ok(())
    }

    fn offloaded(&mut self, cx: &mut Cx<'_, T>, result: Offloaded) -> Result<()> {
        self.reading = false;
        let bytes = match result.take::<std::io::Result<Vec<u8>>>() {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) => {
                cx.abort();
                return Err(error.into());
            }
            Err(error) => {
                cx.abort();
                return Err(error);
            }
        };
        let Some((mut region, promise)) = self.current.take() else { return Ok(()) };
        region.advance(bytes.len() as u64);
        if region.is_empty() {
            cx.write_with(bytes.into(), promise);
            self.catch_up(cx);
        } else {
            cx.write(bytes.into());
            self.current = Some((region, promise));
            self.read_on(cx);
        }
        Ok(())
    }

    fn writability_changed(&mut self, cx: &mut Cx<'_, T>) -> Result<()> {
        self.read_on(cx);
        cx.fire_writability_changed();
        Ok(())
    }

    fn shutdown(&mut self, cx: &mut Cx<'_, T>) -> Result<()> {
        if !self.holds(End::Shutdown) {
            cx.shutdown();
        }
        Ok(())
    }

    fn close(&mut self, cx: &mut Cx<'_, T>) -> Result<()> {
        if !self.holds(End::Close) {
            cx.close();
        }
        Ok(())
    }
}

impl<T> fmt::Debug for ChunkedFiles<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkedFiles")
            .field("left", &self.current.as_ref().map_or(0, |(region, _)| region.len()))
            .field("waiting", &self.waiting.len())
            .finish_non_exhaustive()
    }
}
