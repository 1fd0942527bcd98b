//! A small web server: plain text, JSON, an echo of request bodies, and files.
//!
//! `cargo run --release --example http -- --root .`, then `curl http://127.0.0.1:8080/plaintext`
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use fyke::{ChannelOptions, FileSource};
use fyke_codecs::http1::{
    HeaderBlock, HttpObjectAggregator, HttpServerHandler, Limits, Method, Reply, Request, Response,
    StaticFiles, Status, server,
};
use fyke_examples::ServerFlags;
use serde::Serialize;

/// A web server: /plaintext, /json, / (sends a request's body back), and files below /files/.
#[derive(Parser, Debug)]
#[command(name = "http", version)]
struct Flags {
    #[command(flatten)]
    server: ServerFlags,

    /// Serve the files in this directory below /files/
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

/// The largest body of a request.
const BODY_BYTES_MAX: u64 = 16 * 1024 * 1024;

static SERVER: HeaderBlock = HeaderBlock::from_static("Server: fyke\r\n");
static TEXT: HeaderBlock = HeaderBlock::from_static("Server: fyke\r\nContent-Type: text/plain\r\n");
static JSON: HeaderBlock =
    HeaderBlock::from_static("Server: fyke\r\nContent-Type: application/json\r\n");
static BYTES: HeaderBlock =
    HeaderBlock::from_static("Server: fyke\r\nContent-Type: application/octet-stream\r\n");

#[derive(Serialize)]
struct Greeting {
    message: &'static str,
}

fn answer(request: Request, files: Option<&StaticFiles>) -> Reply {
    match (request.head.path(), files) {
        ("/plaintext", _) => text("Hello, World!"),
        ("/json", _) => json(),
        ("/", _) => root(request),
        (path, Some(files)) => match path.strip_prefix("/files/") {
            Some(path) => files.reply(&request.head, path),
            None => not_found(),
        },
        _ => not_found(),
    }
}

fn text(text: &'static str) -> Reply {
    Response::new(Status::OK).block(&TEXT).body(text).into()
}

fn json() -> Reply {
    match serde_json::to_vec(&Greeting { message: "Hello, World!" }) {
        Ok(body) => Response::new(Status::OK).block(&JSON).body(body).into(),
        Err(error) => {
            tracing::error!(%error, "cannot serialise");
            Response::new(Status::INTERNAL_SERVER_ERROR).block(&SERVER).into()
        }
    }
}

/// A body comes back as it is, whatever the method.
fn root(request: Request) -> Reply {
    if request.head.has_body() || !matches!(request.head.method(), Method::Get | Method::Head) {
        return Response::new(Status::OK).block(&BYTES).body(request.body).into();
    }
    text("OK")
}

fn not_found() -> Reply {
    Response::new(Status::NOT_FOUND).block(&TEXT).body("not found").into()
}

fn main() -> ExitCode {
    let flags: Flags = fyke_examples::parse();
    flags.server.prepare(Flags::command);
    fyke_examples::exit(serve(&flags))
}

fn serve(flags: &Flags) -> Result<(), String> {
    let files = match &flags.root {
        None => None,
        Some(root) => Some(
            StaticFiles::new(root, FileSource::new, SERVER.clone())
                .map_err(|error| format!("cannot serve files of {}: {error}", root.display()))?,
        ),
    };
    let limits = Limits::new().body_bytes_max(BODY_BYTES_MAX);
    let options = ChannelOptions::default();
    flags.server.serve("http", "127.0.0.1:8080", options, move |ch| {
        let files = files.clone();
        server(ch.pipeline(), limits)
            .inbound("aggregator", HttpObjectAggregator::new(BODY_BYTES_MAX))
            .inbound(
                "app",
                HttpServerHandler::new(move |_, request| answer(request, files.as_ref())),
            )
    })
}
