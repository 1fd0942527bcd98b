//! HTTP/1.1: keep-alive, pipelining, answers that are made elsewhere.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};

use fyke::prelude::*;
use fyke::{ChannelInit, IntoStages};
use fyke_codecs::http1::{
    self, HttpObjectAggregator, HttpServerHandler, Limits, Reply, Request, Response,
    ServiceContext, Status,
};

use super::{HANG, begin_shutdown, connect, delivered, listen, reached};

/// A server that sends bodies back and counts the requests that it has taken.
fn serve(taken: &Arc<AtomicU64>, ch: &mut ChannelInit<'_>) -> impl IntoStages + use<> {
    let taken = Arc::clone(taken);
    let answer = move |_: &mut ServiceContext<'_>, request: Request| -> Reply {
        taken.fetch_add(1, Ordering::SeqCst);
        let response = Response::new(Status::OK).body(request.body);
        if request.head.path() == "/elsewhere" {
            Reply::offload(|| response)
        } else {
            response.into()
        }
    };
    http1::server(ch.pipeline(), Limits::new())
        .inbound("aggregator", HttpObjectAggregator::new(1000))
        .inbound("app", HttpServerHandler::new(answer))
}

fn request(path: &str, number: u64) -> String {
    let body = format!("number {number}");
    format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// What became of an answer that is waited for.
#[derive(PartialEq, Eq, Debug)]
enum Answer {
    Whole {
        last: bool,
    },
    /// The connection ended before its first byte.
    None,
}

/// Reads one answer, which must be whole and the right one, or not there at all.
fn answer(socket: &mut BufReader<TcpStream>, number: u64) -> Answer {
    let (mut head, mut last, mut length) = (String::new(), false, 0);
    loop {
        let at = head.len();
        match socket.read_line(&mut head) {
            Ok(0) if head.is_empty() => return Answer::None,
            // Whoever writes to a connection that has ended is reset.
            Err(error) if head.is_empty() => {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
                return Answer::None;
            }
            Ok(1..) => {}
            other => panic!("an answer was cut: {head:?}, {other:?}"),
        }
        let field = head[at..].trim_end().to_ascii_lowercase();
        match field.split_once(": ") {
            Some(("content-length", value)) => length = value.parse().unwrap(),
            Some(("connection", value)) => last = value == "close",
            None if field.is_empty() => break,
            _ => {}
        }
    }
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let mut body = vec![0; length];
    socket.read_exact(&mut body).expect("an answer was cut");
    assert_eq!(String::from_utf8(body).unwrap(), format!("number {number}"));
    Answer::Whole { last }
}

/// What a client has seen of its connection.
#[derive(Default, Debug)]
struct Seen {
    answers: u64,
    /// Requests that were sent whole before the last answer came, behind which none was to come.
    declined: u64,
    /// The server has said which answer is the last.
    farewell: bool,
}

/// Asks on one connection until the server ends it: `ahead` requests at a time.
fn client(socket: TcpStream, path: &str, ahead: u64, answers: &AtomicU64) -> Seen {
    let mut socket = BufReader::new(socket);
    let mut seen = Seen::default();
    loop {
        let numbers = seen.answers..seen.answers + ahead;
        let requests: String = numbers.clone().map(|number| request(path, number)).collect();
        if socket.get_mut().write_all(requests.as_bytes()).is_err() {
            return seen;
        }
        for number in numbers.clone() {
            match answer(&mut socket, number) {
                Answer::None => return seen,
                Answer::Whole { last } => {
                    seen.answers += 1;
                    answers.fetch_add(1, Ordering::SeqCst);
                    if last {
                        seen.farewell = true;
                        seen.declined = numbers.end - seen.answers;
                        assert_eq!(answer(&mut socket, 0), Answer::None);
                        return seen;
                    }
                }
            }
        }
    }
}

/// Under load from clients that keep their connections: each request that the server has taken is
/// answered, whole.
fn under_load(path: &'static str, ahead: u64) {
    const CLIENTS: u64 = 12;
    let (taken, answers) = (Arc::new(AtomicU64::new(0)), AtomicU64::new(0));
    let group = EventLoopGroup::new(2).unwrap();
    let counter = Arc::clone(&taken);
    let (server, address) = listen(&group, move |ch| serve(&counter, ch));
    let sockets: Vec<_> = (0..CLIENTS).map(|_| connect(address)).collect();
    let (report, seen) = std::thread::scope(|scope| {
        let client = |socket| scope.spawn(|| client(socket, path, ahead, &answers));
        let clients: Vec<_> = sockets.into_iter().map(client).collect();
        reached(&answers, 50 * CLIENTS);
        let report = server.shutdown(HANG);
        let seen: Vec<Seen> = clients.into_iter().map(|client| client.join().unwrap()).collect();
        (report, seen)
    });
    assert_eq!(report.cut, 0);
    let answered: u64 = seen.iter().map(|seen| seen.answers).sum();
    assert_eq!(answered, taken.load(Ordering::SeqCst), "{seen:?}");
    // What was declined came behind an answer that said so.
    assert!(seen.iter().all(|seen| seen.declined == 0 || seen.farewell), "{seen:?}");
}

#[test]
fn keep_alive_connections_under_load() {
    under_load("/here", 1);
}

#[test]
fn pipelining_under_load() {
    under_load("/here", 8);
}

#[test]
fn answers_that_are_made_elsewhere() {
    under_load("/elsewhere", 1);
}

#[test]
fn pipelining_to_answers_that_are_made_elsewhere() {
    under_load("/elsewhere", 8);
}

/// Lets the loops of a group stand still until the answer is dropped.
fn stand_still(group: &EventLoopGroup) -> Vec<mpsc::Sender<()>> {
    let (told, standing) = mpsc::channel();
    let stop = |event_loop: &fyke::LoopHandle| {
        let (go_on, going) = mpsc::channel();
        let told = told.clone();
        let block = move |_: &mut fyke::LoopCore| {
            told.send(()).unwrap();
            // It goes on when the sender is gone.
            let _ = going.recv();
        };
        event_loop.execute(block).unwrap();
        standing.recv().unwrap();
        go_on
    };
    group.loops().iter().map(stop).collect()
}

const REQUESTS: u64 = 5;
/// Of some requests so much comes only when the server already ends.
const LATER_BYTES: usize = 7;

/// Sends requests to a server that stands still, on connections that it knows and on some that
/// nobody has accepted.
fn send_in_silence(
    mut known: Vec<BufReader<TcpStream>>,
    address: SocketAddr,
) -> Vec<BufReader<TcpStream>> {
    known.extend((0..4).map(|_| BufReader::new(connect(address))));
    for (at, socket) in known.iter_mut().enumerate() {
        let path = if at % 2 == 0 { "/here" } else { "/elsewhere" };
        let requests: String = (0..REQUESTS).map(|number| request(path, number)).collect();
        let later = if at % 4 == 0 { LATER_BYTES } else { 0 };
        socket.get_mut().write_all(&requests.as_bytes()[..requests.len() - later]).unwrap();
        delivered(socket.get_ref());
    }
    known
}

fn all_are_answered(sockets: Vec<BufReader<TcpStream>>) {
    for (at, mut socket) in sockets.into_iter().enumerate() {
        for number in 0..REQUESTS {
            if number == REQUESTS - 1 && at % 4 == 0 {
                let rest = request("/here", number);
                let rest = &rest.as_bytes()[rest.len() - LATER_BYTES..];
                socket.get_mut().write_all(rest).unwrap();
            }
            let Answer::Whole { last } = answer(&mut socket, number) else {
                panic!("client {at} got no answer {number}");
            };
            assert!(!last || number == REQUESTS - 1, "client {at}");
        }
        assert_eq!(answer(&mut socket, 0), Answer::None);
    }
}

/// Connections that have been used.
fn known(address: SocketAddr) -> Vec<BufReader<TcpStream>> {
    let ask = |_| {
        let mut socket = BufReader::new(connect(address));
        socket.get_mut().write_all(request("/here", 0).as_bytes()).unwrap();
        assert_eq!(answer(&mut socket, 0), Answer::Whole { last: false });
        socket
    };
    (0..4).map(ask).collect()
}

/// The loop stands still while requests come; the first thing that it finds then is the order to end.
#[test]
fn what_had_come_when_the_shutdown_began_is_answered() {
    let taken = Arc::new(AtomicU64::new(0));
    let group = EventLoopGroup::new(1).unwrap();
    let counter = Arc::clone(&taken);
    let (_server, address) = listen(&group, move |ch| serve(&counter, ch));
    let known = known(address);
    let still = stand_still(&group);
    let sockets = send_in_silence(known, address);
    let report = begin_shutdown(&group);
    drop(still);
    all_are_answered(sockets);
    assert_eq!(report.recv().unwrap().cut, 0);
    assert_eq!(taken.load(Ordering::SeqCst), 4 + 8 * REQUESTS);
}

/// With several loops, who is accepted at the last moment still comes to the loop that serves him.
#[test]
fn whom_one_loop_accepts_at_the_end_another_one_serves() {
    let taken = Arc::new(AtomicU64::new(0));
    let group = EventLoopGroup::new(3).unwrap();
    let counter = Arc::clone(&taken);
    let (server, address) = listen(&group, move |ch| serve(&counter, ch));
    let still = stand_still(&group);
    let sockets = send_in_silence(Vec::new(), address);
    std::thread::scope(|scope| {
        let ending = scope.spawn(|| server.shutdown(HANG));
        drop(still);
        all_are_answered(sockets);
        assert_eq!(ending.join().unwrap().cut, 0);
    });
    assert_eq!(taken.load(Ordering::SeqCst), 4 * REQUESTS);
}
