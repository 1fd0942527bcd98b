//! The page's files, which are part of the program.

use std::sync::Arc;

use fyke_codecs::http1::{HeaderBlock, Method, Request, Response, Status};

/// Path, media type, content.
type File = (&'static str, &'static str, &'static [u8]);

macro_rules! file {
    ($path:literal, $name:literal, $media_type:literal) => {
        ($path, $media_type, include_bytes!(concat!("page/", $name)).as_slice())
    };
}

const FILES: [File; 7] = [
    file!("/", "index.html", "text/html; charset=utf-8"),
    file!("/style.css", "style.css", "text/css; charset=utf-8"),
    file!("/app.js", "app.js", "text/javascript; charset=utf-8"),
    file!("/connection.js", "connection.js", "text/javascript; charset=utf-8"),
    file!("/messages.js", "messages.js", "text/javascript; charset=utf-8"),
    file!("/rules.js", "rules.js", "text/javascript; charset=utf-8"),
    file!("/icon.svg", "icon.svg", "image/svg+xml"),
];

/// The page loads nothing but its own files, and nobody may put it into a frame.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// Answers what a browser asks for. A clone copies nothing.
#[derive(Clone, Debug)]
pub(crate) struct Page(Arc<[(File, HeaderBlock)]>);

impl Page {
    pub(crate) fn new() -> Self {
        Self(FILES.into_iter().map(|file| (file, headers(file.1))).collect())
    }

    pub(crate) fn answer(&self, request: &Request) -> Response {
        if !matches!(request.head.method(), Method::Get | Method::Head) {
            return text(Status::METHOD_NOT_ALLOWED, "GET or HEAD\n").header("Allow", "GET, HEAD");
        }
        let asked = request.head.path();
        match self.0.iter().find(|((path, ..), _)| *path == asked) {
            Some(((.., content), headers)) => {
                Response::new(Status::OK).block(headers).body(*content)
            }
            None => text(Status::NOT_FOUND, "not found\n"),
        }
    }
}

fn headers(media_type: &str) -> HeaderBlock {
    let fields = [
        ("Content-Type", media_type),
        ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cache-Control", "no-cache"),
    ];
    HeaderBlock::new(&fields).expect("constant header fields are in order")
}

fn text(status: Status, text: &'static str) -> Response {
    Response::new(status).header("Content-Type", "text/plain; charset=utf-8").body(text)
}
