//! Which certificate a server shows for which name, and how it gets new ones while it runs.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::identity::TlsIdentity;
use super::provider;

type Choose = dyn Fn(Option<&str>) -> Option<TlsIdentity> + Send + Sync;

/// The certificates of a server, by the name that clients ask for (SNI, RFC 6066 section 3). A
/// clone is a handle of the same set, so one that is kept can exchange them at run time: the next
/// handshake sees the new ones.
///
/// ```no_run
/// use fyke_codecs::tls::{TlsCertificates, TlsIdentity, TlsServerConfig};
///
/// # fn serve(old: TlsIdentity, new: TlsIdentity) -> Result<(), fyke_codecs::tls::TlsConfigError> {
/// let certificates = TlsCertificates::new(old);
/// let config = TlsServerConfig::builder(&certificates).build()?;
/// // Months later, without a restart:
/// certificates.reload(TlsCertificates::new(new));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TlsCertificates(Arc<RwLock<Arc<Set>>>);

#[derive(Clone, Default)]
struct Set {
    /// In lower case; a wildcard stands below `*.` and the rest.
    names: HashMap<String, TlsIdentity>,
    /// For clients that ask for another name or for none.
    fallback: Option<TlsIdentity>,
    choose: Option<Arc<Choose>>,
}

impl Set {
    fn find(&self, asked: Option<&str>) -> Option<TlsIdentity> {
        if let Some(choose) = &self.choose {
            return choose(asked);
        }
        let by_name = asked.and_then(|name| {
            let name = name.to_ascii_lowercase();
            let wildcard = || {
                // A wildcard stands for one label (RFC 6125 section 6.4.3).
                let (_, parent) = name.split_once('.')?;
                self.names.get(&format!("*.{parent}"))
            };
            self.names.get(&name).or_else(wildcard)
        });
        by_name.or(self.fallback.as_ref()).cloned()
    }
}

impl TlsCertificates {
    /// One certificate for whatever name a client asks for.
    #[must_use]
    pub fn new(identity: TlsIdentity) -> Self {
        Self::of(Set { fallback: Some(identity), ..Set::default() })
    }

    /// None yet: a client that asks for no name, or for one that has not got a certificate, is
    /// refused.
    #[must_use]
    pub fn by_name() -> Self {
        Self::of(Set::default())
    }

    /// A function decides, given the name that the client asks for; `None` refuses the client. It
    /// runs on the loop and must not block.
    #[must_use]
    pub fn resolver(
        choose: impl Fn(Option<&str>) -> Option<TlsIdentity> + Send + Sync + 'static,
    ) -> Self {
        Self::of(Set { choose: Some(Arc::new(choose)), ..Set::default() })
    }

    fn of(set: Set) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(set))))
    }

    /// Adds the certificate of a name: `example.org`, or `*.example.org` for all names one label
    /// below. An exact name goes before a wildcard.
    #[must_use]
    pub fn with_name(self, name: &str, identity: TlsIdentity) -> Self {
        let mut place = self.0.write().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut place).names.insert(name.to_ascii_lowercase(), identity);
        drop(place);
        self
    }

    /// Puts the certificates of `others` in the place of these, for all handles of this set.
    /// Connections that are open keep theirs.
    pub fn reload(&self, others: Self) {
        let set = others.current();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = set;
    }

    fn current(&self) -> Arc<Set> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for TlsCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsCertificates")
            .field("names", &self.current().names.keys())
            .finish_non_exhaustive()
    }
}

impl ResolvesServerCert for TlsCertificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let found = self.current().find(hello.server_name());
        provider::note_asked(hello.server_name(), found.is_some());
        found.map(|identity| identity.0)
    }
}

/// A resolver of the program's own, whose clients' names we want to know, too.
#[derive(Debug)]
pub(super) struct Noting(pub(super) Arc<dyn ResolvesServerCert>);

impl ResolvesServerCert for Noting {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_owned);
        let found = self.0.resolve(hello);
        provider::note_asked(name.as_deref(), found.is_some());
        found
    }

    fn only_raw_public_keys(&self) -> bool {
        self.0.only_raw_public_keys()
    }
}
