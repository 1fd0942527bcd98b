//! The ways to send a file.

use std::fs::File;
use std::io::{self, IoSlice, Read, Seek, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use fyke::core::handlers::ChunkedFiles;
use fyke::core::{RegionSource, ZeroCopy};
use fyke::prelude::*;
use fyke::transport::ZeroCopyStats;
use fyke::{Bytes, FileRegion, FileSource, IntoStages, Stages};
use fyke_poller::sys;
use rustix::event::{PollFd, PollFlags, poll};

/// How much is read, mapped or spliced at a time.
const PIECE_BYTES: usize = 256 * 1024;

/// O_DIRECT wants memory, offsets and lengths in multiples of this.
const DIRECT_BYTES: usize = 4096;

/// A receiver that is silent for so long has died.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends one file, again and again, to one receiver.
pub(crate) trait Sender {
    /// Where it waits for the receiver.
    fn address(&self) -> io::Result<SocketAddr>;

    /// Takes the receiver's connection.
    fn accept(&mut self) -> io::Result<()>;

    fn send(&mut self) -> io::Result<()>;

    /// Waits until the file has been received.
    fn wait(&mut self) -> io::Result<()>;

    /// Something worth knowing about what was measured.
    fn remark(&self) -> Option<String>;
}

/// A way by its name.
pub(crate) struct Way {
    pub(crate) name: &'static str,
    pub(crate) make: fn(&Path, u64) -> io::Result<Box<dyn Sender>>,
}

pub(crate) const WAYS: &[Way] = &[
    Way { name: "read+write", make: |path, _| Raw::sender(Copied::open(path, 0)?) },
    Way { name: "O_DIRECT", make: |path, _| Raw::sender(Copied::open(path, libc::O_DIRECT)?) },
    Way {
        name: "mmap+write",
        make: |path, bytes| Raw::sender(Mapped { file: File::open(path)?, bytes }),
    },
    Way {
        name: "sendfile",
        make: |path, bytes| Raw::sender(SentFile { file: File::open(path)?, bytes }),
    },
    Way { name: "splice", make: |path, bytes| Raw::sender(Spliced::open(path, bytes)?) },
    Way { name: "MSG_ZEROCOPY", make: |path, _| Raw::sender(ZeroCopied::open(path)?) },
    Way { name: "fyke sendfile", make: |path, bytes| Channelled::sender(path, bytes, Kind::File) },
    Way {
        name: "fyke mmap+write",
        make: |path, bytes| Channelled::sender(path, bytes, Kind::Mapped),
    },
    Way {
        name: "fyke read+write",
        make: |path, bytes| Channelled::sender(path, bytes, Kind::Copied),
    },
    Way {
        name: "fyke ChunkedFiles",
        make: |path, bytes| Channelled::sender(path, bytes, Kind::Chunked),
    },
    Way {
        name: "fyke MSG_ZEROCOPY",
        make: |path, bytes| Channelled::sender(path, bytes, Kind::ZeroCopied),
    },
];

/// A loop around system calls.
trait Calls {
    fn prepare(&mut self, socket: &TcpStream) -> io::Result<()> {
        let _ = socket;
        Ok(())
    }

    fn send(&mut self, socket: &mut TcpStream) -> io::Result<()>;

    fn remark(&self) -> Option<String> {
        None
    }
}

/// A plain blocking socket.
struct Raw<C> {
    listener: TcpListener,
    socket: Option<TcpStream>,
    calls: C,
}

impl<C: Calls + 'static> Raw<C> {
    fn sender(calls: C) -> io::Result<Box<dyn Sender>> {
        Ok(Box::new(Self { listener: TcpListener::bind("127.0.0.1:0")?, socket: None, calls }))
    }
}

fn not_connected() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

impl<C: Calls> Sender for Raw<C> {
    fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    fn accept(&mut self) -> io::Result<()> {
        let (socket, _) = self.listener.accept()?;
        socket.set_nodelay(true)?;
        self.calls.prepare(&socket)?;
        self.socket = Some(socket);
        Ok(())
    }

    fn send(&mut self) -> io::Result<()> {
        self.calls.send(self.socket.as_mut().ok_or_else(not_connected)?)
    }

    fn wait(&mut self) -> io::Result<()> {
        self.socket.as_mut().ok_or_else(not_connected)?.read_exact(&mut [0])
    }

    fn remark(&self) -> Option<String> {
        self.calls.remark()
    }
}

