//! What the scenarios run on: a row each.

use fyke::Backend;

/// What moves the bytes of a scenario.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Tcp(Backend),
    Unix,
    Blocking,
    Local,
    Fake(u64),
    /// Two of fyke's own stacks on a cable, with or without offload.
    Stack(bool),
    /// Two hosts of a simulated network in virtual time: a good one, or a bad one from this seed.
    Sim(Option<u64>),
    /// Servers on fyke's own stack on a TAP device, with or without offload; clients are the
    /// kernel's.
    Tap(bool),
}

impl Kind {
    pub(crate) fn is_tcp(self) -> bool {
        matches!(self, Self::Tcp(_) | Self::Blocking) || self.is_stack()
    }

    /// Whether servers live on fyke's own stack.
    pub(crate) fn is_stack(self) -> bool {
        matches!(self, Self::Stack(_) | Self::Sim(_) | Self::Tap(_))
    }

    pub(crate) fn is_sim(self) -> bool {
        matches!(self, Self::Sim(_))
    }

    /// Whether the network loses, delays and repeats what it carries.
    pub(crate) fn is_bad(self) -> bool {
        matches!(self, Self::Sim(Some(_)))
    }

    pub(crate) fn is_tap(self) -> bool {
        matches!(self, Self::Tap(_))
    }

    /// Unix sockets, memory: whatever is not the kernel's TCP and not a stack.
    pub(crate) fn is_pipe(self) -> bool {
        matches!(self, Self::Unix | Self::Local | Self::Fake(_))
    }

    pub(crate) fn is_blocking(self) -> bool {
        self == Self::Blocking
    }
}

const BACKENDS: [Backend; 5] =
    [Backend::EpollLevel, Backend::EpollEdge, Backend::Poll, Backend::Select, Backend::Mio];

#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// Every row that there is. `SCENARIO_TRANSPORT=sim,tap*` is these alone, `SCENARIO_SEEDS=200` so many
/// seeds of the late transport and of the bad network.
pub(crate) fn rows() -> Vec<Row> {
    let tcp = BACKENDS.into_iter().map(|backend| (format!("{backend:?}"), Kind::Tcp(backend)));
    let others = [
        ("unix".to_owned(), Kind::Unix),
        ("blocking".to_owned(), Kind::Blocking),
        ("local".to_owned(), Kind::Local),
        ("stack".to_owned(), Kind::Stack(true)),
        ("stack-plain".to_owned(), Kind::Stack(false)),
        ("sim".to_owned(), Kind::Sim(None)),
        ("tap".to_owned(), Kind::Tap(true)),
        ("tap-plain".to_owned(), Kind::Tap(false)),
    ];
    let seeds = |unless_told: u64| {
        let told = std::env::var("SCENARIO_SEEDS").ok();
        1..=told.map_or(unless_told, |n| n.parse().expect("SCENARIO_SEEDS is a number"))
    };
    let fake = seeds(4).map(|seed| (format!("fake-{seed}"), Kind::Fake(seed)));
    let bad = seeds(2).map(|seed| (format!("sim-bad-{seed}"), Kind::Sim(Some(seed))));
    let all = tcp.chain(others).chain(fake).chain(bad).map(|(name, kind)| Row { name, kind });
    let only = std::env::var("SCENARIO_TRANSPORT").ok();
    let fits = |name: &str, wanted: &str| match wanted.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == wanted,
    };
    let wanted = |row: &Row| {
        only.as_ref().is_none_or(|only| only.split(',').any(|wanted| fits(&row.name, wanted)))
    };
    all.filter(wanted).collect()
}
