//! The files below a directory, and nothing outside of it.
//!
//! A path is taken apart before it meets the file system: `..`, `.`, NUL and whatever a separator
//! could hide in is refused, after percent-decoding. Then the links in it are resolved, and what is
//! found must lie below the root. It is opened from the root's own descriptor, one name at a time and
//! without following links, so that nothing changes its meaning in between.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fyke_core::{FileRegion, RegionSource};
use rustix::fs::{Mode, OFlags, open, openat};
use rustix::io::Errno;

use super::service::Reply;
use crate::http1::{HeaderBlock, Method, RequestHead, Response, ResponseHead, Status};

type MakeSource = dyn Fn(File) -> Arc<dyn RegionSource> + Send + Sync;

/// Serves the files below a directory, to `GET` and `HEAD`.
///
/// Files are opened on another thread and sent as regions, by the kernel where the transport can. A
/// path that ends in `/` means the `index.html` there; directories are not listed.
#[derive(Clone)]
pub struct StaticFiles(Arc<Root>);

struct Root {
    path: PathBuf,
    directory: OwnedFd,
    source: Box<MakeSource>,
    block: HeaderBlock,
}

impl StaticFiles {
    /// Files below `root`. `source` makes a region's source of an opened file: `FileSource::new` of
    /// the crate `fyke`, which the kernel's transport can send without a copy. `block` is part of
    /// every answer.
    ///
    /// # Errors
    /// When `root` cannot be opened or is no directory.
    pub fn new<S: RegionSource>(
        root: impl AsRef<Path>,
        source: impl Fn(File) -> Arc<S> + Send + Sync + 'static,
        block: HeaderBlock,
    ) -> io::Result<Self> {
        let path = root.as_ref().canonicalize()?;
        let directory = open(&path, DIRECTORY, Mode::empty())?;
        let source = Box::new(move |file| -> Arc<dyn RegionSource> { source(file) });
        Ok(Self(Arc::new(Root { path, directory, source, block })))
    }

    /// Answers a request for the file at `path`, the part of the request's path behind the place
    /// where the files are mounted, without a `/` in front and still percent-encoded.
    #[must_use]
    pub fn reply(&self, head: &RequestHead, path: &str) -> Reply {
        if !matches!(head.method(), Method::Get | Method::Head) {
            let response = self.0.text(Status::METHOD_NOT_ALLOWED, "only GET and HEAD");
            return response.header("Allow", "GET, HEAD").into();
        }
        let Some(path) = relative(path) else { return self.0.not_found() };
        let root = Arc::clone(&self.0);
        Reply::offload(move || root.open(&path))
    }
}

impl Root {
    fn text(&self, status: Status, text: &'static str) -> Response {
        let response = Response::new(status).block(&self.block);
        response.header("Content-Type", "text/plain; charset=utf-8").body(text)
    }

    fn not_found(&self) -> Reply {
        self.text(Status::NOT_FOUND, "not found").into()
    }

    /// Opens a file; blocks.
    fn open(&self, path: &Path) -> Reply {
        match self.find(path) {
            Ok(Some((file, len))) => {
                let head = ResponseHead::new(Status::OK)
                    .block(&self.block)
                    .header("Content-Type", media_type(path));
                Reply::File(head, FileRegion::new((self.source)(file), 0, len))
            }
            Ok(None) => self.not_found(),
            Err(error) => match Errno::from_io_error(&error) {
                Some(
                    Errno::NOENT
                    | Errno::NOTDIR
                    | Errno::ACCESS
                    | Errno::PERM
                    | Errno::NAMETOOLONG
                    | Errno::LOOP
                    | Errno::NXIO,
                ) => self.not_found(),
                _ => {
                    tracing::error!(%error, path = %path.display(), "a file cannot be opened");
                    self.text(Status::SERVICE_UNAVAILABLE, "try again later").into()
                }
            },
        }
    }

    /// The file and its length; `None` when there is none that may be served.
    fn find(&self, path: &Path) -> io::Result<Option<(File, u64)>> {
        let real = self.path.join(path).canonicalize()?;
        let Ok(below) = real.strip_prefix(&self.path) else { return Ok(None) };
        let mut names = below.iter().peekable();
        let mut directory: Option<OwnedFd> = None;
        while let Some(name) = names.next() {
            let at = directory.as_ref().unwrap_or(&self.directory);
            if names.peek().is_some() {
                directory = Some(openat(at, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())?);
                continue;
            }
            let file = File::from(openat(at, name, FILE, Mode::empty())?);
            let metadata = file.metadata()?;
            return Ok(metadata.is_file().then_some((file, metadata.len())));
        }
        Ok(None)
    }
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// Without waiting: a named pipe would hold the thread until somebody writes to it.
const FILE: OFlags =
    OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// The path below the root that a request's path means; `None` for what no file here is called.
fn relative(encoded: &str) -> Option<PathBuf> {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    let mut path = PathBuf::new();
    let mut names = encoded.split('/').peekable();
    while let Some(name) = names.next() {
        if name.is_empty() && names.peek().is_none() {
            path.push("index.html");
            continue;
        }
        let name = percent_decode(name)?;
        // A separator that was encoded is part of a name, and no file has such a name.
        if matches!(name[..], [] | [b'.'] | [b'.', b'.'])
            || name.contains(&b'/')
            || name.contains(&0)
        {
            return None;
        }
        path.push(OsString::from_vec(name));
    }
    Some(path)
}

/// Decodes `%XX`; `None` when a `%` is followed by anything else.
fn percent_decode(text: &str) -> Option<Vec<u8>> {
    let digit = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        if *first != b'%' {
            decoded.push(*first);
            continue;
        }
        let [high, low, behind @ ..] = rest else { return None };
        decoded.push(digit(*high)? << 4 | digit(*low)?);
        rest = behind;
    }
    Some(decoded)
}

/// The media type by the name, with the encoding of text, which is UTF-8 nearly everywhere.
fn media_type(path: &Path) -> &'static str {
    match mime_guess::from_path(path).first_raw().unwrap_or("application/octet-stream") {
        "text/html" => "text/html; charset=utf-8",
        "text/plain" => "text/plain; charset=utf-8",
        "text/css" => "text/css; charset=utf-8",
        "text/javascript" | "application/javascript" => "text/javascript; charset=utf-8",
        "text/markdown" => "text/markdown; charset=utf-8",
        "text/csv" => "text/csv; charset=utf-8",
        other => other,
    }
}

impl fmt::Debug for StaticFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticFiles").field("root", &self.0.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_the_root() {
        for (encoded, path) in [
            ("a", "a"),
            ("a/b.txt", "a/b.txt"),
            ("a%20b", "a b"),
            ("%e2%82%ac", "\u{20ac}"),
            ("...", "..."),
            ("a/", "a/index.html"),
            ("", "index.html"),
            ("a\\..\\b", "a\\..\\b"),
        ] {
            assert_eq!(relative(encoded).as_deref(), Some(Path::new(path)), "{encoded}");
        }
        for refused in [
            "..",
            "../a",
            "a/../b",
            "a/..",
            "./a",
            ".",
            "%2e%2e/a",
            "%2E%2e",
            ".%2e/",
            "a%2fb",
            "%2fetc/passwd",
            "/etc/passwd",
            "//a",
            "a//b",
            "a%00",
            "%00",
            "a%",
            "a%2",
            "a%zz",
            "%c0%ae%c0%ae%2fa",
        ] {
            assert_eq!(relative(refused), None, "{refused}");
        }
    }
}
