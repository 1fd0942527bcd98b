//! Echo under TLS on tokio-rustls, one thread of tokio: ring, and a certificate of its own.

use std::sync::Arc;

use fyke_rivals::{accept_with_tokio, tokio_on_one_thread};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::{Ticketer, default_provider};
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

fn acceptor() -> TlsAcceptor {
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(pair.signing_key.serialize_der()).expect("a key");
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![pair.cert.der().clone()], key)
        .expect("they fit together");
    config.ticketer = Ticketer::new().expect("a ticketer");
    TlsAcceptor::from(Arc::new(config))
}

fn main() {
    let acceptor = acceptor();
    tokio_on_one_thread(accept_with_tokio(move |stream| {
        let acceptor = acceptor.clone();
        tokio::task::spawn_local(async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(n @ 1..) = stream.read(&mut buffer).await {
                let written = stream.write_all(&buffer[..n]).await;
                if written.is_err() || stream.flush().await.is_err() {
                    break;
                }
            }
        });
    }));
}
