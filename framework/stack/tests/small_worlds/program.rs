//! What the applications do at both ends.

/// One thing an application does; it goes on to the next when this is done.
#[derive(Debug, Clone, Copy)]
pub enum Do {
    Write(u64),
    /// So many bytes were read.
    Have(u64),
    /// The handshake is complete.
    Connected,
    /// The peer's stream has ended and all of it was read.
    End,
    Shutdown,
    Close,
    Abort,
    /// Stops reading, and goes on.
    Hold,
    Read,
    SleepMillis(u64),
}

/// How it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Every byte arrives, and both know it.
    Clean,
    /// Somebody resets it: what arrives is the beginning of what was written.
    Reset,
}

/// What happens at both ends.
#[derive(Debug)]
pub struct Play {
    pub name: &'static str,
    pub opener: &'static [Do],
    pub other: &'static [Do],
    /// Both open.
    pub both_open: bool,
    /// The SYN carries a cookie and what is written at once (RFC 7413).
    pub fast: bool,
    /// Few packets: more faults are tried.
    pub short: bool,
    pub ending: Ending,
}

impl Play {
    const USUAL: Self = Self {
        name: "",
        opener: &[],
        other: &[],
        both_open: false,
        fast: false,
        short: false,
        ending: Ending::Clean,
    };
}

use Do::{Abort, Close, Connected, End, Have, Hold, Read, Shutdown, SleepMillis, Write};

/// 26 days: longer than a timestamp says anything about order (RFC 7323, section 5.5).
const PAWS_FORGETS_MILLIS: u64 = 26 * 24 * 3600 * 1000;

/// The receive buffer of all dialects.
pub const BUFFER: u64 = 300;

pub const PROGRAMS: &[Play] = &[
    Play {
        name: "nothing is said",
        opener: &[Connected, Close],
        other: &[End, Close],
        short: true,
        ..Play::USUAL
    },
    Play {
        name: "a question and an answer",
        opener: &[Write(30), Have(40), Close],
        other: &[Have(30), Write(40), End, Close],
        short: true,
        ..Play::USUAL
    },
    Play {
        name: "one way",
        opener: &[Connected, Write(450), Shutdown, End, Close],
        other: &[End, Close],
        ..Play::USUAL
    },
    Play {
        name: "half closed at once",
        opener: &[Shutdown, End, Close],
        other: &[Write(250), End, Close],
        ..Play::USUAL
    },
    Play {
        name: "both close at once",
        opener: &[Write(50), Have(50), Close],
        other: &[Write(50), Have(50), Close],
        short: true,
        ..Play::USUAL
    },
    Play {
        name: "both open at once",
        opener: &[Write(120), Shutdown, End, Close],
        other: &[Write(50), Shutdown, End, Close],
        both_open: true,
        ..Play::USUAL
    },
    Play {
        name: "the window closes",
        opener: &[Write(800), Shutdown, End, Close],
        other: &[Hold, SleepMillis(4000), Read, End, Close],
        ..Play::USUAL
    },
    Play {
        name: "only the FIN finds no room",
        opener: &[Write(BUFFER), Shutdown, End, Close],
        other: &[Hold, SleepMillis(3000), Read, Write(20), End, Close],
        ..Play::USUAL
    },
    Play {
        name: "both windows close",
        opener: &[Hold, Write(500), SleepMillis(3000), Read, Shutdown, End, Close],
        other: &[Hold, Write(500), Shutdown, SleepMillis(5000), Read, End, Close],
        ..Play::USUAL
    },
    Play {
        name: "small writes",
        opener: &[
            Write(10),
            Write(10),
            SleepMillis(25),
            Write(10),
            Write(10),
            Shutdown,
            End,
            Close,
        ],
        other: &[Have(40), Write(5), Write(5), Close],
        ..Play::USUAL
    },
    Play {
        name: "the answer ends before the question",
        opener: &[Write(300), End, Close],
        other: &[Shutdown, Have(300), Close],
        ..Play::USUAL
    },
    Play {
        name: "data in the SYN",
        opener: &[Write(150), Shutdown, End, Close],
        other: &[Write(120), End, Close],
        fast: true,
        ..Play::USUAL
    },
    Play {
        name: "silence for 26 days",
        opener: &[Write(10), SleepMillis(PAWS_FORGETS_MILLIS), Write(10), Shutdown, End, Close],
        other: &[Have(20), Write(120), End, Close],
        ..Play::USUAL
    },
    Play {
        name: "an abort",
        opener: &[Write(200), Have(100), Abort],
        other: &[Write(150), End, Close],
        ending: Ending::Reset,
        ..Play::USUAL
    },
    Play {
        name: "closed with unread data",
        opener: &[Write(200), SleepMillis(2000), Write(10), End, Close],
        other: &[Hold, SleepMillis(300), Close],
        ending: Ending::Reset,
        ..Play::USUAL
    },
];
