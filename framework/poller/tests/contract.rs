//! Every backend keeps the same promises (listed in `backend/mod.rs`).
//!
//! Each case is a function of a backend; a failing one names the backend. No case sleeps: time passes
//! inside `wait`.

use fyke_poller::{Backend, Event, Events, Interest, Poller, Trigger, raise_descriptor_limit};
use socket2::{Domain, SockRef, Socket, Type};
use std::collections::HashSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// More than any case needs; a wait that gets there has failed.
const LONG: Duration = Duration::from_secs(120);
/// Long enough for every backend to have reported what is already there.
const SHORT: Duration = Duration::from_millis(1);

/// One case at a time, because they count descriptors and need low and high numbers of them.
static ALONE: Mutex<()> = Mutex::new(());

/// Runs a case on every backend of this build.
macro_rules! cases {
    ($($(#[$doc:meta])* fn $name:ident($case:ident: Case) $body:block)*) => {$(
        $(#[$doc])*
        #[test]
        fn $name() {
            fn case(mut $case: Case) $body
            let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
            for backend in Backend::ALL.into_iter().filter(|backend| backend.is_supported()) {
                println!("backend: {backend}");
                case(Case::new(backend));
            }
        }
    )*};
}

/// A poller and what a test needs around it.
struct Case {
    poller: Poller,
    events: Events,
}

impl Case {
    fn new(backend: Backend) -> Case {
        let poller = Poller::new(backend).unwrap();
        assert_eq!(poller.backend(), backend);
        Case { poller, events: Events::new() }
    }

    fn is_level(&self) -> bool {
        self.poller.trigger() == Trigger::Level
    }

    fn register(&mut self, fd: &impl AsFd, token: u64, interest: Interest) {
        self.poller.register(fd.as_fd(), token, interest).unwrap();
    }

    fn reregister(&mut self, fd: &impl AsFd, token: u64, interest: Interest) {
        self.poller.reregister(fd.as_fd(), token, interest).unwrap();
    }

    fn deregister(&mut self, fd: &impl AsFd) {
        self.poller.deregister(fd.as_fd()).unwrap();
    }

    /// What one wait of at most `timeout` finds.
    fn wait(&mut self, timeout: Duration) -> Vec<Event> {
        self.poller.wait(&mut self.events, Some(timeout)).unwrap();
        self.events.iter().copied().collect()
    }

    /// The only event, which must come.
    fn one(&mut self) -> Event {
        let start = Instant::now();
        loop {
            let found = self.wait(LONG);
            match found[..] {
                [event] => return event,
                // A backend may return early with nothing; not for ever.
                [] => assert!(start.elapsed() < LONG, "nothing was reported"),
                _ => panic!("more than one event: {found:?}"),
            }
        }
    }

    /// Waits until an event satisfies `wanted`, for what a network brings in several steps.
    fn until(&mut self, wanted: impl Fn(&Event) -> bool) -> Event {
        let start = Instant::now();
        loop {
            if let Some(event) = self.wait(LONG).into_iter().find(&wanted) {
                return event;
            }
            assert!(start.elapsed() < LONG, "the event did not come");
        }
    }

    fn none(&mut self) {
        let found = self.wait(SHORT);
        assert_eq!(found, [], "nothing should be reported");
    }

    /// Nothing is left over that would end a wait early.
    fn time_passes(&mut self) {
        let start = Instant::now();
        self.none();
        assert!(start.elapsed() >= SHORT, "something ended the wait");
    }
}

fn pair() -> (UnixStream, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    theirs.set_nonblocking(true).unwrap();
    (ours, theirs)
}

fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (theirs, _) = listener.accept().unwrap();
    ours.set_nonblocking(true).unwrap();
    (ours, theirs)
}

/// Writes until there is no more room.
fn fill(mut stream: &UnixStream) -> usize {
    let mut total = 0;
    loop {
        match stream.write(&[7; 4096]) {
            Ok(count) => total += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return total,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Reads until there is nothing more.
fn drain(mut stream: impl Read) -> usize {
    let mut total = 0;
    let mut chunk = [0; 65536];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return total,
            Ok(count) => total += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return total,
            Err(error) => panic!("{error}"),
        }
    }
}

cases! {
    fn what_can_be_read_is_reported(case: Case) {
        let (ours, mut theirs) = pair();
        case.register(&ours, 5, Interest::READ);
        case.none();
        theirs.write_all(b"x").unwrap();
        let event = case.one();
        assert_eq!(event.token, 5);
        assert!(event.readable && !event.writable && !event.read_closed);
        assert!(!event.hangup && !event.error);
    }

    fn room_to_write_is_reported(case: Case) {
        let (ours, theirs) = pair();
        fill(&ours);
        case.register(&ours, 6, Interest::WRITE);
        case.none();
        drain(&theirs);
        let event = case.one();
        assert_eq!(event.token, 6);
        assert!(event.writable && !event.readable);
    }

    /// Level: again and again until it is read. Edge: once, and again when more has come.
    fn readiness_is_repeated_as_the_trigger_says(case: Case) {
        let (ours, mut theirs) = pair();
        case.register(&ours, 1, Interest::READ);
        theirs.write_all(b"unread").unwrap();
        assert!(case.one().readable);
        for _ in 0..3 {
            if case.is_level() {
                assert!(case.one().readable);
            } else {
                case.none();
            }
        }
        theirs.write_all(b"more").unwrap();
        assert!(case.one().readable);
        assert_eq!(drain(&ours), 10);
        case.none();
    }

    fn both_directions_come_in_one_event(case: Case) {
        let (ours, mut theirs) = pair();
        theirs.write_all(b"x").unwrap();
        case.register(&ours, 9, Interest::READ | Interest::WRITE);
        let event = case.one();
        assert!(event.readable && event.writable);
    }

    fn only_what_was_asked_for_is_reported(case: Case) {
        let (ours, mut theirs) = pair();
        theirs.write_all(b"x").unwrap();
        case.register(&ours, 1, Interest::WRITE);
        let event = case.one();
        assert!(event.writable && !event.readable);
        case.reregister(&ours, 1, Interest::READ);
        let event = case.one();
        assert!(!event.writable && event.readable);
        case.reregister(&ours, 1, Interest::NONE);
        case.none();
    }

    fn deregistering_silences(case: Case) {
        let (ours, mut theirs) = pair();
        case.register(&ours, 1, Interest::READ | Interest::WRITE);
        assert!(case.one().writable);
        case.deregister(&ours);
        theirs.write_all(b"x").unwrap();
        drop(theirs);
        case.none();
    }

    fn registering_again_reports_the_present_state(case: Case) {
        let (ours, mut theirs) = pair();
        case.register(&ours, 1, Interest::READ);
        theirs.write_all(b"x").unwrap();
        assert_eq!(case.one().token, 1);
        case.reregister(&ours, 2, Interest::READ);
        let event = case.one();
        assert!(event.readable && event.token == 2);
        case.deregister(&ours);
        case.register(&ours, 3, Interest::READ);
        let event = case.one();
        assert!(event.readable && event.token == 3);
    }

    /// The end of the stream and what was written before it, together.
    fn the_peers_close_is_reported_with_data(case: Case) {
        let (ours, mut theirs) = tcp_pair();
        case.register(&ours, 1, Interest::READ);
        theirs.write_all(b"last words").unwrap();
        theirs.shutdown(Shutdown::Write).unwrap();
        let event = case.until(|event| event.read_closed);
        assert!(event.readable && !event.hangup && !event.error);
        assert_eq!(drain(&ours), 10);
    }

    fn the_peers_close_is_reported_without_data(case: Case) {
        let (ours, theirs) = tcp_pair();
        case.register(&ours, 1, Interest::READ);
        case.none();
        theirs.shutdown(Shutdown::Write).unwrap();
        let event = case.one();
        assert!(event.readable && event.read_closed && !event.hangup && !event.error);
        assert_eq!(drain(&ours), 0);
    }

    /// A channel that has paused reading hears nothing of data but learns that the peer has closed,
    /// though it has not read what came before that.
    fn a_paused_channel_learns_of_the_peers_close(case: Case) {
        let (ours, mut theirs) = tcp_pair();
        theirs.write_all(b"unread").unwrap();
        case.register(&ours, 4, Interest::PEER_CLOSE);
        case.none();
        theirs.write_all(b"more").unwrap();
        case.none();
        theirs.shutdown(Shutdown::Write).unwrap();
        let event = case.until(|event| event.token == 4);
        assert!(event.read_closed && !event.readable && !event.writable && !event.hangup);
        case.reregister(&ours, 4, Interest::READ);
        let event = case.one();
        assert!(event.readable && event.read_closed);
        assert_eq!(drain(&ours), 10);
    }

    /// The same while there are things to write.
    fn a_writing_channel_learns_of_the_peers_close(case: Case) {
        let (ours, theirs) = tcp_pair();
        theirs.shutdown(Shutdown::Write).unwrap();
        case.register(&ours, 1, Interest::WRITE | Interest::PEER_CLOSE);
        let event = case.until(|event| event.read_closed);
        assert!(event.writable && !event.readable && !event.hangup);
    }

    fn a_hang_up_shows(case: Case) {
        let (ours, theirs) = pair();
        case.register(&ours, 1, Interest::READ);
        case.none();
        drop(theirs);
        let event = case.one();
        assert!(event.hangup && event.read_closed);
    }

    /// With an interest in nothing, too.
    fn a_reset_shows_whatever_the_interest(case: Case) {
        let interests =
            [Interest::READ, Interest::WRITE, Interest::PEER_CLOSE, Interest::NONE];
        for (token, interest) in (0..).zip(interests) {
            let (ours, theirs) = tcp_pair();
            case.register(&ours, token, interest);
            reset(theirs);
            let event = case.until(|event| event.error || event.hangup);
            assert!(event.token == token && event.hangup, "{interest:?}: {event:?}");
            assert!(event.error, "{interest:?}: {event:?}");
            let error = ours.take_error().unwrap().unwrap();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            case.deregister(&ours);
        }
    }

    fn a_refused_connect_shows(case: Case) {
        // Bound but not listening: nobody else can get the port, and nobody answers there.
        let nobody = new_tcp_socket();
        nobody.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        let socket = new_tcp_socket();
        socket.set_nonblocking(true).unwrap();
        let error = socket.connect(&nobody.local_addr().unwrap()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINPROGRESS));
        case.register(&socket, 1, Interest::WRITE);
        let event = case.one();
        assert!(event.writable && event.hangup && event.error);
        let error = socket.take_error().unwrap().unwrap();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    }

    fn an_accepted_connect_shows(case: Case) {
        let listener = Socket::from(TcpListener::bind("127.0.0.1:0").unwrap());
        case.register(&listener, 1, Interest::READ);
        case.none();
        let socket = new_tcp_socket();
        socket.set_nonblocking(true).unwrap();
        let error = socket.connect(&listener.local_addr().unwrap()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINPROGRESS));
        assert!(case.one().readable);
        case.deregister(&listener);
        case.register(&socket, 2, Interest::WRITE);
        let event = case.one();
        assert!(event.writable && !event.hangup && !event.error);
    }

    fn a_wake_ends_the_wait_of_another_thread(case: Case) {
        let waker = case.poller.waker();
        let (ready, go) = mpsc::channel();
        let thread = thread::spawn(move || {
            go.recv().unwrap();
            waker.wake();
        });
        ready.send(()).unwrap();
        let start = Instant::now();
        assert_eq!(case.wait(LONG), []);
        assert!(start.elapsed() < LONG);
        thread.join().unwrap();
        case.time_passes();
    }

    /// A wake before the wait ends it at once; all wakes until then are one.
    fn wakes_are_coalesced(case: Case) {
        let waker = case.poller.waker();
        for _ in 0..10 {
            waker.wake();
            waker.clone().wake();
        }
        let start = Instant::now();
        assert_eq!(case.wait(LONG), []);
        assert!(start.elapsed() < LONG);
        case.time_passes();
        waker.wake();
        assert_eq!(case.wait(LONG), []);
        assert!(start.elapsed() < LONG);
        case.time_passes();
    }

    fn a_wake_is_no_event_and_hides_none(case: Case) {
        let (ours, mut theirs) = pair();
        case.register(&ours, 1, Interest::READ);
        theirs.write_all(b"x").unwrap();
        case.poller.waker().wake();
        let event = case.until(|_| true);
        assert_eq!((event.token, event.readable), (1, true));
        assert_eq!(drain(&ours), 1);
        case.wait(SHORT);
        case.time_passes();
    }

    /// No wake is lost when many threads wake at the worst of times: each publishes before it wakes, and
    /// the waiter, who looks only after a wait, sees everything.
    fn no_wake_is_lost(case: Case) {
        const THREADS: usize = 4;
        const WAKES: usize = 2_500;
        let published = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let (waker, published) = (case.poller.waker(), Arc::clone(&published));
                thread::spawn(move || {
                    for _ in 0..WAKES {
                        published.fetch_add(1, Ordering::Relaxed);
                        waker.wake();
                    }
                })
            })
            .collect();
        let start = Instant::now();
        while published.load(Ordering::Relaxed) < THREADS * WAKES {
            assert_eq!(case.wait(LONG), []);
            assert!(start.elapsed() < LONG, "a wake was lost");
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }

    fn ten_thousand_wakes_cost_nothing(case: Case) {
        let waker = case.poller.waker();
        let open = open_descriptors();
        for _ in 0..10_000 {
            waker.clone().wake();
        }
        assert_eq!(eventfd_count_max(), 1);
        assert_eq!(case.wait(LONG), []);
        for _ in 0..10_000 {
            waker.wake();
            case.poller.wait(&mut case.events, Some(LONG)).unwrap();
            assert!(case.events.is_empty());
        }
        assert_eq!(open_descriptors(), open);
        case.time_passes();
    }

    fn a_waker_outlives_its_poller(case: Case) {
        let waker = case.poller.waker();
        case.none();
        drop(case);
        waker.wake();
        waker.clone().wake();
    }

    fn a_wait_is_never_early(case: Case) {
        for micros in [1, 50, 999, 1_000, 1_001, 20_300] {
            let timeout = Duration::from_micros(micros);
            let start = Instant::now();
            assert_eq!(case.wait(timeout), []);
            assert!(start.elapsed() >= timeout, "{micros} us");
            assert!(start.elapsed() < LONG);
        }
    }

    /// Its unread data ends no wait; `select`, which cuts waits in slices for it, does not show that.
    fn a_paused_channel_does_not_make_the_wait_spin(case: Case) {
        let (ours, mut theirs) = pair();
        theirs.write_all(b"unread").unwrap();
        case.register(&ours, 1, Interest::PEER_CLOSE);
        let timeout = Duration::from_millis(120);
        let start = Instant::now();
        let mut waits = 0;
        while start.elapsed() < timeout {
            assert_eq!(case.wait(timeout.saturating_sub(start.elapsed())), []);
            waits += 1;
        }
        assert!(waits <= 3, "{waits} waits");
    }

    fn a_wait_of_zero_only_looks(case: Case) {
        let (ours, mut theirs) = pair();
        case.register(&ours, 1, Interest::READ);
        assert_eq!(case.wait(Duration::ZERO), []);
        theirs.write_all(b"x").unwrap();
        let found = case.wait(Duration::ZERO);
        assert_eq!(found.len(), 1);
        assert!(found[0].readable);
    }

    fn a_wait_without_a_time_out_ends_at_an_event(case: Case) {
        let (ours, mut theirs) = pair();
        case.register(&ours, 1, Interest::READ);
        let thread = thread::spawn(move || {
            theirs.write_all(b"x").unwrap();
            theirs
        });
        case.poller.wait(&mut case.events, None).unwrap();
        assert!(case.events.get(0).unwrap().readable);
        assert_eq!((case.events.len(), case.events.get(1)), (1, None));
        thread.join().unwrap();
    }

    fn the_longest_time_out_is_no_error(case: Case) {
        case.poller.waker().wake();
        assert_eq!(case.wait(Duration::MAX), []);
    }

    fn many_descriptors_report_each_its_own_token(case: Case) {
        let mut pairs: Vec<_> = (0..300).map(|_| pair()).collect();
        for (token, (ours, _)) in (1000..).zip(&pairs) {
            case.register(ours, token, Interest::READ);
        }
        for (_, theirs) in pairs.iter_mut().step_by(3) {
            theirs.write_all(b"x").unwrap();
        }
        let mut tokens: Vec<_> = case.wait(LONG).iter().map(|event| event.token).collect();
        tokens.sort_unstable();
        assert_eq!(tokens, (1000..1300).step_by(3).collect::<Vec<u64>>());

        // Every other one goes, from the front, so that the dense tables move their rows.
        for (ours, theirs) in pairs.iter_mut().step_by(2) {
            case.deregister(ours);
            theirs.write_all(b"x").unwrap();
        }
        for (ours, theirs) in pairs.iter_mut() {
            drain(&*ours);
            theirs.write_all(b"x").unwrap();
        }
        let mut tokens: Vec<_> = case.wait(LONG).iter().map(|event| event.token).collect();
        tokens.sort_unstable();
        assert_eq!(tokens, (1001..1300).step_by(2).collect::<Vec<u64>>());
    }

    /// More descriptors are ready than a batch holds; none of them starves.
    fn what_does_not_fit_in_a_batch_comes_with_the_next(case: Case) {
        if case.poller.backend() == Backend::Select {
            return; // It cannot have so many.
        }
        raise_descriptor_limit().unwrap();
        let (ours, mut theirs) = pair();
        theirs.write_all(b"x").unwrap();
        let count = Events::CAPACITY + 200;
        let copies: Vec<_> = (0..count).map(|_| ours.try_clone().unwrap()).collect();
        for (token, copy) in (0..).zip(&copies) {
            case.register(copy, token, Interest::READ);
        }
        let mut seen = HashSet::new();
        for _ in 0..4 {
            let found = case.wait(Duration::ZERO);
            assert!(found.len() <= Events::CAPACITY);
            seen.extend(found.iter().map(|event| event.token));
        }
        assert_eq!(seen.len(), count);
    }

    fn every_token_but_the_last_is_free(case: Case) {
        let (ours, mut theirs) = pair();
        theirs.write_all(b"x").unwrap();
        case.register(&ours, 0, Interest::READ);
        for token in [0, 1, u64::from(u32::MAX), 1 << 63, u64::MAX - 1] {
            case.reregister(&ours, token, Interest::READ);
            assert_eq!(case.one().token, token);
        }
        let error = case.poller.reregister(ours.as_fd(), u64::MAX, Interest::READ).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let error = case.poller.register(theirs.as_fd(), u64::MAX, Interest::READ).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }

    fn registering_is_once_and_first(case: Case) {
        let (ours, theirs) = pair();
        case.register(&ours, 1, Interest::READ);
        let error = case.poller.register(ours.as_fd(), 2, Interest::WRITE).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        case.none(); // The first registering stands.
        let error = case.poller.reregister(theirs.as_fd(), 2, Interest::READ).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let error = case.poller.deregister(theirs.as_fd()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        case.deregister(&ours);
        let error = case.poller.deregister(ours.as_fd()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }

    fn a_closed_descriptor_is_forgotten(case: Case) {
        let (kept, mut theirs) = pair();
        case.register(&kept, 1, Interest::READ);
        let (closed, _other) = pair();
        let number = closed.as_raw_fd();
        case.register(&closed, 2, Interest::READ | Interest::WRITE);
        assert!(case.one().token == 2);
        drop(closed);
        for _ in 0..3 {
            case.none();
        }
        theirs.write_all(b"x").unwrap();
        assert_eq!(case.one().token, 1);
        drain(&kept);

        let (next, mut theirs) = pair();
        assert_eq!(next.as_raw_fd(), number, "the lowest free number is the one just closed");
        case.register(&next, 3, Interest::READ);
        theirs.write_all(b"x").unwrap();
        assert_eq!(case.one().token, 3);
    }

    /// `select` has bits for descriptors below 1024 and must not set others. The other calls do not mind.
    fn a_high_descriptor_is_refused_by_select_alone(case: Case) {
        raise_descriptor_limit().unwrap();
        let (ours, mut theirs) = pair();
        theirs.write_all(b"x").unwrap();
        let high = rustix::io::fcntl_dupfd_cloexec(&ours, 1024).unwrap();
        assert!(high.as_raw_fd() >= 1024);
        let result = case.poller.register(high.as_fd(), 1, Interest::READ);
        if case.poller.backend() == Backend::Select {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains("FD_SETSIZE is 1024"), "{error}");
            case.none();
        } else {
            result.unwrap();
            assert!(case.one().readable);
        }
    }

    fn the_events_of_the_last_wait_are_gone(case: Case) {
        let (ours, mut theirs) = pair();
        case.register(&ours, 1, Interest::READ);
        theirs.write_all(b"x").unwrap();
        case.one();
        drain(&ours);
        case.none();
        assert_eq!(case.events.len(), 0);
    }
}

fn new_tcp_socket() -> Socket {
    Socket::new(Domain::IPV4, Type::STREAM, None).unwrap()
}

/// Closes with a RST.
fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
}

/// How many descriptors this process has open.
fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// The largest count that an eventfd of this process holds.
fn eventfd_count_max() -> u64 {
    let mut largest = 0;
    for entry in std::fs::read_dir("/proc/self/fdinfo").unwrap() {
        // The descriptor of the listing itself is gone by now.
        let Ok(info) = std::fs::read_to_string(entry.unwrap().path()) else { continue };
        let count = info.lines().find_map(|line| line.strip_prefix("eventfd-count:"));
        if let Some(count) = count {
            largest = largest.max(u64::from_str_radix(count.trim(), 16).unwrap());
        }
    }
    largest
}
