//! Writing: order, promises, water marks, readers that are slow or do not read at all.

use std::io::Write as _;

use fyke::buffer::CompositeBuf;
use fyke::prelude::*;
use fyke::{Bytes, FileSource};

use crate::support::*;

pub(crate) const SCENARIOS: List = list![
    many_small_and_large_messages_in_order_and_so_are_their_promises,
    a_slow_reader_gets_everything_and_little_waits_for_it,
    the_water_marks_are_crossed_once_and_back_once,
    a_client_that_never_reads_stops_its_channel_and_nothing_else,
    what_the_peer_has_acknowledged_is_told,
];

/// Messages of every kind, small and large, and their bytes in a row.
fn messages(world: &World) -> (Vec<Outgoing>, Vec<u8>) {
    let path = world.path();
    let in_file = random_bytes(70_000, 9);
    std::fs::File::create(&path).unwrap().write_all(&in_file).unwrap();
    let mut random = fastrand::Rng::with_seed(4);
    let (mut messages, mut all) = (Vec::new(), Vec::new());
    for n in 0..300_u64 {
        let length = if n % 10 == 0 { random.usize(4000..40_000) } else { random.usize(0..200) };
        let bytes = random_bytes(length, n);
        match n % 4 {
            _ if n == 150 => {
                all.extend(&in_file);
                let file = std::fs::File::open(&path).unwrap();
                messages.push(FileSource::whole(file).unwrap().into());
                continue;
            }
            0 => messages.push(Outgoing::Buf(ByteBuf::copy_from_slice(&bytes))),
            1 => messages.push(Outgoing::Bytes(Bytes::copy_from_slice(&bytes))),
            2 => {
                let mut rope = CompositeBuf::new();
                let (front, back) = bytes.split_at(length / 3);
                rope.push(ByteBuf::copy_from_slice(front));
                rope.push(Bytes::copy_from_slice(back));
                messages.push(rope.into());
            }
            _ => messages.push(bytes.clone().into()),
        }
        all.extend(bytes);
    }
    (messages, all)
}

fn many_small_and_large_messages_in_order_and_so_are_their_promises() -> Scenario {
    everywhere(|world| {
        let mut pair = world.pair(ChannelOptions::new(), ChannelOptions::new());
        let (messages, all) = messages(world);
        let sender = pair.server.sender();
        let mut promises: Vec<_> =
            messages.into_iter().map(|m| sender.send_with_promise(m).unwrap()).collect();
        assert!(pair.client.bytes(all.len()) == all, "other bytes came");
        for at in [promises.len() / 3, promises.len() / 3] {
            let behind = promises.split_off(at);
            let mut behind = behind.into_iter();
            behind.next().unwrap().wait().unwrap();
            for mut before in std::mem::replace(&mut promises, behind.collect()) {
                // A promise in front of one that is kept is kept too.
                before.try_result().expect("kept").unwrap();
            }
        }
        promises.into_iter().for_each(|promise| promise.wait().unwrap());
    })
}

/// Writes `left` bytes as long as the channel is writable, and notes how much waited at most.
struct Source {
    left: usize,
    next: u8,
    most: u64,
    told: std::sync::mpsc::Sender<u64>,
}

const PIECE: usize = 16 * 1024;
/// More than the high water mark, so that each filling is followed by an edge.
const FILL: usize = 80 * 1024;

impl Source {
    fn fill(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        let mut written = 0;
        while self.left > 0 && cx.is_writable() && written < FILL {
            let piece = vec![self.next; PIECE.min(self.left)];
            self.next = self.next.wrapping_add(1);
            self.left -= piece.len();
            written += piece.len();
            cx.write(piece.into());
        }
        self.most = self.most.max(cx.pending_bytes());
        if self.left == 0 {
            cx.close();
        }
        Ok(())
    }
}

impl InboundHandler for Source {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.fill(cx)
    }

    fn read(&mut self, _: &mut Context<'_, Self>, _: ByteBuf) -> Result<()> {
        Ok(())
    }

    fn writability_changed(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        if cx.is_writable() {
            self.fill(cx)?;
        }
        // How much waits now that the last filling has left this handler.
        self.most = self.most.max(cx.pending_bytes());
        Ok(())
    }

    fn inactive(&mut self, _: &mut Context<'_, Self>) -> Result<()> {
        self.told.send(self.most).unwrap();
        Ok(())
    }
}

