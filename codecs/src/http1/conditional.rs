//! Validators and conditional requests (RFC 9110 sections 8.8 and 13).

use core::fmt;

use super::date_parse::parse_date;
use super::{DateText, HeaderError, Method, RequestHead, ResponseHead};

/// An entity tag: a name for one state of a resource (RFC 9110 section 8.8.3).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EntityTag {
    /// As it stands in a field, quotes and `W/` included.
    text: Box<str>,
}

impl EntityTag {
    /// A tag that changes whenever a byte of the content does.
    ///
    /// # Errors
    /// When `opaque` holds a quote, white space or a control character.
    pub fn strong(opaque: &str) -> Result<Self, HeaderError> {
        Self::with("\"", opaque)
    }

    /// A tag that changes whenever the meaning of the content does.
    ///
    /// # Errors
    /// When `opaque` holds a quote, white space or a control character.
    pub fn weak(opaque: &str) -> Result<Self, HeaderError> {
        Self::with("W/\"", opaque)
    }

    fn with(start: &str, opaque: &str) -> Result<Self, HeaderError> {
        if !opaque.bytes().all(is_tag_byte) {
            return Err(HeaderError::Value);
        }
        Ok(Self { text: [start, opaque, "\""].concat().into() })
    }

    /// The tag as it stands in a field.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is a weak one.
    #[must_use]
    pub fn is_weak(&self) -> bool {
        self.text.starts_with('W')
    }

    /// Both are strong, and the same (RFC 9110 section 8.8.3.2).
    fn strong_match(&self, other: &[u8]) -> bool {
        !self.is_weak() && self.text.as_bytes() == other
    }

    /// The same but for their strength.
    fn weak_match(&self, other: &[u8]) -> bool {
        let bare = |tag| -> &[u8] { <[u8]>::strip_prefix(tag, b"W/").unwrap_or(tag) };
        bare(self.text.as_bytes()) == bare(other)
    }
}

impl fmt::Debug for EntityTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for EntityTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// `etagc` of RFC 9110 section 8.8.3.
const fn is_tag_byte(b: u8) -> bool {
    b == 0x21 || (b >= 0x23 && b != 0x7f)
}

/// The tags of a list, as far as it is well-formed. A tag may hold commas.
fn tags(mut list: &[u8]) -> impl Iterator<Item = &[u8]> {
    core::iter::from_fn(move || {
        while let [b' ' | b'\t' | b',', rest @ ..] = list {
            list = rest;
        }
        let quote = if list.starts_with(b"W/") { 2 } else { 0 };
        if list.get(quote) != Some(&b'"') {
            return None;
        }
        let opaque = &list[quote + 1..];
        let len = opaque.iter().position(|&b| !is_tag_byte(b))?;
        let (tag, rest) = list.split_at_checked(quote + len + 2)?;
        list = rest;
        let follows = rest.iter().find(|&&b| b != b' ' && b != b'\t');
        (tag.ends_with(b"\"") && matches!(follows, None | Some(b','))).then_some(tag)
    })
}

/// What a condition says about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// There is none, or it holds: serve the request.
    Passed,
    /// The client has what it asks for: answer 304.
    NotModified,
    /// Answer 412 and change nothing.
    Failed,
}

/// What is known of the current state of a resource, for conditions and for the answer.
///
/// ```
/// use fyke_codecs::http1::{EntityTag, HeaderError, ResponseHead, Status, Validators};
///
/// let validators = Validators::new().etag(EntityTag::strong("v1")?).last_modified(784_111_777);
/// let head = validators.apply(ResponseHead::new(Status::OK));
/// # Ok::<(), HeaderError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Validators {
    etag: Option<EntityTag>,
    last_modified: Option<u64>,
}

impl Validators {
    /// Nothing is known but that the resource exists.
    pub const fn new() -> Self {
        Self { etag: None, last_modified: None }
    }

    /// Its entity tag.
    pub fn etag(mut self, tag: EntityTag) -> Self {
        self.etag = Some(tag);
        self
    }

    /// When it was changed last, in seconds since 1970.
    pub const fn last_modified(mut self, unix_seconds: u64) -> Self {
        self.last_modified = Some(unix_seconds);
        self
    }

    /// Writes `ETag` and `Last-Modified` into a response's head.
    pub fn apply(&self, mut head: ResponseHead) -> ResponseHead {
        if let Some(tag) = &self.etag {
            head = head.header("ETag", tag.as_str());
        }
        if let Some(second) = self.last_modified {
            head = head.header("Last-Modified", DateText::new(second).as_bytes());
        }
        head
    }

    /// Evaluates the conditions of a request for a resource that exists, in the order of RFC 9110
    /// section 13.2.2; `now` is in seconds since 1970.
    #[must_use]
    pub fn check(&self, head: &RequestHead, now: u64) -> Precondition {
        let is_get = matches!(head.method(), Method::Get | Method::Head);
        let not_modified = if is_get { Precondition::NotModified } else { Precondition::Failed };
        if head.header("if-match").is_some() {
            if !self.matches(head, "if-match", EntityTag::strong_match) {
                return Precondition::Failed;
            }
        } else if let Some(since) = date(head, "if-unmodified-since")
            && self.last_modified.is_some_and(|modified| modified > since)
        {
            return Precondition::Failed;
        }
        if head.header("if-none-match").is_some() {
            if self.matches(head, "if-none-match", EntityTag::weak_match) {
                return not_modified;
            }
        } else if is_get
            // A date to come is no date we can have given.
            && let Some(since) = date(head, "if-modified-since").filter(|&since| since <= now)
            && self.last_modified.is_some_and(|modified| modified <= since)
        {
            return Precondition::NotModified;
        }
        Precondition::Passed
    }

    /// Whether a `Range` counts, as far as `If-Range` is concerned (RFC 9110 section 13.1.5).
    #[must_use]
    pub fn permits_range(&self, head: &RequestHead, now: u64) -> bool {
        let mut conditions = head.header_all("if-range");
        let Some(condition) = conditions.next() else { return true };
        if conditions.next().is_some() {
            return false;
        }
        if condition.ends_with(b"\"") {
            return self.etag.as_ref().is_some_and(|tag| tag.strong_match(condition));
        }
        // A date is a strong validator only once the second it names has passed (section 8.8.2.2).
        let modified = self.last_modified.filter(|modified| modified.saturating_add(1) < now);
        modified.is_some() && parse_date(condition) == modified
    }

    fn matches(&self, head: &RequestHead, name: &str, same: fn(&EntityTag, &[u8]) -> bool) -> bool {
        head.header_all(name).any(|value| {
            let tag = self.etag.as_ref();
            value == b"*" || tag.is_some_and(|tag| tags(value).any(|other| same(tag, other)))
        })
    }
}

/// A field that must be a single date; anything else is ignored (RFC 9110 section 13.1.3).
fn date(head: &RequestHead, name: &str) -> Option<u64> {
    let mut values = head.header_all(name);
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    parse_date(value)
}
