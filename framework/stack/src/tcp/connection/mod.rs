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
//! | `open` | active, passive, simultaneous open |
//! | `validate` | steps one to four of 3.10.7.4: PAWS, window, RST, SYN |
//! | `ack` | step five: acknowledgements and the send window |
//! | `recovery` | what is lost, what goes again, what may be in flight |
//! | `outgoing` | what is written and in flight |
//! | `receive` | steps six to eight: text and FIN, delayed acknowledgements |
//! | `window` | what is offered, and how the receive buffer grows |
//! | `new_data` | what may be sent now: silly windows, Nagle, corks |
//! | `transmit` | segments are made |
//! | `timers`, `retransmit` | what happens when time passes |
//! | `close` | FIN, orphans, RST, TIME-WAIT |
//! | `icmp` | errors of the network (RFC 5927) |
//! | `options` | what may be set on one connection |
//! | `info` | what can be seen |

mod ack;
mod close;
mod event;
mod icmp;
mod inbox;
mod info;
mod new_data;
mod open;
mod options;
mod outgoing;
mod receive;
mod recovery;
mod retransmit;
mod state;
mod timers;
mod transmit;
mod validate;
mod window;

use alloc::boxed::Box;
use alloc::sync::Arc;

use fyke_clock::Instant;

use super::assembler::Assembler;
use super::config::Config;
use super::congestion::Rest;
use super::handshake::{Initial, first_window, own_mss, own_window_scale};
use super::rtt::{RttConfig, RttEstimator};
use super::{Flags, Segment, SeqNum};
use event::Events;
pub use event::{CloseReason, Event};
pub use icmp::{IcmpError, IcmpKind};
use inbox::Inbox;
pub use info::Info;
use info::Stats;
pub use options::ConnectionOption;
use outgoing::Outgoing;
pub use state::State;
use timers::Timers;
use validate::{Challenges, Times};
use window::Tuning;

/// One end of a TCP connection: no addresses, no headers, no clock.
///
/// ```
/// use std::sync::Arc;
/// use fyke_clock::Instant;
/// use fyke_stack::tcp::{Config, Connection, Initial, Payload, Segment, SegmentSink, SeqNum, State};
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
/// let initial = |iss| Initial { iss: SeqNum::new(iss), timestamp_offset: 0, path_mss: 1460 };
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
}

/// The send sequence space (RFC 9293, section 3.3.1), and what stands behind it.
#[derive(Debug)]
struct Send {
    iss: SeqNum,
    una: SeqNum,
    nxt: SeqNum,
    wl1: SeqNum,
    wl2: SeqNum,
    wnd: u32,
    /// The largest window the peer ever offered.
    wnd_max: u32,
    peer_mss: u16,
    path_mss: u16,
    /// The shift of the peer's windows.
    scale: u8,
    /// Time-outs in a row: of the SYN, of data, of window probes.
    attempts: u8,
    /// The application writes no more: a FIN follows what is queued.
    fin: bool,
    /// It was sent.
    fin_sent: bool,
    /// A write was refused.
    blocked: bool,
    syn_resent: bool,
    /// When SND.UNA last moved, or the first of what is outstanding was sent.
    progress: Instant,
    /// When data was last sent.
    last: Instant,
    /// The send buffer's size.
    capacity: u32,
    outgoing: Option<Box<Outgoing>>,
}

/// The receive sequence space, and what stands behind it. RCV.NXT is the assembler's.
#[derive(Debug)]
struct Receive {
    irs: SeqNum,
    assembler: Assembler,
    /// The right edge of the window that was offered: RCV.NXT + RCV.WND.
    edge: SeqNum,
    /// Last.ACK.sent.
    acked: SeqNum,
    inbox: Inbox,
    /// The buffer's size.
    buffer: u32,
    tuning: Tuning,
    /// The peer's full segment, as observed.
    segment: u16,
    /// The shift of our windows.
    scale: u8,
    /// Acknowledgements to send at once.
    quick: u8,
    unacked_segments: u8,
    /// The size was set by the application: it does not grow.
    fixed: bool,
    /// The window says how much room there is ([`Config::window_tells_room`]).
    tells_room: bool,
    /// Where the peer's FIN stands, while something before it is missing.
    fin: Option<SeqNum>,
    /// The FIN was taken.
    finished: bool,
    /// A router marked congestion and the peer has not answered yet (RFC 3168).
    congestion_seen: bool,
    /// When the peer was last heard.
    heard: Instant,
    /// When a segment that means nothing was last answered.
    invalid_answered: Instant,
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
            ..RttConfig::default()
        });
        let keep_alive = config.keep_alive.is_some();
        Self {
            send: Send::new(&config, initial, now),
            receive: Receive::new(&config, initial, now),
            rtt,
            rest: Rest::initial(&config.congestion, u32::from(initial.path_mss)),
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
        own_mss(&self.config, self.send.path_mss)
    }

    /// The peer's window, in bytes.
    fn window_of(&self, segment: &Segment) -> u32 {
        // The window of a SYN is never scaled (RFC 7323, section 2.2).
        let syn = segment.flags.contains(Flags::SYN);
        u32::from(segment.window) << if syn { 0 } else { self.send.scale }
    }
}

impl Send {
    fn new(config: &Config, initial: Initial, now: Instant) -> Self {
        Self {
            iss: initial.iss,
            una: initial.iss,
            nxt: initial.iss,
            wl1: SeqNum::default(),
            wl2: SeqNum::default(),
            wnd: 0,
            wnd_max: 0,
            peer_mss: config.mss_default,
            path_mss: initial.path_mss,
            scale: 0,
            attempts: 0,
            fin: false,
            fin_sent: false,
            blocked: false,
            syn_resent: false,
            progress: now,
            last: now,
            capacity: config.send_buffer_bytes,
            outgoing: None,
        }
    }

    /// Whether something was sent that the peer has not acknowledged.
    fn has_unacknowledged(&self) -> bool {
        self.una != self.nxt
    }
}

impl Receive {
    fn new(config: &Config, initial: Initial, now: Instant) -> Self {
        let ranges = u16::try_from(config.out_of_order_ranges_max).unwrap_or(u16::MAX);
        Self {
            irs: SeqNum::default(),
            assembler: Assembler::new(SeqNum::default(), ranges),
            edge: SeqNum::default(),
            acked: SeqNum::default(),
            inbox: Inbox::default(),
            buffer: config.receive_buffer_bytes,
            tuning: Tuning::default(),
            segment: config.mss_default.min(own_mss(config, initial.path_mss)),
            scale: if config.window_scaling { own_window_scale(config) } else { 0 },
            quick: config.quick_acks,
            unacked_segments: 0,
            fixed: false,
            tells_room: config.window_tells_room,
            fin: None,
            finished: false,
            congestion_seen: false,
            heard: now,
            invalid_answered: Instant::ZERO,
        }
    }

    /// The peer's SYN came: numbers have a beginning.
    fn begin(&mut self, irs: SeqNum, config: &Config) {
        let ranges = u16::try_from(config.out_of_order_ranges_max).unwrap_or(u16::MAX);
        self.irs = irs;
        self.assembler = Assembler::new(irs + 1, ranges);
        self.acked = irs + 1;
        // What our SYN says, or said.
        self.edge = irs + 1 + u32::from(first_window(config));
    }
}
