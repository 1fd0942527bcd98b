//! What rustls takes from its surroundings: cryptography, the date, and a place to log keys.
//!
//! rustls asks for the date, and tells the name a client asks for, through objects that all
//! connections share. Both belong to the one connection that is being worked on, so they lie here,
//! by thread, while it is.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::KeyLog;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

use super::error::TlsConfigError;

#[derive(Default)]
struct Surroundings {
    unix_time: Duration,
    asked: Asked,
}

/// What a client has asked for.
#[derive(Default)]
pub(super) struct Asked {
    /// The name, if it came to light in the call just made.
    pub(super) server_name: Option<String>,
    /// There is no certificate for it.
    pub(super) unknown: bool,
}

thread_local! {
    static SURROUNDINGS: RefCell<Surroundings> = RefCell::default();
}

/// Works on a connection at a date of the loop; answers what the client asked for meanwhile, too.
pub(super) fn at<T>(unix_time: Duration, work: impl FnOnce() -> T) -> (T, Asked) {
    SURROUNDINGS.with_borrow_mut(|s| *s = Surroundings { unix_time, asked: Asked::default() });
    let done = work();
    (done, SURROUNDINGS.with_borrow_mut(|s| std::mem::take(&mut s.asked)))
}

pub(super) fn note_asked(name: Option<&str>, known: bool) {
    let asked = Asked { server_name: name.map(str::to_owned), unknown: !known };
    SURROUNDINGS.with_borrow_mut(|s| s.asked = asked);
}

/// The date of the loop whose connection is being worked on.
#[derive(Debug)]
pub(super) struct LoopTime;

impl TimeProvider for LoopTime {
    fn current_time(&self) -> Option<UnixTime> {
        let unix_time = SURROUNDINGS.with_borrow(|s| s.unix_time);
        Some(UnixTime::since_unix_epoch(unix_time))
    }
}

/// The program's own choice, or that of our features.
pub(super) fn default_provider() -> Result<Arc<CryptoProvider>, TlsConfigError> {
    if let Some(provider) = CryptoProvider::get_default() {
        return Ok(Arc::clone(provider));
    }
    #[cfg(feature = "tls-ring")]
    return Ok(Arc::new(rustls::crypto::ring::default_provider()));
    #[cfg(all(feature = "tls-aws-lc-rs", not(feature = "tls-ring")))]
    return Ok(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    #[cfg(not(any(feature = "tls-ring", feature = "tls-aws-lc-rs")))]
    Err(TlsConfigError::NoProvider)
}

/// Tickets that only this process can open, with a key that is changed every few hours.
pub(super) fn ticketer() -> Result<Option<Arc<dyn rustls::server::ProducesTickets>>, TlsConfigError>
{
    #[cfg(feature = "tls-ring")]
    return Ok(Some(rustls::crypto::ring::Ticketer::new()?));
    #[cfg(all(feature = "tls-aws-lc-rs", not(feature = "tls-ring")))]
    return Ok(Some(rustls::crypto::aws_lc_rs::Ticketer::new()?));
    #[cfg(not(any(feature = "tls-ring", feature = "tls-aws-lc-rs")))]
    Ok(None)
}

/// Takes the secrets of connections as lines of the format that Wireshark and others read.
#[derive(Clone)]
pub(super) struct LineKeyLog(Arc<dyn Fn(&str) + Send + Sync>);

impl LineKeyLog {
    pub(super) fn new(log: impl Fn(&str) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self(Arc::new(log)))
    }
}

impl KeyLog for LineKeyLog {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        (self.0)(&format!("{label} {} {}", hex(client_random), hex(secret)));
    }
}

impl fmt::Debug for LineKeyLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LineKeyLog")
    }
}
