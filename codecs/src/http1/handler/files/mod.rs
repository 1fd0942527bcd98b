//! The files below a directory, and nothing outside of it.
//!
//! A path is taken apart before it meets the file system: `..`, `.`, NUL and whatever a separator
//! could hide in is refused, after percent-decoding. Then the links in it are resolved, and what is
//! found must lie below the root. It is opened from the root's own descriptor, one name at a time and
//! without following links, so that nothing changes its meaning in between.

mod answer;
mod path;

use std::fmt;
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fyke_core::RegionSource;
use rustix::fs::{Mode, OFlags, open, openat};
use rustix::io::Errno;

use self::answer::{Asked, Found, text};
use self::path::{media_type, relative};
use super::service::{Reply, ServiceContext};
use crate::http1::{EntityTag, HeaderBlock, Method, RequestHead, Response, Status, Validators};

type MakeSource = dyn Fn(File) -> Arc<dyn RegionSource> + Send + Sync;

/// Serves the files below a directory, to `GET` and `HEAD`.
///
/// Files are opened on another thread and sent as regions, by the kernel where the transport can. A
/// path that ends in `/` means the `index.html` there; that of a directory without it is sent there
/// (301), so that relative links in that page work. Directories are not listed. Conditional requests (RFC 9110 section 13) and ranges (section 14), one or several, are understood.
#[derive(Clone)]
pub struct StaticFiles {
    root: Arc<Root>,
    ranges_max: usize,
}

struct Root {
    path: PathBuf,
    directory: OwnedFd,
    source: Box<MakeSource>,
    block: HeaderBlock,
}

/// What a path leads to.
enum Place {
    File(File, Metadata),
    Directory,
    /// Nothing that may be served.
    Nothing,
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
        const RANGES_MAX: usize = 16;
        let path = root.as_ref().canonicalize()?;
        let directory = open(&path, DIRECTORY, Mode::empty())?;
        let source = Box::new(move |file| -> Arc<dyn RegionSource> { source(file) });
        let root = Arc::new(Root { path, directory, source, block });
        Ok(Self { root, ranges_max: RANGES_MAX })
    }

    /// Most ranges of one request; all of the file is sent to who asks for more. 16; with 0 ranges
    /// are not served at all.
    #[must_use]
    pub fn ranges_max(mut self, ranges: usize) -> Self {
        self.ranges_max = ranges;
        self
    }

    /// Answers a request for the file at `path`, the part of the request's path behind the place
    /// where the files are mounted, without a `/` in front and still percent-encoded.
    #[must_use]
    pub fn reply(&self, cx: &mut ServiceContext<'_>, head: &RequestHead, path: &str) -> Reply {
        if !matches!(head.method(), Method::Get | Method::Head) {
            let response = text(Status::METHOD_NOT_ALLOWED, "only GET and HEAD", &self.root.block);
            return response.header("Allow", "GET, HEAD").into();
        }
        let Some(path) = relative(path) else { return self.root.not_found().into() };
        let env = cx.env();
        let boundary = u128::from(env.random()) << 64 | u128::from(env.random());
        let now = env.unix_time().as_secs();
        let asked = Asked::new(head.detached(), now, boundary, self.ranges_max);
        let root = Arc::clone(&self.root);
        Reply::offload(move || root.open(&path, &asked))
    }
}

impl Root {
    fn not_found(&self) -> Response {
        text(Status::NOT_FOUND, "not found", &self.block)
    }

    /// Opens a file; blocks.
    fn open(&self, path: &Path, asked: &Asked) -> Reply {
        match self.find(path) {
            Ok(Place::File(file, metadata)) => {
                let found = Found {
                    source: (self.source)(file),
                    len: metadata.len(),
                    media_type: media_type(path),
                    validators: validators(&metadata, asked.now()),
                };
                asked.answer(found, &self.block)
            }
            Ok(Place::Directory) => {
                asked.redirect(&self.block).unwrap_or_else(|| self.not_found()).into()
            }
            Ok(Place::Nothing) => self.not_found().into(),
            Err(error) => match Errno::from_io_error(&error) {
                Some(
                    Errno::NOENT
                    | Errno::NOTDIR
                    | Errno::ACCESS
                    | Errno::PERM
                    | Errno::NAMETOOLONG
                    | Errno::LOOP
                    | Errno::NXIO,
                ) => self.not_found().into(),
                _ => {
                    tracing::error!(%error, path = %path.display(), "a file cannot be opened");
                    text(Status::SERVICE_UNAVAILABLE, "try again later", &self.block).into()
                }
            },
        }
    }

    /// The file and what is known of it, or what else is there.
    fn find(&self, path: &Path) -> io::Result<Place> {
        let real = self.path.join(path).canonicalize()?;
        let Ok(below) = real.strip_prefix(&self.path) else { return Ok(Place::Nothing) };
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
            return Ok(match metadata.file_type() {
                kind if kind.is_file() => Place::File(file, metadata),
                kind if kind.is_dir() => Place::Directory,
                _ => Place::Nothing,
            });
        }
        // A link to the root itself.
        Ok(Place::Directory)
    }
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// Without waiting: a named pipe would hold the thread until somebody writes to it.
const FILE: OFlags =
    OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// By the time of the last change and the length. The tag is weak as long as the file could change
/// once more without a change of that time (RFC 9110 section 8.8.1).
fn validators(metadata: &Metadata, now: u64) -> Validators {
    let (second, fraction) = (metadata.mtime(), metadata.mtime_nsec());
    let opaque = format!("{second:x}.{fraction:x}-{:x}", metadata.len());
    let second = u64::try_from(second).ok();
    let settled = second.is_some_and(|second| second.saturating_add(1) < now);
    let tag = if settled { EntityTag::strong(&opaque) } else { EntityTag::weak(&opaque) };
    let mut validators = Validators::new();
    if let Ok(tag) = tag {
        validators = validators.etag(tag);
    }
    match second {
        // RFC 9110 section 8.8.2.1: never later than the answer itself.
        Some(second) => validators.last_modified(second.min(now)),
        None => validators,
    }
}

impl fmt::Debug for StaticFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticFiles").field("root", &self.root.path).finish_non_exhaustive()
    }
}
