//! What a readiness is to those who own the endpoint: the events of a connect that ended, of bytes that
//! came, of room, of an end.

use fyke_core::driver::Readiness;
use fyke_core::transport::TransportEvent;
use socket2::SockRef;

use super::table::Role;
use super::{Kernel, datagram, stream, zerocopy};

impl Kernel {
    /// Everything but the plain case, which the caller looks for first.
    #[inline(never)]
    pub(super) fn note_readiness(
        &mut self,
        readiness: Readiness,
        events: &mut Vec<TransportEvent>,
    ) {
        let Self { table, registry, zero_copy, .. } = self;
        let Some(endpoint) = table.find(readiness.token.key()) else { return };
        if matches!(endpoint.role, Role::Connecting(_))
            && !stream::finish_connect(endpoint, &readiness, events)
        {
            if readiness.writable || readiness.hangup {
                // It has failed, and that would be reported until it is closed.
                let result = endpoint.ask(registry, |_| None);
                Self::note_failure(endpoint, result, events);
            }
            return;
        }
        let readiness = match &mut endpoint.role {
            Role::Datagram(_) => datagram::ready(endpoint, &readiness),
            Role::Stream(Some(sends)) if !sends.is_done() => {
                sends.collect(&endpoint.fd, zero_copy);
                let hangup = readiness.hangup && zerocopy::is_hung_up(&endpoint.fd);
                Readiness { hangup, ..readiness }
            }
            _ => readiness,
        };
        let (report, wish) = endpoint.watch.note(&readiness);
        let result = endpoint.ask(registry, |_| wish);
        Self::note_failure(endpoint, result, events);
        let owner = endpoint.owner;
        if report.writable {
            events.push(TransportEvent::Writable(owner));
        }
        if report.readable {
            match endpoint.role {
                // What could not be accepted is reported again after the pause.
                Role::Listener { .. } if !endpoint.watch.is_reading() => {}
                Role::Listener { .. } => events.push(TransportEvent::Acceptable(owner)),
                _ => events.push(TransportEvent::Readable(owner)),
            }
        }
        if report.peer_closed && matches!(endpoint.role, Role::Stream(_)) {
            events.push(TransportEvent::PeerClosed(owner));
        }
        if report.over
            && let Ok(Some(error)) = SockRef::from(&endpoint.fd).take_error()
        {
            events.push(TransportEvent::Failed(owner, error));
        }
    }
}
