//! What scripts are made of: both ends of a connection as [`Peer`]s, which are a handle and a log of
//! what the pipeline's last handler was told.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use fyke::prelude::*;
use fyke::{Address, ChannelInit, CloseReason, Event, EventFilter, IntoStages};

pub(crate) use crate::harness::{List, Scenario, WANTED_PANIC, everywhere, list};
pub(crate) use crate::rows::Kind;
pub(crate) use crate::waiting::{Helper, hear};
pub(crate) use crate::world::World;

/// A guard against a test that hangs; nothing is ever waited for so long when all is well.
pub(crate) const HANG: Duration = Duration::from_secs(120);

/// The pipeline of bytes with nothing but a [`Tap`].
pub(crate) fn bytes(
    channel: &mut ChannelInit<'_>,
    tap: Tap<Outgoing>,
) -> fyke::PipelineBuilder<Never, Outgoing> {
    channel.pipeline().inbound("tap", tap)
}

pub(crate) fn listen<W: 'static, S: IntoStages>(
    bootstrap: ServerBootstrap,
    address: &Address,
    options: ChannelOptions,
    build: impl Fn(&mut ChannelInit<'_>, Tap<W>) -> S + Send + Sync + 'static,
) -> TapServer {
    let (arrived, arrivals) = mpsc::channel();
    let server = bootstrap
        .options(options)
        .child(move |ch| {
            let (log, events) = mpsc::channel();
            let mut tap = Tap::new(log);
            tap.arrival = Some((arrived.clone(), events));
            build(ch, tap)
        })
        .bind(address)
        .unwrap();
    TapServer { address: server.local_address().clone(), server, arrivals }
}

#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) client: Peer,
    pub(crate) server: Peer,
    pub(crate) listening: TapServer,
}

#[derive(Debug)]
pub(crate) struct TapServer {
    pub(crate) server: Server,
    pub(crate) address: Address,
    arrivals: Receiver<Peer>,
}

impl TapServer {
    /// The next connection's server side.
    pub(crate) fn accept(&self) -> Peer {
        hear(&self.arrivals).expect("nobody connects")
    }
}

/// What the last handler of a pipeline was told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Log {
    Active,
    Bytes(Vec<u8>),
    Frame(Vec<u8>),
    ReadClosed,
    Writable(bool),
    /// A user event.
    User(u32),
    Error(String),
    ShuttingDown,
    Inactive,
}

/// The user event of the scenarios.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Note(pub(crate) u32);

/// The last handler of a pipeline: it writes down what it is told, and passes it on.
#[derive(Debug)]
pub(crate) struct Tap<W> {
    log: mpsc::Sender<Log>,
    arrival: Option<(mpsc::Sender<Peer>, Receiver<Log>)>,
    frames: bool,
    finish_work: bool,
    writes: PhantomData<fn(W)>,
}

impl<W> Tap<W> {
    pub(crate) fn new(log: mpsc::Sender<Log>) -> Self {
        Self { log, arrival: None, frames: false, finish_work: false, writes: PhantomData }
    }

    /// What it reads are messages: one entry each.
    pub(crate) fn frames(mut self) -> Self {
        self.frames = true;
        self
    }

    /// At a shutdown it has work to finish, and closes by itself.
    pub(crate) fn finish_work(mut self) -> Self {
        self.finish_work = true;
        self
    }

    pub(crate) fn write_down(&self, entry: Log) {
        // A scenario that is over does not read its logs any more.
        let _ = self.log.send(entry);
    }
}

impl<W: 'static> InboundHandler for Tap<W> {
    type In = ByteBuf;
    type Out = Never;
    type Write = W;

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.write_down(Log::Active);
        if let Some((arrived, events)) = self.arrival.take() {
            let _ = arrived.send(Peer::new(cx.channel(), events));
        }
        Ok(())
    }

    fn read(&mut self, _: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
        let bytes = msg.to_vec();
        self.write_down(if self.frames { Log::Frame(bytes) } else { Log::Bytes(bytes) });
        Ok(())
    }

    fn read_closed(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.write_down(Log::ReadClosed);
        cx.fire_read_closed();
        Ok(())
    }

    fn writability_changed(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.write_down(Log::Writable(cx.is_writable()));
        Ok(())
    }

    fn shutting_down(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.write_down(Log::ShuttingDown);
        if !self.finish_work {
            cx.fire_shutting_down();
        }
        Ok(())
    }

    fn events(&self) -> EventFilter {
        EventFilter::of::<Note>()
    }

    fn event(&mut self, _: &mut Context<'_, Self>, event: Event) -> Result<()> {
        if let Ok(Note(number)) = event.take() {
            self.write_down(Log::User(number));
        }
        Ok(())
    }

    fn error(&mut self, cx: &mut Context<'_, Self>, error: Error) -> Result<()> {
        self.write_down(Log::Error(kind_of(&error)));
        cx.fire_error(error);
        Ok(())
    }

    fn inactive(&mut self, _: &mut Context<'_, Self>) -> Result<()> {
        self.write_down(Log::Inactive);
        Ok(())
    }
}

