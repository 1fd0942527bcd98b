//! Echo on monoio, one thread; the second argument is `uring` or `epoll`.

use monoio::buf::IoBuf;
use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::{ListenerOpts, TcpListener, TcpStream};
use monoio::{IoUringDriver, LegacyDriver, RuntimeBuilder};

async fn serve() {
    let options = ListenerOpts::new().reuse_port(false).backlog(4096);
    let address = ("127.0.0.1", fyke_rivals::port());
    let listener = TcpListener::bind_with_config(address, &options).expect("it listens");
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            monoio::spawn(echo(stream));
        }
    }
}

async fn echo(mut stream: TcpStream) {
    let mut buffer = Vec::with_capacity(64 * 1024);
    loop {
        buffer.clear();
        let (read, filled) = stream.read(buffer).await;
        let Ok(n @ 1..) = read else { return };
        let (written, slice) = stream.write_all(filled.slice(..n)).await;
        if written.is_err() {
            return;
        }
        buffer = slice.into_inner();
    }
}

fn main() {
    match std::env::args().nth(2).as_deref() {
        Some("uring") => {
            let runtime = RuntimeBuilder::<IoUringDriver>::new().with_entries(4096).build();
            runtime.expect("io_uring").block_on(serve());
        }
        _ => RuntimeBuilder::<LegacyDriver>::new().build().expect("epoll").block_on(serve()),
    }
}