/// Through a buffer of ours.
struct Copied {
    file: File,
    buffer: Vec<u8>,
    /// Where in the buffer the aligned part begins.
    aligned: usize,
}

impl Copied {
    fn open(path: &Path, flags: i32) -> io::Result<Self> {
        let file = File::options().read(true).custom_flags(flags).open(path)?;
        let buffer = vec![0; PIECE_BYTES + DIRECT_BYTES];
        let aligned = buffer.as_ptr().align_offset(DIRECT_BYTES);
        Ok(Self { file, buffer, aligned })
    }
}

impl Calls for Copied {
    fn send(&mut self, socket: &mut TcpStream) -> io::Result<()> {
        self.file.rewind()?;
        let room = &mut self.buffer[self.aligned..self.aligned + PIECE_BYTES];
        loop {
            match self.file.read(room)? {
                0 => return Ok(()),
                n => socket.write_all(&room[..n])?,
            }
        }
    }
}

/// From a mapping, made anew for each file as a server would.
struct Mapped {
    file: File,
    bytes: u64,
}

impl Calls for Mapped {
    fn send(&mut self, socket: &mut TcpStream) -> io::Result<()> {
        let mapping = sys::Mapping::new(&self.file, self.bytes)?;
        let mut sent = 0;
        while sent < self.bytes {
            sent += mapping.send(&*socket, sent, self.bytes - sent)? as u64;
        }
        Ok(())
    }
}

struct SentFile {
    file: File,
    bytes: u64,
}

impl Calls for SentFile {
    fn send(&mut self, socket: &mut TcpStream) -> io::Result<()> {
        let mut sent = 0;
        while sent < self.bytes {
            sent += sys::sendfile(&*socket, &self.file, sent, self.bytes - sent)? as u64;
        }
        Ok(())
    }
}

/// From the file into a pipe, and from there to the socket.
struct Spliced {
    file: File,
    bytes: u64,
    pipe: (OwnedFd, OwnedFd, usize),
}

impl Spliced {
    fn open(path: &Path, bytes: u64) -> io::Result<Self> {
        Ok(Self { file: File::open(path)?, bytes, pipe: sys::pipe(PIECE_BYTES)? })
    }
}

