//! At the descriptor limit: a process of its own, because the limit is the process's.

mod kernel_support;

use std::fs::File;
use std::io::Read as _;
use std::net::TcpStream;

use fyke_core::SocketOptions;
use fyke_core::transport::Transport;
use kernel_support::{loopback, on_every_poller};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// EMFILE.
const TOO_MANY: Option<i32> = Some(24);

#[test]
fn a_full_process_neither_spins_nor_loses_its_listener() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), ..limit }).unwrap();
    on_every_poller(|world| {
        let (listener, address) = world.listen(&loopback(), &SocketOptions::default());
        let to = address.as_inet().unwrap();
        let mut clients: Vec<_> = (0..3).map(|_| TcpStream::connect(to).unwrap()).collect();
        let mut filler = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            filler.push(file);
        }
        world.until(|world| world.chans[listener].acceptable);

        // The first is turned away with an answer, the others go on waiting.
        let handle = world.handle(listener);
        let error = world.kernel.borrow_mut().accept(handle).unwrap_err();
        assert_eq!(error.raw_os_error(), TOO_MANY);
        assert_eq!(clients.remove(0).read(&mut [0]).unwrap(), 0);
        // As core does: a pause, in which nothing is reported for ever.
        filler.push(File::open("/dev/null").unwrap());
        world.set_reading(listener, false);
        world.turn(std::time::Duration::ZERO);
        world.assert_quiet();

        // The reserve is there again for the next.
        world.set_reading(listener, true);
        world.chans[listener].acceptable = false;
        world.until(|world| world.chans[listener].acceptable);
        assert_eq!(world.kernel.borrow_mut().accept(handle).unwrap_err().raw_os_error(), TOO_MANY);
        assert_eq!(clients.remove(0).read(&mut [0]).unwrap(), 0);

        filler.truncate(1);
        let server = world.accept(listener);
        world.send(server, &b"welcome"[..]);
        world.until(|world| world.chans[server].out.pending() == 0);
        let mut got = [0; 7];
        clients.remove(0).read_exact(&mut got).unwrap();
        assert_eq!(&got, b"welcome");
        drop(filler);

        let last = TcpStream::connect(to).unwrap();
        let _served = world.accept(listener);
        drop(last);
    });
    setrlimit(Resource::Nofile, limit).unwrap();
}
