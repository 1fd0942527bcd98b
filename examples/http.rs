//! A small web server: plain text, JSON, an echo of bodies, headers and cookies, and files.
//!
//! `cargo run --release --example http -- --root .`, then `curl http://127.0.0.1:8080/plaintext`
#![forbid(unsafe_code)]

#[path = "http/extras.rs"]
mod extras;

use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{CommandFactory, Parser};
use fyke::{ChannelOptions, FileSource, Stage};
use fyke_codecs::http1::access_log::{AccessFormat, AccessLog};
use fyke_codecs::http1::coding::CompressionConfig;
use fyke_codecs::http1::cookies::cookies;
use fyke_codecs::http1::cors::{CorsConfig, CorsHandler};
use fyke_codecs::http1::sse::SseKeepAlive;
use fyke_codecs::http1::{
    EntityTag, HeaderBlock, HeaderError, HttpService, Limits, Method, Precondition, Reply, Request,
    RequestHead, Response, ServiceContext, StaticFiles, Status, Validators, server,
};
use fyke_codecs::pcap::{PcapSink, PcapWriteHandler};
use fyke_codecs::proxy_protocol::ProxyProtocolHandler;
use fyke_codecs::tls::TlsOptions;
use fyke_examples::ServerFlags;
use fyke_examples::metrics::Metrics;
use fyke_examples::tls::TlsFlags;
use serde::Serialize;

use extras::Extras;

/// A web server: /plaintext, /json, / (sends a request's body back), /echo (its header lines),
/// /cookie (its cookies), /hello/NAME, /form (lists what was posted), /events (each second one),
/// and files below /files/.
#[derive(Parser, Debug)]
#[command(name = "http", version)]
struct Flags {
    #[command(flatten)]
    server: ServerFlags,

    #[command(flatten)]
    tls: TlsFlags,

    /// Serve the files in this directory below /files/
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,

    /// Print a line for each request, in the combined log format
    #[arg(long)]
    access_log: bool,

    /// Each connection begins with a header of the PROXY protocol (1 or 2), which says who the
    /// client is: for a server that only a load balancer can reach
    #[arg(long)]
    proxy_protocol: bool,

    /// Tell at /metrics how the event loops do, for Prometheus
    #[arg(long)]
    metrics: bool,

    /// Write what is said, decrypted, into this file, which Wireshark opens
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,

    /// Let pages of this origin see the answers; may be given several times
    #[arg(long, value_name = "ORIGIN")]
    cors: Vec<String>,

    /// Send everything as it is, also to clients that take compressed answers
    #[arg(long)]
    no_compression: bool,
}

/// The name of the stage that answers.
const APP_STAGE: &str = "app";
/// The largest body of a request.
const BODY_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// The page at `/`: its entity tag and when it was written, 2026-01-01.
const ROOT_TAG: &str = "ok-1";
const ROOT_MODIFIED: u64 = 1_767_225_600;

/// A stream on which nothing happens gets a comment after this.
const EVENTS_PAUSE_MAX: Duration = Duration::from_secs(15);

static SERVER: HeaderBlock = HeaderBlock::from_static("Server: fyke\r\n");
static TEXT: HeaderBlock = HeaderBlock::from_static("Server: fyke\r\nContent-Type: text/plain\r\n");
static JSON: HeaderBlock =
    HeaderBlock::from_static("Server: fyke\r\nContent-Type: application/json\r\n");
static METRICS: HeaderBlock =
    HeaderBlock::from_static("Server: fyke\r\nContent-Type: text/plain; version=0.0.4\r\n");
static BYTES: HeaderBlock =
    HeaderBlock::from_static("Server: fyke\r\nContent-Type: application/octet-stream\r\n");
static ALLOW: HeaderBlock = HeaderBlock::from_static(
    "Server: fyke\r\nAllow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH\r\n",
);

#[derive(Serialize)]
struct Greeting {
    message: &'static str,
}

