//! The generator's connections: plain ones, and TLS by rustls.
//!
//! One cipher suite is offered, so that all servers of a run encrypt alike. Reads of the socket are
//! large and few: what the generator saves leaves room to see what the servers cost.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{cipher_suite, default_provider};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};

use crate::load::Work;
use crate::load::wire::Wire;

/// Ciphertext is read in pieces of this size.
const READ_BYTES: usize = 256 * 1024;
/// Plain bytes that may wait as records until the socket takes them.
const WAITING_BYTES_MAX: usize = 256 * 1024;

/// A connection, with TLS if the work asks for it.
#[derive(Debug)]
pub(crate) enum AnyWire {
    Plain(mio::net::TcpStream),
    Tls(Box<TlsWire>),
}

impl Wire for AnyWire {
    fn open(stream: TcpStream, work: &Work) -> io::Result<Self> {
        if work.is_tls() {
            return Ok(Self::Tls(Box::new(TlsWire::open(stream)?)));
        }
        Ok(Self::Plain(Wire::open(stream, work)?))
    }

    fn source(&mut self) -> &mut mio::net::TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(wire) => &mut wire.socket,
        }
    }
}

impl Read for AnyWire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(into),
            Self::Tls(wire) => wire.read(into),
        }
    }
}

impl Write for AnyWire {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(from),
            Self::Tls(wire) => wire.write(from),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// TLS over a socket that does not block.
#[derive(Debug)]
pub(crate) struct TlsWire {
    socket: mio::net::TcpStream,
    tls: ClientConnection,
    /// Ciphertext; what lies in `unread` rustls has not seen.
    raw: Vec<u8>,
    unread: std::ops::Range<usize>,
}

impl TlsWire {
    fn open(mut stream: TcpStream) -> io::Result<Self> {
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let tls = ClientConnection::new(config()?, name);
        let mut tls = tls.map_err(io::Error::other)?;
        tls.set_buffer_limit(Some(WAITING_BYTES_MAX));
        while tls.is_handshaking() {
            tls.complete_io(&mut stream)?;
        }
        stream.set_nonblocking(true)?;
        let socket = mio::net::TcpStream::from_std(stream);
        Ok(Self { socket, tls, raw: vec![0; READ_BYTES], unread: 0..0 })
    }

    /// Sends the records that wait, as far as the socket takes them.
    fn send(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.socket) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Gives rustls ciphertext; `false` when there is none.
    fn receive(&mut self, drained: &mut bool) -> io::Result<bool> {
        if self.unread.is_empty() {
            if *drained {
                return Ok(false);
            }
            match self.socket.read(&mut self.raw) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => {
                    *drained = n < self.raw.len();
                    self.unread = 0..n;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        let taken = self.tls.read_tls(&mut &self.raw[self.unread.clone()])?;
        self.unread.start += taken;
        self.tls.process_new_packets().map_err(io::Error::other)?;
        Ok(true)
    }
}

impl Read for TlsWire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.send()?;
        let (mut filled, mut drained) = (0, false);
        while filled < into.len() {
            match self.tls.reader().read(&mut into[filled..]) {
                Ok(0) => return Ok(filled),
                Ok(n) => filled += n,
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                Err(_) if self.receive(&mut drained)? => {}
                Err(error) if filled == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(filled)
    }
}

impl Write for TlsWire {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.send()?;
        match self.tls.writer().write(from)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            n => self.send().map(|()| n),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// TLS 1.3 with the suite that rustls prefers, with anybody.
fn config() -> io::Result<Arc<ClientConfig>> {
    let mut provider = default_provider();
    provider.cipher_suites = vec![cipher_suite::TLS13_AES_256_GCM_SHA384];
    let provider = Arc::new(provider);
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(io::Error::other)?;
    let anybody = Arc::new(Anybody(provider));
    let builder = builder.dangerous().with_custom_certificate_verifier(anybody);
    Ok(Arc::new(builder.with_no_client_auth()))
}

/// Takes any certificate: each server makes its own.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
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
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2 was not offered".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
