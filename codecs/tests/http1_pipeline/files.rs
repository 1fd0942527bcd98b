//! Files below a directory, and nothing outside of it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, symlink};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use fyke_codecs::http1::{
    HeaderBlock, HttpObjectAggregator, HttpServerHandler, Limits, Request, StaticFiles, server,
};
use fyke_core::RegionSource;
use fyke_core::embedded::EmbeddedChannel;

use crate::support::{sent, statuses};

/// A directory of its own, removed when it is dropped.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name =
            format!("fyke-http-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(path.join("root/sub")).expect("a directory can be made");
        Self(path)
    }

    /// A file that was changed last ten seconds after 1970.
    pub(crate) fn write(&self, name: &str, content: &[u8]) {
        let mut file = File::create(self.0.join(name)).expect("a file can be made");
        file.write_all(content).expect("a file can be written");
        file.set_modified(UNIX_EPOCH + Duration::from_secs(10)).expect("its time can be set");
    }

    fn link(&self, target: &str, name: &str) {
        symlink(target, self.0.join("root").join(name)).expect("a link can be made");
    }

    /// A server of the files, half a minute after 1970.
    pub(crate) fn serve(&self) -> EmbeddedChannel {
        let mut channel = self.serve_at_once();
        channel.advance(Duration::from_secs(30));
        channel
    }

    fn serve_at_once(&self) -> EmbeddedChannel {
        let files =
            StaticFiles::new(self.0.join("root"), |file| Arc::new(Source(file)), BLOCK.clone())
                .expect("the root is a directory");
        EmbeddedChannel::new(move |ch| {
            let files = files.clone();
            server(ch.pipeline(), Limits::new())
                .inbound("aggregator", HttpObjectAggregator::new(1000))
                .inbound(
                    "app",
                    HttpServerHandler::new(move |cx, request: Request| {
                        let path = request.head.path();
                        let path = path.strip_prefix("/files/").unwrap_or("..");
                        files.reply(cx, &request.head, path)
                    }),
                )
        })
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

static BLOCK: HeaderBlock = HeaderBlock::from_static("Server: fyke\r\n");

struct Source(File);

impl RegionSource for Source {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(into, offset)
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

fn get(channel: &mut EmbeddedChannel, path: &str) -> String {
    ask(channel, "GET", path)
}

fn ask(channel: &mut EmbeddedChannel, method: &str, path: &str) -> String {
    channel.write_inbound(format!("{method} /files/{path} HTTP/1.1\r\nHost: a\r\n\r\n").as_str());
    sent(channel)
}

#[test]
fn a_file_is_sent_with_its_length_and_type() {
    let directory = Directory::new();
    directory.write("root/a b.txt", b"hello");
    directory.write("root/empty.bin", b"");
    directory.write("root/sub/index.html", b"<p>");
    let mut channel = directory.serve();
    let head = |kind, len| {
        format!(
            "HTTP/1.1 200 OK\r\nServer: fyke\r\nETag: \"a.0-{len:x}\"\r\n\
             Last-Modified: Thu, 01 Jan 1970 00:00:10 GMT\r\nAccept-Ranges: bytes\r\n\
             Content-Type: {kind}\r\nContent-Length: {len}\r\n\r\n"
        )
    };
    let text = head("text/plain; charset=utf-8", 5);
    assert_eq!(get(&mut channel, "a%20b.txt"), format!("{text}hello"));
    assert_eq!(ask(&mut channel, "HEAD", "a%20b.txt"), text);
    assert_eq!(get(&mut channel, "empty.bin"), head("application/octet-stream", 0));
    let page = head("text/html; charset=utf-8", 3);
    assert_eq!(get(&mut channel, "sub/"), format!("{page}<p>"));
    assert!(channel.is_open());
}

#[test]
fn a_directory_without_a_slash_is_found_behind_one_9110_15_4_2() {
    let directory = Directory::new();
    directory.write("root/sub/index.html", b"<p>");
    fs::create_dir_all(directory.0.join("root/sub/a b/index.html")).expect("it can be made");
    directory.link("sub", "link");
    directory.link(".", "root");
    let mut channel = directory.serve();
    for (path, location) in [
        ("sub", "/files/sub/"),
        ("%73ub", "/files/%73ub/"),
        ("sub?a=b&c=%20?", "/files/sub/?a=b&c=%20?"),
        ("sub?", "/files/sub/?"),
        ("sub?/", "/files/sub/?/"),
        ("sub/a%20b", "/files/sub/a%20b/"),
        ("link", "/files/link/"),
        ("root", "/files/root/"),
    ] {
        let text = get(&mut channel, path);
        assert_eq!(statuses(&text), [301], "{path}: {text}");
        assert!(text.contains(&format!("\r\nLocation: {location}\r\n")), "{path}: {text}");
        let head = ask(&mut channel, "HEAD", path);
        assert!(head.ends_with("\r\n\r\n") && text.starts_with(&head), "{path}: {head}");
    }
    // The absolute form of the target leads to the path alone.
    channel.write_inbound("GET http://b/files/sub?q HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(sent(&mut channel).contains("\r\nLocation: /files/sub/?q\r\n"));
    assert!(get(&mut channel, "sub/").ends_with("<p>"));
    // No page there, and a page that is a directory.
    assert_eq!(statuses(&get(&mut channel, "")), [404]);
    assert_eq!(statuses(&get(&mut channel, "sub/a%20b/")), [404]);
    assert!(channel.is_open());
}

#[test]
fn no_redirect_leads_to_another_host() {
    let directory = Directory::new();
    let files =
        StaticFiles::new(directory.0.join("root"), |file| Arc::new(Source(file)), BLOCK.clone())
            .expect("the root is a directory");
    let mut channel = EmbeddedChannel::new(move |ch| {
        let files = files.clone();
        server(ch.pipeline(), Limits::new())
            .inbound("aggregator", HttpObjectAggregator::new(1000))
            .inbound(
                "app",
                HttpServerHandler::new(move |cx, request: Request| {
                    // Whoever takes slashes away in front asks for trouble.
                    let path = request.head.path().trim_start_matches('/');
                    files.reply(cx, &request.head, path)
                }),
            )
    });
    for (path, status) in [("/sub", 301), ("//sub", 404), ("///sub", 404)] {
        channel.write_inbound(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_str());
        let text = sent(&mut channel);
        assert_eq!(statuses(&text), [status], "{path}: {text}");
        assert_eq!(text.contains("Location: /sub/\r\n"), status == 301, "{path}: {text}");
    }
}

#[test]
fn a_large_file_comes_whole_and_in_order_with_what_is_around_it() {
    let directory = Directory::new();
    let content: String = (0..100_000).map(|n| format!("{n} ")).collect();
    directory.write("root/large.txt", content.as_bytes());
    let mut channel = directory.serve();
    let request = "GET /files/large.txt HTTP/1.1\r\nHost: a\r\n\r\n";
    channel.set_room(Some(1000));
    channel.write_inbound(request.repeat(3).as_str());
    let mut text = String::new();
    for room in [1, 10_000, 600_000, usize::MAX] {
        channel.set_room(Some(room));
        text += &sent(&mut channel);
    }
    let bodies: Vec<_> = text.split("HTTP/1.1 200 OK\r\n").skip(1).collect();
    assert_eq!(bodies.len(), 3);
    for body in bodies {
        assert!(body.split_once("\r\n\r\n").is_some_and(|(_, body)| body == content));
    }
}

#[test]
fn nothing_outside_the_root_is_served() {
    let directory = Directory::new();
    directory.write("secret.txt", b"secret");
    directory.write("root/file.txt", b"public");
    fs::create_dir(directory.0.join("root-sibling")).expect("a directory can be made");
    directory.write("root-sibling/a", b"secret");
    directory.link("../secret.txt", "out");
    directory.link("..", "up");
    directory.link("/etc/passwd", "absolute");
    directory.link("../root-sibling", "sibling");
    directory.link("loop", "loop");
    directory.link("file.txt", "inside");
    directory.link("sub", "inside-directory");
    directory.write("root/sub/a", b"public");
    let mut channel = directory.serve();
    for path in [
        "../secret.txt",
        "sub/../../secret.txt",
        "%2e%2e/secret.txt",
        "..%2fsecret.txt",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "file.txt%00",
        "out",
        "up/secret.txt",
        "absolute",
        "sibling/a",
        "loop",
        "missing",
        "file.txt/",
        "file.txt/x",
        "",
        "sub//a",
        "./file.txt",
        "%zz",
    ] {
        let text = get(&mut channel, path);
        assert_eq!(statuses(&text), [404], "{path}: {text}");
        assert!(!text.contains("secret"), "{path}");
    }
    for path in ["file.txt", "inside", "inside-directory/a", "file.txt?query"] {
        let text = get(&mut channel, path);
        assert!(text.ends_with("\r\n\r\npublic"), "{path}: {text}");
    }
}

#[test]
fn a_named_pipe_is_no_file_and_holds_nobody() {
    let directory = Directory::new();
    let path = directory.0.join("root/pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.is_ok_and(|status| status.success()), "mkfifo makes a pipe");
    assert_eq!(statuses(&get(&mut directory.serve(), "pipe")), [404]);
}

#[test]
fn only_get_and_head() {
    let directory = Directory::new();
    let text = ask(&mut directory.serve(), "DELETE", "a");
    assert_eq!(statuses(&text), [405]);
    assert!(text.contains("Allow: GET, HEAD\r\n"));
}

#[test]
fn the_root_must_be_a_directory() {
    let directory = Directory::new();
    directory.write("file", b"");
    for root in ["file", "missing"] {
        let made =
            StaticFiles::new(directory.0.join(root), |file| Arc::new(Source(file)), BLOCK.clone());
        assert!(made.is_err(), "{root}");
    }
}
