//! Multicast groups this host is in, and what is to be told about them (RFC 3376, RFC 3810).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;

use fyke_clock::Instant;

use super::net::{ALL_HOSTS, ALL_NODES};
use super::timer::Lazy;

/// How often a change is told: the Robustness Variable.
const REPORTS_PER_CHANGE: u8 = 2;

/// How a report says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// We joined.
    Join,
    /// We left.
    Leave,
}

/// Whether routers and switches are told of a group. All are in that of all nodes, and what stays in the
/// host concerns nobody (RFC 3376, section 6; RFC 3810, section 6).
fn is_reported(group: IpAddr) -> bool {
    match group {
        IpAddr::V4(v4) => v4 != ALL_HOSTS,
        // Scopes 0, which is reserved, and 1, which is the interface.
        IpAddr::V6(v6) => v6 != ALL_NODES && v6.octets()[1] & 0x0f > 1,
    }
}

#[derive(Debug)]
struct Group {
    users: u32,
    /// Reports of the join that are left.
    reports: u8,
}

/// The groups.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    joined: BTreeMap<IpAddr, Group>,
    /// Groups we left, and how often that is still to be told.
    left: BTreeMap<IpAddr, u8>,
    /// When changes are told again.
    pub(crate) repeat_at: Option<Instant>,
    /// When all groups are told, because somebody asked; and which one, if only one.
    pub(crate) answer_at: Option<(Instant, Option<IpAddr>)>,
    pub(crate) timer: Lazy,
    /// Until when a querier of an older version counts (RFC 3376, section 7.2.1).
    pub(crate) old_v4_until: Option<Instant>,
    pub(crate) old_v6_until: Option<Instant>,
}

impl Groups {
    pub(crate) fn contains(&self, group: IpAddr) -> bool {
        self.joined.contains_key(&group)
    }

    pub(crate) fn len(&self) -> usize {
        self.joined.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = IpAddr> {
        self.joined.keys().copied()
    }

    /// Those that an answer to a router's question names.
    pub(crate) fn reported(&self) -> impl Iterator<Item = IpAddr> {
        self.iter().filter(|group| is_reported(*group))
    }

    /// One more user of a group; says whether it is the first.
    pub(crate) fn join(&mut self, group: IpAddr) -> bool {
        self.left.remove(&group);
        let entry = self.joined.entry(group).or_insert(Group { users: 0, reports: 0 });
        entry.users += 1;
        if entry.users == 1 && is_reported(group) {
            entry.reports = REPORTS_PER_CHANGE;
        }
        entry.users == 1
    }

    /// One user less; says whether it was the last.
    pub(crate) fn leave(&mut self, group: IpAddr) -> bool {
        let Some(entry) = self.joined.get_mut(&group) else { return false };
        entry.users -= 1;
        if entry.users > 0 {
            return false;
        }
        self.joined.remove(&group);
        if is_reported(group) {
            self.left.insert(group, REPORTS_PER_CHANGE);
        }
        true
    }

    /// The groups of IPv6 are told anew, as if they had just been joined.
    pub(crate) fn repeat_v6(&mut self) {
        let v6 = |group: &IpAddr| group.is_ipv6() && is_reported(*group);
        for (_, entry) in self.joined.iter_mut().filter(|(group, _)| v6(group)) {
            entry.reports = REPORTS_PER_CHANGE;
        }
    }

    /// The changes that are to be told now; each call counts as telling them.
    pub(crate) fn take_changes(&mut self) -> Vec<(IpAddr, Change)> {
        let mut changes = Vec::new();
        for (group, entry) in self.joined.iter_mut().filter(|(_, entry)| entry.reports > 0) {
            entry.reports -= 1;
            changes.push((*group, Change::Join));
        }
        for (group, reports) in &mut self.left {
            *reports -= 1;
            changes.push((*group, Change::Leave));
        }
        self.left.retain(|_, reports| *reports > 0);
        changes
    }

    /// Whether changes are left to be told again.
    pub(crate) fn has_changes(&self) -> bool {
        !self.left.is_empty() || self.joined.values().any(|entry| entry.reports > 0)
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        [self.repeat_at, self.answer_at.map(|(at, _)| at)].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3376, section 6, and RFC 3810, section 6: the groups of all nodes, and those that stay within
    /// the host, are never told of.
    #[test]
    fn rfc_3810_6_groups_of_all_nodes_and_of_the_host_are_not_told() {
        for text in ["224.0.0.1", "ff02::1", "ff01::1", "ff01::5", "ff11::1234", "ff10::1"] {
            let (mut groups, group) = (Groups::default(), text.parse().unwrap());
            assert!(groups.join(group) && groups.contains(group), "{group}");
            groups.repeat_v6();
            assert!(!groups.has_changes() && groups.take_changes().is_empty(), "{group}");
            assert_eq!((groups.iter().count(), groups.reported().count()), (1, 0), "{group}");
            assert!(groups.leave(group) && groups.take_changes().is_empty(), "{group}");
        }
        for text in ["224.0.0.2", "224.0.0.251", "ff02::2", "ff02::fb", "ff05::1", "ff12::1"] {
            let (mut groups, group) = (Groups::default(), text.parse().unwrap());
            groups.join(group);
            assert_eq!((groups.take_changes().len(), groups.reported().count()), (1, 1), "{group}");
        }
    }

    #[test]
    fn changes_are_told_twice_and_users_are_counted() {
        let mut groups = Groups::default();
        let group = IpAddr::from([239, 1, 2, 3]);
        assert!(groups.join(group) && !groups.join(group));
        assert!(groups.contains(group));
        assert_eq!(groups.take_changes(), [(group, Change::Join)]);
        assert!(groups.has_changes());
        assert_eq!(groups.take_changes(), [(group, Change::Join)]);
        assert!(!groups.has_changes());
        assert!(!groups.leave(group) && groups.leave(group) && !groups.leave(group));
        assert_eq!(groups.take_changes(), [(group, Change::Leave)]);
        assert!(groups.join(group));
        assert_eq!(groups.take_changes(), [(group, Change::Join)], "the leave is taken back");
    }
}
