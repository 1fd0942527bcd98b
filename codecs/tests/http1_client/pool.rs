//! The pool, over connections in memory.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use fyke::{Bootstrap, ByteBuf, EventLoopGroup, Local, LocalNetwork, Server, ServerBootstrap};
use fyke_codecs::http1::client::{
    CallError, CallLimits, ClientLimits, ClientRequest, ClientResponse, HttpPool, Origin,
    PoolLimits, pooled_client,
};
use fyke_codecs::http1::{
    HttpObjectAggregator, HttpServerHandler, Limits, Method, Request, Response, Status, server,
};
use fyke_core::{Address, InboundHandler, Never, Outgoing};

/// Blocks this thread on a future.
fn block_on<F: Future>(future: F) -> F::Output {
    #[derive(Default)]
    struct Parker(Mutex<bool>, Condvar);
    impl Wake for Parker {
        fn wake(self: Arc<Self>) {
            *self.0.lock().unwrap() = true;
            self.1.notify_one();
        }
    }
    let parker = Arc::new(Parker::default());
    let waker = Waker::from(Arc::clone(&parker));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        let mut woken = parker.0.lock().unwrap();
        while !*woken {
            woken = parker.1.wait(woken).unwrap();
        }
        *woken = false;
    }
}

struct World {
    pool: HttpPool,
    origin: Origin,
    connects: Arc<AtomicUsize>,
    _server: Server,
}

impl World {
    fn new(limits: PoolLimits, calls: CallLimits) -> Self {
        let network = LocalNetwork::new();
        let group = EventLoopGroup::new(1).unwrap();
        let server = ServerBootstrap::new(group.clone())
            .transport(Local::on(&network))
            .child(|ch| {
                server(ch.pipeline(), Limits::new())
                    .inbound("aggregator", HttpObjectAggregator::new(1000))
                    .inbound("app", HttpServerHandler::new(|_, request: Request| answer(&request)))
            })
            .bind(Address::local("a:80"))
            .unwrap();
        let bootstrap = Bootstrap::new(group)
            .transport(Local::on(&network))
            .handler(move |ch| pooled_client(ch.pipeline(), ClientLimits::new(), calls, 1000));
        let connects = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connects);
        let pool = HttpPool::new(limits, move |origin: &Origin| {
            count.fetch_add(1, Ordering::Relaxed);
            bootstrap.connect(Address::local(&origin.to_string()))
        });
        let origin = Origin::new("a", 80).unwrap();
        Self { pool, origin, connects, _server: server }
    }

    fn get(&self, target: &str) -> Result<ClientResponse, CallError> {
        let request = ClientRequest::new(Method::Get, "a", target);
        block_on(self.pool.call(&self.origin, request))
    }

    fn connects(&self) -> usize {
        self.connects.load(Ordering::Relaxed)
    }
}

fn answer(request: &Request) -> Response {
    let response = Response::new(Status::OK);
    match request.head.path() {
        "/last" => response.close(),
        path => response.body(path.to_owned()),
    }
}

#[test]
fn a_connection_serves_one_call_after_the_other() {
    let world = World::new(PoolLimits::new(), CallLimits::new());
    for target in ["/1", "/2", "/3"] {
        assert_eq!(world.get(target).unwrap().body.as_slice(), target.as_bytes());
    }
    assert_eq!((world.connects(), world.pool.connections()), (1, (1, 1)));
    // One that the server closes is not kept.
    assert!(world.get("/last").is_ok());
    assert_eq!(world.pool.connections(), (0, 0));
    assert!(world.get("/4").is_ok());
    assert_eq!(world.connects(), 2);
}

