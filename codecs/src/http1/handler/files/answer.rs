//! The answer for a file that was found: conditions first, then ranges (RFC 9110 section 13.2.2).

use std::sync::Arc;

use fyke_core::{FileRegion, RegionSource};

use super::super::service::Reply;
use crate::http1::{
    ByteRange, HeaderBlock, Precondition, Ranges, RequestHead, Response, ResponseHead,
    ResponsePart, Status, Validators,
};

/// What of a request matters for the answer, so that the request need not move to another thread.
pub(super) struct Asked {
    head: RequestHead,
    /// Seconds since 1970.
    now: u64,
    /// What separates the parts of a multipart answer: nobody can have put it into a file before.
    boundary: u128,
    ranges_max: usize,
}

/// A file that may be served.
pub(super) struct Found {
    pub(super) source: Arc<dyn RegionSource>,
    pub(super) len: u64,
    pub(super) media_type: &'static str,
    pub(super) validators: Validators,
}

impl Asked {
    pub(super) fn new(head: RequestHead, now: u64, boundary: u128, ranges_max: usize) -> Self {
        Self { head, now, boundary, ranges_max }
    }

    /// Seconds since 1970.
    pub(super) fn now(&self) -> u64 {
        self.now
    }

    /// The way to a directory's page (RFC 9110 section 15.4.2): the same path with a `/` behind it.
    /// `None` for one that has it already, and for what would lead to another host (RFC 3986 section
    /// 4.2).
    pub(super) fn redirect(&self, block: &HeaderBlock) -> Option<Response> {
        let path = self.head.path();
        if path.ends_with('/') || path.starts_with("//") {
            return None;
        }
        let query = self.head.query().map(|query| format!("?{query}")).unwrap_or_default();
        let response = text(Status::MOVED_PERMANENTLY, "moved permanently", block);
        Some(response.header("Location", format!("{path}/{query}")))
    }

    /// The answer; `block` is part of it.
    pub(super) fn answer(&self, found: Found, block: &HeaderBlock) -> Reply {
        let head = |status| found.validators.apply(ResponseHead::new(status).block(block));
        match found.validators.check(&self.head, self.now) {
            Precondition::Passed => {}
            Precondition::NotModified => {
                let (head, body) = (head(Status::NOT_MODIFIED), Default::default());
                return Response { head, body }.into();
            }
            Precondition::Failed => {
                return text(Status::PRECONDITION_FAILED, "precondition failed", block).into();
            }
        }
        let ranges = if found.validators.permits_range(&self.head, self.now) {
            Ranges::of(&self.head, found.len, self.ranges_max)
        } else {
            Ranges::Whole
        };
        let head = |status| head(status).header("Accept-Ranges", "bytes");
        match &ranges {
            Ranges::Unsatisfiable => {
                let response = text(Status::RANGE_NOT_SATISFIABLE, "no such range", block);
                response.header("Content-Range", format!("bytes */{}", found.len)).into()
            }
            Ranges::Parts(parts) => match parts[..] {
                [range] => {
                    let head = head(Status::PARTIAL_CONTENT)
                        .header("Content-Type", found.media_type)
                        .header("Content-Range", range.content_range(found.len));
                    Reply::File(head, FileRegion::new(found.source, range.start, range.len()))
                }
                _ => self.multipart(head(Status::PARTIAL_CONTENT), parts, &found),
            },
            Ranges::Whole => {
                let head = head(Status::OK).header("Content-Type", found.media_type);
                Reply::File(head, FileRegion::new(found.source, 0, found.len))
            }
        }
    }

    /// `multipart/byteranges` (RFC 9110 section 14.6).
    fn multipart(&self, head: ResponseHead, ranges: &[ByteRange], found: &Found) -> Reply {
        let boundary = format!("{:032x}", self.boundary);
        let end = format!("\r\n--{boundary}--\r\n");
        let mut len = end.len() as u64;
        let mut parts = Vec::with_capacity(ranges.len() * 2 + 3);
        parts.push(ResponsePart::End); // its place is taken by the head
        for (at, range) in ranges.iter().enumerate() {
            let intro = format!(
                "{}--{boundary}\r\nContent-Type: {}\r\nContent-Range: {}\r\n\r\n",
                if at == 0 { "" } else { "\r\n" },
                found.media_type,
                range.content_range(found.len),
            );
            len += intro.len() as u64 + range.len();
            parts.push(ResponsePart::Body(intro.into()));
            let source = Arc::clone(&found.source);
            parts.push(ResponsePart::File(FileRegion::new(source, range.start, range.len())));
        }
        parts.push(ResponsePart::Body(end.into()));
        parts.push(ResponsePart::End);
        let media_type = format!("multipart/byteranges; boundary={boundary}");
        let head = head.header("Content-Type", media_type).content_length(len);
        parts[0] = ResponsePart::Head(head);
        Reply::Parts(parts)
    }
}

pub(super) fn text(status: Status, text: &'static str, block: &HeaderBlock) -> Response {
    let response = Response::new(status).block(block);
    response.header("Content-Type", "text/plain; charset=utf-8").body(text)
}
