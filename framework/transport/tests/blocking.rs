//! The blocking transport: a thread a connection, against plain blocking sockets.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "a test")]

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Barrier};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fyke_buffer::ByteBuf;
use fyke_core::event_loop::{Adopt, ChannelSpec, ShutdownReport};
use fyke_core::{
    Address, Channel, ChannelOptions, CloseReason, Context, Error, Event, EventFilter, EventLoop,
    InboundHandler, LoopHandle, LoopOptions, Never, Outgoing, PeerClosed, Result, SocketOptions,
};
use fyke_poller::SystemClock;
use fyke_transport::blocking::{Blocking, BlockingDriver, BlockingListener};
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

/// A guard against a test that hangs.
const HANG: Duration = Duration::from_secs(30);

#[derive(PartialEq, Eq, Debug)]
enum Log {
    Bytes(Vec<u8>),
    ReadClosed,
    PeerClosed,
    Error(std::io::ErrorKind),
    Inactive,
}

/// What a test's handler does besides writing down what it hears.
#[derive(Clone, Copy, Default)]
struct Does {
    echo: bool,
    /// Writes a byte at each of so many timers.
    timers: u64,
}

struct Handler {
    log: Sender<Log>,
    does: Does,
    begun: Sender<Channel>,
}

impl InboundHandler for Handler {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        for n in 0..self.does.timers {
            cx.schedule(Duration::from_millis(3 * n), n);
        }
        self.begun.send(cx.channel()).map_err(|_| Error::handler("nobody waits"))
    }

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
        if self.does.echo {
            cx.write(msg.into());
        } else {
            // A test that is over reads no log.
            let _ = self.log.send(Log::Bytes(msg.to_vec()));
        }
        Ok(())
    }

    fn timer(&mut self, cx: &mut Context<'_, Self>, tag: u64) -> Result<()> {
        cx.write(vec![tag as u8].into());
        Ok(())
    }

    fn read_closed(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        let _ = self.log.send(Log::ReadClosed);
        cx.fire_read_closed();
        Ok(())
    }

    fn events(&self) -> EventFilter {
        EventFilter::of::<PeerClosed>()
    }

    fn event(&mut self, _: &mut Context<'_, Self>, _: Event) -> Result<()> {
        let _ = self.log.send(Log::PeerClosed);
        Ok(())
    }

    fn error(&mut self, cx: &mut Context<'_, Self>, error: Error) -> Result<()> {
        if let fyke_core::ErrorKind::Io(io) = error.kind() {
            let _ = self.log.send(Log::Error(io.kind()));
        }
        cx.fire_error(error);
        Ok(())
    }

    fn inactive(&mut self, _: &mut Context<'_, Self>) -> Result<()> {
        let _ = self.log.send(Log::Inactive);
        Ok(())
    }
}

/// A connection with its thread, and the plain socket at its other end.
struct Served {
    client: TcpStream,
    channel: Channel,
    log: Receiver<Log>,
    event_loop: LoopHandle,
    thread: JoinHandle<()>,
}

fn spec(does: Does, options: ChannelOptions) -> (ChannelSpec, Receiver<Channel>, Receiver<Log>) {
    let ((log, entries), (begun, channels)) = (mpsc::channel(), mpsc::channel());
    let spec = ChannelSpec::new(options, move |channel| {
        let handler = Handler { log: log.clone(), does, begun: begun.clone() };
        channel.pipeline().inbound("handler", handler)
    });
    (spec, channels, entries)
}

type Loop = EventLoop<BlockingDriver, SystemClock>;

/// Runs a loop on a thread of its own until its channel has ended.
fn start(begin: impl FnOnce(&mut Loop) + Send + 'static) -> (LoopHandle, JoinHandle<()>) {
    let (sender, receiver) = mpsc::channel();
    let thread = thread::spawn(move || {
        let options = LoopOptions::new(0, 1);
        let mut event_loop = EventLoop::new(BlockingDriver::new(), SystemClock::new(), options);
        begin(&mut event_loop);
        sender.send(event_loop.handle()).unwrap();
        while !event_loop.has_ended() && event_loop.handle().channels() > 0 {
            event_loop.turn(None).unwrap();
        }
    });
    (receiver.recv_timeout(HANG).unwrap(), thread)
}

