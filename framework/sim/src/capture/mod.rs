//! Captures of a world as pcapng: an interface for each link, and one for each node that drops
//! something. Comments tell what the network did to a frame, and of TCP data that was sent before,
//! what had become of it.

mod again;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::rc::Rc;

use fyke_clock::Instant;
use fyke_stack::wire::pcapng::{self, Direction, InterfaceId, LinkType, Sink, Writer};

use crate::error::SimError;
use crate::ids::{LinkId, NodeId};
pub(crate) use again::Again;

/// Bytes of a capture in memory at most.
const MEMORY_BYTES_MAX: usize = 256 << 20;

/// A capture in memory: clones share it.
#[derive(Clone, Default)]
pub struct CaptureBuffer(Rc<RefCell<Vec<u8>>>);

impl CaptureBuffer {
    /// What was captured so far.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.0.borrow().clone()
    }
}

impl io::Write for CaptureBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut all = self.0.borrow_mut();
        if all.len() + bytes.len() > MEMORY_BYTES_MAX {
            let text = format!("a capture in memory may have {MEMORY_BYTES_MAX} bytes");
            return Err(io::Error::new(io::ErrorKind::StorageFull, text));
        }
        all.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for CaptureBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CaptureBuffer").field("bytes", &self.0.borrow().len()).finish()
    }
}

struct ToWriter(Box<dyn io::Write>);

impl Sink for ToWriter {
    type Error = io::Error;

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }
}

/// Where a frame is seen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Place {
    Link(LinkId),
    Node(NodeId),
}

/// Writes a capture. After the first error nothing more is written, and the error is kept.
pub(crate) struct Recorder {
    writer: Writer<ToWriter>,
    interfaces: BTreeMap<Place, InterfaceId>,
    pub(crate) again: Again,
    error: Option<io::Error>,
}

impl Recorder {
    pub(crate) fn new(writer: Box<dyn io::Write>) -> Result<Self, SimError> {
        Ok(Self {
            writer: Writer::new(ToWriter(writer)).map_err(SimError::Capture)?,
            interfaces: BTreeMap::new(),
            again: Again::default(),
            error: None,
        })
    }

    /// Writes a frame; `name` is asked for when the place is new.
    pub(crate) fn frame(
        &mut self,
        now: Instant,
        place: Place,
        name: impl FnOnce() -> String,
        direction: Direction,
        bytes: &[u8],
        comments: &[String],
    ) {
        if self.error.is_some() {
            return;
        }
        let written = self.write(now, place, name, direction, bytes, comments);
        self.error = written.err();
    }

    fn write(
        &mut self,
        now: Instant,
        place: Place,
        name: impl FnOnce() -> String,
        direction: Direction,
        bytes: &[u8],
        comments: &[String],
    ) -> io::Result<()> {
        let interface = match self.interfaces.get(&place) {
            Some(interface) => *interface,
            None => {
                let interface = self.writer.interface(LinkType::ETHERNET, &name())?;
                self.interfaces.insert(place, interface);
                interface
            }
        };
        let comments: Vec<&str> = comments.iter().map(String::as_str).collect();
        self.writer.packet(&pcapng::Capture {
            interface,
            time_ns: now.as_nanos(),
            direction,
            bytes: &[bytes],
            comments: &comments,
        })
    }

    /// Ends the capture.
    pub(crate) fn finish(mut self) -> Result<(), SimError> {
        if self.error.is_none() {
            self.error = self.writer.get_mut().0.flush().err();
        }
        self.error.map_or(Ok(()), |error| Err(SimError::Capture(error)))
    }
}
