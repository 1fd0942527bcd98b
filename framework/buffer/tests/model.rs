//! Random operations on several handles that share blocks, against a model of `Vec<u8>`s.
//!
//! After every step each handle is compared with its model as a whole, so a write through one
//! handle that shows in another is found at once.

use std::sync::LazyLock;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use bytes::{Buf, BufMut, Bytes};
use fyke_buffer::{ByteBuf, Mark, Pool};
use proptest::collection::vec;
use proptest::prelude::*;

/// What a `ByteBuf` must look like.
#[derive(Debug)]
struct Model {
    /// The bytes before the writer index.
    written: Vec<u8>,
    reader: usize,
    max: usize,
    mark: Option<(Mark, usize, usize)>,
}

#[derive(Debug)]
struct World {
    pool: Pool,
    bufs: Vec<(ByteBuf, Model)>,
    frozen: Vec<(Bytes, Vec<u8>)>,
}

#[derive(Clone, Debug)]
enum Make {
    New,
    Capacity(usize),
    Max(usize),
    Copy(Vec<u8>),
    Lent(Vec<u8>),
    Pooled(usize),
}

#[derive(Clone, Debug)]
enum Op {
    Make(Make),
    Write(Vec<u8>),
    Put(Vec<u8>),
    SpareAndAdvance(Vec<u8>),
    Set(usize, u8),
    FillReadable(u8),
    Read(usize),
    Skip(usize),
    CopyToBytes(usize),
    SplitTo(usize),
    Split,
    Truncate(usize),
    SetReader(usize),
    SetWriter(usize),
    SetMax(usize),
    Mark,
    Reset,
    DiscardRead,
    EnsureWritable(usize),
    Clear,
    Freeze,
    CloneFrozen,
    SliceFrozen(usize),
    Drop,
    DropOnThread,
    DropFrozen,
    DropFrozenOnThread,
}

fn op() -> impl Strategy<Value = Op> {
    let n = || prop_oneof![4 => 0..40_usize, 1 => 0..3000_usize];
    let bytes = || prop_oneof![4 => vec(any::<u8>(), 0..30), 1 => vec(any::<u8>(), 0..2500)];
    let make = prop_oneof![
        Just(Make::New),
        n().prop_map(Make::Capacity),
        n().prop_map(Make::Max),
        bytes().prop_map(Make::Copy),
        bytes().prop_map(Make::Lent),
        n().prop_map(Make::Pooled),
    ];
    prop_oneof![
        3 => make.prop_map(Op::Make),
        8 => bytes().prop_map(Op::Write),
        2 => bytes().prop_map(Op::Put),
        3 => bytes().prop_map(Op::SpareAndAdvance),
        3 => (n(), any::<u8>()).prop_map(|(at, byte)| Op::Set(at, byte)),
        2 => any::<u8>().prop_map(Op::FillReadable),
        4 => n().prop_map(Op::Read),
        4 => n().prop_map(Op::Skip),
        2 => n().prop_map(Op::CopyToBytes),
        8 => n().prop_map(Op::SplitTo),
        3 => Just(Op::Split),
        2 => n().prop_map(Op::Truncate),
        2 => n().prop_map(Op::SetReader),
        2 => n().prop_map(Op::SetWriter),
        1 => n().prop_map(Op::SetMax),
        2 => Just(Op::Mark),
        2 => Just(Op::Reset),
        4 => Just(Op::DiscardRead),
        4 => n().prop_map(Op::EnsureWritable),
        1 => Just(Op::Clear),
        3 => Just(Op::Freeze),
        1 => Just(Op::CloneFrozen),
        1 => n().prop_map(Op::SliceFrozen),
        3 => Just(Op::Drop),
        3 => Just(Op::DropOnThread),
        1 => Just(Op::DropFrozen),
        1 => Just(Op::DropFrozenOnThread),
    ]
}

/// A thread that drops what it is sent; answers when it has come to an `Ack`.
enum Rubbish {
    Buf(ByteBuf),
    Bytes(Bytes),
    Ack(Sender<()>),
}

static DROPPER: LazyLock<Sender<Rubbish>> = LazyLock::new(|| {
    let (send, receive) = channel();
    thread::spawn(move || {
        for rubbish in receive {
            match rubbish {
                Rubbish::Buf(buf) => drop(buf),
                Rubbish::Bytes(bytes) => drop(bytes),
                Rubbish::Ack(ack) => ack.send(()).unwrap(),
            }
        }
    });
    send
});

