//! Certificates for tests, valid from 1970 on: that is where embedded channels live.

use std::sync::LazyLock;

use fyke_codecs::tls::{TlsIdentity, TlsRoots};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};

/// Somebody who signs certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    der: Vec<u8>,
}

/// The one that both sides of a test trust.
pub(crate) static ROOT: LazyLock<Authority> = LazyLock::new(|| Authority::new("root of tests"));
/// One that nobody trusts.
pub(crate) static STRANGER: LazyLock<Authority> = LazyLock::new(|| Authority::new("a stranger"));

fn params(names: &[&str]) -> CertificateParams {
    let names = names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let mut params = CertificateParams::new(names).expect("these are names");
    params.not_before = date_time_ymd(1970, 1, 1);
    params.not_after = date_time_ymd(2040, 1, 1);
    params
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = params(&[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let der = params.self_signed(&key).expect("it signs itself").der().to_vec();
        Self { issuer: Issuer::new(params, key), der }
    }

    pub(crate) fn roots(&self) -> TlsRoots {
        let mut roots = TlsRoots::empty();
        roots.add(&self.der).expect("a certificate");
        roots
    }

    /// A certificate for these names.
    pub(crate) fn identity(&self, names: &[&str]) -> TlsIdentity {
        self.sign(params(names))
    }

    /// One that is good at the first instant of 1970 and never again.
    pub(crate) fn short_lived(&self, names: &[&str]) -> TlsIdentity {
        let mut params = params(names);
        params.not_after = date_time_ymd(1970, 1, 1);
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> TlsIdentity {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("it signs");
        let chain = [certificate.der().to_vec(), self.der.clone()];
        TlsIdentity::from_der(chain, key.serialize_der()).expect("they belong together")
    }
}
