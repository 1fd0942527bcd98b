//! What the connections of a client are to be like.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};

use super::common::{Common, common_setters};
use super::error::TlsConfigError;
use super::identity::{TlsIdentity, TlsRoots};
use super::info::TlsVersion;
use super::options::TlsOptions;
use super::provider::{self, LineKeyLog, LoopTime};

/// So many servers' sessions a client keeps to resume them.
const SESSIONS_MAX: usize = 256;

/// What the connections of a client are to be like. A clone is cheap, and shares the sessions that
/// may be resumed.
#[derive(Clone)]
pub struct TlsClientConfig {
    pub(super) rustls: Arc<ClientConfig>,
    pub(super) options: TlsOptions,
}

impl TlsClientConfig {
    /// A configuration that trusts these roots, to be refined.
    pub fn builder(roots: TlsRoots) -> TlsClientBuilder {
        TlsClientBuilder {
            roots,
            identity: None,
            sessions_max: SESSIONS_MAX,
            any_certificate: false,
            common: Common::default(),
        }
    }

    /// From a configuration of rustls, for what the builder does not offer. Certificates are judged
    /// at the date of its own `time_provider`.
    #[must_use]
    pub fn from_rustls(config: ClientConfig, options: TlsOptions) -> Self {
        Self { rustls: Arc::new(config), options }
    }
}

impl fmt::Debug for TlsClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsClientConfig")
            .field("alpn", &self.rustls.alpn_protocols)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Builds a [`TlsClientConfig`].
#[must_use = "call build()"]
pub struct TlsClientBuilder {
    roots: TlsRoots,
    identity: Option<TlsIdentity>,
    sessions_max: usize,
    any_certificate: bool,
    common: Common,
}

impl TlsClientBuilder {
    /// What to show to servers that ask for a certificate. Nothing by default.
    pub fn identity(mut self, identity: TlsIdentity) -> Self {
        self.identity = Some(identity);
        self
    }

    common_setters! {
        /// The application protocols that the client offers, the best one first (ALPN).
    }

    /// Of so many servers sessions are kept, to be resumed at the next connection (256); 0 switches
    /// that off.
    pub fn sessions_max(mut self, servers: usize) -> Self {
        self.sessions_max = servers;
        self
    }

    /// Takes any certificate, of anybody: the connection is encrypted, but nobody knows to whom.
    /// For trying things out.
    pub fn danger_accept_any_certificate(mut self) -> Self {
        self.any_certificate = true;
        self
    }

    /// The configuration.
    ///
    /// # Errors
    /// No cryptography, or a protocol name that is none.
    pub fn build(mut self) -> Result<TlsClientConfig, TlsConfigError> {
        let provider = provider::default_provider()?;
        let builder = ClientConfig::builder_with_details(Arc::clone(&provider), Arc::new(LoopTime))
            .with_protocol_versions(self.common.versions())?;
        let builder = if self.any_certificate {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        } else {
            builder.with_root_certificates(self.roots.0)
        };
        let mut config = match self.identity {
            Some(identity) => builder.with_client_cert_resolver(Arc::new(Only(identity.0))),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = self.common.alpn()?;
        config.key_log = self.common.key_log();
        config.resumption = match self.sessions_max {
            0 => Resumption::disabled(),
            n => Resumption::in_memory_sessions(n),
        };
        Ok(TlsClientConfig { rustls: Arc::new(config), options: self.common.options })
    }
}

impl fmt::Debug for TlsClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsClientBuilder")
            .field("roots", &self.roots.len())
            .field("options", &self.common.options)
            .finish_non_exhaustive()
    }
}

/// The one certificate of a client.
#[derive(Debug)]
struct Only(Arc<CertifiedKey>);

impl ResolvesClientCert for Only {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Takes any certificate, but insists that the server holds its key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
