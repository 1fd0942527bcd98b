//! TLS for the examples: flags, certificates from files, a self-signed one to try things out.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use clap::Args;
use fyke::{ChannelInit, PipelineBuilder};
use fyke_codecs::tls::{
    ClientAuth, TlsCertificates, TlsClientConfig, TlsHandler, TlsIdentity, TlsOptions, TlsRoots,
    TlsServerConfig,
};

/// TLS for servers.
#[derive(Args, Clone, Debug)]
pub struct TlsFlags {
    /// Speak TLS: the certificate chain and its private key, in PEM. New files in their place are
    /// seen within seconds, without a restart
    #[arg(long, num_args = 2, value_names = ["CERT", "KEY"], conflicts_with = "tls_self_signed")]
    pub tls: Vec<PathBuf>,

    /// Speak TLS with a certificate made at the start, for localhost, 127.0.0.1 and ::1
    #[arg(long)]
    pub tls_self_signed: bool,

    /// Clients must show a certificate that one of these (PEM) has signed
    #[arg(long, value_name = "FILE")]
    pub tls_client_ca: Option<PathBuf>,

    /// Append the secrets of all connections to this file, for Wireshark. For debugging only
    #[arg(long, value_name = "FILE")]
    pub tls_key_log: Option<PathBuf>,
}

/// TLS for clients.
#[derive(Args, Clone, Debug)]
pub struct TlsClientFlags {
    /// Take any certificate of the server: nobody knows then who it is
    #[arg(long)]
    pub insecure: bool,

    /// Trust these (PEM) instead of those that the system trusts
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

/// Whether a server speaks TLS, and how. By default it does not.
#[derive(Clone, Debug, Default)]
pub struct ServerTls(Option<TlsServerConfig>);

impl ServerTls {
    /// The pipeline of a connection, with TLS in front if that was asked for.
    pub fn pipeline(&self, ch: &mut ChannelInit<'_>) -> PipelineBuilder {
        self.behind(ch.pipeline())
    }

    /// The same, behind stages that come before TLS.
    pub fn behind(&self, pipeline: PipelineBuilder) -> PipelineBuilder {
        match &self.0 {
            Some(config) => pipeline.duplex("tls", TlsHandler::server(config)),
            None => pipeline,
        }
    }
}

impl TlsFlags {
    /// What the flags ask for. `alpn` are the application protocols of the example.
    ///
    /// # Errors
    /// One line for the user: a file cannot be read, say.
    pub fn server(&self, alpn: &[&str], options: TlsOptions) -> Result<ServerTls, String> {
        let certificates = match &self.tls[..] {
            [chain, key] => {
                let certificates = TlsCertificates::new(identity(chain, key)?);
                watch(certificates.clone(), chain.clone(), key.clone());
                certificates
            }
            _ if self.tls_self_signed => TlsCertificates::new(self_signed()?),
            _ if self.tls_client_ca.is_some() || self.tls_key_log.is_some() => {
                return Err("these flags are for TLS: give --tls or --tls-self-signed".to_owned());
            }
            _ => return Ok(ServerTls(None)),
        };
        let mut builder = TlsServerConfig::builder(&certificates).alpn(alpn).options(options);
        if let Some(path) = &self.tls_client_ca {
            builder = builder.client_auth(ClientAuth::Required(roots(path)?));
        }
        if let Some(path) = &self.tls_key_log {
            let file = fs::File::options().create(true).append(true).open(path);
            let file = Mutex::new(file.map_err(|error| cannot_read(path, error))?);
            builder = builder.key_log(move |line| {
                if let Ok(mut file) = file.lock() {
                    // A full disk is no reason not to serve.
                    let _ = writeln!(file, "{line}");
                }
            });
        }
        let config = builder.build().map_err(|error| format!("TLS: {error}"))?;
        Ok(ServerTls(Some(config)))
    }
}

impl TlsClientFlags {
    /// What the flags ask for.
    ///
    /// # Errors
    /// One line for the user: a file cannot be read, say.
    pub fn client(&self, alpn: &[&str]) -> Result<TlsClientConfig, String> {
        let roots = match &self.ca {
            Some(path) => roots(path)?,
            None if self.insecure => TlsRoots::empty(),
            None => system_roots()?,
        };
        let mut builder = TlsClientConfig::builder(roots).alpn(alpn);
        if self.insecure {
            builder = builder.danger_accept_any_certificate();
        }
        builder.build().map_err(|error| format!("TLS: {error}"))
    }
}

fn cannot_read(path: &Path, error: impl std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| cannot_read(path, error))
}

fn identity(chain: &Path, key: &Path) -> Result<TlsIdentity, String> {
    TlsIdentity::from_pem(&read(chain)?, &read(key)?).map_err(|error| cannot_read(chain, error))
}

fn roots(path: &Path) -> Result<TlsRoots, String> {
    TlsRoots::from_pem(&read(path)?).map_err(|error| cannot_read(path, error))
}

/// Where systems keep the certificates that they trust.
fn system_roots() -> Result<TlsRoots, String> {
    const PLACES: [&str; 3] = [
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/cert.pem",
    ];
    let place = PLACES.iter().map(Path::new).find(|place| place.exists());
    place.map_or_else(
        || Err("the system's trusted certificates were not found: give --ca".to_owned()),
        roots,
    )
}

fn self_signed() -> Result<TlsIdentity, String> {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let pair = rcgen::generate_simple_self_signed(names).map_err(|error| error.to_string())?;
    let identity =
        TlsIdentity::from_der([pair.cert.der().to_vec()], pair.signing_key.serialize_der());
    eprintln!(
        "the certificate is self-signed; connect with `curl -k https://HOST:PORT/`, or with\n\
         `openssl s_client -connect HOST:PORT`, or put this into a file for `--cacert FILE`:\n{}",
        pair.cert.pem()
    );
    identity.map_err(|error| error.to_string())
}

/// How often the files are looked at.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// Shows new certificates when their files have changed. Files that do not fit together (somebody
/// is still writing them) are tried again.
fn watch(certificates: TlsCertificates, chain: PathBuf, key: PathBuf) {
    let changed = move |chain: &Path, key: &Path| -> Option<(SystemTime, SystemTime)> {
        let of = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified()).ok();
        Some((of(chain)?, of(key)?))
    };
    let mut shown = changed(&chain, &key);
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(WATCH_INTERVAL);
            let now = changed(&chain, &key);
            if now.is_none() || now == shown {
                continue;
            }
            match identity(&chain, &key) {
                Ok(identity) => {
                    certificates.reload(TlsCertificates::new(identity));
                    tracing::info!("new certificates are shown from now on");
                    shown = now;
                }
                Err(error) => tracing::warn!(error, "the old certificates are still shown"),
            }
        }
    });
}
