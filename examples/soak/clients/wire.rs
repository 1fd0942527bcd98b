//! A client's connection: the system's sockets and rustls, nothing of fyke, so that no mistake is made
//! on both sides at once.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use socket2::SockRef;

/// An honest client waits so long for its answer, and no longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A connection, in the clear or over TLS.
pub(crate) enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// What TLS clients need: whom to trust.
pub(crate) fn trust(certificate: &Path) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(certificate).map_err(|e| e.to_string())?;
    roots.add(certificate).map_err(|error| error.to_string())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| error.to_string())?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

/// A socket with patience.
pub(crate) fn socket(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// Resets a connection: what is unread and unsent is lost.
pub(crate) fn reset(socket: TcpStream) {
    // Whoever has been reset cannot reset.
    let _ = SockRef::from(&socket).set_linger(Some(Duration::ZERO));
}

impl Wire {
    pub(crate) fn connect(
        address: SocketAddr,
        tls: Option<&Arc<ClientConfig>>,
    ) -> io::Result<Self> {
        let socket = socket(address)?;
        let Some(config) = tls else { return Ok(Self::Plain(socket)) };
        let name = ServerName::IpAddress(address.ip().into());
        let client = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        Ok(Self::Tls(Box::new(StreamOwned::new(client, socket))))
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => &stream.sock,
        }
    }

    /// Sends our end.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        if let Self::Tls(stream) = self {
            stream.conn.send_close_notify();
            stream.flush()?;
        }
        self.socket().shutdown(Shutdown::Write)
    }

    /// Nothing may come any more but the peer's end.
    pub(crate) fn expect_end(&mut self) -> Result<(), String> {
        match self.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err("bytes came behind the last answer".to_owned()),
            // A peer that ends TLS may leave without its last word.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(()),
            Err(error) => Err(format!("no end came: {error}")),
        }
    }

    pub(crate) fn reset(self) {
        match self {
            Self::Plain(socket) => reset(socket),
            Self::Tls(stream) => reset(stream.into_parts().1),
        }
    }
}

impl Read for Wire {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(bytes),
            Self::Tls(stream) => stream.read(bytes),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
