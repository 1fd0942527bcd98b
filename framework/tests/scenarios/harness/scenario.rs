//! What a scenario is: a script, and where it cannot hold.

use std::fmt::Debug;

use crate::rows::Kind;
use crate::world::World;

/// Where a scenario cannot hold, and why.
type Exception = (fn(Kind) -> bool, &'static str);

/// A script, to be run on every transport with the same outcome, and where it cannot hold.
pub(crate) struct Scenario {
    script: Box<dyn Fn(&World) -> String + Send + Sync>,
    exceptions: Vec<Exception>,
}

/// Runs `script` on every transport; what it answers must be the same everywhere.
pub(crate) fn everywhere<L: Debug + 'static>(script: fn(&World) -> L) -> Scenario {
    let script = move |world: &World| format!("{:?}", script(world));
    Scenario { script: Box::new(script), exceptions: Vec::new() }
}

impl Scenario {
    /// It does not hold on those that `whom` names.
    pub(crate) fn except(mut self, whom: fn(Kind) -> bool, why: &'static str) -> Self {
        self.exceptions.push((whom, why));
        self
    }

    /// Why it does not run on `kind`.
    pub(super) fn exception(&self, kind: Kind) -> Option<&'static str> {
        self.exceptions.iter().find(|(whom, _)| whom(kind)).map(|(_, why)| *why)
    }

    /// Runs it once; its outcome.
    pub(super) fn run(&self, kind: Kind) -> String {
        (self.script)(&World::new(kind))
    }
}

/// The scenarios of a file by name.
pub(crate) type List = &'static [(&'static str, fn() -> Scenario)];

/// A [`List`] of functions.
macro_rules! list {
    ($($name:ident),* $(,)?) => {
        &[$((stringify!($name), $name as fn() -> $crate::harness::Scenario)),*]
    };
}
pub(crate) use list;
