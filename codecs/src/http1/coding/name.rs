//! The names of content codings.

use core::fmt;

/// A content coding of the IANA registry that fyke knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ContentCoding {
    /// RFC 1952.
    Gzip,
    /// RFC 1950, in spite of its name (RFC 9110 section 8.4.1.2).
    Deflate,
    /// RFC 7932. Only there with the feature `br`.
    Br,
    /// RFC 8878. Only there with the feature `zstd`.
    Zstd,
}

impl ContentCoding {
    /// Those that can be encoded and decoded here, the one to prefer first.
    pub const SUPPORTED: &[Self] = &[
        #[cfg(feature = "zstd")]
        Self::Zstd,
        #[cfg(feature = "br")]
        Self::Br,
        Self::Gzip,
        Self::Deflate,
    ];

    /// Reads a name, whatever its case; `x-gzip` is an old one of gzip.
    #[must_use]
    pub fn parse(name: &[u8]) -> Option<Self> {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        [Self::Gzip, Self::Deflate, Self::Br, Self::Zstd]
            .into_iter()
            .find(|coding| is(coding.as_str()))
            .or_else(|| is("x-gzip").then_some(Self::Gzip))
    }

    /// The name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Br => "br",
            Self::Zstd => "zstd",
        }
    }

    /// Whether it can be encoded and decoded here.
    #[must_use]
    pub fn is_supported(self) -> bool {
        Self::SUPPORTED.contains(&self)
    }

    /// What this side takes, as the value of an `Accept-Encoding` field.
    #[must_use]
    pub fn accepted() -> String {
        Self::SUPPORTED.iter().map(|coding| coding.as_str()).collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for ContentCoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
