//! Frames to the kernel: one write each, and what becomes of those that it does not take.

use std::io::{self, IoSlice};
use std::mem;
use std::os::fd::AsFd;

use fyke_poller::Interest;
use fyke_poller::sys::{FRAME_SLICES_MAX, write_frame, write_whole_frame};
use fyke_stack::wire::virtio_net;
use fyke_stack::{TxChecksum, TxFrame, TxSink};
use rustix::io::Errno;

use super::cut::cut;
use super::device::Tap;
use super::header::virtio_header;

/// Headers and payload in so few pieces are written from an array.
const FEW_SLICES: usize = 8;

impl TxSink for Tap {
    fn ready(&self) -> bool {
        self.waiting.is_empty()
    }

    fn transmit(&mut self, frame: TxFrame<'_>) {
        let partial = frame.checksum != TxChecksum::Complete;
        if (frame.gso.is_some() && !self.gso) || (partial && !self.queue.offload) {
            return self.send_cut(&frame);
        }
        match self.send(&frame) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput && frame.gso.is_some() => {
                tracing::info!(device = %self.queue.name, "the kernel does not cut super-segments");
                self.gso = false;
                self.send_cut(&frame);
            }
            Err(error) => self.refused(&error),
            Ok(()) => {}
        }
    }
}

impl Tap {
    /// Gives one frame to the kernel, or keeps it until there is room.
    fn send(&mut self, frame: &TxFrame<'_>) -> io::Result<()> {
        let header = if self.queue.vnet_hdr { Some(virtio_header(frame)) } else { None };
        let header = header.as_ref().map_or(&[][..], |bytes| &bytes[..]);
        if !self.waiting.is_empty() {
            self.keep_in_parts(header, frame);
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
                self.keep_in_parts(header, frame);
                self.ask_for_room(true);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Sends the frame complete, a super-segment in pieces.
    fn send_cut(&mut self, frame: &TxFrame<'_>) {
        let front = if self.queue.vnet_hdr { virtio_net::HEADER_LEN } else { 0 };
        let mut scratch = mem::take(&mut self.scratch);
        cut(frame, front, &mut scratch, |whole| {
            if !self.waiting.is_empty() {
                return self.keep(whole, &[]);
            }
            match write_whole_frame(&self.queue.descriptor, whole) {
                Ok(()) => self.note_sent(whole.len() - front),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.keep(whole, &[]);
                    self.ask_for_room(true);
                }
                Err(error) => self.refused(&error),
            }
        });
        self.scratch = scratch;
        self.counters.super_segments_cut += u64::from(frame.gso.is_some());
    }

    fn keep(&mut self, front: &[u8], rest: &[&[u8]]) {
        self.waiting.push_back([&[front], rest].concat().concat());
        self.counters.frames_delayed += 1;
    }

    fn keep_in_parts(&mut self, header: &[u8], frame: &TxFrame<'_>) {
        self.keep(header, &[&[frame.header], frame.payload].concat());
    }

    /// Sends what waits, as far as there is room.
    pub(super) fn send_waiting(&mut self) {
        while let Some(frame) = self.waiting.front() {
            let len = frame.len();
            match write_whole_frame(&self.queue.descriptor, frame) {
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