#[test]
fn more_callers_than_connections_take_turns() {
    let world = Arc::new(World::new(PoolLimits::new().per_origin_max(2), CallLimits::new()));
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            let world = Arc::clone(&world);
            std::thread::spawn(move || {
                for n in 0..20 {
                    let target = format!("/{thread}/{n}");
                    assert_eq!(world.get(&target).unwrap().body.as_slice(), target.as_bytes());
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(world.connects() <= 2, "{}", world.connects());
    let (connections, idle) = world.pool.connections();
    assert_eq!(connections, idle);
}

#[test]
fn who_cannot_wait_is_refused_and_who_gives_up_leaves_no_trace() {
    let limits = PoolLimits::new().per_origin_max(1).waiting_max(1);
    let world = World::new(limits, CallLimits::new());
    let mut cx = Context::from_waker(Waker::noop());
    let request = || ClientRequest::new(Method::Get, "a", "/");
    let mut first = Box::pin(world.pool.call(&world.origin, request()));
    assert!(first.as_mut().poll(&mut cx).is_pending());
    let mut second = Box::pin(world.pool.call(&world.origin, request()));
    assert!(second.as_mut().poll(&mut cx).is_pending());
    let mut third = Box::pin(world.pool.call(&world.origin, request()));
    let refused = third.as_mut().poll(&mut cx);
    assert!(matches!(refused, Poll::Ready(Err(CallError::QueueFull))), "{refused:?}");
    drop(second);
    assert!(block_on(first).is_ok());
    assert_eq!(world.pool.connections(), (1, 1));
    // A call dropped half-way costs its connection, and the next one has room again.
    let mut dropped = Box::pin(world.pool.call(&world.origin, request()));
    assert!(dropped.as_mut().poll(&mut cx).is_pending());
    drop(dropped);
    assert_eq!(world.pool.connections(), (0, 0));
    assert!(world.get("/").is_ok());
}

#[test]
fn a_connect_that_fails_gives_its_room_back() {
    let world = World::new(PoolLimits::new().connections_max(1), CallLimits::new());
    let nowhere = Origin::new("nowhere", 80).unwrap();
    for _ in 0..3 {
        let request = ClientRequest::new(Method::Get, "nowhere", "/");
        let outcome = block_on(world.pool.call(&nowhere, request));
        assert!(matches!(outcome, Err(CallError::Failed(_))), "{outcome:?}");
    }
    assert!(world.get("/").is_ok());
    assert_eq!(world.pool.connections(), (1, 1));
}

/// Answers the first request of each connection, and hangs up at the second without a word.
struct Once(bool, bool);

impl InboundHandler for Once {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn read(&mut self, cx: &mut fyke_core::Context<'_, Self>, _: ByteBuf) -> fyke_core::Result<()> {
        if self.0 && self.1 {
            cx.abort();
        } else if self.0 {
            cx.close();
        } else {
            self.0 = true;
            cx.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi".into());
        }
        Ok(())
    }
}

/// RFC 9112 section 9.3.1, RFC 9110 section 9.2.2.
#[test]
fn only_what_may_be_repeated_is_sent_again_when_a_kept_connection_is_dead() {
    for with_reset in [false, true] {
        repeats(with_reset);
    }
}

fn repeats(with_reset: bool) {
    let network = LocalNetwork::new();
    let group = EventLoopGroup::new(1).unwrap();
    let _server = ServerBootstrap::new(group.clone())
        .transport(Local::on(&network))
        .child(move |ch| ch.pipeline().inbound("once", Once(false, with_reset)))
        .bind(Address::local("a:80"))
        .unwrap();
    let bootstrap = Bootstrap::new(group)
        .transport(Local::on(&network))
        .handler(|ch| pooled_client(ch.pipeline(), ClientLimits::new(), CallLimits::new(), 1000));
    let pool = HttpPool::new(PoolLimits::new(), move |origin: &Origin| {
        bootstrap.connect(Address::local(&origin.to_string()))
    });
    let origin = Origin::new("a", 80).unwrap();
    let call = |request| block_on(pool.call(&origin, request));
    for _ in 0..3 {
        let response = call(ClientRequest::new(Method::Get, "a", "/")).unwrap();
        assert_eq!(response.body.as_slice(), b"hi");
    }
    let outcome = call(ClientRequest::new(Method::Post, "a", "/").body("once only"));
    assert!(outcome.as_ref().is_err_and(CallError::is_disconnect), "{outcome:?}");
    assert_eq!(pool.connections(), (0, 0));
}
