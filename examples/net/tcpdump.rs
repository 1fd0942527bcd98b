//! What passes an interface, or is in a capture, one line a frame.
//!
//! `sudo cargo run --release --example tcpdump -- --interface lo --write out.pcapng`
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Parser;
use fyke::poller::sys::PacketSocket;
use fyke::stack::wire::pcapng::{Capture, Direction, LinkType, Reader, Sink, Writer};
use fyke::stack::wire::pretty::{Medium, Pretty};
use fyke_examples::icmp::watch_signals;

/// The longest frame: a super-segment and its headers.
const FRAME_BYTES_MAX: usize = 64 * 1024 + 512;

/// What passes an interface, or is in a capture, one line a frame.
///
/// Exit code 0: it ended in order (Ctrl-C, the count, the file's end); 1: it could not look; 2: wrong
/// flags.
#[derive(Parser, Debug)]
#[command(name = "tcpdump", version)]
struct Flags {
    /// An interface of the kernel, a TAP device say
    #[arg(
        short,
        long,
        value_name = "NAME",
        required_unless_present = "read",
        conflicts_with = "read"
    )]
    interface: Option<String>,

    /// A pcapng file to print
    #[arg(short, long, value_name = "FILE")]
    read: Option<PathBuf>,

    /// Write a pcapng file, too
    #[arg(short, long, value_name = "FILE", conflicts_with = "read")]
    write: Option<PathBuf>,

    /// End after so many frames
    #[arg(short, long, value_name = "N")]
    count: Option<u64>,

    /// Only lines that contain this
    #[arg(short, long, value_name = "TEXT", default_value = "")]
    grep: String,

    /// Print the Ethernet header, too
    #[arg(short, long)]
    ethernet: bool,
}

fn main() -> ExitCode {
    let flags: Flags = fyke_examples::parse();
    let shown = match (&flags.interface, &flags.read) {
        (Some(interface), _) => look_on(&flags, interface),
        (None, Some(path)) => print_file(&flags, path),
        (None, None) => Ok(()),
    };
    match shown {
        // Who reads our lines has seen enough.
        Err(Trouble::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(Trouble::Output(error)) => fyke_examples::exit(Err(format!("cannot print: {error}"))),
        Err(Trouble::Other(text)) => fyke_examples::exit(Err(text)),
        Ok(()) => ExitCode::SUCCESS,
    }
}

/// Why nothing more is shown.
enum Trouble {
    Output(io::Error),
    Other(String),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// One frame, however it came here.
struct Shown<'a> {
    time_ns: u64,
    medium: Medium,
    direction: Direction,
    bytes: &'a [u8],
    comments: &'a [String],
}

impl Flags {
    /// Prints a frame unless it is filtered out; `true` when it was printed.
    fn print(&self, out: &mut impl Write, shown: &Shown<'_>) -> io::Result<bool> {
        let pretty = Pretty::new(shown.medium, shown.bytes);
        let mut line = if self.ethernet { format!("{pretty:#}") } else { pretty.to_string() };
        for comment in shown.comments {
            line += "  # ";
            line += comment;
        }
        if !line.contains(&self.grep) {
            return Ok(false);
        }
        let way = match shown.direction {
            Direction::Inbound => "In ",
            Direction::Outbound => "Out",
            _ => "   ",
        };
        let (seconds, rest) = (shown.time_ns / 1_000_000_000, shown.time_ns % 1_000_000_000);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        let micros = rest / 1000;
        writeln!(out, "{hour:02}:{minute:02}:{second:02}.{micros:06} {way} {line}")?;
        Ok(true)
    }

    fn is_enough(&self, printed: u64) -> bool {
        self.count.is_some_and(|count| printed >= count)
    }
}

/// A capture on its way into a file.
struct FileSink(BufWriter<File>);

impl Sink for FileSink {
    type Error = io::Error;

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }
}

/// Prints what passes an interface, until the user has seen enough.
fn look_on(flags: &Flags, interface: &str) -> Result<(), Trouble> {
    let interrupted = watch_signals().map_err(Trouble::Other)?;
    let socket = PacketSocket::open(interface).map_err(|error| {
        Trouble::Other(match error.kind() {
            io::ErrorKind::PermissionDenied => format!(
                "cannot look on at {interface}: that takes the right CAP_NET_RAW; \
                 use sudo, or `unshare -Urn` for interfaces of an own namespace"
            ),
            _ => format!("cannot look on at {interface}: {error}"),
        })
    })?;
    // So often it is looked whether the user wants it to end.
    socket.set_timeout(Duration::from_millis(100))?;
    let mut file = match &flags.write {
        Some(path) => Some(create(path, interface)?),
        None => None,
    };
    eprintln!("looking on at {interface}; Ctrl-C ends it");
    let (mut out, mut buffer) = (io::stdout().lock(), vec![0; FRAME_BYTES_MAX]);
    let mut printed = 0;
    while interrupted.try_recv().is_err() && !flags.is_enough(printed) {
        let seen = match socket.receive(&mut buffer) {
            Ok(seen) => seen,
            Err(error) if is_quiet(&error) => {
                out.flush()?;
                continue;
            }
            Err(error) => return Err(Trouble::Other(format!("{interface}: {error}"))),
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let shown = Shown {
            time_ns: u64::try_from(now.as_nanos()).unwrap_or(u64::MAX),
            medium: Medium::Ethernet,
            direction: if seen.outgoing { Direction::Outbound } else { Direction::Inbound },
            bytes: &buffer[..seen.len],
            comments: &[],
        };
        if flags.print(&mut out, &shown)? {
            printed += 1;
            if let Some((writer, id)) = &mut file {
                writer.packet(&Capture {
                    interface: *id,
                    time_ns: shown.time_ns,
                    direction: shown.direction,
                    bytes: &[shown.bytes],
                    comments: &[],
                })?;
            }
        }
    }
    out.flush()?;
    if let (Some((writer, _)), Some(path)) = (file, &flags.write) {
        writer.into_inner().0.flush()?;
        eprintln!("{printed} frames in {}", path.display());
    }
    Ok(())
}

fn create(
    path: &Path,
    interface: &str,
) -> Result<(Writer<FileSink>, fyke::stack::wire::pcapng::InterfaceId), Trouble> {
    let open = || {
        let mut writer = Writer::new(FileSink(BufWriter::new(File::create(path)?)))?;
        let id = writer.interface(LinkType::ETHERNET, interface)?;
        Ok((writer, id))
    };
    open().map_err(|error: io::Error| Trouble::Other(format!("{}: {error}", path.display())))
}

fn is_quiet(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// Prints a capture.
fn print_file(flags: &Flags, path: &Path) -> Result<(), Trouble> {
    let at = path.display();
    let capture = std::fs::read(path).map_err(|e| Trouble::Other(format!("{at}: {e}")))?;
    let (mut out, mut printed) = (BufWriter::new(io::stdout().lock()), 0);
    for packet in Reader::new(&capture).packets() {
        if flags.is_enough(printed) {
            break;
        }
        let packet = packet.map_err(|e| Trouble::Other(format!("{at}: {e}")))?;
        let medium = match packet.link {
            LinkType::ETHERNET => Medium::Ethernet,
            _ => Medium::Ip,
        };
        let (time_ns, direction, bytes) = (packet.time_ns, packet.direction, packet.bytes);
        let shown = Shown { time_ns, medium, direction, bytes, comments: &packet.comments };
        printed += u64::from(flags.print(&mut out, &shown)?);
    }
    Ok(out.flush()?)
}
