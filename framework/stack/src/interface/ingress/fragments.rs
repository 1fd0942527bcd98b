//! Fragments of either family on their way to being whole.

use core::net::IpAddr;

use fyke_clock::Instant;

use super::{Body, Inbound};
use crate::interface::egress::ErrorKind;
use crate::interface::reassembly::{Key, Outcome, Piece, Whole};
use crate::interface::timer::Timer;
use crate::stack::Stack;
use crate::stack::counters::DropReason;
use crate::wire::{ipv4, ipv6};

impl Stack {
    /// Takes a fragment; gives the datagram when it was the last one missing.
    pub(super) fn fragment_input(&mut self, now: Instant, key: Key, piece: Piece) -> Option<Whole> {
        self.net.counters.fragments_in += 1;
        let mut evicted = 0;
        let outcome = self.net.reassembly.add(now, key, piece, &mut evicted);
        for _ in 0..evicted {
            self.net.drop_in(now, DropReason::FragmentEvicted);
        }
        self.arm_reassembly();
        match outcome {
            Outcome::Waiting => None,
            Outcome::Whole(whole) => {
                self.net.counters.reassembled += 1;
                Some(whole)
            }
            Outcome::Dropped(reason) => {
                self.net.drop_in(now, reason);
                None
            }
        }
    }

    fn arm_reassembly(&mut self) {
        let deadline = self.net.reassembly.next_deadline();
        self.net.reassembly_timer.arm(&mut self.net.wheel, deadline, Timer::Reassembly);
    }

    /// Time is over for what never became whole. The sender is told when its first fragment came
    /// (RFC 1122, section 3.3.2; RFC 8200, section 4.5).
    pub(super) fn reassembly_timer(&mut self, now: Instant) {
        self.net.reassembly_timer.expired();
        while let Some(first) = self.net.reassembly.expire(now) {
            self.net.drop_in(now, DropReason::FragmentTimeout);
            if let Some(mut inbound) = first.as_ref().and_then(quotable) {
                inbound.to_group |= match inbound.destination {
                    IpAddr::V4(v4) => self.net.addresses.is_broadcast(v4),
                    IpAddr::V6(_) => false,
                };
                self.net.send_error(now, &inbound, ErrorKind::ReassemblyTimeout);
            }
        }
        self.arm_reassembly();
    }
}

/// What an error needs to know of a first fragment.
fn quotable(packet: &bytes::Bytes) -> Option<Inbound> {
    if packet.first()? >> 4 == 4 {
        let view = ipv4::Packet::parse(packet).ok()?;
        let to_group = view.destination().is_multicast();
        return Some(Inbound {
            protocol: view.protocol(),
            body: Body::Behind(view.header_len()),
            to_group,
            ..Inbound::quoted(view.source().into(), view.destination().into(), packet)
        });
    }
    let view = ipv6::Packet::parse(packet).ok()?;
    let upper = view.upper_layer().ok()?;
    Some(Inbound {
        protocol: upper.protocol,
        body: Body::Apart(packet.slice_ref(upper.payload)),
        to_group: view.destination().is_multicast(),
        ..Inbound::quoted(view.source().into(), view.destination().into(), packet)
    })
}
