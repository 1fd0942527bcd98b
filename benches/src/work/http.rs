//! A small HTTP server, without a socket, and what its clients send.

use fyke::embedded::EmbeddedChannel;
use fyke::{ChannelInit, IntoStages, Result, Stages};
use fyke_codecs::http1::{HeaderBlock, HttpService, Limits, Request, Response, Status, server};

/// Requests of one read.
pub const BATCH: usize = 16;

/// Three fields, as a tool sends them.
pub const TOOL: &str = "GET /plaintext HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: curl/8.0\r\n\
                    Accept: */*\r\n\r\n";

/// Six fields with long values, as a browser sends them.
pub const BROWSER: &str = "GET /plaintext HTTP/1.1\r\nHost: localhost\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36\r\n\
    Cookie: uid=12345678901234567890; session=1.1234567890.1234567890.12; wd=2560x1600\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Accept-Language: en-US,en;q=0.5\r\nConnection: keep-alive\r\n\r\n";

static TEXT: HeaderBlock = HeaderBlock::from_static("Server: fyke\r\nContent-Type: text/plain\r\n");

/// The answer: a head that is known and a short body.
pub fn plaintext() -> Response {
    Response::new(Status::OK).block(&TEXT).body("Hello, World!")
}

/// Codec and service of a server.
///
/// # Errors
/// None: the stages fit.
pub fn pipeline(ch: &mut ChannelInit<'_>) -> Result<Stages> {
    let service =
        HttpService::new(1 << 20, |_, request: Request| match request.head.path_bytes() {
            b"/plaintext" => plaintext(),
            _ => Response::new(Status::NOT_FOUND),
        });
    server(ch.pipeline(), Limits::new()).inbound("app", service).into_stages()
}

/// Such a server on the real loop over a wire of memory.
#[must_use]
pub fn serving() -> EmbeddedChannel {
    EmbeddedChannel::new(pipeline)
}