/// An error in one word, the same for every transport.
pub(crate) fn kind_of(error: &Error) -> String {
    match error.kind() {
        _ if error.is_reset() => "Reset".to_owned(),
        fyke::ErrorKind::Io(error) => format!("{:?}", error.kind()),
        fyke::ErrorKind::Codec(fyke::CodecError::TooLarge { .. }) => "TooLarge".to_owned(),
        fyke::ErrorKind::Codec(_) => "Codec".to_owned(),
        fyke::ErrorKind::Panic { stage, .. } => format!("Panic in {stage}"),
        other => format!("{other:?}"),
    }
}

/// One end of a connection, seen by the script.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) channel: Channel,
    events: Receiver<Log>,
    /// Read from the log and not asked for yet.
    held: Option<Log>,
}

impl Peer {
    pub(crate) fn new(channel: Channel, events: Receiver<Log>) -> Self {
        Self { channel, events, held: None }
    }

    pub(crate) fn sender(&self) -> Sender<Outgoing> {
        self.channel.sender().unwrap()
    }

    /// Writes, without waiting.
    pub(crate) fn send(&self, bytes: impl Into<Outgoing>) {
        self.sender().send(bytes.into()).unwrap();
    }

    /// Writes, and waits until the transport has taken it.
    pub(crate) fn send_and_wait(&self, bytes: impl Into<Outgoing>) {
        self.sender().send_with_promise(bytes.into()).unwrap().wait().unwrap();
    }

    fn recv(&mut self) -> Option<Log> {
        if let Some(held) = self.held.take() {
            return Some(held);
        }
        match hear(&self.events) {
            Ok(entry) => Some(entry),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("nothing happens on {:?}", self.channel),
        }
    }

    /// The next entry, without `Active`.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Log {
        loop {
            match self.recv().expect("the channel has ended") {
                Log::Active => {}
                other => return other,
            }
        }
    }

    /// Skips what comes before `wanted`.
    #[track_caller]
    pub(crate) fn until(&mut self, wanted: &Log) {
        while self.next() != *wanted {}
    }

    /// Exactly `n` bytes.
    #[track_caller]
    pub(crate) fn bytes(&mut self, n: usize) -> Vec<u8> {
        let mut got = Vec::with_capacity(n);
        while got.len() < n {
            match self.next() {
                Log::Bytes(bytes) => got.extend(bytes),
                // What is written meanwhile is none of the reader's business.
                Log::Writable(_) => {}
                other => panic!("{other:?} after {} of {n} bytes", got.len()),
            }
        }
        let rest = got.split_off(n);
        if !rest.is_empty() {
            self.held = Some(Log::Bytes(rest));
        }
        got
    }

    /// The next message.
    #[track_caller]
    pub(crate) fn frame(&mut self) -> Vec<u8> {
        match self.next() {
            Log::Frame(frame) => frame,
            other => panic!("{other:?} instead of a frame"),
        }
    }

    /// Everything until the pipeline is gone but the water marks, bytes joined, and why it closed.
    pub(crate) fn ending(mut self) -> (Vec<Log>, CloseReason) {
        let mut log: Vec<Log> = Vec::new();
        while let Some(entry) = self.recv() {
            match (log.last_mut(), entry) {
                // When a queue was full is a matter of speed.
                (_, Log::Active | Log::Writable(_)) => {}
                (Some(Log::Bytes(all)), Log::Bytes(more)) => all.extend(more),
                (_, entry) => log.push(entry),
            }
        }
        (log, self.channel.wait_closed())
    }

    /// Waits until the channel's loop has had a turn with all that was asked of it before, and
    /// nothing of it was worth an entry.
    #[track_caller]
    pub(crate) fn assert_quiet(&mut self, number: u32) {
        self.channel.fire_event(Note(number)).unwrap();
        assert_eq!(self.next(), Log::User(number));
    }

    /// Asks something of the channel's context, on its loop.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Ctx<'_, Never, Never>) -> T + Send + 'static,
    ) -> T {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.channel
            .execute(move |cx| {
                let _ = sender.send(question(cx));
            })
            .unwrap();
        hear(&receiver).unwrap()
    }
}

/// Bytes that look random and are the same every time.
pub(crate) fn random_bytes(n: usize, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| random.u8(..)).take(n).collect()
}

/// Sends back what comes.
#[derive(Debug)]
pub(crate) struct Echo;

impl InboundHandler for Echo {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
        cx.write(msg.into());
        Ok(())
    }
}

/// Echoes, and logs what else happens.
#[derive(Debug)]
pub(crate) struct EchoTap(pub(crate) Tap<Outgoing>);

impl InboundHandler for EchoTap {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.0.active(cx)
    }

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
        cx.write(msg.into());
        Ok(())
    }

    fn writability_changed(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.0.writability_changed(cx)
    }
}

/// A client that writes as much as it likes and reads all the while, as only a test may.
pub(crate) fn greedy() -> ChannelOptions {
    ChannelOptions::new().pause_when_unwritable(false)
}

/// Sockets that hold little, so that a reader that stops is noticed soon.
pub(crate) fn narrow(options: ChannelOptions) -> ChannelOptions {
    // A segment of the loopback interface is 64 KiB: with less room than two of them a reader's
    // window stays closed until the sender asks, which takes a timer each time.
    let socket = SocketOptions::new().send_buffer_bytes(Some(64 * 1024));
    options.socket(socket.recv_buffer_bytes(Some(256 * 1024)))
}
