//! HTTP plaintext on ntex's service layer, one worker.

use std::io;

use ntex::http::body::Body;
use ntex::http::header::{CONTENT_TYPE, HeaderValue, SERVER};
use ntex::http::{HttpService, Request, Response, StatusCode};
use ntex::util::Bytes;

#[ntex::main]
async fn main() -> io::Result<()> {
    let address = ("127.0.0.1", fyke_rivals::port());
    let server = ntex::server::build().backlog(4096).workers(1);
    let server = server.bind("plaintext", address, async |_| {
        HttpService::h1(async |_: Request| {
            let body = Body::Bytes(Bytes::from_static(b"Hello, World!"));
            let mut response = Response::with_body(StatusCode::OK, body);
            let headers = response.headers_mut();
            headers.insert(SERVER, HeaderValue::from_static("ntex"));
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            Ok::<_, io::Error>(response)
        })
    })?;
    server.run().await
}
