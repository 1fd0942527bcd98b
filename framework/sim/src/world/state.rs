//! The world's tables: nodes, links, and what will happen. No code of users runs in here.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

use bytes::Bytes;
use fyke_clock::Instant;
use fyke_stack::wire::pcapng::Direction as Way;

use super::queue::{Alarms, Happening, Queue};
use crate::capture::{Place, Recorder};
use crate::drops::{DropReason, Drops};
use crate::error::SimError;
use crate::frame::Frame;
use crate::ids::{End, LinkId, NodeId, Side};
use crate::link::LinkState;
use crate::outputs::Outputs;
use crate::router::RouterState;
use crate::switch::SwitchState;

/// A host of either kind, as the world sees it.
pub(crate) trait Station {
    /// Takes what arrived, does what there is to do, gives what it sends, and says when it wants
    /// its next turn.
    fn turn(
        &mut self,
        now: Instant,
        arrived: &mut VecDeque<Bytes>,
        sent: &mut Vec<Bytes>,
    ) -> Result<Option<Instant>, SimError>;
}

pub(crate) enum Kind {
    Switch(SwitchState),
    Router(RouterState),
    Station(Rc<RefCell<dyn Station>>),
}

/// What waits in front of a station.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    pub(crate) frames: VecDeque<Bytes>,
    pub(crate) frames_max: usize,
    pub(crate) paused: bool,
    /// When the station wants a turn, and how often it has had one at the present instant.
    pub(crate) deadline: Option<Instant>,
    pub(crate) turns: u32,
    pub(crate) turned_at: Instant,
}

pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) ports: Vec<Option<(LinkId, Side)>>,
    pub(crate) kind: Kind,
    pub(crate) ring: Ring,
    pub(crate) drops: Drops,
    alarms: Alarms,
}

impl Node {
    pub(crate) fn new(name: String, ports: usize, kind: Kind) -> Self {
        Self {
            name,
            ports: vec![None; ports],
            kind,
            ring: Ring::default(),
            drops: Drops::default(),
            alarms: Alarms::default(),
        }
    }
}

/// Two sets of nodes that do not hear each other.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) number: u64,
    pub(crate) one: BTreeSet<NodeId>,
    pub(crate) other: BTreeSet<NodeId>,
}

impl Partition {
    fn parts(&self, a: NodeId, b: NodeId) -> bool {
        (self.one.contains(&a) && self.other.contains(&b))
            || (self.one.contains(&b) && self.other.contains(&a))
    }
}

pub(crate) struct State {
    pub(crate) now: Instant,
    pub(crate) queue: Queue,
    pub(crate) nodes: Vec<Node>,
    pub(crate) links: Vec<LinkState>,
    pub(crate) partitions: Vec<Partition>,
    pub(crate) recorder: Option<Recorder>,
    pub(crate) names: BTreeSet<String>,
    /// Things that have happened.
    pub(crate) happened: u64,
    outputs: Outputs,
}