/// What all connections share.
struct App {
    extras: Extras,
    files: Option<StaticFiles>,
    metrics: Option<Metrics>,
    root: Validators,
}

impl App {
    fn new(
        extras: Extras,
        files: Option<StaticFiles>,
        metrics: Option<Metrics>,
    ) -> Result<Self, HeaderError> {
        let tag = EntityTag::strong(ROOT_TAG)?;
        let root = Validators::new().etag(tag).last_modified(ROOT_MODIFIED);
        Ok(Self { extras, files, metrics, root })
    }

    fn answer(&self, cx: &mut ServiceContext<'_>, request: Request) -> Reply {
        if let Some(metrics) = &self.metrics {
            metrics.join(|| cx.channel());
            if request.head.path_bytes() == b"/metrics" {
                let metrics = metrics.clone();
                return Reply::offload(move || {
                    Response::new(Status::OK).block(&METRICS).body(metrics.text())
                });
            }
        }
        match request.head.path_bytes() {
            b"/plaintext" => text("Hello, World!"),
            b"/json" => json(),
            b"/" => self.root(cx, request),
            b"/echo" => own_text(header_lines(&request.head)),
            b"/cookie" => own_text(cookie_lines(&request.head)),
            b"*" => Response::new(Status::NO_CONTENT).block(&ALLOW).into(),
            path if hides_control(path) => bad_target(),
            b"/events" => {
                watch_events(cx);
                self.extras.answer(cx, &request).unwrap_or_else(not_found)
            }
            _ => match (request.head.path().strip_prefix("/files/"), &self.files) {
                (Some(path), Some(files)) => files.reply(cx, &request.head, path),
                _ => self.extras.answer(cx, &request).unwrap_or_else(not_found),
            },
        }
    }

    /// A body comes back as it is, whatever the method; without one there is a page.
    fn root(&self, cx: &mut ServiceContext<'_>, request: Request) -> Reply {
        let head = &request.head;
        if head.has_body() {
            return Response::new(Status::OK).block(&BYTES).body(request.body).into();
        }
        match head.method() {
            Method::Options => return Response::new(Status::NO_CONTENT).block(&ALLOW).into(),
            Method::Get | Method::Head => {}
            _ => return Response::new(Status::OK).block(&BYTES).into(),
        }
        let now = cx.env().unix_time().as_secs();
        let (status, body) = match self.root.check(head, now) {
            Precondition::Passed => (Status::OK, "OK"),
            Precondition::NotModified => (Status::NOT_MODIFIED, ""),
            Precondition::Failed => (Status::PRECONDITION_FAILED, "precondition failed"),
        };
        let mut response = Response::new(status).block(&TEXT).body(body);
        response.head = self.root.apply(response.head);
        response.into()
    }
}

/// A stream of events gets a stage of its own, so that other connections need not pay for it.
fn watch_events(cx: &mut ServiceContext<'_>) {
    let added = cx.edit(|edit| {
        let stage = Stage::duplex(SseKeepAlive::new(EVENTS_PAUSE_MAX));
        edit.add_before(APP_STAGE, "events", stage);
    });
    if let Err(error) = added {
        tracing::debug!(%error, "there is one already");
    }
}

fn text(text: &'static str) -> Reply {
    Response::new(Status::OK).block(&TEXT).body(text).into()
}

