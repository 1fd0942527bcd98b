//! To and from the types of the crate `http` (feature `http-types`).
//!
//! A head keeps the bytes it came as; a map of its fields is made here and only here. What comes back
//! from code written for those types is checked like any other response.

use core::fmt;

use super::{HeaderError, Method, RequestHead, Response, ResponseHead, Status, Version};
use crate::payload::Payload;

/// A message that the other side's types cannot express.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConversionError {
    /// A method that is not served here.
    Method,
    /// A version that is not of HTTP/1.
    Version,
    /// A status outside 100 to 599.
    Status,
    /// A target that `http::Uri` does not take.
    Target,
    /// A header field.
    Header(HeaderError),
}

impl fmt::Display for ConversionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Method => "unknown method",
            Self::Version => "no version of HTTP/1",
            Self::Status => "status outside 100 to 599",
            Self::Target => "request target that is no URI",
            Self::Header(error) => return error.fmt(f),
        })
    }
}

impl core::error::Error for ConversionError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Header(error) => Some(error),
            _ => None,
        }
    }
}

impl From<HeaderError> for ConversionError {
    fn from(error: HeaderError) -> Self {
        Self::Header(error)
    }
}

impl From<Method> for http::Method {
    fn from(method: Method) -> Self {
        match method {
            Method::Get => Self::GET,
            Method::Head => Self::HEAD,
            Method::Post => Self::POST,
            Method::Put => Self::PUT,
            Method::Delete => Self::DELETE,
            Method::Options => Self::OPTIONS,
            Method::Patch => Self::PATCH,
            Method::Connect => Self::CONNECT,
            Method::Trace => Self::TRACE,
        }
    }
}

impl TryFrom<&http::Method> for Method {
    type Error = ConversionError;

    fn try_from(method: &http::Method) -> Result<Self, ConversionError> {
        Self::parse(method.as_str().as_bytes()).ok_or(ConversionError::Method)
    }
}

impl From<Version> for http::Version {
    fn from(version: Version) -> Self {
        match version {
            Version::Http10 => Self::HTTP_10,
            Version::Http11 => Self::HTTP_11,
        }
    }
}

impl TryFrom<http::Version> for Version {
    type Error = ConversionError;

    fn try_from(version: http::Version) -> Result<Self, ConversionError> {
        match version {
            http::Version::HTTP_10 => Ok(Self::Http10),
            http::Version::HTTP_11 => Ok(Self::Http11),
            _ => Err(ConversionError::Version),
        }
    }
}

impl From<Status> for http::StatusCode {
    fn from(status: Status) -> Self {
        // Both know 100 to 599.
        Self::from_u16(status.as_u16()).unwrap_or(Self::INTERNAL_SERVER_ERROR)
    }
}

impl TryFrom<http::StatusCode> for Status {
    type Error = ConversionError;

    fn try_from(status: http::StatusCode) -> Result<Self, ConversionError> {
        Self::from_u16(status.as_u16()).ok_or(ConversionError::Status)
    }
}

impl TryFrom<&RequestHead> for http::request::Parts {
    type Error = ConversionError;

    fn try_from(head: &RequestHead) -> Result<Self, ConversionError> {
        let (mut parts, ()) = http::Request::new(()).into_parts();
        parts.method = head.method().into();
        parts.version = head.version().into();
        parts.uri = head.target().parse().map_err(|_| ConversionError::Target)?;
        for field in head.headers() {
            let name = http::HeaderName::from_bytes(field.name.as_bytes());
            let value = http::HeaderValue::from_bytes(field.value);
            let (Ok(name), Ok(value)) = (name, value) else {
                return Err(HeaderError::Value.into());
            };
            // There is an end to what the map takes.
            parts.headers.try_append(name, value).map_err(|_| HeaderError::Framing)?;
        }
        Ok(parts)
    }
}

impl TryFrom<http::response::Parts> for ResponseHead {
    type Error = ConversionError;

    fn try_from(parts: http::response::Parts) -> Result<Self, ConversionError> {
        let mut head = Self::new(parts.status.try_into()?);
        for (name, value) in &parts.headers {
            head.try_header(name.as_str(), value.as_bytes())?;
        }
        Ok(head)
    }
}

impl<B: Into<Payload>> TryFrom<http::Response<B>> for Response {
    type Error = ConversionError;

    fn try_from(response: http::Response<B>) -> Result<Self, ConversionError> {
        let (parts, body) = response.into_parts();
        Ok(Self { head: parts.try_into()?, body: body.into() })
    }
}

#[cfg(feature = "pipeline")]
impl TryFrom<super::Request> for http::Request<Payload> {
    type Error = ConversionError;

    fn try_from(request: super::Request) -> Result<Self, ConversionError> {
        let parts = http::request::Parts::try_from(&request.head)?;
        Ok(Self::from_parts(parts, request.body))
    }
}
