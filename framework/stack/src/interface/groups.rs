//! Multicast groups this host is in, and what is to be told about them (RFC 3376, RFC 3810).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;

use fyke_clock::Instant;

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

    /// One more user of a group; says whether it is the first.
    pub(crate) fn join(&mut self, group: IpAddr) -> bool {
        self.left.remove(&group);
        let entry = self.joined.entry(group).or_insert(Group { users: 0, reports: 0 });
        entry.users += 1;
        if entry.users == 1 {
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
        self.left.insert(group, REPORTS_PER_CHANGE);
        true
    }

    /// The groups of IPv6 are told anew, as if they had just been joined.
    pub(crate) fn repeat_v6(&mut self) {
        for (_, entry) in self.joined.iter_mut().filter(|(group, _)| group.is_ipv6()) {
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