impl State {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            now,
            queue: Queue::default(),
            nodes: Vec::new(),
            links: Vec::new(),
            partitions: Vec::new(),
            recorder: None,
            names: BTreeSet::new(),
            happened: 0,
            outputs: Outputs::default(),
        }
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    pub(crate) fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.index()]
    }

    /// Sees to it that a node has a turn at `at`, or earlier.
    pub(crate) fn alarm(&mut self, id: NodeId, at: Instant) {
        let at = at.max(self.now);
        if self.nodes[id.index()].alarms.want(at) {
            self.queue.push(at, Happening::Alarm(id));
        }
    }

    /// An alarm of a node rings.
    pub(crate) fn ring(&mut self, id: NodeId, at: Instant) {
        self.nodes[id.index()].alarms.ring(at);
    }

    /// Puts a frame into the link at `from`.
    pub(crate) fn send(&mut self, from: End, mut frame: Frame) {
        let now = self.now;
        let plug = self.nodes[from.node.index()].ports.get(usize::from(from.port)).copied();
        let Some((link, side)) = plug.flatten() else {
            self.drop_in_node(from.node, DropReason::NotConnected, &frame);
            return;
        };
        let state = &mut self.links[link.index()];
        let to = state.far_end(side);
        let parted = self.partitions.iter().any(|parting| parting.parts(from.node, to.node));
        let direction = &mut state.directions[side.index()];
        let mut fate = direction.send(now, &mut frame);
        if parted && fate.dropped.is_none() {
            direction.undo(&frame, &mut fate, DropReason::Partition);
        }
        if self.recorder.is_some() {
            self.record(link, side, from, &frame, &fate);
        }
        for at in fate.arrivals.into_iter().flatten() {
            self.queue.push(at, Happening::Arrival { link, side, frame: frame.clone() });
        }
    }

    fn record(
        &mut self,
        link: LinkId,
        side: Side,
        from: End,
        frame: &Frame,
        fate: &crate::link::Fate,
    ) {
        let Some(mut recorder) = self.recorder.take() else { return };
        let mut comments = Vec::new();
        if frame.origin == from.node {
            comments.extend(recorder.again.sent(&frame.bytes));
        }
        if let Some(reason) = fate.dropped {
            comments.push(format!("dropped: {}", reason.text()));
            recorder.again.dropped(self.now, &frame.bytes, reason.text());
        }
        if let Some(bit) = fate.flipped {
            comments.push(format!("corrupted: bit {} of byte {}", bit % 8, bit / 8));
            recorder.again.dropped(self.now, &frame.bytes, "corrupted");
        }
        if let Some(by) = fate.held_back {
            comments.push(format!("reordered: held back by {by:?}"));
        }
        if let [_, Some(second)] = fate.arrivals {
            comments.push(format!("duplicated: arrives again at {second}"));
        }
        let way = if side == Side::First { Way::Outbound } else { Way::Inbound };
        let name = || self.link_name(link);
        recorder.frame(self.now, Place::Link(link), name, way, &frame.bytes, &comments);
        self.recorder = Some(recorder);
    }

    pub(crate) fn link_name(&self, link: LinkId) -> String {
        let [one, other] = self.links[link.index()].ends;
        format!("{}-{}", self.node(one.node).name, self.node(other.node).name)
    }

    /// A node drops a frame: counted, and remarked upon in the capture.
    pub(crate) fn drop_in_node(&mut self, id: NodeId, reason: DropReason, frame: &Frame) {
        self.nodes[id.index()].drops.add(reason);
        let Some(mut recorder) = self.recorder.take() else { return };
        recorder.again.dropped(self.now, &frame.bytes, reason.text());
        let comments = [format!("dropped: {}", reason.text())];
        let name = || self.node(id).name.clone();
        recorder.frame(self.now, Place::Node(id), name, Way::Inbound, &frame.bytes, &comments);
        self.recorder = Some(recorder);
    }

    /// A frame comes out of a link.
    pub(crate) fn arrive(&mut self, link: LinkId, side: Side, frame: Frame) {
        let state = &mut self.links[link.index()];
        state.directions[side.index()].in_flight -= 1;
        let to = state.far_end(side);
        let parted = |partition: &Partition| partition.parts(frame.origin, to.node);
        let now = self.now;
        match &mut self.nodes[to.node.index()].kind {
            Kind::Station(_) => {
                if self.partitions.iter().any(parted) {
                    self.drop_in_node(to.node, DropReason::Partition, &frame);
                    return;
                }
                let ring = &mut self.nodes[to.node.index()].ring;
                if ring.frames.len() >= ring.frames_max {
                    self.drop_in_node(to.node, DropReason::RingFull, &frame);
                    return;
                }
                ring.frames.push_back(frame.bytes);
                if !ring.paused {
                    self.alarm(to.node, now);
                }
            }
            Kind::Switch(switch) => {
                switch.receive(now, to.port, frame, &mut self.outputs);
                self.act(to.node);
            }
            Kind::Router(router) => {
                router.receive(now, to.port, frame, &mut self.outputs);
                self.act(to.node);
            }
        }
    }

    /// Time has passed for a box.
    pub(crate) fn box_turn(&mut self, id: NodeId) {
        let now = self.now;
        if let Kind::Router(router) = &mut self.nodes[id.index()].kind {
            router.on_time(now, &mut self.outputs);
            self.act(id);
        }
    }

    /// Does what a box has decided.
    fn act(&mut self, id: NodeId) {
        let mut outputs = std::mem::take(&mut self.outputs);
        for (port, frame) in outputs.sends.drain(..) {
            self.send(End { node: id, port }, frame);
        }
        for (reason, frame) in outputs.drops.drain(..) {
            self.drop_in_node(id, reason, &frame);
        }
        self.outputs = outputs;
        if let Kind::Router(router) = &self.nodes[id.index()].kind
            && let Some(at) = router.next_deadline()
        {
            self.alarm(id, at);
        }
    }
}
