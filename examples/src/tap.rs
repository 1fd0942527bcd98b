//! `--transport tap`: fyke's own TCP/IP stack on a TAP device.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use fyke::clock::{Clock, Instant};
use fyke::stack::wire::MacAddress;
use fyke::stack::wire::pcapng::Sink;
use fyke::stack::{Capture, Cidr, Direction, Medium, PcapngCapture};
use fyke::transport::userspace::{TapOptions, TapQueue};
use fyke::{StackOptions, SystemClock, Userspace};

/// Where the stack is, and what carries its frames.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "The userspace stack (--transport tap)")]
pub struct TapFlags {
    /// The TAP device; one of that name is attached to, otherwise it is made
    #[arg(long, value_name = "NAME", default_value = "fyke0")]
    pub tap_name: String,

    /// The kernel's address on it, IPv4 or IPv6; may be given twice [default for a new device:
    /// 10.7.0.1/24; one that was there keeps its own]
    #[arg(long, value_name = "ADDRESS/PREFIX")]
    pub tap_address: Vec<Cidr>,

    /// The stack's address
    #[arg(long, value_name = "ADDRESS/PREFIX", default_value = "10.7.0.2/24")]
    pub stack_address: Cidr,

    /// The stack's IPv6 address
    #[arg(long, value_name = "ADDRESS/PREFIX")]
    pub stack_address6: Option<Cidr>,

    /// The stack's Ethernet address [default: one that is made up]
    #[arg(long, value_name = "MAC")]
    pub stack_mac: Option<MacAddress>,

    /// Where the stack sends what is for other networks; once for each family
    #[arg(long, value_name = "ADDRESS")]
    pub gateway: Vec<IpAddr>,

    /// Checksums and the cutting of long segments are not left to the device
    #[arg(long)]
    pub no_offload: bool,

    /// Write every frame into a pcapng file, with remarks on what was dropped and why; of several
    /// loops each writes one: FILE, FILE.1 ...
    #[arg(long, value_name = "FILE")]
    pub stack_pcap: Option<PathBuf>,
}

/// A stack on an open device.
#[derive(Debug)]
pub struct TapHost {
    /// What `.transport(..)` takes.
    pub userspace: Userspace,
    /// How many loops it is for: as many as the device has queues.
    pub loops: usize,
}

impl TapFlags {
    /// Opens the device for one loop.
    ///
    /// # Errors
    /// One line for the user: which right is missing, say, and what to do.
    pub fn userspace(&self) -> Result<Userspace, String> {
        self.open(1).map(|host| host.userspace)
    }

    /// Opens the device with a queue for each of up to `loops` loops.
    ///
    /// # Errors
    /// One line for the user.
    pub fn open(&self, loops: usize) -> Result<TapHost, String> {
        self.open_with(loops, |options| options)
    }

    /// As [`open`](Self::open), with more that the stack is to be told.
    ///
    /// # Errors
    /// One line for the user.
    pub fn open_with(
        &self,
        loops: usize,
        more: impl FnOnce(StackOptions) -> StackOptions,
    ) -> Result<TapHost, String> {
        let mut tap = TapOptions::new(&self.tap_name).queues(loops).offload(!self.no_offload);
        for address in &self.tap_address {
            tap = tap.address(*address);
        }
        let queues = tap.open().map_err(|error| error.to_string())?;
        let loops = queues.len();
        let mtu = queues.iter().map(TapQueue::mtu).min().unwrap_or(1500);
        let mut options = StackOptions::new()
            .address(self.stack_address)
            .mtu(u16::try_from(mtu).unwrap_or(u16::MAX));
        if let Some(address) = self.stack_address6 {
            options = options.address(address);
        }
        for gateway in &self.gateway {
            options = options.gateway(*gateway);
        }
        if let Some(mac) = self.stack_mac {
            options = options.mac(mac);
        }
        if let Some(path) = &self.stack_pcap {
            options = capture(options, path)?;
        }
        let queues = Mutex::new(VecDeque::from(queues));
        let userspace = Userspace::new(more(options), move |_| {
            let queue = queues.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let queue = queue.ok_or_else(|| io::Error::other("the device has no queue left"))?;
            Ok(queue.into_device())
        });
        let userspace = userspace.loops(u16::try_from(loops).unwrap_or(u16::MAX));
        Ok(TapHost { userspace, loops })
    }

    /// What a user does to reach the stack from another shell.
    #[must_use]
    pub fn hint(&self) -> String {
        let address = self.stack_address.address();
        let pid = std::process::id();
        format!(
            "the stack is {address} on the device {}; in a namespace of its own it is reached by \
             `nsenter --preserve-credentials -U -n -t {pid} ping {address}`",
            self.tap_name
        )
    }
}

/// Captures of all loops, each in a file of its own.
fn capture(options: StackOptions, path: &Path) -> Result<StackOptions, String> {
    // Tried at once, so that the user is told before anything runs.
    let first = File::create(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let first = Arc::new(Mutex::new(Some(first)));
    let path = path.to_owned();
    let offset = unix_offset_ns();
    Ok(options.capture(move |_, medium| {
        let first = first.lock().unwrap_or_else(PoisonError::into_inner).take();
        let file = match first {
            Some(file) => file,
            None => next_file(&path)?,
        };
        Ok(Box::new(FileCapture::new(file, medium, offset)?))
    }))
}

/// `FILE.1`, `FILE.2` ...: the first that is not there.
fn next_file(path: &Path) -> io::Result<File> {
    for number in 1..=u16::MAX {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        match File::create_new(Path::new(&name)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made,
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// What makes the loops' clock the time of day.
fn unix_offset_ns() -> u64 {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let clock: Instant = SystemClock::new().now();
    u64::try_from(unix.as_nanos()).unwrap_or(u64::MAX).saturating_sub(clock.as_nanos())
}

/// A capture in a file, complete when it is dropped.
struct FileCapture(PcapngCapture<FileSink>);

struct FileSink(BufWriter<File>);

impl Sink for FileSink {
    type Error = io::Error;

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }
}

impl FileCapture {
    fn new(file: File, medium: Medium, offset: u64) -> io::Result<Self> {
        PcapngCapture::new(FileSink(BufWriter::new(file)), medium, offset).map(Self)
    }
}

impl Capture for FileCapture {
    fn frame(&mut self, now: Instant, direction: Direction, pieces: &[&[u8]]) {
        self.0.frame(now, direction, pieces);
    }

    fn remark(&mut self, now: Instant, direction: Direction, text: &'static str) {
        self.0.remark(now, direction, text);
    }
}

impl Drop for FileCapture {
    fn drop(&mut self) {
        self.0.flush();
    }
}
