//! Every backend keeps the same promises (listed in `backend/mod.rs`).
//!
//! Each case is a function of a backend; a failing one names the backend. No case sleeps: time passes
//! inside `wait`.

use fyke_poller::{Backend, Event, Events, Interest, Poller, Trigger};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// More than any case needs; a wait that gets there has failed.
const LONG: Duration = Duration::from_secs(10);
/// Long enough for every backend to have reported what is already there.
const SHORT: Duration = Duration::from_millis(1);

/// Runs a case on every backend of this build.
macro_rules! cases {
    ($($(#[$doc:meta])* fn $name:ident($case:ident: Case) $body:block)*) => {$(
        $(#[$doc])*
        #[test]
        fn $name() {
            fn case(mut $case: Case) $body
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
}
