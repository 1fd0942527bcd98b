//! Group membership: questions of routers, and what we tell (RFC 2236, RFC 3376, RFC 3810).

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use fyke_clock::Instant;

use super::Inbound;
use crate::interface::addresses::OwnAddress;
use crate::interface::egress::{Datagram, Outgoing, Queued};
use crate::interface::groups::Change;
use crate::interface::net::Net;
use crate::interface::timer::Timer;
use crate::stack::Stack;
use crate::stack::counters::DropReason;
use crate::wire::multicast::{Record, RecordKind};
use crate::wire::ndp::solicited_node;
use crate::wire::{ChecksumIntent, Emit, IpProtocol, PseudoHeader, icmpv6, igmp, ipv6, mld};

/// Where reports of the newer versions go.
const REPORTS_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 22);
const REPORTS_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);
/// Where a leave of an older version goes: all routers.
const ROUTERS_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 2);
const ROUTERS_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
/// Unsolicited Report Interval (RFC 3376, section 8.11).
const REPEAT_INTERVAL_MS: u32 = 1000;
/// Older Version Querier Present Time-out with the default variables (RFC 3376, section 8.12).
const OLD_QUERIER: Duration = Duration::from_secs(260);
/// The longest an answer is put off, whatever is asked.
const RESPONSE_MS_MAX: u32 = 60_000;
/// Records in one report, so that it fits into the smallest MTU.
const RECORDS_MAX: usize = 50;

impl Stack {
    pub(super) fn igmp_input(&mut self, now: Instant, inbound: &Inbound) {
        let sound = igmp::checksum_is_valid(inbound.payload()) && inbound.hop_limit == 1;
        let packet = igmp::Packet::parse(inbound.payload()).ok().filter(|_| sound);
        let Some(packet) = packet else {
            return self.net.drop_in(now, DropReason::MulticastInvalid);
        };
        self.net.counters.igmp_in += 1;
        let (time, group, old) = match packet {
            igmp::Packet::Query(igmp::Query::V1, _) => (10_000, Ipv4Addr::UNSPECIFIED, true),
            igmp::Packet::Query(igmp::Query::V2 { max_response_ms, group }, _) => {
                (max_response_ms, group, true)
            }
            igmp::Packet::Query(igmp::Query::V3 { max_response_ms, group, .. }, _) => {
                (max_response_ms, group, false)
            }
            // What others are in is for routers.
            _ => return,
        };
        if old {
            self.net.groups.old_v4_until = Some(now + OLD_QUERIER);
        }
        self.net.answer_query(now, time, group.into());
    }

    pub(super) fn mld_input(
        &mut self,
        now: Instant,
        inbound: &Inbound,
        packet: &icmpv6::Packet<'_>,
    ) {
        let link_local = matches!(inbound.source, IpAddr::V6(v6) if v6.is_unicast_link_local());
        let alert =
            ipv6::Packet::parse(&inbound.packet).is_ok_and(|packet| packet.has_router_alert());
        let query = mld::Packet::parse(packet).ok();
        let Some(mld::Packet::Query(query, _)) =
            query.filter(|_| link_local && alert && inbound.hop_limit == 1)
        else {
            return self.net.drop_in(now, DropReason::MulticastInvalid);
        };
        if query.v2.is_none() {
            self.net.groups.old_v6_until = Some(now + OLD_QUERIER);
        }
        self.net.answer_query(now, query.max_response_ms, query.group.into());
    }
}

impl Net {
    /// A router asks; the answer waits for a while of our own, so that not everybody answers at
    /// once.
    fn answer_query(&mut self, now: Instant, within_ms: u32, group: IpAddr) {
        let one = (!group.is_unspecified()).then_some(group);
        if one.is_some_and(|group| !self.groups.contains(group)) {
            return;
        }
        let delay = self.secrets.draw_below(within_ms.clamp(1, RESPONSE_MS_MAX));
        let at = now + Duration::from_millis(u64::from(delay));
        self.groups.answer_at = match self.groups.answer_at {
            // Two questions have one answer, about everything, at the earlier time.
            Some((earlier, _)) => Some((earlier.min(at), None)),
            None => Some((at, one)),
        };
        self.arm_groups();
    }

    /// A socket joins a group; the first one makes it known.
    pub(crate) fn join_group(&mut self, now: Instant, group: IpAddr) {
        if self.groups.join(group) {
            self.tell_changes(now);
        }
    }

    /// A socket leaves a group; so does the host with the last one.
    pub(crate) fn leave_group(&mut self, now: Instant, group: IpAddr) {
        if self.groups.leave(group) {
            self.tell_changes(now);
        }
    }

    /// Whether sockets can join no group more. Addresses, which routers may give us, take nothing of
    /// theirs.
    pub(crate) fn is_full_of_groups(&self) -> bool {
        let by_addresses = self.addresses.iter().filter(|own| own.listens).count();
        self.groups.len() >= self.config.limits.groups_max + by_addresses
    }

    /// The host listens to the group of an address of its own (RFC 4861, section 7.2.1), which
    /// switches that look for listeners have to know. The first of several stacks does it for all.
    pub(crate) fn listen_for(&mut self, now: Instant, address: IpAddr) {
        let asked_for = self.mac().is_some() && self.is_first() && !address.is_loopback();
        let Some(own) = self.addresses.get_mut(address).filter(|_| asked_for) else { return };
        let IpAddr::V6(v6) = address else { return };
        if own.tunnel.is_none() && !own.listens {
            own.listens = true;
            self.join_group(now, solicited_node(v6).into());
        }
    }

