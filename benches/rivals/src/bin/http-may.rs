//! HTTP plaintext on may_minihttp, one worker.

use std::io;

use may_minihttp::{HttpService, HttpServiceFactory, Request, Response};

struct Hello;

impl HttpService for Hello {
    fn call(&mut self, _: Request<'_, '_, '_>, response: &mut Response<'_>) -> io::Result<()> {
        response.header("Content-Type: text/plain").body("Hello, World!");
        Ok(())
    }
}

struct Hellos;

impl HttpServiceFactory for Hellos {
    type Service = Hello;

    fn new_service(&self, _: usize) -> Hello {
        Hello
    }
}

fn main() {
    may::config().set_workers(1).set_pool_capacity(1000).set_stack_size(0x1000);
    let server = Hellos.start(("127.0.0.1", fyke_rivals::port())).expect("it listens");
    server.join().expect("it serves");
}
