//! Fast open (RFC 7413): calls that open a connection with data, and the cookies of both sides.

use std::net::SocketAddr;

use bytes::Bytes;

use super::super::cookies::{self, Key};
use super::super::flow::Flow;
use super::super::outcome::SkipReason;
use super::{Attempt, File, Kernel, Place, Progress, args};
use crate::packet::{Segment, flag};
use crate::script::{CallSpec, Expr, OptionSpec};

impl Kernel {
    /// A connect that is implied by data (FreeBSD's way to open fast, RFC 7413).
    pub(super) fn send_fast(&mut self, descriptor: i64, data: &[u8]) -> Result<Attempt, Attempt> {
        let remote = self.config.remote(self.config.connect_port);
        let granted = self.settings.fast_open != 0;
        let first = granted.then(|| Bytes::copy_from_slice(data));
        let id = match self.open(descriptor, remote, first)? {
            Ok(id) => id,
            Err(attempt) => return Ok(attempt),
        };
        if !granted {
            let host = self.host();
            let now = host.now();
            let taken = host.stack.write(now, id, Bytes::copy_from_slice(data));
            if taken != Ok(data.len()) {
                return Ok(Attempt::Wrong(format!("the stack takes {taken:?}")));
            }
        }
        self.written(id).extend_from_slice(data);
        Ok(Attempt::Done(data.len() as i64))
    }

    /// Linux's way: data goes along when there is a cookie; a call that does not wait and has none
    /// only asks for one.
    pub(super) fn send_message_fast(
        &mut self,
        descriptor: i64,
        remote: SocketAddr,
        data: Vec<u8>,
        (waits, zero_copy): (bool, bool),
        progress: &mut Progress,
    ) -> Result<Attempt, Attempt> {
        if !self.settings.clients_open_fast() {
            return Ok(Attempt::Error("EOPNOTSUPP"));
        }
        let room = self.host().stack.fast_open_bytes(remote.ip()).filter(|_| !data.is_empty());
        let known = room.is_some();
        if !known && !data.is_empty() && self.settings.clients_need_no_cookie() {
            return Ok(Attempt::Skip(SkipReason::FastOpenBare));
        }
        // TCP_MAXSEG, and what all options of a SYN may take.
        let most = self.socket(descriptor)?.options.segment_max;
        let most = most.map_or(usize::MAX, |most| usize::from(most).saturating_sub(40));
        let waits = waits && !self.socket(descriptor)?.nonblocking;
        let mut first = Bytes::from(data);
        if !waits {
            // What does not fit beside the options is for another call.
            first.truncate(room.unwrap_or(0).min(most));
        }
        let id = match self.open(descriptor, remote, Some(first.clone()))? {
            Ok(id) => id,
            Err(attempt) => return Ok(attempt),
        };
        self.written(id).extend_from_slice(&first);
        progress.bytes = first.len();
        let end = self.written(id).len();
        let socket = self.socket(descriptor)?;
        socket.deferred = None;
        if known && !waits && end > 0 {
            let zero_copy = zero_copy && socket.options.zero_copy;
            socket.notices.sent(end, zero_copy, socket.options.timestamping);
        }
        // One that waits does so until the handshake is over, as connect does.
        Ok(match (known, waits) {
            (_, true) => Attempt::Blocked,
            (true, false) => Attempt::Done(first.len() as i64),
            (false, false) => Attempt::Error("EINPROGRESS"),
        })
    }

    /// Where sendto and sendmsg of a script go.
    pub(super) fn destination(&self, call: &CallSpec) -> Result<SocketAddr, Attempt> {
        let otherwise = self.config.remote(self.config.connect_port);
        let Some(address) = call.arguments.get(4).filter(|_| call.name == "sendto") else {
            return Ok(otherwise);
        };
        if args::is_unspecified(address) {
            return Err(Attempt::Error("EOPNOTSUPP"));
        }
        self.address(address, otherwise)
    }