    /// An address is none of ours any more, or never was.
    pub(crate) fn listen_no_more(&mut self, now: Instant, own: &OwnAddress) {
        if let (IpAddr::V6(v6), true) = (own.cidr.address(), own.listens) {
            self.leave_group(now, solicited_node(v6).into());
        }
    }

    /// An address turned out to be ours. Switches do not learn from reports without a source, so
    /// with the first link-local address all groups are told again (RFC 3590, section 4).
    pub(super) fn report_from(&mut self, now: Instant, address: IpAddr) {
        if matches!(address, IpAddr::V6(v6) if self.addresses.link_local() == Some(v6)) {
            self.groups.repeat_v6();
            self.tell_changes(now);
        }
    }

    pub(crate) fn groups_timer(&mut self, now: Instant) {
        self.groups.timer.expired();
        if self.groups.repeat_at.is_some_and(|at| at <= now) {
            self.groups.repeat_at = None;
            self.tell_changes(now);
        }
        if let Some((_, which)) = self.groups.answer_at.filter(|(at, _)| *at <= now) {
            self.groups.answer_at = None;
            let told = self.groups.reported().filter(|group| which.is_none_or(|one| one == *group));
            let told: Vec<_> = told.map(|group| (group, RecordKind::ModeIsExclude)).collect();
            self.report(now, &told);
        }
        self.arm_groups();
    }

    fn tell_changes(&mut self, now: Instant) {
        let kinds = self.groups.take_changes().into_iter().map(|(group, change)| match change {
            Change::Join => (group, RecordKind::ChangeToExclude),
            Change::Leave => (group, RecordKind::ChangeToInclude),
        });
        let kinds: Vec<_> = kinds.collect();
        self.report(now, &kinds);
        if self.groups.has_changes() {
            let delay = 1 + self.secrets.draw_below(REPEAT_INTERVAL_MS);
            self.groups.repeat_at = Some(now + Duration::from_millis(u64::from(delay)));
        }
        self.arm_groups();
    }

    fn arm_groups(&mut self) {
        let deadline = self.groups.next_deadline();
        self.groups.timer.arm(&mut self.wheel, deadline, Timer::Groups);
    }

    fn report(&mut self, now: Instant, records: &[(IpAddr, RecordKind)]) {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (group, kind) in records {
            match group {
                IpAddr::V4(group) => v4.push(Record { kind: *kind, group: *group, sources: &[] }),
                IpAddr::V6(group) => v6.push(Record { kind: *kind, group: *group, sources: &[] }),
            }
        }
        if self.groups.old_v4_until.is_some_and(|until| until > now) {
            v4.iter().for_each(|record| self.report_v4_old(now, record));
        } else {
            for part in v4.chunks(RECORDS_MAX) {
                self.send_igmp(now, REPORTS_V4, &igmp::Message::ReportV3(part));
            }
        }
        if self.groups.old_v6_until.is_some_and(|until| until > now) {
            v6.iter().for_each(|record| self.report_v6_old(now, record));
        } else {
            for part in v6.chunks(RECORDS_MAX) {
                self.send_mld(now, REPORTS_V6, &mld::Message::ReportV2(part));
            }
        }
    }

    fn report_v4_old(&mut self, now: Instant, record: &Record<'_, Ipv4Addr>) {
        if record.kind == RecordKind::ChangeToInclude {
            return self.send_igmp(now, ROUTERS_V4, &igmp::Message::Leave(record.group));
        }
        self.send_igmp(now, record.group, &igmp::Message::ReportV2(record.group));
    }

    fn report_v6_old(&mut self, now: Instant, record: &Record<'_, Ipv6Addr>) {
        if record.kind == RecordKind::ChangeToInclude {
            return self.send_mld(now, ROUTERS_V6, &mld::Message::Done(record.group));
        }
        self.send_mld(now, record.group, &mld::Message::ReportV1(record.group));
    }

    fn send_igmp(&mut self, now: Instant, to: Ipv4Addr, message: &igmp::Message<'_>) {
        let Some(source) = self.addresses.source_for(to.into()) else { return };
        let packet = Outgoing {
            router_alert: true,
            ..Outgoing::new(source, to.into(), IpProtocol::IGMP, 1)
        };
        let body = message.to_vec().into();
        self.enqueue(now, Queued::Datagram(Datagram { packet, body }));
    }

    fn send_mld(&mut self, now: Instant, to: Ipv6Addr, message: &mld::Message<'_>) {
        // Before there is a link-local address the source is none (RFC 3810, section 5.2.13).
        let source = self.addresses.link_local().unwrap_or(Ipv6Addr::UNSPECIFIED);
        let packet = Outgoing {
            router_alert: true,
            ..Outgoing::new(source.into(), to.into(), IpProtocol::ICMPV6, 1)
        };
        let mut body = message.to_vec();
        let pseudo = PseudoHeader::V6 { source, destination: to };
        icmpv6::fill_checksum(&mut body, &pseudo, &[], ChecksumIntent::Full);
        self.counters.icmp_out += 1;
        self.enqueue(now, Queued::Datagram(Datagram { packet, body: body.into() }));
    }
}
