//! Echo requests from a stack of our own, and what comes back: what `ping`, `traceroute` and `arp`
//! share.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use fyke::stack::{EchoRequest, Event, IcmpId, IcmpOptions, IcmpReport, Stack, StackError};
use fyke::transport::userspace::StackHandle;
use fyke::{EventLoopGroup, Signal, Signals};

use crate::tap::TapFlags;

/// How often it is looked whether the user wants the program to end.
const SIGNAL_TICK: Duration = Duration::from_millis(50);

/// A stack on a TAP device with an ICMP endpoint.
#[derive(Debug)]
pub struct Icmp {
    stack: StackHandle,
    id: IcmpId,
    reports: Receiver<(Instant, IcmpReport)>,
    interrupted: Receiver<()>,
    /// The loop lives as long as this.
    _group: EventLoopGroup,
}

/// What ended a wait.
#[derive(Debug)]
pub enum Heard {
    /// Something came back, at this time.
    Report(Instant, IcmpReport),
    /// Nothing came in time.
    Nothing,
    /// The user wants the program to end.
    Interrupted,
}

impl Icmp {
    /// Makes the stack and its endpoint.
    ///
    /// # Errors
    /// One line for the user: a missing right, say.
    pub fn open(tap: &TapFlags, options: IcmpOptions) -> Result<Self, String> {
        let interrupted = watch_signals()?;
        let group = EventLoopGroup::new(1).map_err(|e| format!("cannot start a loop: {e}"))?;
        let userspace = tap.userspace()?;
        userspace.install(group.loops()).map_err(|error| error.to_string())?;
        let stack = userspace.handle();
        let (sender, reports) = mpsc::channel();
        stack.observe(move |stack: &mut Stack, _, event| {
            if let Event::IcmpReadable(id) = event {
                while let Ok(report) = stack.icmp_receive(*id) {
                    // The main thread may have ended.
                    let _ = sender.send((Instant::now(), report));
                }
            }
        });
        let id = stack
            .with_stack(move |stack, _| stack.icmp_open(options))
            .map_err(|error| error.to_string())?
            .map_err(|error| error.to_string())?;
        Ok(Self { stack, id, reports, interrupted, _group: group })
    }

    /// The stack.
    #[must_use]
    pub fn stack(&self) -> &StackHandle {
        &self.stack
    }

    /// Sends a request; answers when.
    ///
    /// # Errors
    /// Why the stack refuses to send it.
    pub fn send(&self, request: EchoRequest) -> Result<Instant, String> {
        let id = self.id;
        let began = Instant::now();
        self.run(move |stack, now| stack.icmp_send(now, id, &request))?;
        Ok(began)
    }

    /// Runs a call of the stack.
    ///
    /// # Errors
    /// Why it refuses.
    pub fn run<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut Stack, fyke::clock::Instant) -> Result<T, StackError> + Send + 'static,
    ) -> Result<T, String> {
        self.stack.with_stack(call).map_err(|e| e.to_string())?.map_err(|e| e.to_string())
    }

    /// Waits until `deadline` for what comes back.
    #[must_use]
    pub fn hear_until(&self, deadline: Instant) -> Heard {
        loop {
            if self.interrupted.try_recv().is_ok() {
                return Heard::Interrupted;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.reports.recv_timeout(left.min(SIGNAL_TICK)) {
                Ok((at, report)) => return Heard::Report(at, report),
                Err(RecvTimeoutError::Timeout) if left > SIGNAL_TICK => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    return Heard::Nothing;
                }
            }
        }
    }
}

/// Says so when the user wants the program to end; a second time ends it at once.
///
/// # Errors
/// When signals cannot be caught.
pub fn watch_signals() -> Result<Receiver<()>, String> {
    let signals = Signals::new(&[Signal::Interrupt, Signal::Terminate])
        .map_err(|e| format!("cannot wait for signals: {e}"))?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        while signals.wait().is_ok() {
            if sender.send(()).is_err() {
                break;
            }
        }
    });
    Ok(receiver)
}

/// A duration in milliseconds, as these tools print it.
#[must_use]
pub fn milliseconds(duration: Duration) -> String {
    format!("{:.3} ms", duration.as_secs_f64() * 1000.0)
}
