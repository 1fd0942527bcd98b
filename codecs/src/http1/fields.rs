//! What the field lines of a request's head say about its framing and its connection.
//!
//! Stricter than the letter of the RFC wherever two parsers on one path could disagree: a repeated
//! Content-Length is refused even when both agree, and so is any Transfer-Encoding but `chunked`.

use super::chars::{decimal, is_token, list, trim};
use super::head::Parsed;
use super::marks::{Flags, Names};
use super::request_line::RequestLine;
use super::target::check_authority;
use super::{BodyLength, HttpError, Limits, Status, Version};

/// What has been noted so far.
#[derive(Debug, Default)]
pub(super) struct Fields {
    length: Option<u64>,
    count: u16,
    flags: Flags,
    names: Names,
}

impl Fields {
    /// Takes note of a field, if it matters. White space around the value does not.
    #[inline]
    pub(super) fn add(
        &mut self,
        name: &[u8],
        value: &[u8],
        limits: &Limits,
    ) -> Result<(), HttpError> {
        self.count(Names::of(name), limits)?;
        // The first letter tells most names from the few that matter here.
        match (name.len(), name.first().map_or(0, |b| b | 0x20)) {
            (4, b'h') if name.eq_ignore_ascii_case(b"host") => self.host(trim(value)),
            (6, b'e') if name.eq_ignore_ascii_case(b"expect") => self.expect(trim(value)),
            (7, b'u') if name.eq_ignore_ascii_case(b"upgrade") => {
                self.flags.set(Flags::UPGRADE_FIELD);
                Ok(())
            }
            (10, b'c') if name.eq_ignore_ascii_case(b"connection") => {
                self.connection(trim(value));
                Ok(())
            }
            (14, b'c') if name.eq_ignore_ascii_case(b"content-length") => {
                self.content_length(trim(value))
            }
            (17, b't') if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                self.transfer_encoding(trim(value))
            }
            _ => Ok(()),
        }
    }

    /// The same for a `Host` whose value has been checked.
    #[inline]
    pub(super) fn add_host(&mut self, limits: &Limits) -> Result<(), HttpError> {
        const HOST: Names = Names::of(b"host");
        self.count(HOST, limits)?;
        self.one_host()
    }

    /// The same for a `Connection` that says `keep-alive`.
    #[inline]
    pub(super) fn add_keep_alive(&mut self, limits: &Limits) -> Result<(), HttpError> {
        const CONNECTION: Names = Names::of(b"connection");
        self.flags.set(Flags::KEEP_ALIVE);
        self.count(CONNECTION, limits)
    }

    /// Takes note that there is a field of such a name.
    #[inline]
    pub(super) fn count(&mut self, name: Names, limits: &Limits) -> Result<(), HttpError> {
        self.count += 1;
        if self.count > limits.head_fields_max {
            return Err(too_many());
        }
        self.names.add_all(name);
        Ok(())
    }

    fn host(&mut self, value: &[u8]) -> Result<(), HttpError> {
        self.one_host()?;
        check_authority(value)
    }

    /// RFC 9112 section 3.2: exactly one.
    #[inline]
    fn one_host(&mut self) -> Result<(), HttpError> {
        if self.flags.has(Flags::HOST) {
            return Err(HttpError::bad("more than one Host field"));
        }
        self.flags.set(Flags::HOST);
        Ok(())
    }

    /// RFC 9110 section 10.1.1: there is one expectation only.
    fn expect(&mut self, value: &[u8]) -> Result<(), HttpError> {
        if !value.eq_ignore_ascii_case(b"100-continue") {
            return Err(HttpError::new(Status::EXPECTATION_FAILED, "unknown expectation"));
        }
        self.flags.set(Flags::EXPECT);
        Ok(())
    }

    /// RFC 9110 section 7.6.1.
    #[inline]
    fn connection(&mut self, value: &[u8]) {
        // Most say one thing only.
        match Self::option(value) {
            0 => list(value).for_each(|option| self.flags.set(Self::option(option))),
            flag => self.flags.set(flag),
        }
    }

    /// The flag of a connection option; none for an unknown one, or for a list.
    #[inline]
    fn option(option: &[u8]) -> u8 {
        match option.len() {
            5 if option.eq_ignore_ascii_case(b"close") => Flags::CLOSE,
            10 if option.eq_ignore_ascii_case(b"keep-alive") => Flags::KEEP_ALIVE,
            7 if option.eq_ignore_ascii_case(b"upgrade") => Flags::UPGRADE_OPTION,
            _ => 0,
        }
    }

    /// RFC 9112 section 6.2; a repetition may be refused (RFC 9110 section 8.6), and is.
    fn content_length(&mut self, value: &[u8]) -> Result<(), HttpError> {
        if self.length.is_some() {
            return Err(HttpError::bad("more than one Content-Length field"));
        }
        self.length = decimal(value);
        if self.length.is_none() {
            return Err(HttpError::bad("malformed Content-Length"));
        }
        Ok(())
    }

    /// RFC 9112 section 6.1: `chunked` and nothing else.
    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), HttpError> {
        if self.flags.has(Flags::CHUNKED) {
            return Err(HttpError::bad("more than one Transfer-Encoding field"));
        }
        if value.eq_ignore_ascii_case(b"chunked") {
            self.flags.set(Flags::CHUNKED);
            return Ok(());
        }
        Err(refused_coding(value))
    }

    /// The checks that need the whole head (RFC 9112 sections 3.2, 6.1 and 6.3), which has `len`
    /// bytes.
    #[inline]
    pub(super) fn finish(
        &self,
        line: RequestLine,
        len: usize,
        limits: &Limits,
    ) -> Result<Parsed, HttpError> {
        let mut flags = self.flags;
        let chunked = flags.has(Flags::CHUNKED);
        if line.version == Version::Http10 {
            if chunked {
                return Err(HttpError::bad("Transfer-Encoding in HTTP/1.0"));
            }
            // RFC 9110 sections 7.8 and 10.1.1: not for this version.
            flags.unset(Flags::UPGRADE_OPTION | Flags::UPGRADE_FIELD | Flags::EXPECT);
        } else if !flags.has(Flags::HOST) {
            return Err(HttpError::bad("no Host field"));
        }
        let body = match (chunked, self.length) {
            (true, Some(_)) => {
                return Err(HttpError::bad("both Content-Length and Transfer-Encoding"));
            }
            (true, None) => BodyLength::Chunked,
            (false, None | Some(0)) => {
                flags.unset(Flags::EXPECT);
                BodyLength::Empty
            }
            (false, Some(n)) if n > limits.declared_bytes_max => {
                return Err(HttpError::bad("absurd Content-Length"));
            }
            (false, Some(n)) => BodyLength::Exact(n),
        };
        Ok(Parsed { line, flags, names: self.names, body, len })
    }
}

#[cold]
const fn too_many() -> HttpError {
    let status = Status::REQUEST_HEADER_FIELDS_TOO_LARGE;
    HttpError::new(status, "more header fields than the limit")
}

/// 501 for a list of codings that ends in the one `chunked`, 400 for anything else.
#[cold]
fn refused_coding(value: &[u8]) -> HttpError {
    let mut members = value.rsplit(|&b| b == b',').map(trim);
    let framed = members.next().is_some_and(|last| last.eq_ignore_ascii_case(b"chunked"));
    let mut inner = 0;
    let known_shape = members.all(|member| {
        inner += 1;
        let coding = trim(member.split(|&b| b == b';').next().unwrap_or(member));
        is_token(coding) && !coding.eq_ignore_ascii_case(b"chunked")
    });
    if framed && inner > 0 && known_shape {
        return HttpError::new(Status::NOT_IMPLEMENTED, "transfer coding other than chunked");
    }
    HttpError::bad("Transfer-Encoding does not end in chunked")
}
