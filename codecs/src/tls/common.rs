//! What the builders of both sides share: protocols, versions, the log of keys, limits.

use std::sync::Arc;

use rustls::{KeyLog, NoKeyLog, SupportedProtocolVersion};

use super::error::TlsConfigError;
use super::info::TlsVersion;
use super::options::TlsOptions;
use super::provider::LineKeyLog;

/// The part of a builder that is the same on both sides.
pub(super) struct Common {
    pub(super) alpn: Vec<Vec<u8>>,
    pub(super) version_min: TlsVersion,
    pub(super) key_log: Option<Arc<LineKeyLog>>,
    pub(super) options: TlsOptions,
}

impl Default for Common {
    fn default() -> Self {
        Self {
            alpn: Vec::new(),
            version_min: TlsVersion::Tls12,
            key_log: None,
            options: TlsOptions::default(),
        }
    }
}

impl Common {
    /// The versions from the lowest on.
    pub(super) fn versions(&self) -> &'static [&'static SupportedProtocolVersion] {
        static TLS13_ONLY: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS13];
        match self.version_min {
            TlsVersion::Tls12 => rustls::ALL_VERSIONS,
            TlsVersion::Tls13 => &TLS13_ONLY,
        }
    }

    /// The protocols' names, if they are some: they have a length of one byte on the wire (RFC 7301
    /// section 3.1).
    pub(super) fn alpn(&mut self) -> Result<Vec<Vec<u8>>, TlsConfigError> {
        if self.alpn.iter().all(|name| (1..=255).contains(&name.len())) {
            Ok(std::mem::take(&mut self.alpn))
        } else {
            Err(TlsConfigError::Alpn)
        }
    }

    /// Where rustls tells secrets: nowhere, unless somebody asked for them.
    pub(super) fn key_log(&mut self) -> Arc<dyn KeyLog> {
        match self.key_log.take() {
            Some(log) => log,
            None => Arc::new(NoKeyLog {}),
        }
    }
}

/// The setters that both builders have. What ALPN means differs by side, so its text is given.
macro_rules! common_setters {
    ($(#[doc = $alpn:literal])+) => {
        $(#[doc = $alpn])+
        pub fn alpn(mut self, protocols: &[&str]) -> Self {
            self.common.alpn = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
            self
        }

        /// The lowest version that is spoken; TLS 1.2 by default.
        pub fn version_min(mut self, version: TlsVersion) -> Self {
            self.common.version_min = version;
            self
        }

        /// Gives the secrets of every connection away, as lines of an `SSLKEYLOGFILE` that
        /// Wireshark reads: for debugging only. Off by default. It is called on the loop and must
        /// not block.
        pub fn key_log(mut self, log: impl Fn(&str) + Send + Sync + 'static) -> Self {
            self.common.key_log = Some(LineKeyLog::new(log));
            self
        }

        /// Limits and times.
        pub fn options(mut self, options: TlsOptions) -> Self {
            self.common.options = options;
            self
        }
    };
}

pub(super) use common_setters;