fn own_text(text: Vec<u8>) -> Reply {
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

/// The header fields as they came, one a line.
fn header_lines(head: &RequestHead) -> Vec<u8> {
    let mut lines = Vec::new();
    for field in head.headers() {
        for piece in [field.name.as_bytes(), b": ", field.value, b"\n"] {
            lines.extend_from_slice(piece);
        }
    }
    lines
}

/// The cookies, one `name=value` a line.
fn cookie_lines(head: &RequestHead) -> Vec<u8> {
    let mut lines = String::new();
    for cookie in cookies(head.header_all("cookie")) {
        lines.extend([cookie.name, "=", cookie.value, "\n"]);
    }
    lines.into_bytes()
}

/// Whether a path hides NUL, a line break or another control character behind a percent sign. It
/// names nothing here, and is there to mislead whoever decodes it.
fn hides_control(path: &[u8]) -> bool {
    let digit = |b: u8| char::from(b).to_digit(16);
    path.windows(3).any(|w| match (w[0], digit(w[1]), digit(w[2])) {
        (b'%', Some(high), Some(low)) => high < 2 || (high == 7 && low == 15),
        _ => false,
    })
}

fn bad_target() -> Reply {
    let response = Response::new(Status::BAD_REQUEST).block(&TEXT);
    response.body("control character in the request target").close().into()
}

fn not_found() -> Reply {
    Response::new(Status::NOT_FOUND).block(&TEXT).body("not found").into()
}

fn main() -> ExitCode {
    let flags: Flags = fyke_examples::parse();
    flags.server.prepare(Flags::command);
    fyke_examples::exit(serve(&flags))
}

/// The stage that lets pages of these origins see the answers.
fn cors(origins: &[String]) -> Result<Option<CorsHandler>, String> {
    let origins: Vec<_> = origins.iter().map(String::as_str).collect();
    let config = match &origins[..] {
        [] => return Ok(None),
        ["*"] => CorsConfig::any(),
        origins => CorsConfig::origins(origins),
    };
    let methods = [Method::Get, Method::Head, Method::Post, Method::Put, Method::Delete];
    let handler = CorsHandler::new(config.methods(&methods).any_headers());
    handler.map(Some).map_err(|error| format!("--cors: {error}"))
}

fn capture(path: Option<&Path>) -> Result<Option<PcapSink>, String> {
    let Some(path) = path else { return Ok(None) };
    let file =
        std::fs::File::create(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Some(PcapSink::new(BufWriter::new(file))))
}

fn serve(flags: &Flags) -> Result<(), String> {
    let files = match &flags.root {
        None => None,
        Some(root) => Some(
            StaticFiles::new(root, FileSource::new, SERVER.clone())
                .map_err(|error| format!("cannot serve files of {}: {error}", root.display()))?,
        ),
    };
    let extras = Extras::new().map_err(|error| error.to_string())?;
    let app = Arc::new(
        App::new(extras, files, flags.metrics.then(Metrics::default))
            .map_err(|error| error.to_string())?,
    );
    let cors = cors(&flags.cors)?;
    let (access_log, compression) = (flags.access_log, !flags.no_compression);
    let proxied = flags.proxy_protocol;
    let capture = capture(flags.pcap.as_deref())?;
    std::thread::spawn(extras::tick);
    let limits = Limits::new().body_bytes_max(BODY_BYTES_MAX);
    let options = ChannelOptions::default();
    // HTTP says itself where a message ends, and browsers seldom say goodbye.
    let tls = flags.tls.server(&["http/1.1"], TlsOptions::new().ignore_truncation(true))?;
    flags.server.serve("http", "127.0.0.1:8080", options, move |ch| {
        let app = Arc::clone(&app);
        let mut pipeline = ch.pipeline();
        if proxied {
            pipeline = pipeline.inbound(ProxyProtocolHandler::NAME, ProxyProtocolHandler::new());
        }
        pipeline = tls.behind(pipeline);
        if let Some(sink) = &capture {
            pipeline = pipeline.duplex("pcap", PcapWriteHandler::server(sink));
        }
        let mut http = server(pipeline, limits);
        if access_log {
            let log = AccessLog::with_sink(AccessFormat::Combined, |line| {
                // A closed standard output is no reason not to serve.
                let _ = writeln!(std::io::stdout().lock(), "{line}");
            });
            http = http.duplex("access-log", log);
        }
        if let Some(cors) = &cors {
            http = http.duplex("cors", cors.clone());
        }
        let mut service =
            HttpService::new(BODY_BYTES_MAX, move |cx, request| app.answer(cx, request));
        if compression {
            service = service.compressed(CompressionConfig::new());
        }
        http.inbound(APP_STAGE, service)
    })
}
