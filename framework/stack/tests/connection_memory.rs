//! What a connection costs: 512 bytes while idle, everything included, however much went through it
//! before; and few allocations for a question and its answer.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use fyke_clock::Instant;
use fyke_stack::tcp::{
    Config, Connection, Initial, Mss, Payload, Segment, SegmentSink, SeqNum, State,
};

struct Counting;

thread_local! {
    static LIVE: Cell<i64> = const { Cell::new(0) };
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; the counters are plain cells of the
// calling thread that allocate nothing themselves.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.with(|live| live.set(live.get() + layout.size() as i64));
        CALLS.with(|calls| calls.set(calls.get() + 1));
        // SAFETY: the caller's promises are those of `GlobalAlloc`, which `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.with(|live| live.set(live.get() - layout.size() as i64));
        // SAFETY: `pointer` came from `alloc` above, hence from `System`, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The peer's side of a wire, with room for what a poll sends.
#[derive(Default)]
struct Wire(Vec<Segment>);

impl SegmentSink for Wire {
    fn has_room(&self) -> bool {
        true
    }

    fn send(&mut self, segment: &Segment, payload: Payload<'_>) {
        let payload: Vec<u8> = payload.flatten().copied().collect();
        self.0.push(Segment { payload: payload.into(), ..segment.clone() });
    }
}

struct Pair {
    now: Instant,
    ends: [Connection; 2],
    wires: [Wire; 2],
}

impl Pair {
    fn new(config: &Arc<Config>) -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        let initial =
            |iss| Initial { iss: SeqNum::new(iss), timestamp_offset: iss, mss: Mss::both(1460) };
        let mut wire = Wire::default();
        let mut client = Connection::connect(config.clone(), initial(1), now);
        client.poll(now, &mut wire);
        let server = Connection::accept(config.clone(), &wire.0[0], initial(2), now);
        let mut pair = Self { now, ends: [client, server], wires: Default::default() };
        pair.settle();
        assert!(pair.ends.iter().all(|end| end.state() == State::Established));
        pair
    }

    /// Until both have said and read everything, and every timer has run out.
    fn settle(&mut self) {
        loop {
            for at in 0..2 {
                self.ends[at].poll(self.now, &mut self.wires[at]);
            }
            let mut moved = false;
            for at in 0..2 {
                for segment in std::mem::take(&mut self.wires[at].0) {
                    moved = true;
                    self.ends[1 - at].on_segment(self.now, &segment);
                }
                while self.ends[at].read(usize::MAX, self.now).is_some() {}
                while self.ends[at].poll_event().is_some() {}
            }
            if moved {
                self.now += Duration::from_millis(10);
                continue;
            }
            let next = self.ends.iter().filter_map(Connection::next_deadline).min();
            let Some(next) = next else { return };
            self.now = self.now.max(next);
            self.ends.iter_mut().for_each(|end| end.on_timeout(self.now));
        }
    }
}

fn live() -> i64 {
    LIVE.with(Cell::get)
}

#[test]
fn an_idle_connection_takes_512_bytes() {
    let config = Arc::new(Config::linux());
    // What a process needs once is not a connection's.
    drop(Pair::new(&config));
    let nothing = live();
    let mut pairs = Vec::with_capacity(100);
    let before = live();
    for _ in 0..100 {
        let mut pair = Pair::new(&config);
        for size in [1, 100, 5000, 200_000, 3] {
            for end in &mut pair.ends {
                end.write(vec![7; size].into(), pair.now);
            }
            pair.settle();
        }
        pair.wires = Default::default();
        pairs.push(pair);
    }
    let heap = (live() - before) / 200;
    let whole = size_of::<Connection>() as i64 + heap;
    assert!(whole <= 512, "{} bytes, and {heap} on the heap", size_of::<Connection>());
    drop(pairs);
    assert_eq!(live(), nothing, "and nothing is left of it");
}

#[test]
fn writing_nothing_costs_nothing() {
    let mut pair = Pair::new(&Arc::new(Config::default()));
    let before = live();
    let [client, server] = &mut pair.ends;
    assert_eq!(client.write(bytes::Bytes::new(), pair.now), 0);
    assert_eq!(server.write_slice(b"", pair.now), 0);
    assert_eq!(live(), before);
}

#[test]
fn a_question_and_its_answer_cost_few_allocations() {
    let config = Arc::new(Config::linux());
    let mut pair = Pair::new(&config);
    let question = bytes::Bytes::from_static(&[7; 2000]);
    let mut run = |count: u64| {
        let before = CALLS.with(Cell::get);
        for _ in 0..count {
            for end in 0..2 {
                pair.ends[end].write(question.clone(), pair.now);
                let now = pair.now;
                let mut sink = Counter(0);
                pair.ends[end].poll(now, &mut sink);
                assert_eq!(sink.0, 2000);
                // Acknowledged without a peer: what the sending half allocates, and no more.
                let info = pair.ends[end].info();
                let ack = Segment {
                    seq: info.rcv_nxt,
                    ack: info.snd_nxt,
                    flags: fyke_stack::tcp::Flags::ACK,
                    window: 1000,
                    ..Segment::default()
                };
                pair.ends[end].on_segment(now, &ack);
            }
        }
        (CALLS.with(Cell::get) - before) / (2 * count)
    };
    run(10);
    let each = run(1000);
    assert!(each <= 5, "{each} allocations for each write, send and acknowledgement");
}

/// Counts payload and keeps nothing.
struct Counter(usize);

impl SegmentSink for Counter {
    fn has_room(&self) -> bool {
        true
    }

    fn send(&mut self, _: &Segment, payload: Payload<'_>) {
        self.0 += payload.map(<[u8]>::len).sum::<usize>();
    }
}