fn serve(does: Does, options: ChannelOptions) -> Served {
    let listener =
        BlockingListener::bind(&Address::Inet(loopback()), &SocketOptions::new()).unwrap();
    let client = TcpStream::connect(listener.local_address().as_inet().unwrap()).unwrap();
    client.set_read_timeout(Some(HANG)).unwrap();
    let (spec, channels, log) = spec(does, options);
    let (incoming, peer) = listener.accept().unwrap().unwrap();
    let (event_loop, thread) = start(move |event_loop| {
        let transport = event_loop.transport(&Blocking::tcp).unwrap();
        event_loop.core().adopt(Adopt { transport, incoming, peer, spec }).unwrap();
    });
    let channel = channels.recv_timeout(HANG).unwrap();
    Served { client, channel, log, event_loop, thread }
}

fn loopback() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

fn pattern(n: usize) -> Vec<u8> {
    (0..n as u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

const ECHO: Does = Does { echo: true, timers: 0 };
const LISTEN: Does = Does { echo: false, timers: 0 };

#[test]
fn a_mebibyte_comes_back() {
    let mut served = serve(ECHO, ChannelOptions::new());
    let data = pattern(1 << 20);
    let mut writing = served.client.try_clone().unwrap();
    let sent = data.clone();
    let writer =
        thread::spawn(move || sent.chunks(777).for_each(|c| writing.write_all(c).unwrap()));
    let mut back = vec![0; data.len()];
    served.client.read_exact(&mut back).unwrap();
    assert!(back == data, "other bytes came back");
    writer.join().unwrap();
    drop(served.client);
    served.thread.join().unwrap();
}

#[test]
fn after_the_clients_end_the_rest_comes_and_then_ours() {
    let mut served = serve(ECHO, ChannelOptions::new());
    let data = pattern(100_000);
    let mut writing = served.client.try_clone().unwrap();
    let sent = data.clone();
    thread::spawn(move || {
        writing.write_all(&sent).unwrap();
        writing.shutdown(Shutdown::Write).unwrap();
    });
    let mut back = Vec::new();
    served.client.read_to_end(&mut back).unwrap();
    assert!(back == data, "other bytes came back");
    assert_eq!(served.channel.wait_closed(), CloseReason::PeerEnd);
    let log: Vec<_> = served.log.iter().collect();
    assert_eq!(log, [Log::ReadClosed, Log::Inactive]);
    served.thread.join().unwrap();
}

#[test]
fn a_reset_ends_a_read_that_blocks() {
    let served = serve(LISTEN, ChannelOptions::new());
    SockRef::from(&served.client).set_linger(Some(Duration::ZERO)).unwrap();
    drop(served.client);
    assert_eq!(served.channel.wait_closed(), CloseReason::PeerReset);
    let log: Vec<_> = served.log.iter().collect();
    assert_eq!(log, [Log::Error(std::io::ErrorKind::ConnectionReset), Log::Inactive]);
    served.thread.join().unwrap();
}

#[test]
fn another_thread_writes_while_the_peer_is_silent() {
    let mut served = serve(LISTEN, ChannelOptions::new());
    let sender = served.channel.sender::<Outgoing>().unwrap();
    for n in 0..10_u8 {
        sender.send(vec![n].into()).unwrap();
        let mut byte = [0];
        // It comes though the peer sends nothing meanwhile.
        served.client.read_exact(&mut byte).unwrap();
        assert_eq!(byte, [n]);
    }
    served.channel.close();
    assert_eq!(served.client.read(&mut [0]).unwrap(), 0);
    drop(served.client);
    served.thread.join().unwrap();
}

#[test]
fn timers_expire_while_the_thread_blocks() {
    let mut served = serve(Does { echo: false, timers: 12 }, ChannelOptions::new());
    let mut ticks = [0; 12];
    served.client.read_exact(&mut ticks).unwrap();
    assert_eq!(ticks, std::array::from_fn(|n| n as u8));
    drop(served.client);
    served.thread.join().unwrap();
}

#[test]
fn a_slow_reader_loses_nothing() {
    let mut served = serve(LISTEN, narrow(ChannelOptions::new()));
    let data = pattern(3 << 20);
    let sent = served.channel.sender::<Outgoing>().unwrap();
    let sent = sent.send_with_promise(data.clone().into()).unwrap();
    served.channel.close();
    let (mut back, mut some) = (Vec::new(), [0; 1500]);
    loop {
        match served.client.read(&mut some).unwrap() {
            0 => break,
            n => back.extend_from_slice(&some[..n]),
        }
    }
    assert!(back == data, "other bytes came");
    sent.wait().unwrap();
    drop(served.client);
    served.thread.join().unwrap();
}

fn narrow(options: ChannelOptions) -> ChannelOptions {
    // A segment of the loopback interface is 64 KiB: with less room than two of them a reader's
    // window stays closed until the sender asks, which takes a timer each time.
    let socket = SocketOptions::new().send_buffer_bytes(Some(64 * 1024));
    options.socket(socket.recv_buffer_bytes(Some(256 * 1024)))
}

/// Two threads that both blocked in `send` would not read each other.
#[test]
fn two_blocking_ends_send_to_each_other_at_once() {
    let listener =
        BlockingListener::bind(&Address::Inet(loopback()), &narrow(ChannelOptions::new()).socket)
            .unwrap();
    let options = narrow(ChannelOptions::new().pause_when_unwritable(false));
    let address = listener.local_address().clone();
    let (client, client_channels, client_log) = spec(LISTEN, options.clone());
    let (sender, connected) = mpsc::channel();
    let (_, client_thread) = start(move |event_loop| {
        let transport = event_loop.transport(&Blocking::tcp).unwrap();
        event_loop.core().connect(transport, &address, &client, move |result| {
            sender.send(result.map(drop)).unwrap();
        });
    });
    let (incoming, peer) = listener.accept().unwrap().unwrap();
    let (server, server_channels, server_log) = spec(LISTEN, options);
    let (_, server_thread) = start(move |event_loop| {
        let transport = event_loop.transport(&Blocking::tcp).unwrap();
        event_loop.core().adopt(Adopt { transport, incoming, peer, spec: server }).unwrap();
    });
    connected.recv_timeout(HANG).unwrap().unwrap();
    let data = pattern(4 << 20);
    let ends = [(client_channels, client_log), (server_channels, server_log)];
    let barrier = Arc::new(Barrier::new(2));
    let scripts = ends.map(|(channels, log)| {
        let (data, barrier) = (data.clone(), Arc::clone(&barrier));
        thread::spawn(move || {
            let channel = channels.recv_timeout(HANG).unwrap();
            channel.sender::<Outgoing>().unwrap().send(data.clone().into()).unwrap();
            let mut got = Vec::new();
            while got.len() < data.len() {
                match log.recv_timeout(HANG).unwrap() {
                    Log::Bytes(bytes) => got.extend(bytes),
                    other => panic!("{other:?} after {} bytes", got.len()),
                }
            }
            assert!(got == data, "other bytes came");
            barrier.wait();
            channel.close();
        })
    });
    scripts.into_iter().for_each(|script| script.join().unwrap());
    client_thread.join().unwrap();
    server_thread.join().unwrap();
}

#[test]
fn a_paused_channel_hears_that_its_peer_has_closed_and_reads_the_rest_later() {
    let mut served = serve(LISTEN, ChannelOptions::new().auto_read(false));
    served.client.write_all(b"unread").unwrap();
    served.client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(served.log.recv_timeout(HANG), Ok(Log::PeerClosed));
    served.channel.set_auto_read(true).unwrap();
    let log: Vec<_> = served.log.iter().collect();
    assert_eq!(log, [Log::Bytes(b"unread".to_vec()), Log::ReadClosed, Log::Inactive]);
    served.thread.join().unwrap();
}

#[test]
fn a_paused_channel_is_reset() {
    let served = serve(LISTEN, ChannelOptions::new().auto_read(false));
    SockRef::from(&served.client).set_linger(Some(Duration::ZERO)).unwrap();
    drop(served.client);
    assert_eq!(served.channel.wait_closed(), CloseReason::PeerReset);
    served.thread.join().unwrap();
}

#[test]
fn a_shutdown_unblocks_a_thread_whose_peer_is_silent() {
    let mut served = serve(LISTEN, ChannelOptions::new());
    let (sender, report) = mpsc::channel();
    served
        .event_loop
        .execute(move |core| core.shutdown(HANG, move |report| sender.send(report).unwrap()))
        .unwrap();
    assert_eq!(served.client.read(&mut [0]).unwrap(), 0);
    drop(served.client);
    let report = report.recv_timeout(HANG).unwrap();
    assert_eq!(report, ShutdownReport { channels: 1, cut: 0 });
    assert_eq!(served.channel.wait_closed(), CloseReason::Shutdown);
    served.thread.join().unwrap();
}

/// The path of a Unix socket: whoever connects there stands in the queue when `connect` returns.
fn queue_path() -> std::path::PathBuf {
    std::env::temp_dir().join(format!("fyke-queue-{}.sock", std::process::id()))
}

#[test]
fn who_stands_in_the_queue_is_let_in_when_the_listener_closes() {
    let path = queue_path();
    let listener =
        BlockingListener::bind(&Address::unix(path.clone()), &SocketOptions::new()).unwrap();
    let mut clients: Vec<_> = (0..3).map(|_| UnixStream::connect(&path).unwrap()).collect();
    listener.close();
    for client in &mut clients {
        let (incoming, _) = listener.accept().unwrap().expect("it had connected before");
        drop(incoming);
        assert_eq!(client.read(&mut [0]).unwrap(), 0, "it was let in and let go");
    }
    assert!(listener.accept().unwrap().is_none());
    assert!(!path.exists(), "nobody can come any more");
    assert!(listener.accept().unwrap().is_none());
}

#[test]
fn closing_the_listener_unblocks_accept() {
    let listener =
        BlockingListener::bind(&Address::Inet(loopback()), &SocketOptions::new()).unwrap();
    let listener = Arc::new(listener);
    let accepting = Arc::clone(&listener);
    let (sender, accepted) = mpsc::channel();
    thread::spawn(move || {
        while accepting.accept().unwrap().is_some() {
            sender.send(()).unwrap();
        }
    });
    let address = listener.local_address().as_inet().unwrap();
    let _client = TcpStream::connect(address).unwrap();
    // It has accepted one, so it blocks for the next, or will find the listener closed.
    accepted.recv_timeout(HANG).unwrap();
    listener.close();
    assert_eq!(accepted.recv_timeout(HANG), Err(mpsc::RecvTimeoutError::Disconnected));
    assert!(TcpStream::connect(address).is_err());
    listener.close();
}

/// A connect with this time-out to one who accepts nobody, and whose queue is full.
fn connect_in_vain(address: Address) -> Error {
    let options = ChannelOptions::new().connect_timeout(Duration::from_millis(20));
    let (spec, ..) = spec(LISTEN, options);
    let (sender, answers) = mpsc::channel();
    let (_, thread) = start(move |event_loop| {
        let transport = event_loop.transport(&Blocking::tcp).unwrap();
        let told = move |result: Result<Channel>| sender.send(result.map(drop)).unwrap();
        event_loop.core().connect(transport, &address, &spec, told);
    });
    // Without the option it would take as long as the guard does, or for ever.
    let error = answers.recv_timeout(HANG / 2).unwrap().unwrap_err();
    thread.join().unwrap();
    error
}

#[test]
fn a_connect_that_blocks_keeps_its_time() {
    let full = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    full.bind(&loopback().into()).unwrap();
    full.listen(0).unwrap();
    let address = full.local_addr().unwrap().as_socket().unwrap();
    let _first = TcpStream::connect(address).unwrap();
    let error = connect_in_vain(Address::Inet(address));
    assert!(error.is_timeout(), "{error}");

    let directory = std::env::temp_dir().join(format!("fyke-blocking-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("full");
    let full = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    full.bind(&SockAddr::unix(&path).unwrap()).unwrap();
    full.listen(0).unwrap();
    let _first = UnixStream::connect(&path).unwrap();
    let error = connect_in_vain(Address::unix(path));
    std::fs::remove_dir_all(&directory).unwrap();
    assert!(error.is_timeout(), "{error}");
}

#[test]
fn what_a_thread_a_connection_cannot_do_is_an_error() {
    let (spec, ..) = spec(LISTEN, ChannelOptions::new());
    let (sender, answers) = mpsc::channel();
    let (_, thread) = start(move |event_loop| {
        let transport = event_loop.transport(&Blocking::tcp).unwrap();
        let address = Address::Inet(loopback());
        let datagram = event_loop.core().datagram(transport, Some(&address), None, &spec);
        sender.send(datagram.map(drop).unwrap_err().to_string()).unwrap();
    });
    assert!(answers.recv_timeout(HANG).unwrap().contains("no datagrams"));
    thread.join().unwrap();
}