impl Calls for Spliced {
    fn send(&mut self, socket: &mut TcpStream) -> io::Result<()> {
        self.file.rewind()?;
        let (reader, writer, capacity) = &self.pipe;
        let mut left = self.bytes;
        while left > 0 {
            let mut filled = sys::splice(&self.file, writer, *capacity)?;
            left = left.saturating_sub(filled as u64);
            while filled > 0 {
                match sys::splice(reader, &*socket, filled) {
                    Ok(n) => filled -= n,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        poll(&mut [PollFd::new(&*socket, PollFlags::OUT)], None)?;
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

/// Read into memory once, as a cache would hold it, and sent from there without being copied.
struct ZeroCopied {
    content: Vec<u8>,
    writes: u64,
    done: u64,
    copied: u64,
}

impl ZeroCopied {
    fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { content: std::fs::read(path)?, writes: 0, done: 0, copied: 0 })
    }

    fn collect(&mut self, socket: &TcpStream) -> io::Result<()> {
        while let Some(report) = sys::zero_copy_completion(socket)? {
            let writes = u64::from(report.last.wrapping_sub(report.first)) + 1;
            self.done += writes;
            self.copied += if report.copied { writes } else { 0 };
        }
        Ok(())
    }

    /// Waits for reports.
    fn wait(&mut self, socket: &TcpStream) -> io::Result<()> {
        poll(&mut [PollFd::new(socket, PollFlags::empty())], None)?;
        self.collect(socket)
    }
}

impl Calls for ZeroCopied {
    fn prepare(&mut self, socket: &TcpStream) -> io::Result<()> {
        sys::set_zero_copy(socket)
    }

    fn send(&mut self, socket: &mut TcpStream) -> io::Result<()> {
        let mut sent = 0;
        while sent < self.content.len() {
            let end = self.content.len().min(sent + PIECE_BYTES);
            match sys::send_zero_copy(&*socket, &[IoSlice::new(&self.content[sent..end])]) {
                Ok(n) => {
                    sent += n;
                    self.writes += 1;
                    self.collect(socket)?;
                }
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => self.wait(socket)?,
                Err(error) => return Err(error),
            }
        }
        // The memory is free only when the kernel says so.
        while self.done < self.writes {
            self.wait(socket)?;
        }
        Ok(())
    }

    fn remark(&self) -> Option<String> {
        Some(format!("the kernel copied {} of {} writes all the same", self.copied, self.done))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Mapped,
    Copied,
    Chunked,
    ZeroCopied,
}

/// Hides what it is, so that it has to be read.
struct Opaque(Arc<FileSource>);

impl RegionSource for Opaque {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, into)
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// A channel of fyke's: a server to which the receiver connects.
struct Channelled {
    file: File,
    bytes: u64,
    kind: Kind,
    content: Bytes,
    server: Server,
    arrivals: mpsc::Receiver<Channel>,
    acknowledged: mpsc::Receiver<usize>,
    channel: Option<fyke::Sender<Outgoing>>,
    before: ZeroCopyStats,
}

/// Tells of the connection, and of each byte that comes.
struct Told {
    arrived: mpsc::Sender<Channel>,
    acknowledge: mpsc::Sender<usize>,
}

impl InboundHandler for Told {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        // Who does not wait for it needs no connection.
        let _ = self.arrived.send(cx.channel());
        Ok(())
    }

    fn read(&mut self, _: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
        let _ = self.acknowledge.send(msg.readable());
        Ok(())
    }
}

impl Channelled {
    fn sender(path: &Path, bytes: u64, kind: Kind) -> io::Result<Box<dyn Sender>> {
        let group = EventLoopGroup::builder().threads(1).stall_tick(Duration::ZERO).build()?;
        let mut options = ChannelOptions::new();
        if kind == Kind::ZeroCopied {
            let wish = ZeroCopy { forced: true, ..ZeroCopy::default() };
            let socket = SocketOptions::new().zero_copy(Some(wish));
            options = options.socket(socket).outbound_bytes_max(usize::MAX);
        }
        let ((arrived, arrivals), (acknowledge, acknowledged)) = (mpsc::channel(), mpsc::channel());
        let server = ServerBootstrap::new(group)
            .options(options)
            .child(move |ch| -> Result<Stages> {
                let (arrived, acknowledge) = (arrived.clone(), acknowledge.clone());
                let told = Told { arrived, acknowledge };
                if kind == Kind::Chunked {
                    let files = ChunkedFiles::new();
                    ch.pipeline().duplex("files", files).inbound("told", told).into_stages()
                } else {
                    ch.pipeline().inbound("told", told).into_stages()
                }
            })
            .bind("127.0.0.1:0")?;
        let content = match kind {
            Kind::ZeroCopied => std::fs::read(path)?.into(),
            _ => Bytes::new(),
        };
        let (file, before) = (File::open(path)?, ZeroCopyStats::of_process());
        let channel = None;
        let made =
            Self { file, bytes, kind, content, server, arrivals, acknowledged, channel, before };
        Ok(Box::new(made))
    }

    fn region(&self, source: Arc<dyn RegionSource>) -> Outgoing {
        FileRegion::new(source, 0, self.bytes).into()
    }
}

impl Sender for Channelled {
    fn address(&self) -> io::Result<SocketAddr> {
        self.server.local_address().as_inet().ok_or_else(not_connected)
    }

    fn accept(&mut self) -> io::Result<()> {
        let channel = self.arrivals.recv_timeout(PATIENCE).map_err(io::Error::other)?;
        self.channel = Some(channel.sender().map_err(io::Error::other)?);
        Ok(())
    }

    fn send(&mut self) -> io::Result<()> {
        let file = self.file.try_clone()?;
        let message = match self.kind {
            Kind::File => self.region(FileSource::new(file)),
            Kind::Mapped => self.region(FileSource::mapped(file)?),
            Kind::Copied | Kind::Chunked => self.region(Arc::new(Opaque(FileSource::new(file)))),
            Kind::ZeroCopied => self.content.clone().into(),
        };
        let channel = self.channel.as_ref().ok_or_else(not_connected)?;
        channel.send(message).map_err(|error| io::Error::other(error.to_string()))
    }

    fn wait(&mut self) -> io::Result<()> {
        self.acknowledged.recv_timeout(PATIENCE).map(drop).map_err(io::Error::other)
    }

    fn remark(&self) -> Option<String> {
        let (now, before) = (ZeroCopyStats::of_process(), &self.before);
        let (done, copied) = (now.done - before.done, now.copied - before.copied);
        (self.kind == Kind::ZeroCopied)
            .then(|| format!("the kernel copied {copied} of {done} writes all the same"))
    }
}