fn a_slow_reader_gets_everything_and_little_waits_for_it() -> Scenario {
    const ALL: usize = 2 << 20;
    everywhere(|world| {
        let (told, most) = std::sync::mpsc::channel();
        let server = world.server().options(narrow(ChannelOptions::new())).child(move |ch| {
            let source = Source { left: ALL, next: 0, most: 0, told: told.clone() };
            ch.pipeline().inbound("source", source)
        });
        let server = server.bind(world.free_address()).unwrap();
        let options = narrow(ChannelOptions::new().auto_read(false).read_bytes_max(4096));
        let mut client = world.bytes_client(server.local_address(), options);
        let mut got = 0;
        while got < ALL {
            client.ask(|cx| cx.request_read());
            let Log::Bytes(bytes) = client.next() else { panic!("no bytes after {got}") };
            for byte in bytes {
                assert_eq!(byte, (got / PIECE) as u8, "byte {got}");
                got += 1;
            }
        }
        client.channel.set_auto_read(true).unwrap();
        let most = hear(&most).unwrap();
        assert!(most <= (64 * 1024 + FILL) as u64, "{most} bytes waited");
        client.ending()
    })
}

fn the_water_marks_are_crossed_once_and_back_once() -> Scenario {
    everywhere(|world| {
        let client = narrow(ChannelOptions::new().auto_read(false));
        let mut pair = world.pair(client, narrow(ChannelOptions::new()));
        let data = random_bytes(8 << 20, 1);
        let sent = pair.server.sender().send_with_promise(data.clone().into()).unwrap();
        assert_eq!(pair.server.next(), Log::Writable(false));
        assert!(!pair.server.channel.is_writable());
        assert!(pair.server.sender().try_send(vec![1].into()).is_err());
        pair.client.channel.set_auto_read(true).unwrap();
        assert!(pair.client.bytes(data.len()) == data, "other bytes came");
        sent.wait().unwrap();
        assert_eq!(pair.server.next(), Log::Writable(true));
        pair.server.assert_quiet(1);
        assert!(pair.server.channel.is_writable());
    })
}

fn a_client_that_never_reads_stops_its_channel_and_nothing_else() -> Scenario {
    everywhere(|world| {
        let options = narrow(ChannelOptions::new());
        let server = world.listen::<Outgoing, _>(options, |ch, tap| {
            ch.pipeline().duplex("counter", Writes).inbound("echo", EchoTap(tap))
        });
        let silent = narrow(ChannelOptions::new().auto_read(false).pause_when_unwritable(false));
        let mut stuck = world.bytes_client(&server.address, silent);
        let mut at_server = server.accept();
        let data = random_bytes(16 << 20, 3);
        stuck.send(data.clone());
        // First the client's own queue, then, when its answers come back to nobody, the server's.
        stuck.until(&Log::Writable(false));
        at_server.until(&Log::Writable(false));
        let pending = at_server.ask(|cx| cx.pending_bytes());
        assert!(pending <= 128 * 1024, "{pending} bytes wait for one who does not read");

        let mut other = world.bytes_client(&server.address, greedy());
        other.send(data[..50_000].to_vec());
        assert!(other.bytes(50_000) == data[..50_000], "other bytes came back");

        let again = at_server.ask(|cx| cx.pending_bytes());
        assert!(again <= 128 * 1024, "{again} bytes wait for one who does not read");
        stuck.channel.set_auto_read(true).unwrap();
        assert!(stuck.bytes(data.len()) == data, "other bytes came back");
    })
}

/// It is what tells a peer that is gone from one that is slow.
fn what_the_peer_has_acknowledged_is_told() -> Scenario {
    everywhere(|world| {
        let mut pair = world.pair(ChannelOptions::new(), ChannelOptions::new());
        let data = random_bytes(100_000, 6);
        pair.server.send_and_wait(data.clone());
        assert!(pair.client.bytes(data.len()) == data, "other bytes came");
        // What it says now acknowledges all that it has heard.
        pair.client.send("I have it");
        assert_eq!(pair.server.bytes(9), b"I have it");
        let progress = pair.server.ask(|cx| cx.write_progress());
        assert_eq!((progress.acked_bytes, progress.waiting_since), (Some(100_000), None));
    })
    .except(|kind| !kind.is_stack(), "it does not know what the peer has acknowledged")
}

/// Passes everything on: a stage in both directions does not change what a queue counts.
struct Writes;

impl DuplexHandler for Writes {
    type In = ByteBuf;
    type Out = ByteBuf;
    type WriteIn = Outgoing;
    type WriteOut = Outgoing;

    fn read(&mut self, cx: &mut DuplexContext<'_, Self>, msg: ByteBuf) -> Result<()> {
        cx.fire_read(msg);
        Ok(())
    }

    fn write(
        &mut self,
        cx: &mut DuplexContext<'_, Self>,
        msg: Outgoing,
        promise: Promise,
    ) -> Result<()> {
        cx.write_with(msg, promise);
        Ok(())
    }
}
