//! Events that are held back: released turns later, in order for each handle.

use fyke_core::transport::{Handle, TransportEvent};

#[derive(Debug)]
struct Late {
    turn: u64,
    handle: Handle,
    event: TransportEvent,
}

/// What is owed, and the count of turns.
#[derive(Debug, Default)]
pub(super) struct LateEvents {
    turn: u64,
    owed: Vec<Late>,
}

impl LateEvents {
    pub(super) fn is_empty(&self) -> bool {
        self.owed.is_empty()
    }

    /// Holds `event` back for so many polls; 0 is the one that runs or comes next. Not before
    /// what is already held back for `handle`.
    pub(super) fn hold(&mut self, handle: Handle, turns: u32, event: TransportEvent) {
        let before = self.owed.iter().filter(|late| late.handle == handle).map(|late| late.turn);
        let turn = before.fold(self.turn + u64::from(turns), u64::max);
        self.owed.push(Late { turn, handle, event });
    }

    /// Whether an event like this is held back for `handle` already: one of them is enough.
    pub(super) fn holds(&self, handle: Handle, event: &TransportEvent) -> bool {
        let kind = std::mem::discriminant(event);
        self.owed
            .iter()
            .any(|late| late.handle == handle && std::mem::discriminant(&late.event) == kind)
    }

    /// Another turn.
    pub(super) fn begin_turn(&mut self) {
        self.turn += 1;
    }

    /// Forgets what is owed to a handle that has been closed.
    pub(super) fn forget(&mut self, handle: Handle) {
        self.owed.retain(|late| late.handle != handle);
    }

    /// The events whose turn has come.
    pub(super) fn due(&mut self) -> Vec<(Handle, TransportEvent)> {
        let turn = self.turn;
        self.owed
            .extract_if(.., |late| late.turn <= turn)
            .map(|late| (late.handle, late.event))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use fyke_core::ChannelKey;

    use super::*;

    #[test]
    fn nothing_overtakes_on_the_same_handle() {
        let (a, b) = (Handle(1), Handle(2));
        let key = ChannelKey::new(1, 1);
        let mut late = LateEvents::default();
        late.hold(a, 3, TransportEvent::Connected(key, Ok(())));
        late.hold(a, 1, TransportEvent::Readable(key));
        late.hold(b, 1, TransportEvent::Writable(key));
        assert!(late.holds(a, &TransportEvent::Readable(key)));
        assert!(!late.holds(b, &TransportEvent::Readable(key)));
        let mut turns = Vec::new();
        while !late.is_empty() {
            late.begin_turn();
            turns.push(late.due().into_iter().map(|(handle, _)| handle.0).collect::<Vec<_>>());
        }
        assert_eq!(turns, [vec![2], vec![], vec![1, 1]]);
        late.hold(a, 1, TransportEvent::Readable(key));
        late.forget(a);
        assert!(late.is_empty());
    }
}
