//! What the connections of a server are to be like.

use std::fmt;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::{
    NoServerSessionStorage, ServerSessionMemoryCache, WebPkiClientVerifier,
    danger::ClientCertVerifier,
};

use super::certificates::{Noting, TlsCertificates};
use super::common::{Common, common_setters};
use super::error::TlsConfigError;
use super::identity::TlsRoots;
use super::info::TlsVersion;
use super::options::TlsOptions;
use super::provider::{self, LineKeyLog, LoopTime};

/// Whether clients have to show a certificate.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum ClientAuth {
    /// They are not asked for one.
    #[default]
    None,
    /// They may; one that these roots have not signed is refused.
    Optional(TlsRoots),
    /// They must, and these roots have to have signed it.
    Required(TlsRoots),
}

/// How a session is resumed, so that the next handshake of a client costs less.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Resumption {
    /// The client keeps the session, encrypted with a key that this process alone knows and changes
    /// every few hours (RFC 5077; RFC 8446 section 4.6.1).
    #[default]
    Tickets,
    /// The server keeps so many sessions, and the client has an id.
    Sessions(usize),
    /// Never: each handshake is a full one.
    Off,
}

/// What the connections of a server are to be like. A clone is cheap.
#[derive(Clone)]
pub struct TlsServerConfig {
    pub(super) rustls: Arc<ServerConfig>,
    pub(super) options: TlsOptions,
}

impl TlsServerConfig {
    /// A configuration with these certificates, to be refined. A handle of them that is kept
    /// exchanges them later.
    pub fn builder(certificates: &TlsCertificates) -> TlsServerBuilder {
        TlsServerBuilder {
            certificates: certificates.clone(),
            client_auth: ClientAuth::None,
            resumption: Resumption::Tickets,
            common: Common::default(),
        }
    }

    /// From a configuration of rustls, for what the builder does not offer. Certificates are judged
    /// at the date of its own `time_provider`. Early data (0-RTT) is switched off, as it can be
    /// played again.
    #[must_use]
    pub fn from_rustls(mut config: ServerConfig, options: TlsOptions) -> Self {
        config.cert_resolver = Arc::new(Noting(config.cert_resolver));
        config.max_early_data_size = 0;
        Self { rustls: Arc::new(config), options }
    }
}

impl fmt::Debug for TlsServerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsServerConfig")
            .field("alpn", &self.rustls.alpn_protocols)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Builds a [`TlsServerConfig`].
#[must_use = "call build()"]
pub struct TlsServerBuilder {
    certificates: TlsCertificates,
    client_auth: ClientAuth,
    resumption: Resumption,
    common: Common,
}

impl TlsServerBuilder {
    common_setters! {
        /// The application protocols that the server speaks, the best one first (ALPN). A client
        /// that names others only is refused; one that names none is not.
    }

    /// Whether clients have to show a certificate. They have not by default.
    pub fn client_auth(mut self, client_auth: ClientAuth) -> Self {
        self.client_auth = client_auth;
        self
    }

    /// How sessions are resumed; by tickets if nothing is said.
    pub fn resumption(mut self, resumption: Resumption) -> Self {
        self.resumption = resumption;
        self
    }

    /// The configuration.
    ///
    /// # Errors
    /// No cryptography, no roots for the certificates of clients, a protocol name that is none.
    pub fn build(mut self) -> Result<TlsServerConfig, TlsConfigError> {
        let provider = provider::default_provider()?;
        let verifier: Arc<dyn ClientCertVerifier> = match self.client_auth {
            ClientAuth::None => WebPkiClientVerifier::no_client_auth(),
            ClientAuth::Optional(roots) => {
                WebPkiClientVerifier::builder_with_provider(roots.0.into(), Arc::clone(&provider))
                    .allow_unauthenticated()
                    .build()
                    .map_err(|error| TlsConfigError::Unusable(error.into()))?
            }
            ClientAuth::Required(roots) => {
                WebPkiClientVerifier::builder_with_provider(roots.0.into(), Arc::clone(&provider))
                    .build()
                    .map_err(|error| TlsConfigError::Unusable(error.into()))?
            }
        };
        let mut config = ServerConfig::builder_with_details(provider, Arc::new(LoopTime))
            .with_protocol_versions(self.common.versions())?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(self.certificates));
        config.alpn_protocols = self.common.alpn()?;
        config.key_log = self.common.key_log();
        match self.resumption {
            Resumption::Tickets => {
                if let Some(ticketer) = provider::ticketer()? {
                    config.ticketer = ticketer;
                }
            }
            Resumption::Sessions(n) => config.session_storage = ServerSessionMemoryCache::new(n),
            Resumption::Off => {
                config.session_storage = Arc::new(NoServerSessionStorage {});
                config.send_tls13_tickets = 0;
            }
        }
        Ok(TlsServerConfig { rustls: Arc::new(config), options: self.common.options })
    }
}

impl fmt::Debug for TlsServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsServerBuilder")
            .field("certificates", &self.certificates)
            .field("options", &self.common.options)
            .finish_non_exhaustive()
    }
}
