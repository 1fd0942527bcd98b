//! Which responses are compressed, and what their heads say then.

use crate::http1::chars::{list, trim};
use crate::http1::coding::{AcceptEncoding, ContentCoding};
use crate::http1::request::find;
use crate::http1::{Headers, Method, RequestHead, ResponseHead, Status};

use super::config::CompressionConfig;

const FIELD: &str = "accept-encoding";

/// What has to be known of a request when its response comes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(super) accept: AcceptEncoding,
    is_head: bool,
}

impl Asked {
    pub(crate) fn of(head: &RequestHead) -> Self {
        let is_head = head.method() == Method::Head;
        // Nobody asks for a coding without the field, whose absence is seen at once.
        if head.header(FIELD).is_none() {
            return Self { accept: AcceptEncoding::default(), is_head };
        }
        Self { accept: AcceptEncoding::parse(head.header_all(FIELD)), is_head }
    }
}

impl Asked {
    /// Whether some coding would be welcome, or none would not.
    pub(crate) fn wants_any(self) -> bool {
        self.accept != AcceptEncoding::default()
    }
}

/// Whether a whole response, with so many bytes of content, passes as it is when its request asks for
/// no coding: the first thing that [`decide`] looks at.
pub(crate) fn passes_unasked(config: &CompressionConfig, head: &ResponseHead, bytes: u64) -> bool {
    head.declared_length().unwrap_or(bytes) < config.content_bytes_min
        && head.status() != Status::NOT_MODIFIED
}

/// What is to be done with a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Nothing.
    Pass,
    /// Its coding depends on the request, but this one gets it as it is.
    Vary,
    Compress(ContentCoding),
    /// To HEAD: the head says what that of GET would have said.
    Announce(ContentCoding),
}

/// Decides about a final response; `length` is that of its content, if it is known.
pub(super) fn decide(
    config: &CompressionConfig,
    asked: Asked,
    head: &ResponseHead,
    length: Option<u64>,
) -> Decision {
    let status = head.status();
    // Asked first, as it is so for most answers and costs nothing to find out.
    let short = length.is_some_and(|length| length < config.content_bytes_min);
    if short && asked.accept.accepts_identity() && status != Status::NOT_MODIFIED {
        return Decision::Pass;
    }
    if head.error().is_some() || field(head, "content-encoding").is_some() || no_transform(head) {
        return Decision::Pass;
    }
    if status == Status::NOT_MODIFIED {
        // RFC 9110 section 15.4.5: it says what the 200 would have said.
        return Decision::Vary;
    }
    let has_content = !status.forbids_body() && status != Status::RESET_CONTENT;
    let is_part = status == Status::PARTIAL_CONTENT || field(head, "content-range").is_some();
    if !has_content || is_part || length == Some(0) {
        return Decision::Pass;
    }
    let forced = !asked.accept.accepts_identity();
    let worth_it = field(head, "content-type").is_some_and(is_compressible)
        && length.is_none_or(|length| length >= config.content_bytes_min);
    if !worth_it && !forced {
        return Decision::Pass;
    }
    match asked.accept.choose(&config.codings) {
        // RFC 9110 sections 8.6 and 9.3.2: not the length and the tag of another representation.
        Some(coding) if asked.is_head => Decision::Announce(coding),
        Some(coding) => Decision::Compress(coding),
        None => Decision::Vary,
    }
}

/// The value of the first field of that name.
fn field<'a>(head: &'a ResponseHead, name: &str) -> Option<&'a [u8]> {
    head.lines().into_iter().find_map(|lines| find(lines, name.as_bytes())).map(|(value, _)| value)
}

fn fields(head: &ResponseHead) -> impl Iterator<Item = (&str, &[u8])> {
    let all = head.lines().into_iter().flat_map(|rest| Headers { rest });
    all.map(|field| (field.name, field.value))
}

/// RFC 9111 section 5.2.2.6.
fn no_transform(head: &ResponseHead) -> bool {
    let mut controls = fields(head).filter(|(name, _)| name.eq_ignore_ascii_case("cache-control"));
    controls
        .any(|(_, value)| list(value).any(|member| member.eq_ignore_ascii_case(b"no-transform")))
}

/// Whether content of this type becomes shorter: text and what is text in disguise. Pictures, films,
/// archives and web fonts are compressed already.
fn is_compressible(content_type: &[u8]) -> bool {
    let end = content_type.iter().position(|&b| b == b';').unwrap_or(content_type.len());
    let essence = trim(&content_type[..end]).to_ascii_lowercase();
    const OTHERS: [&[u8]; 15] = [
        b"application/json",
        b"application/javascript",
        b"application/x-javascript",
        b"application/xml",
        b"application/x-ndjson",
        b"application/manifest+json",
        b"application/graphql",
        b"application/sql",
        b"application/wasm",
        b"application/rtf",
        b"application/x-www-form-urlencoded",
        b"application/vnd.ms-fontobject",
        b"font/ttf",
        b"font/otf",
        b"image/bmp",
    ];
    essence.starts_with(b"text/")
        || [&b"+json"[..], b"+xml", b"+text", b"+yaml"].iter().any(|end| essence.ends_with(end))
        || OTHERS.contains(&&*essence)
}

/// Adds `Vary: Accept-Encoding`, unless the head says so already.
pub(super) fn vary(head: ResponseHead) -> ResponseHead {
    let says = |(name, value): (&str, &[u8])| {
        name.eq_ignore_ascii_case("vary")
            && list(value).any(|name| name == b"*" || name.eq_ignore_ascii_case(b"accept-encoding"))
    };
    let said = fields(&head).any(says);
    if said { head } else { head.header("Vary", "Accept-Encoding") }
}

/// Digests of what the content was before.
const DIGESTS: [&str; 4] = ["content-md5", "digest", "content-digest", "repr-digest"];

/// The head of the compressed response: another representation, whose length is not known and whose
/// tag is a weak one (RFC 9110 section 8.8.1), as the same content compressed again may differ.
pub(super) fn recoded(head: &ResponseHead, coding: ContentCoding) -> ResponseHead {
    let mut new = ResponseHead::new(head.status());
    if head.closes() {
        new = new.close();
    }
    for (name, value) in fields(head) {
        if name.eq_ignore_ascii_case("etag") && !value.starts_with(b"W/") {
            new = new.header(name, [b"W/", value].concat());
        } else if !DIGESTS.iter().any(|digest| name.eq_ignore_ascii_case(digest)) {
            new = new.header(name, value);
        }
    }
    vary(new.header("Content-Encoding", coding.as_str()))
}
