//! What the contestants share: the port on the command line, and a listener with room for a crowd.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use socket2::{Domain, Socket, Type};

/// The port that the first argument names.
pub fn port() -> u16 {
    let port = std::env::args().nth(1).expect("the first argument is the port");
    port.parse().expect("a port is a number up to 65535")
}

/// A listener on loopback that does not block, with the backlog that fyke's has.
pub fn listener() -> TcpListener {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_reuse_address(true).expect("SO_REUSEADDR");
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port()));
    socket.bind(&address.into()).expect("the port is free");
    socket.listen(4096).expect("it listens");
    socket.set_nonblocking(true).expect("O_NONBLOCK");
    socket.into()
}

/// One thread that runs tokio's tasks.
pub fn tokio_on_one_thread(main: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    let tasks = tokio::task::LocalSet::new();
    runtime.expect("a runtime").block_on(tasks.run_until(main));
}

/// Accepts for ever, and gives each connection to `serve`.
pub async fn accept_with_tokio(serve: impl Fn(tokio::net::TcpStream)) {
    let listener = tokio::net::TcpListener::from_std(listener()).expect("tokio takes it");
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            // A connection that is gone already needs no option.
            let _ = stream.set_nodelay(true);
            serve(stream);
        }
    }
}
