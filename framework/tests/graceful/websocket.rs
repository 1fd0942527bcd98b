//! WebSocket: each message that was taken is answered, and the farewell is a close frame, 1001.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fyke::prelude::*;
use fyke::{ChannelInit, IntoStages};
use fyke_codecs::http1::{
    self, HttpObjectAggregator, HttpServerHandler, Limits, Request, Response, ServiceContext,
    Status,
};
use fyke_codecs::websocket::{
    Message, WebSocketServerProtocolConfig, WebSocketServerProtocolHandler,
};

use super::{HANG, connect, listen, reached};

const HANDSHAKE: &str = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
const GOING_AWAY: u16 = 1001;

/// Sends texts back and counts them.
struct Echo(Arc<AtomicU64>);

impl InboundHandler for Echo {
    type In = Message;
    type Out = Never;
    type Write = Message;

    fn read(&mut self, cx: &mut Context<'_, Self>, message: Message) -> Result<()> {
        if matches!(message, Message::Text(_)) {
            self.0.fetch_add(1, Ordering::SeqCst);
            cx.write(message);
        }
        Ok(())
    }
}

fn serve(taken: &Arc<AtomicU64>, ch: &mut ChannelInit<'_>) -> impl IntoStages + use<> {
    let taken = Arc::clone(taken);
    let upgrade = WebSocketServerProtocolHandler::inbound(
        &WebSocketServerProtocolConfig::any_path(),
        move |_| Echo(Arc::clone(&taken)),
    );
    let refuse = |_: &mut ServiceContext<'_>, _: Request| Response::new(Status::NOT_FOUND);
    http1::server(ch.pipeline(), Limits::new())
        .duplex("ws-upgrade", upgrade)
        .inbound("aggregator", HttpObjectAggregator::new(1000))
        .inbound("app", HttpServerHandler::new(refuse))
}

/// A short frame of a client; the mask is zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let head = [first, 0x80 | u8::try_from(payload.len()).unwrap(), 0, 0, 0, 0];
    [&head, payload].concat()
}

/// The next frame: a short one, whole.
fn read_frame(socket: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut head = [0; 2];
    socket.read_exact(&mut head).expect("a close frame comes before the end");
    let mut payload = vec![0; usize::from(head[1])];
    socket.read_exact(&mut payload).expect("a frame was cut");
    (head[0], payload)
}

/// A connection behind its handshake.
fn open(address: SocketAddr) -> TcpStream {
    let mut socket = connect(address);
    socket.write_all(HANDSHAKE.as_bytes()).unwrap();
    let mut response = Vec::new();
    while !response.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        response.push(byte[0]);
    }
    assert!(response.starts_with(b"HTTP/1.1 101 "));
    socket
}

/// Says numbers, `ahead` at a time, until the server says goodbye. Answers how many came back.
fn client(mut socket: TcpStream, ahead: u64, echoes: &AtomicU64) -> u64 {
    let mut back = 0;
    loop {
        let frames: Vec<u8> = (back..back + ahead)
            .flat_map(|number| frame(TEXT, format!("number {number}").as_bytes()))
            .collect();
        // Its end may have come already: what it has sent is read all the same.
        let _ = socket.write_all(&frames);
        for _ in 0..ahead {
            let (first, payload) = read_frame(&mut socket);
            if first == CLOSE {
                assert_eq!(u16::from_be_bytes([payload[0], payload[1]]), GOING_AWAY);
                let _ = socket.write_all(&frame(CLOSE, &payload[..2]));
                assert_eq!(socket.read(&mut [0]).unwrap_or(0), 0, "nothing comes behind it");
                return back;
            }
            assert_eq!(first, TEXT);
            assert_eq!(payload, format!("number {back}").as_bytes());
            back += 1;
            echoes.fetch_add(1, Ordering::SeqCst);
        }
    }
}

fn under_load(ahead: u64) {
    const CLIENTS: u64 = 12;
    let (taken, echoes) = (Arc::new(AtomicU64::new(0)), AtomicU64::new(0));
    let group = EventLoopGroup::new(2).unwrap();
    let counter = Arc::clone(&taken);
    let (server, address) = listen(&group, move |ch| serve(&counter, ch));
    let sockets: Vec<_> = (0..CLIENTS).map(|_| open(address)).collect();
    let (report, back) = std::thread::scope(|scope| {
        let client = |socket| scope.spawn(|| client(socket, ahead, &echoes));
        let clients: Vec<_> = sockets.into_iter().map(client).collect();
        reached(&echoes, 50 * CLIENTS);
        let report = server.shutdown(HANG);
        (report, clients.into_iter().map(|client| client.join().unwrap()).sum::<u64>())
    });
    assert_eq!(report.cut, 0);
    assert_eq!(back, taken.load(Ordering::SeqCst));
}

#[test]
fn one_message_after_the_other() {
    under_load(1);
}

#[test]
fn many_messages_at_once() {
    under_load(20);
}