impl World {
    fn make(&mut self, make: Make) {
        let (buf, written, max) = match make {
            Make::New => (ByteBuf::new(), vec![], usize::MAX),
            Make::Capacity(n) => {
                let buf = ByteBuf::with_capacity(n);
                assert_eq!(buf.capacity(), n);
                (buf, vec![], usize::MAX)
            }
            Make::Max(max) => (ByteBuf::with_max_capacity(max), vec![], max),
            Make::Copy(bytes) => (ByteBuf::from(&bytes[..]), bytes, usize::MAX),
            Make::Lent(bytes) => {
                let lent = Bytes::from(bytes.clone());
                let buf = ByteBuf::lent(lent.clone());
                assert!(
                    bytes.is_empty() || buf.as_ptr() == lent.as_ptr(),
                    "lending copies nothing"
                );
                // What is lent is compared after each step, too: nobody may write to it.
                self.frozen.push((lent, bytes.clone()));
                (buf, bytes, usize::MAX)
            }
            Make::Pooled(n) => {
                let buf = self.pool.take(n);
                assert!(buf.capacity() >= n.max(1024));
                (buf, vec![], usize::MAX)
            }
        };
        let max = max.min(buf.max_capacity());
        self.bufs.push((buf, Model { written, reader: 0, max, mark: None }));
    }

    /// `pick` chooses the handle an operation works on.
    fn apply(&mut self, pick: usize, op: Op) {
        if let Op::Make(make) = op {
            return self.make(make);
        }
        if !self.frozen.is_empty() {
            let at = pick % self.frozen.len();
            match op {
                Op::CloneFrozen => return self.frozen.push(self.frozen[at].clone()),
                Op::SliceFrozen(n) => {
                    let (bytes, model) = &self.frozen[at];
                    let n = n.min(model.len());
                    return self.frozen.push((bytes.slice(n..), model[n..].to_vec()));
                }
                Op::DropFrozen => return drop(self.frozen.swap_remove(at)),
                Op::DropFrozenOnThread => {
                    let bytes = self.frozen.swap_remove(at).0;
                    return DROPPER.send(Rubbish::Bytes(bytes)).unwrap();
                }
                _ => {}
            }
        }
        if self.bufs.is_empty() {
            return self.make(Make::New);
        }
        let at = pick % self.bufs.len();
        match op {
            Op::Freeze => {
                let (buf, model) = self.bufs.swap_remove(at);
                let address = buf.as_ptr();
                let bytes = buf.freeze();
                assert!(bytes.is_empty() || bytes.as_ptr() == address, "freezing copies nothing");
                self.frozen.push((bytes, model.written[model.reader..].to_vec()));
            }
            Op::Drop => drop(self.bufs.swap_remove(at)),
            Op::DropOnThread => {
                DROPPER.send(Rubbish::Buf(self.bufs.swap_remove(at).0)).unwrap();
            }
            op => {
                let (buf, model) = &mut self.bufs[at];
                let (more, frozen) = apply_to(buf, model, op);
                self.bufs.extend(more);
                self.frozen.extend(frozen);
            }
        }
    }

    fn check(&self) {
        for (buf, model) in &self.bufs {
            assert_eq!(buf.reader_index(), model.reader);
            assert_eq!(buf.writer_index(), model.written.len());
            assert_eq!(buf.max_capacity(), model.max);
            assert_eq!(buf.as_slice(), &model.written[model.reader..]);
            assert!(buf.writer_index() <= buf.capacity() && buf.capacity() <= buf.max_capacity());
            assert_eq!(buf.readable(), model.written.len() - model.reader);
            assert_eq!(buf.writable(), buf.capacity() - buf.writer_index());
            for (at, &byte) in model.written[..model.reader].iter().enumerate() {
                assert_eq!(buf.get_u8(at), Ok(byte), "a byte that was read already");
            }
        }
        for (bytes, model) in &self.frozen {
            assert_eq!(bytes, model);
        }
    }
}

type Born = (Option<(ByteBuf, Model)>, Option<(Bytes, Vec<u8>)>);

