//! The access log as a stage of a pipeline.

use std::collections::VecDeque;
use std::fmt;

use fyke_core::{Address, DuplexContext, DuplexHandler, Promise, Result};

use super::line::{AccessEntry, AccessFormat};
use crate::http1::{Method, RequestHead, RequestPart, ResponseHead, ResponsePart, Status};
use crate::proxy_protocol::ProxiedAddresses;

/// Logs each request once it has been answered, or can no longer be.
///
/// Lines go to `tracing` at INFO, with the target `access`, or wherever a function takes them. The
/// bytes are those of the content as it passes here: behind a compressor, before it is compressed.
/// Requests that cannot be read never get here; they are in the log of the server's stages.
pub struct AccessLog {
    format: AccessFormat,
    sink: Box<dyn FnMut(&str)>,
    /// The requests that are not answered yet, oldest first.
    open: VecDeque<Open>,
}

struct Open {
    entry: AccessEntry,
    is_head: bool,
}

type Cx<'a> = DuplexContext<'a, AccessLog>;

impl AccessLog {
    /// A log of this format, for `tracing`.
    #[must_use]
    pub fn new(format: AccessFormat) -> Self {
        Self::with_sink(format, |line| tracing::info!(target: "access", "{line}"))
    }

    /// A log whose lines a function takes.
    #[must_use]
    pub fn with_sink(format: AccessFormat, sink: impl FnMut(&str) + 'static) -> Self {
        Self { format, sink: Box::new(sink), open: VecDeque::new() }
    }

    fn begin(&mut self, cx: &mut Cx<'_>, head: &RequestHead) {
        let proxied = cx.attribute().and_then(ProxiedAddresses::source).map(Address::Inet);
        let host = match proxied.as_ref().or(cx.peer_address()) {
            Some(Address::Inet(address)) => address.ip().to_string(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        let line = format!("{} {} {}", head.method(), head.target(), head.version());
        let field = |name| head.header(name).map(<[u8]>::to_vec);
        let entry = AccessEntry {
            host,
            user: None,
            unix_seconds: cx.env().unix_time().as_secs(),
            request: line.into_bytes(),
            status: None,
            bytes: 0,
            referer: field("referer"),
            user_agent: field("user-agent"),
        };
        self.open.push_back(Open { entry, is_head: head.method() == Method::Head });
    }

    fn status(&mut self, head: &ResponseHead) {
        if let Some(open) = self.open.front_mut() {
            open.entry.status = Some(head.status().as_u16());
            open.is_head |= head.status().forbids_body();
        }
    }

    fn content(&mut self, bytes: u64) {
        if let Some(open) = self.open.front_mut()
            && !open.is_head
        {
            open.entry.bytes += bytes;
        }
    }

    fn finish(&mut self) {
        if let Some(Open { entry, .. }) = self.open.pop_front() {
            (self.sink)(&entry.line(self.format));
        }
    }
}

impl DuplexHandler for AccessLog {
    type In = RequestPart;
    type Out = RequestPart;
    type WriteIn = ResponsePart;
    type WriteOut = ResponsePart;

    fn read(&mut self, cx: &mut Cx<'_>, part: RequestPart) -> Result<()> {
        if let Some(head) = part.head() {
            self.begin(cx, head);
        }
        cx.fire_read(part);
        Ok(())
    }

    fn write(&mut self, cx: &mut Cx<'_>, part: ResponsePart, promise: Promise) -> Result<()> {
        let is_final = |head: &ResponseHead| {
            !head.status().is_informational() || head.status() == Status::SWITCHING_PROTOCOLS
        };
        let mut ends = false;
        match &part {
            ResponsePart::Full(response) if is_final(&response.head) => {
                self.status(&response.head);
                self.content(response.body.len() as u64);
                ends = true;
            }
            ResponsePart::Head(head) if is_final(head) => {
                self.status(head);
                ends = head.status() == Status::SWITCHING_PROTOCOLS;
            }
            ResponsePart::Body(body) => self.content(body.len() as u64),
            ResponsePart::File(region) => self.content(region.len()),
            ResponsePart::End => ends = true,
            _ => {}
        }
        cx.write_with(part, promise);
        if ends {
            self.finish();
        }
        Ok(())
    }

    /// What is open now stays unanswered, or half answered.
    fn inactive(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        while !self.open.is_empty() {
            self.finish();
        }
        cx.fire_inactive();
        Ok(())
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessLog")
            .field("format", &self.format)
            .field("open", &self.open.len())
            .finish_non_exhaustive()
    }
}
