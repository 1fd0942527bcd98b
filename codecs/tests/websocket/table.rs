//! One row of a table: bytes of a peer, and what is to become of them.

use crate::support::{Outcome, decode_agreed, feed_agreed};
use fyke_codecs::websocket::{Limits, Message, Role};

/// Inputs up to this length are tried with every cut; longer ones in pieces of some sizes.
const EVERY_SPLIT_BYTES_MAX: usize = 700;

/// What is expected of an input.
#[derive(Debug)]
pub(crate) enum Expect {
    /// These messages and no error.
    Messages(Vec<Message>),
    /// So many messages, and then a failure with this close code.
    Fails(usize, u16),
}

/// One row.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) clause: &'static str,
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) limits: Limits,
    /// What was agreed to about compression, as it stands in the answer.
    pub(crate) agreed: Option<&'static str>,
    pub(crate) input: Vec<u8>,
    pub(crate) expect: Expect,
}

impl Case {
    /// A row about a server.
    pub(crate) fn new(
        clause: &'static str,
        name: impl Into<String>,
        input: Vec<u8>,
        expect: Expect,
    ) -> Self {
        let (name, limits) = (name.into(), Limits::new());
        Self { clause, name, role: Role::Server, limits, agreed: None, input, expect }
    }

    pub(crate) fn role(mut self, role: Role) -> Self {
        self.role = role;
        self
    }

    pub(crate) fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    pub(crate) fn agreed(mut self, agreed: &'static str) -> Self {
        self.agreed = Some(agreed);
        self
    }

    fn check(&self) {
        let what = format!("{} {} ({:?})", self.clause, self.name, self.role);
        let outcomes: Vec<Outcome> = if self.input.len() <= EVERY_SPLIT_BYTES_MAX {
            vec![decode_agreed(self.role, self.limits, self.agreed, &self.input)]
        } else {
            let sizes = [self.input.len(), 1000, 4096, 65_536];
            let feed = |size| {
                let pieces = self.input.chunks(size);
                feed_agreed(self.role, self.limits, self.agreed, pieces, false)
            };
            sizes.into_iter().map(feed).collect()
        };
        for outcome in outcomes {
            match &self.expect {
                Expect::Messages(messages) => {
                    assert_eq!(outcome.error, None, "{what}");
                    assert_eq!(outcome.messages, *messages, "{what}");
                }
                Expect::Fails(before, code) => {
                    assert_eq!(outcome.code(), Some(*code), "{what}: {:?}", outcome.error);
                    assert_eq!(outcome.messages.len(), *before, "{what}");
                }
            }
        }
    }
}

/// Tries every row of a table, which must not be empty.
pub(crate) fn check(cases: &[Case]) {
    assert!(!cases.is_empty());
    for case in cases {
        case.check();
    }
}