/// One operation on one handle; gives the handle that was split off, if any.
fn apply_to(buf: &mut ByteBuf, model: &mut Model, op: Op) -> Born {
    let readable = model.written.len() - model.reader;
    match op {
        Op::Write(bytes) => {
            let fits = model.written.len() + bytes.len() <= model.max;
            assert_eq!(buf.try_write_slice(&bytes).is_ok(), fits);
            if fits {
                model.written.extend(bytes);
            }
        }
        Op::Put(bytes) => {
            if bytes.len() <= buf.remaining_mut() {
                buf.put(&bytes[..]);
                model.written.extend(bytes);
            }
        }
        Op::SpareAndAdvance(bytes) => {
            let n = bytes.len().min(buf.writable());
            buf.spare_mut()[..n].copy_from_slice(&bytes[..n]);
            buf.advance_writer(n);
            model.written.extend(&bytes[..n]);
        }
        Op::Read(n) if n <= readable => {
            let bytes = buf.read_slice(n).unwrap();
            assert_eq!(bytes, &model.written[model.reader..model.reader + n]);
            model.reader += n;
        }
        Op::Read(n) => {
            let error = buf.read_slice(n).unwrap_err();
            assert_eq!((error.needed, error.available), (n, readable));
        }
        Op::Skip(n) => {
            assert_eq!(buf.skip(n).is_ok(), n <= readable);
            model.reader += if n <= readable { n } else { 0 };
        }
        Op::CopyToBytes(n) => {
            let n = n.min(readable);
            let front = buf.copy_to_bytes(n);
            let bytes = model.split_to(n);
            return (None, Some((front, bytes)));
        }
        Op::SplitTo(n) => match buf.try_split_to(n) {
            Ok(front) => return (Some(model.born(front, n)), None),
            Err(_) => assert!(n > readable),
        },
        Op::Split => {
            let front = buf.split();
            return (Some(model.born(front, readable)), None);
        }
        Op::DiscardRead => {
            buf.discard_read();
            model.written.drain(..model.reader);
            model.reader = 0;
            model.mark = None;
        }
        Op::EnsureWritable(n) => match buf.ensure_writable(n) {
            Ok(()) => assert!(buf.writable() >= n),
            Err(error) => {
                assert!(error.needed == model.written.len() + n && error.needed > model.max);
            }
        },
        op => in_place(buf, model, op),
    }
    (None, None)
}

/// The operations that only move indexes or change bytes where they are.
fn in_place(buf: &mut ByteBuf, model: &mut Model, op: Op) {
    match op {
        Op::Set(at, byte) => match model.written.get_mut(at) {
            Some(place) => {
                *place = byte;
                buf.set_u8(at, byte).unwrap();
            }
            None => assert_eq!(buf.set_u8(at, byte).unwrap_err().available, model.written.len()),
        },
        Op::FillReadable(byte) => {
            buf.fill(byte);
            model.written[model.reader..].fill(byte);
        }
        Op::Truncate(n) => {
            buf.truncate(n);
            model.written.truncate(model.reader + n);
        }
        Op::SetReader(n) => {
            let fits = n <= model.written.len();
            assert_eq!(buf.set_reader_index(n).is_ok(), fits);
            model.reader = if fits { n } else { model.reader };
        }
        Op::SetWriter(n) => {
            let fits = model.reader <= n && n <= buf.capacity();
            assert_eq!(buf.set_writer_index(n).is_ok(), fits);
            if fits {
                model.writer_moved_to(buf, n);
            }
        }
        Op::SetMax(n) => {
            buf.set_max_capacity(n);
            model.max = n.max(model.written.len());
        }
        Op::Mark => model.mark = Some((buf.mark(), model.reader, model.written.len())),
        Op::Reset => {
            if let Some((mark, reader, writer)) = model.mark {
                // The capacity only shrinks below a mark when the maximum was lowered.
                let fits = writer <= buf.capacity();
                assert!(fits || model.max < writer);
                assert_eq!(buf.reset(mark).is_ok(), fits);
                if fits {
                    model.writer_moved_to(buf, writer);
                    model.reader = reader;
                }
            }
        }
        Op::Clear => {
            buf.clear();
            model.written.clear();
            model.reader = 0;
        }
        // Frozen ones when there are none.
        _ => {}
    }
}

impl Model {
    /// What is behind the old writer index is not specified, but must not change from now on.
    fn writer_moved_to(&mut self, buf: &ByteBuf, writer: usize) {
        let known = self.written.len();
        self.written.truncate(writer);
        self.written.extend((known..writer).map(|at| buf.get_u8(at).unwrap()));
    }

    fn split_to(&mut self, n: usize) -> Vec<u8> {
        let front: Vec<u8> = self.written.drain(..self.reader + n).skip(self.reader).collect();
        self.reader = 0;
        self.mark = None;
        front
    }

    fn born(&mut self, front: ByteBuf, n: usize) -> (ByteBuf, Self) {
        let written = self.split_to(n);
        assert_eq!(front.writable(), 0, "what is split off has no spare room");
        (front, Self { written, reader: 0, max: self.max, mark: None })
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn handles_behave_like_vecs(ops in vec((any::<usize>(), op()), 1..120)) {
        let mut world = World { pool: Pool::new(), bufs: vec![], frozen: vec![] };
        for (pick, op) in ops {
            world.apply(pick, op);
            world.check();
        }
        let World { pool, bufs, frozen } = world;
        drop((bufs, frozen));
        let (ack, done) = channel();
        DROPPER.send(Rubbish::Ack(ack)).unwrap();
        done.recv().unwrap();
        prop_assert_eq!(pool.stats().outstanding, 0);
    }
}
