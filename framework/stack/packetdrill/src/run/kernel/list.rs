//! Sockets as `sockstat` lists them.

use fyke_stack::tcp::State;

use super::super::host::Restless;
use super::Kernel;

/// Who has a socket that an application has.
const OWNER: &str = "root packetdril 1 3";

impl Kernel {
    /// Lines for the sockets of a version and a port.
    pub(crate) fn list(&mut self, version: Option<u8>, port: Option<u16>) -> Vec<String> {
        let mut lines = Vec::new();
        for line in self.host().stack.listing() {
            let of_version = match version {
                Some(4) => line.local.is_ipv4(),
                Some(6) => line.local.is_ipv6(),
                _ => true,
            };
            let remote_port = line.remote.map(|remote| remote.port());
            let of_port =
                port.is_none_or(|port| port == line.local.port() || Some(port) == remote_port);
            if !of_version || !of_port {
                continue;
            }
            let owned = line.id.is_some() || line.state.is_none();
            let owner = if owned { OWNER } else { "? ? ? ?" };
            let remote = line.remote.map_or("*:*".to_owned(), |remote| remote.to_string());
            let protocol = if line.local.is_ipv4() { "tcp4" } else { "tcp6" };
            let state = name(line.state);
            lines.push(format!("{owner} {protocol} {} {remote} {state}", line.local));
        }
        lines
    }

    /// Drops connections in a state, as `tcpdrop` does.
    pub(crate) fn drop_state(&mut self, state: &str) -> Result<(), Restless> {
        let host = self.host();
        let ids: Vec<_> = host
            .stack
            .listing()
            .filter(|line| name(line.state) == state)
            .filter_map(|line| line.id)
            .collect();
        let now = host.now();
        for id in ids {
            // It was listed a moment ago.
            let _ = host.stack.abort(now, id);
        }
        host.settle()?;
        // What the abort sends is not what a script waits for.
        host.sent.clear();
        Ok(())
    }
}

/// A state's name in FreeBSD's listing.
fn name(state: Option<State>) -> &'static str {
    match state {
        None => "LISTEN",
        Some(State::Closed) => "CLOSED",
        Some(State::SynSent) => "SYN_SENT",
        Some(State::SynReceived) => "SYN_RCVD",
        Some(State::Established) => "ESTABLISHED",
        Some(State::FinWait1) => "FIN_WAIT_1",
        Some(State::FinWait2) => "FIN_WAIT_2",
        Some(State::CloseWait) => "CLOSE_WAIT",
        Some(State::Closing) => "CLOSING",
        Some(State::LastAck) => "LAST_ACK",
        Some(State::TimeWait) => "TIME_WAIT",
    }
}
