//! Who we are, and whom we trust: certificate chains with their keys, and sets of roots.

use std::fmt;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::error::TlsConfigError;
use super::provider;

/// A certificate chain, the own certificate first, and the private key that belongs to it. A clone
/// is cheap.
#[derive(Clone)]
pub struct TlsIdentity(pub(super) Arc<CertifiedKey>);

impl TlsIdentity {
    /// From PEM: a chain of certificates, and a key (PKCS #8, PKCS #1 or SEC 1). Both may be one
    /// and the same text.
    ///
    /// # Errors
    /// When one of them is missing or broken, or the key is not the certificate's.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsConfigError> {
        let chain = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| TlsConfigError::Pem { what: "certificate", source: error.into() })?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| TlsConfigError::Pem { what: "private key", source: error.into() })?;
        Self::new(chain, key)
    }

    /// From DER: certificates, and a key (PKCS #8, PKCS #1 or SEC 1).
    ///
    /// # Errors
    /// When one of them is missing or broken, or the key is not the certificate's.
    pub fn from_der(
        chain: impl IntoIterator<Item = Vec<u8>>,
        key: Vec<u8>,
    ) -> Result<Self, TlsConfigError> {
        let key = PrivateKeyDer::try_from(key).map_err(|_| TlsConfigError::KeyFormat)?;
        Self::new(chain.into_iter().map(CertificateDer::from).collect(), key)
    }

    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, TlsConfigError> {
        if chain.is_empty() {
            return Err(TlsConfigError::NoCertificate);
        }
        // It finds out whether the two belong together, too.
        let certified = CertifiedKey::from_der(chain, key, &*provider::default_provider()?)?;
        Ok(Self(Arc::new(certified)))
    }
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsIdentity").field("chain", &self.0.cert.len()).finish_non_exhaustive()
    }
}

/// Whose signature under a peer's certificate is trusted.
#[derive(Clone, Debug)]
pub struct TlsRoots(pub(super) RootCertStore);

impl TlsRoots {
    /// Nobody's yet.
    #[must_use]
    pub fn empty() -> Self {
        Self(RootCertStore::empty())
    }

    /// The certificates of a PEM text: one, or a bundle of a system. Those of a bundle that cannot
    /// be read (they exist) are left out.
    ///
    /// # Errors
    /// When not a single one can be read.
    pub fn from_pem(bundle: &[u8]) -> Result<Self, TlsConfigError> {
        let certificates = CertificateDer::pem_slice_iter(bundle).filter_map(Result::ok);
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(certificates);
        if added == 0 {
            return Err(TlsConfigError::NoCertificate);
        }
        Ok(Self(roots))
    }

    /// Trusts one more, in DER.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn add(&mut self, certificate: &[u8]) -> Result<(), TlsConfigError> {
        Ok(self.0.add(CertificateDer::from(certificate))?)
    }

    /// How many are trusted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody is trusted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