    /// `connect` of a socket whose first data is to go with its SYN (TCP_FASTOPEN_CONNECT): with a
    /// cookie nothing is sent yet, without one the SYN asks for it. Says whether the call is over.
    pub(super) fn connect_with_first_data(
        &mut self,
        descriptor: i64,
        remote: SocketAddr,
    ) -> Result<Option<Attempt>, Attempt> {
        let asked = self.socket(descriptor)?.options.fast_open_connect;
        if !asked || !self.settings.clients_open_fast() {
            return Ok(None);
        }
        if self.host().stack.fast_open_bytes(remote.ip()).is_some() {
            self.socket(descriptor)?.deferred = Some(remote);
            return Ok(Some(Attempt::Done(0)));
        }
        if self.settings.clients_need_no_cookie() {
            return Ok(Some(Attempt::Skip(SkipReason::FastOpenBare)));
        }
        let opened = self.open(descriptor, remote, Some(Bytes::new()))?;
        Ok(Some(match opened {
            Err(attempt) => attempt,
            Ok(_) if self.socket(descriptor)?.nonblocking => Attempt::Error("EINPROGRESS"),
            Ok(_) => Attempt::Blocked,
        }))
    }

    /// TCP_FASTOPEN_KEY: one key or two, of 16 bytes each.
    pub(super) fn set_fast_open_key(
        &mut self,
        descriptor: i64,
        a: &[Expr],
    ) -> Result<Attempt, Attempt> {
        let length = self.length_at(a, 4)?;
        let Expr::Text(bytes) = args::at(a, 3)? else {
            return Ok(Attempt::Unknown("such a key".to_owned()));
        };
        let bytes = bytes.get(..length).unwrap_or(&[]);
        let keys: Vec<Key> = bytes.chunks_exact(16).filter_map(|k| k.try_into().ok()).collect();
        if !matches!(length, 16 | 32) || keys.len() * 16 != length {
            return Ok(Attempt::Error("EINVAL"));
        }
        self.socket(descriptor)?.options.fast_open_keys = keys;
        Ok(Attempt::Done(0))
    }

    /// The keys of the listener at our end of a connection: its own, or the system's.
    fn keys_of(&self, local: SocketAddr) -> Vec<Key> {
        let own = self.files.values().find_map(|file| match file {
            File::Socket(socket) => match socket.place {
                Place::Listening(_, at) if at.port() == local.port() => {
                    Some(socket.options.fast_open_keys.clone())
                }
                _ => None,
            },
            _ => None,
        });
        own.filter(|keys| !keys.is_empty()).unwrap_or_else(|| self.settings.fast_open_keys.clone())
    }

    fn live_cookie(&mut self, flow: &Flow) -> Option<Vec<u8>> {
        let now = self.host().now();
        cookies::of_stack(&self.settings, &self.config, self.seed, now, flow.remote, flow.local)
    }

    /// In a SYN of the script the kernel's cookie becomes the stack's; other cookies stay.
    pub(crate) fn cookie_to_live(&mut self, flow: &Flow, segment: &mut Segment) {
        if !segment.has(flag::SYN) || segment.has(flag::ACK) {
            return;
        }
        let keys = self.keys_of(flow.local);
        let (client, server) = (flow.remote.ip(), flow.local.ip());
        let live = self.live_cookie(flow);
        for cookie in cookies_in(segment) {
            let ours = keys.iter().any(|key| cookies::of_kernel(key, client, server) == *cookie);
            if let Some(live) = live.as_ref().filter(|_| ours) {
                cookie.clone_from(live);
            }
        }
    }

    /// In a SYN-ACK of the stack its cookie becomes the one the kernel would have given.
    pub(crate) fn cookie_to_script(&mut self, flow: &Flow, segment: &mut Segment) {
        if !segment.has(flag::SYN)
            || !segment.has(flag::ACK)
            || cookies_in(segment).next().is_none()
        {
            return;
        }
        let (client, server) = (flow.remote.ip(), flow.local.ip());
        let Some(key) = self.keys_of(flow.local).first().copied() else { return };
        let live = self.live_cookie(flow);
        for cookie in cookies_in(segment) {
            if live.as_ref() == Some(cookie) {
                *cookie = cookies::of_kernel(&key, client, server);
            }
        }
    }
}

/// The cookies among a segment's options.
fn cookies_in(segment: &mut Segment) -> impl Iterator<Item = &mut Vec<u8>> {
    segment.options.iter_mut().filter_map(|option| match option {
        OptionSpec::FastOpen(cookie) | OptionSpec::FastOpenExperimental(cookie) => Some(cookie),
        _ => None,
    })
}
