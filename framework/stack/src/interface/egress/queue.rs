//! What the stack itself has to say, and frames that had to wait: one queue with caps.

use alloc::vec::Vec;

use bytes::Bytes;
use fyke_clock::Instant;

use super::ip::{Outgoing, Transport};
use super::segment::Reply;
use crate::interface::bounded::Weight;
use crate::interface::net::Net;
use crate::stack::counters::DropReason;
use crate::stack::frame::{Gso, TxChecksum, TxFrame, TxSink};
use crate::wire::{MacAddress, arp};

/// A transport packet in one piece, its checksum filled in.
#[derive(Debug)]
pub(crate) struct Datagram {
    pub(crate) packet: Outgoing,
    pub(crate) body: Bytes,
}

/// A frame that waits, with its headers complete but for the link's.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) header: Vec<u8>,
    pub(crate) payload: Bytes,
    pub(crate) network_offset: u16,
    pub(crate) transport_offset: u16,
    pub(crate) gso: Option<Gso>,
    pub(crate) checksum: TxChecksum,
}

impl Waiting {
    /// A copy of a frame.
    pub(crate) fn copy(frame: &TxFrame<'_>) -> Self {
        let mut payload = Vec::with_capacity(frame.len() - frame.header.len());
        frame.payload.iter().for_each(|piece| payload.extend_from_slice(piece));
        Self {
            header: frame.header.to_vec(),
            payload: payload.into(),
            network_offset: frame.network_offset,
            transport_offset: frame.transport_offset,
            gso: frame.gso,
            checksum: frame.checksum,
        }
    }
}

/// What waits to be sent.
#[derive(Debug)]
pub(crate) enum Queued {
    Segment(Reply),
    Datagram(Datagram),
    Arp(arp::Message, MacAddress),
    /// A frame whose link header is complete.
    Frame(Waiting),
}

impl Weight for Waiting {
    fn weight(&self) -> usize {
        size_of::<Self>() + self.header.len() + self.payload.len()
    }
}

impl Weight for Queued {
    fn weight(&self) -> usize {
        let held = match self {
            Self::Segment(_) | Self::Arp(..) => 0,
            Self::Datagram(datagram) => datagram.body.len(),
            Self::Frame(waiting) => waiting.header.len() + waiting.payload.len(),
        };
        size_of::<Self>() + held
    }
}

impl Net {
    /// Queues something, unless the queue is full.
    pub(crate) fn enqueue(&mut self, now: Instant, queued: Queued) {
        if !self.outbox.push_back(queued) {
            self.drop_out(now, DropReason::OutboxFull);
        }
    }

    pub(super) fn send_queued(&mut self, now: Instant, queued: Queued, out: &mut dyn TxSink) {
        match queued {
            Queued::Segment(reply) => self.send_reply(now, &reply, out),
            Queued::Datagram(Datagram { packet, body }) => {
                let payload: [&[u8]; 1] = [&body];
                let transport =
                    Transport { header: &[], payload: &payload, partial_checksum: None, gso: None };
                self.send(now, &packet, &transport, out);
            }
            Queued::Arp(message, to) => self.send_arp(now, &message, to, out),
            Queued::Frame(waiting) => {
                let frame = TxFrame {
                    header: &waiting.header,
                    payload: &[&waiting.payload],
                    network_offset: waiting.network_offset,
                    transport_offset: waiting.transport_offset,
                    gso: waiting.gso,
                    checksum: waiting.checksum,
                };
                self.transmit(now, &frame, out);
            }
        }
    }
}
