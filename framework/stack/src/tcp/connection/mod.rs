//! One TCP connection (RFC 9293) as a pure state machine.
//!
//! ```text
//!   on_segment, on_icmp, on_timeout ----> +------------+ ----> poll: segments, into a SegmentSink
//!                                         | Connection |
//!   write, read, shutdown, close, abort > +------------+ ----> poll_event: Connected, Readable ...
//!                                               '------------> next_deadline
//! ```
//! Nothing is sent but by [`poll`](Connection::poll), so that several segments may be taken before
//! the answers are made. The order is: any number of calls that change it; then `poll`, until it
//! returns `false`; then [`poll_event`](Connection::poll_event), until it returns `None`; then
//! wait until [`next_deadline`](Connection::next_deadline), at which `on_timeout` is such a call.
//!
//! | file | what of RFC 9293 |
//! |---|---|
//! | `open`, `fast_open` | active, passive, simultaneous open; data in SYNs (RFC 7413) |
//! | `validate` | steps one to four of 3.10.7.4: PAWS, window, RST, SYN |
//! | `ack` | step five: acknowledgements and the send window |
//! | `recovery` | what is lost, what goes again, what may be in flight |
//! | `outgoing` | what is written and in flight |
//! | `pacing` | text leaves at a rate |
//! | `rates` | how fast the network takes what is sent |
//! | `receive` | steps six to eight: text and FIN, delayed acknowledgements |
//! | `window` | what is offered, and how the receive buffer grows |
//! | `new_data` | what may be sent now: silly windows, Nagle, corks |
//! | `transmit` | segments are made |
//! | `timers`, `retransmit` | what happens when time passes |
//! | `close` | FIN, orphans, RST, TIME-WAIT |
//! | `spaces` | SND.* and RCV.* |
//! | `icmp` | errors of the network (RFC 5927) |
//! | `mtu_probe`, `mtu_search` | what the path carries, found out by trying (RFC 4821) |
//! | `options` | what may be set on one connection |
//! | `memory` | what is held, and what changes when memory is short |
//! | `info`, `stats` | what can be seen, and what is counted for it |

mod ack;
mod black_hole;
mod close;
mod counted;
mod event;
mod fast_open;
mod icmp;
mod inbox;
mod info;
mod memory;
mod mtu_probe;
mod mtu_search;
mod new_data;
mod open;
mod options;
mod outgoing;
mod pacing;
mod rates;
mod receive;
mod recovery;
mod retransmit;
mod spaces;
mod state;
mod stats;
mod timers;
mod transmit;
mod validate;
mod window;

use alloc::boxed::Box;
use alloc::sync::Arc;

use fyke_clock::Instant;

use super::config::Config;
use super::congestion::Rest;
use super::handshake::{Initial, own_mss};
use super::rtt::{RttConfig, RttEstimator};
use super::{Flags, Segment, SeqNum};
pub use counted::Counted;
use event::Events;
pub use event::{CloseReason, Event};
use fast_open::Fast;
pub use fast_open::{FastOpen, FastOpenOutcome};
pub use icmp::{IcmpError, IcmpKind};
pub use info::Info;
pub use mtu_probe::MtuSearch;
pub use options::ConnectionOption;
use spaces::{Receive, Send};
pub use state::State;
pub use stats::Limit;
use stats::Stats;
use timers::Timers;
use validate::{Challenges, Times};

/// One end of a TCP connection: no addresses, no headers, no clock.
///
/// ```
/// use std::sync::Arc;
/// use fyke_clock::Instant;
/// use fyke_stack::tcp::{Config, Connection, Initial, Mss, Payload, Segment, SegmentSink, SeqNum, State};
///
/// #[derive(Default)]
/// struct Wire(Vec<Segment>);
///
/// impl SegmentSink for Wire {
///     fn has_room(&self) -> bool {
///         true
///     }
///     fn send(&mut self, segment: &Segment, payload: Payload<'_>) {
///         let payload = payload.collect::<Vec<_>>().concat().into();
///         self.0.push(Segment { payload, ..segment.clone() });
///     }
/// }
///
/// let now = Instant::from_nanos(1);
/// let config = Arc::new(Config::default());
/// let initial = |iss| Initial { iss: SeqNum::new(iss), timestamp_offset: 0, mss: Mss::both(1460) };
/// let mut wire = Wire::default();
///
/// let mut client = Connection::connect(config.clone(), initial(1000), now);
/// client.poll(now, &mut wire);
/// let mut server = Connection::accept(config, &wire.0.remove(0), initial(5000), now);
/// server.poll(now, &mut wire);
/// client.on_segment(now, &wire.0.remove(0));
/// client.poll(now, &mut wire);
/// server.on_segment(now, &wire.0.remove(0));
/// assert_eq!((client.state(), server.state()), (State::Established, State::Established));
///
/// client.write("hello".into(), now);
/// client.poll(now, &mut wire);
/// server.on_segment(now, &wire.0.remove(0));
/// assert_eq!(server.read(100, now).unwrap(), "hello");
/// ```
#[derive(Debug)]
pub struct Connection {
    config: Arc<Config>,
    send: Send,
    receive: Receive,
    rtt: RttEstimator,
    /// The congestion window while nothing is in flight.
    rest: Rest,
    timers: Timers,
    times: Times,
    challenges: Challenges,
    stats: Stats,
    due: Due,
    events: Events,
    agreed: Agreed,
    /// A Fast Open of ours that is under way.
    fast: Option<Box<Fast>>,
    state: State,
    /// Whether we opened it.
    active: bool,
    /// Whether the process has closed it.
    orphan: bool,
    no_delay: bool,
    cork: bool,
    quick_ack: bool,
    keep_alive: bool,
    /// Keep-alive probes without an answer.
    probes: u8,
    /// An ICMP error said that the peer cannot be reached, which may pass.
    soft_error: bool,
    /// What is written goes out before the handshake is complete: the SYN had our cookie.
    early: bool,
    /// Data went with the SYN and all of it was taken.
    syn_data: bool,
}

