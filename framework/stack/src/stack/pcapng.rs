//! Captures as pcapng: frames with nanoseconds, and remarks as packet comments.

use alloc::vec::Vec;
use core::fmt;

use fyke_clock::Instant;

use super::capture::{Capture, Direction};
use super::config::Medium;
use crate::wire::pcapng::{self, InterfaceId, LinkType, Sink, Writer};

/// A frame whose remarks may still come.
#[derive(Debug)]
struct Held {
    at: Instant,
    direction: Direction,
    bytes: Vec<u8>,
    comments: Vec<&'static str>,
}

/// Writes what a stack takes and sends in the format of Wireshark.
///
/// A frame is held until the next one comes, because remarks about it come behind it;
/// [`finish`](Self::finish) writes the last. After the first error of the sink nothing more is
/// written.
pub struct PcapngCapture<S: Sink> {
    writer: Writer<S>,
    interface: InterfaceId,
    held: Option<Held>,
    /// What to add to the stack's clock to make it the time of day.
    unix_offset_ns: u64,
    error: Option<S::Error>,
}

impl<S: Sink> PcapngCapture<S> {
    /// A capture of a stack with this medium. `unix_offset_ns` is what makes the stack's clock the
    /// time of day: 0 for virtual time.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn new(sink: S, medium: Medium, unix_offset_ns: u64) -> Result<Self, S::Error> {
        let mut writer = Writer::new(sink)?;
        let link = match medium {
            Medium::Ethernet(_) => LinkType::ETHERNET,
            Medium::RawIp => LinkType::RAW,
        };
        let interface = writer.interface(link, "fyke")?;
        Ok(Self { writer, interface, held: None, unix_offset_ns, error: None })
    }

    fn write_held(&mut self) {
        let Some(held) = self.held.take() else { return };
        if self.error.is_some() {
            return;
        }
        let written = self.writer.packet(&pcapng::Capture {
            interface: self.interface,
            time_ns: held.at.as_nanos().saturating_add(self.unix_offset_ns),
            direction: match held.direction {
                Direction::In => pcapng::Direction::Inbound,
                Direction::Out => pcapng::Direction::Outbound,
            },
            bytes: &[&held.bytes],
            comments: &held.comments,
        });
        self.error = written.err();
    }

    /// Writes the last frame and gives the sink back.
    ///
    /// # Errors
    /// The first error of the sink.
    pub fn finish(mut self) -> Result<S, S::Error> {
        self.write_held();
        match self.error {
            Some(error) => Err(error),
            None => Ok(self.writer.into_inner()),
        }
    }

    /// Writes the last frame, about which no more remarks come.
    pub fn flush(&mut self) {
        self.write_held();
    }
}

impl<S: Sink + Send> Capture for PcapngCapture<S>
where
    S::Error: Send,
{
    fn frame(&mut self, now: Instant, direction: Direction, pieces: &[&[u8]]) {
        self.write_held();
        let bytes = pieces.concat();
        self.held = Some(Held { at: now, direction, bytes, comments: Vec::new() });
    }

    fn remark(&mut self, _now: Instant, direction: Direction, text: &'static str) {
        if let Some(held) = self.held.as_mut().filter(|held| held.direction == direction) {
            held.comments.push(text);
        }
    }
}

impl<S: Sink> fmt::Debug for PcapngCapture<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PcapngCapture")
            .field("interface", &self.interface)
            .field("failed", &self.error.is_some())
            .finish_non_exhaustive()
    }
}
