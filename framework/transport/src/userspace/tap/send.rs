//! Frames to the kernel: one write each, and what becomes of those that it does not take.

use std::io::{self, IoSlice};
use std::os::fd::AsFd;

use fyke_poller::Interest;
use fyke_poller::sys::{FRAME_SLICES_MAX, write_frame};
use fyke_stack::{Segmenter, TxChecksum, TxFrame, TxSink};
use rustix::io::Errno;

use super::device::Tap;
use super::header::virtio_header;

/// Headers and payload in so few pieces are written from an array.
const FEW_SLICES: usize = 8;

impl TxSink for Tap {
    fn ready(&self) -> bool {
        self.waiting.is_empty()
    }

    fn transmit(&mut self, frame: TxFrame<'_>) {
        let partial = matches!(frame.checksum, TxChecksum::Partial { .. });
        if frame.gso.is_some() && !self.gso {
            self.counters.super_segments_cut += 1;
            return Segmenter::new(&mut Whole(self)).transmit(frame);
        }
        if partial && !self.queue.vnet_hdr {
            return Segmenter::new(&mut Whole(self)).transmit(frame);
        }
        match self.send(&frame) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput && frame.gso.is_some() => {
                tracing::info!(device = %self.queue.name, "the kernel does not cut super-segments");
                self.gso = false;
                self.transmit(frame);
            }
            Err(error) => self.refused(&error),
            Ok(()) => {}
        }
    }
}

/// The device behind a [`Segmenter`]: frames are complete.
struct Whole<'a>(&'a mut Tap);

impl TxSink for Whole<'_> {
    fn transmit(&mut self, frame: TxFrame<'_>) {
        if let Err(error) = self.0.send(&frame) {
            self.0.refused(&error);
        }
    }
}

impl Tap {
    /// Gives one frame to the kernel, or keeps it until there is room.
    fn send(&mut self, frame: &TxFrame<'_>) -> io::Result<()> {
        let header = if self.queue.vnet_hdr { Some(virtio_header(frame)) } else { None };
        let header = header.as_ref().map_or(&[][..], |bytes| &bytes[..]);
        if !self.waiting.is_empty() {
            self.keep(header, frame);
            return Ok(());
        }
        let pieces = frame.payload.len();
        let mut few = [IoSlice::new(&[]); FEW_SLICES];
        let mut many = Vec::new();
        let joined;
        let slices = if pieces + 2 <= FEW_SLICES {
            &mut few[..pieces + 2]
        } else if pieces + 2 <= FRAME_SLICES_MAX {
            many.resize(pieces + 2, IoSlice::new(&[]));
            &mut many[..]
        } else {
            joined = frame.to_bytes();
            few[1] = IoSlice::new(&joined);
            &mut few[..2]
        };
        slices[0] = IoSlice::new(header);
        if slices[1].is_empty() {
            slices[1] = IoSlice::new(frame.header);
            let rest = slices[2..].iter_mut().zip(frame.payload);
            rest.for_each(|(slice, piece)| *slice = IoSlice::new(piece));
        }
        match write_frame(&self.queue.descriptor, slices) {
            Ok(()) => self.note_sent(frame.len()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.keep(header, frame);
                self.ask_for_room(true);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn keep(&mut self, header: &[u8], frame: &TxFrame<'_>) {
        let mut whole = Vec::with_capacity(header.len() + frame.len());
        whole.extend_from_slice(header);
        whole.extend_from_slice(frame.header);
        frame.payload.iter().for_each(|piece| whole.extend_from_slice(piece));
        self.waiting.push_back(whole);
        self.counters.frames_delayed += 1;
    }

    /// Sends what waits, as far as there is room.
    pub(super) fn send_waiting(&mut self) {
        while let Some(frame) = self.waiting.front() {
            let len = frame.len();
            match write_frame(&self.queue.descriptor, &[IoSlice::new(frame)]) {
                Ok(()) => self.note_sent(len),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => self.refused(&error),
            }
            self.waiting.pop_front();
        }
        self.ask_for_room(false);
    }

    /// Asks to be told when the kernel has room; or no more, because a level would be reported again
    /// and again.
    pub(super) fn ask_for_room(&mut self, on: bool) {
        if let Some((registry, token)) = &self.watch
            && self.asked_for_room != on
        {
            let interest = if on { Interest::READ | Interest::WRITE } else { Interest::READ };
            if let Err(error) = registry.reregister(self.queue.as_fd(), *token, interest) {
                self.lose(Some(&error));
                return;
            }
            self.asked_for_room = on;
        }
    }

    fn note_sent(&mut self, bytes: usize) {
        self.counters.frames_sent += 1;
        self.counters.bytes_sent += bytes as u64;
        if self.down {
            self.down = false;
            tracing::info!(device = %self.queue.name, "the interface is up again");
        }
    }

    /// The kernel did not take a frame, and waiting would not help.
    fn refused(&mut self, error: &io::Error) {
        self.counters.frames_refused += 1;
        match Errno::from_io_error(error) {
            Some(Errno::IO | Errno::NETDOWN) if !self.down => {
                self.down = true;
                tracing::warn!(device = %self.queue.name, "the interface is down: frames are lost until it is up");
            }
            Some(Errno::IO | Errno::NETDOWN) => {}
            Some(Errno::BADFD | Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN) => {
                self.lose(Some(error));
            }
            _ => tracing::debug!(device = %self.queue.name, %error, "a frame was refused"),
        }
    }
}