/// What both ends can do.
#[derive(Debug, Clone, Copy, Default)]
struct Agreed {
    sack: bool,
    timestamps: bool,
    scaling: bool,
    ecn: bool,
}

/// What goes out at the next poll, whatever the windows say.
#[derive(Debug, Clone, Copy, Default)]
struct Due {
    reset: Option<Reset>,
    syn: bool,
    ack: bool,
    /// The FIN goes with the acknowledgement once more.
    fin_again: bool,
    /// Duplicate acknowledgements, one for each segment out of order.
    duplicates: u8,
    probe: bool,
    /// Small segments are not held back this time.
    push: bool,
    cwr: bool,
    /// Not a segment: text left, and the first timer is set once for all that leaves in one poll.
    timer: bool,
}

/// The reset that is due.
#[derive(Debug, Clone, Copy)]
enum Reset {
    /// At this number.
    At(SeqNum),
    /// At SND.NXT, with an acknowledgement of what was received.
    Here,
}

impl Connection {
    fn new(config: Arc<Config>, initial: Initial, state: State, now: Instant) -> Self {
        let rtt = RttEstimator::new(&RttConfig {
            initial_rto: config.rto_initial,
            min_rto: config.rto_min,
            max_rto: config.rto_max,
            granularity: config.rto_variation_min,
            ..RttConfig::default()
        });
        let keep_alive = config.keep_alive.is_some();
        Self {
            send: Send::new(&config, initial, now),
            receive: Receive::new(&config, initial, now),
            rtt,
            rest: Rest::initial(&config.congestion, u32::from(initial.mss.send)),
            timers: Timers::default(),
            times: Times { offset: initial.timestamp_offset, ..Times::default() },
            challenges: Challenges::default(),
            stats: Stats::default(),
            due: Due::default(),
            events: Events::default(),
            agreed: Agreed::default(),
            state,
            active: false,
            orphan: false,
            no_delay: !config.nagle,
            cork: false,
            quick_ack: false,
            keep_alive,
            probes: 0,
            soft_error: false,
            fast: None,
            early: false,
            syn_data: false,
            config,
        }
    }

    /// Takes a segment (RFC 9293, section 3.10.7).
    pub fn on_segment(&mut self, now: Instant, segment: &Segment) {
        self.stats.segments_in += segment.segments() as u64;
        let both = segment.flags.contains(Flags::SYN | Flags::FIN);
        if both && self.config.drop_syn_fin && self.state != State::TimeWait {
            return;
        }
        match self.state {
            State::Closed => {}
            State::SynSent => self.on_syn_sent(now, segment),
            State::TimeWait => self.on_time_wait(now, segment),
            _ => self.on_synchronized(now, segment),
        }
    }

    /// SYN-RECEIVED and what follows (RFC 9293, section 3.10.7.4).
    fn on_synchronized(&mut self, now: Instant, segment: &Segment) {
        if !self.admit(now, segment) {
            return;
        }
        self.receive.heard = now;
        self.probes = 0;
        if !segment.flags.contains(Flags::ACK) {
            return;
        }
        if self.state == State::SynReceived && !self.complete_open(now, segment) {
            return;
        }
        if !self.take_acknowledgement(now, segment) {
            return;
        }
        self.note_timestamp(now, segment);
        self.take_congestion_mark(segment);
        if self.state.may_receive() {
            self.take_text(now, segment);
        } else if segment.sequence_length() > 0 && self.state.is_synchronized() {
            // Nothing follows the peer's FIN but the same again.
            self.acknowledge_now();
        }
    }

    /// What happened, one thing at a time.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.take()
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// The maximum segment size we told the peer.
    fn own_mss(&self) -> u16 {
        own_mss(&self.config, self.receive.link_mss)
    }

    /// The peer's window, in bytes.
    fn window_of(&self, segment: &Segment) -> u32 {
        // The window of a SYN is never scaled (RFC 7323, section 2.2).
        let syn = segment.flags.contains(Flags::SYN);
        u32::from(segment.window) << if syn { 0 } else { self.send.scale }
    }
}
