//! Logs everything that passes a place in a pipeline. Netty's `LoggingHandler`.

use std::fmt::{self, Write as _};

use bytes::Bytes;
use fyke_buffer::{ByteBuf, HexDump};
use tracing::Level;

use crate::async_channel::Kicked;
use crate::error::{Error, Result};
use crate::event::{Event, EventFilter};
use crate::handler::{DuplexContext, DuplexHandler, Never};
use crate::outgoing::{Datagram, Outgoing};
use crate::pipeline::Ctx;
use crate::promise::Promise;

/// Of one message so many bytes are shown, unless asked otherwise.
const MESSAGE_BYTES_MAX: usize = 1024;

/// How bytes are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ByteFormat {
    /// How many.
    Simple,
    /// How many, and a hex dump.
    HexDump,
}

/// How messages are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct LogStyle {
    /// Of byte messages.
    pub bytes: ByteFormat,
    /// Of one message at most so many bytes are shown: of a byte message so many of its own, of
    /// another one so many of its text.
    pub message_bytes_max: usize,
}

impl Default for LogStyle {
    fn default() -> Self {
        Self { bytes: ByteFormat::Simple, message_bytes_max: MESSAGE_BYTES_MAX }
    }
}

/// A message that [`LoggingHandler`] can show in its own way. The byte-level messages are shown as
/// hex dumps; types that are only `Debug` go with [`LoggingHandler::debug`].
pub trait LogMessage {
    /// Writes what the log is to show.
    ///
    /// # Errors
    /// Those of the formatter.
    fn fmt_log(&self, f: &mut fmt::Formatter<'_>, style: &LogStyle) -> fmt::Result;
}

impl LogMessage for [u8] {
    fn fmt_log(&self, f: &mut fmt::Formatter<'_>, style: &LogStyle) -> fmt::Result {
        write!(f, "{}B", self.len())?;
        if style.bytes == ByteFormat::Simple || self.is_empty() {
            return Ok(());
        }
        let shown = self.len().min(style.message_bytes_max);
        write!(f, "\n{}", HexDump(&self[..shown]))?;
        match self.len() - shown {
            0 => Ok(()),
            rest => write!(f, "\n... and {rest} bytes more"),
        }
    }
}

impl LogMessage for ByteBuf {
    fn fmt_log(&self, f: &mut fmt::Formatter<'_>, style: &LogStyle) -> fmt::Result {
        self.as_slice().fmt_log(f, style)
    }
}

impl LogMessage for Bytes {
    fn fmt_log(&self, f: &mut fmt::Formatter<'_>, style: &LogStyle) -> fmt::Result {
        (**self).fmt_log(f, style)
    }
}

impl LogMessage for Outgoing {
    fn fmt_log(&self, f: &mut fmt::Formatter<'_>, style: &LogStyle) -> fmt::Result {
        match self {
            Self::Buf(buf) => buf.fmt_log(f, style),
            Self::Bytes(bytes) => bytes.fmt_log(f, style),
            Self::Composite(rope) => rope.to_vec().as_slice().fmt_log(f, style),
            Self::File(region) => {
                write!(f, "{}B of a file, from offset {}", region.len(), region.offset())
            }
        }
    }
}

impl LogMessage for Datagram {
    fn fmt_log(&self, f: &mut fmt::Formatter<'_>, style: &LogStyle) -> fmt::Result {
        if let Some(peer) = &self.peer {
            write!(f, "({peer}) ")?;
        }
        if self.truncated {
            f.write_str("(cut) ")?;
        }
        self.payload.fmt_log(f, style)
    }
}

impl LogMessage for Never {
    fn fmt_log(&self, _: &mut fmt::Formatter<'_>, _: &LogStyle) -> fmt::Result {
        match *self {}
    }
}

fn debug_message<M: fmt::Debug>(
    msg: &M,
    f: &mut fmt::Formatter<'_>,
    style: &LogStyle,
) -> fmt::Result {
    let mut bounded = Bounded { to: f, left: style.message_bytes_max, cut: false };
    match write!(bounded, "{msg:?}") {
        Err(_) if bounded.cut => bounded.to.write_str("..."),
        result => result,
    }
}

/// Passes so many bytes of text on, and then ends the formatting.
struct Bounded<'a, 'b> {
    to: &'a mut fmt::Formatter<'b>,
    left: usize,
    cut: bool,
}

impl fmt::Write for Bounded<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let shown = text.floor_char_boundary(self.left);
        self.to.write_str(&text[..shown])?;
        self.left -= shown;
        if shown == text.len() {
            return Ok(());
        }
        self.left = 0;
        self.cut = true;
        Err(fmt::Error)
    }
}

type Show<M> = fn(&M, &mut fmt::Formatter<'_>, &LogStyle) -> fmt::Result;

/// Logs everything that passes it, in both directions, and changes nothing.
///
/// Generic over the messages `R` that come in and `W` that go out; both are inferred from its
/// neighbours, so it fits everywhere. It logs through `tracing`, with the channel's name in the
/// field `channel`. A level that is switched off costs one check.
///
/// ```
/// use fyke_core::embedded::EmbeddedChannel;
/// use fyke_core::handlers::LoggingHandler;
/// use tracing::Level;
///
/// let mut channel = EmbeddedChannel::new(|ch| {
///     ch.pipeline().duplex("log", LoggingHandler::new(Level::DEBUG))
/// });
/// channel.write_inbound(b"hello"); // DEBUG channel=[id: 0.0.1, ...] READ: 5B
/// ```
pub struct LoggingHandler<R, W> {
    level: Level,
    style: LogStyle,
    show_read: Show<R>,
    show_write: Show<W>,
    /// Made when something is logged for the first time.
    name: Option<Box<str>>,
}

impl<R: LogMessage + 'static, W: LogMessage + 'static> LoggingHandler<R, W> {
    /// Logs messages that know how to be shown: those of the byte level. At `TRACE` bytes are shown
    /// as a hex dump, otherwise only how many.
    #[must_use]
    pub fn new(level: Level) -> Self {
        Self::with(level, R::fmt_log, W::fmt_log)
    }
}

impl<R: fmt::Debug + 'static, W: fmt::Debug + 'static> LoggingHandler<R, W> {
    /// Logs messages of any type by their `Debug`.
    #[must_use]
    pub fn debug(level: Level) -> Self {
        Self::with(level, debug_message, debug_message)
    }
}

impl<R: 'static, W: 'static> LoggingHandler<R, W> {
    /// Logs messages as the two functions show them.
    #[must_use]
    pub fn with(
        level: Level,
        show_read: fn(&R, &mut fmt::Formatter<'_>, &LogStyle) -> fmt::Result,
        show_write: fn(&W, &mut fmt::Formatter<'_>, &LogStyle) -> fmt::Result,
    ) -> Self {
        let mut style = LogStyle::default();
        if level == Level::TRACE {
            style.bytes = ByteFormat::HexDump;
        }
        Self { level, style, show_read, show_write, name: None }
    }

    /// How bytes are shown, whatever the level.
    #[must_use]
    pub fn format(mut self, format: ByteFormat) -> Self {
        self.style.bytes = format;
        self
    }

    /// How much of one message is shown (1 KiB).
    #[must_use]
    pub fn message_bytes_max(mut self, max: usize) -> Self {
        self.style.message_bytes_max = max;
        self
    }

    fn is_enabled(&self) -> bool {
        match self.level {
            Level::ERROR => tracing::enabled!(Level::ERROR),
            Level::WARN => tracing::enabled!(Level::WARN),
            Level::INFO => tracing::enabled!(Level::INFO),
            Level::DEBUG => tracing::enabled!(Level::DEBUG),
            Level::TRACE => tracing::enabled!(Level::TRACE),
        }
    }

    fn log(&mut self, cx: &mut Ctx<'_, R, W>, what: fmt::Arguments<'_>) {
        if self.is_enabled() {
            let name = self.name.get_or_insert_with(|| name(cx));
            emit(self.level, name, what);
        }
    }
}

/// Like Netty's: the number, our address, the peer's.
fn name<R, W>(cx: &mut Ctx<'_, R, W>) -> Box<str> {
    let mut name = format!("[id: {}", cx.channel().id());
    if let Some(local) = cx.local_address() {
        let _ = write!(name, ", L:{local}");
    }
    if let Some(peer) = cx.peer_address() {
        let _ = write!(name, " - R:{peer}");
    }
    name.push(']');
    name.into_boxed_str()
}

fn emit(level: Level, channel: &str, what: fmt::Arguments<'_>) {
    match level {
        Level::ERROR => tracing::error!(channel, "{what}"),
        Level::WARN => tracing::warn!(channel, "{what}"),
        Level::INFO => tracing::info!(channel, "{what}"),
        Level::DEBUG => tracing::debug!(channel, "{what}"),
        Level::TRACE => tracing::trace!(channel, "{what}"),
    }
}

/// A message as the log shows it.
struct Shown<'a, M>(&'a M, Show<M>, LogStyle);

impl<M> fmt::Display for Shown<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.1)(self.0, f, &self.2)
    }
}

macro_rules! logged {
    ($($method:ident => $text:literal, $pass:ident;)*) => {$(
        fn $method(&mut self, cx: &mut DuplexContext<'_, Self>) -> Result<()> {
            self.log(cx, format_args!($text));
            cx.$pass();
            Ok(())
        }
    )*};
}

impl<R: 'static, W: 'static> DuplexHandler for LoggingHandler<R, W> {
    type In = R;
    type Out = R;
    type WriteIn = W;
    type WriteOut = W;

    fn read(&mut self, cx: &mut DuplexContext<'_, Self>, msg: R) -> Result<()> {
        let shown = Shown(&msg, self.show_read, self.style);
        self.log(cx, format_args!("READ: {shown}"));
        cx.fire_read(msg);
        Ok(())
    }

    fn write(&mut self, cx: &mut DuplexContext<'_, Self>, msg: W, promise: Promise) -> Result<()> {
        let shown = Shown(&msg, self.show_write, self.style);
        self.log(cx, format_args!("WRITE: {shown}"));
        cx.write_with(msg, promise);
        Ok(())
    }

    fn active(&mut self, cx: &mut DuplexContext<'_, Self>) -> Result<()> {
        // Now both addresses are known.
        self.name = None;
        self.log(cx, format_args!("ACTIVE"));
        cx.fire_active();
        Ok(())
    }

    logged! {
        registered => "REGISTERED", fire_registered;
        unregistered => "UNREGISTERED", fire_unregistered;
        inactive => "INACTIVE", fire_inactive;
        read_complete => "READ COMPLETE", fire_read_complete;
        read_closed => "READ CLOSED", fire_read_closed;
        writability_changed => "WRITABILITY CHANGED", fire_writability_changed;
        shutting_down => "SHUTTING DOWN", fire_shutting_down;
        flush => "FLUSH", flush;
        close => "CLOSE", close;
        shutdown => "SHUTDOWN", shutdown;
    }

    fn events(&self) -> EventFilter {
        EventFilter::ALL
    }

    fn event(&mut self, cx: &mut DuplexContext<'_, Self>, event: Event) -> Result<()> {
        // What the library sends to itself is no news.
        if !event.is::<Kicked>() {
            self.log(cx, format_args!("USER EVENT: {event:?}"));
        }
        cx.pass_event(event);
        Ok(())
    }

    fn error(&mut self, cx: &mut DuplexContext<'_, Self>, error: Error) -> Result<()> {
        self.log(cx, format_args!("ERROR: {error}"));
        cx.fire_error(error);
        Ok(())
    }
}

impl<R, W> fmt::Debug for LoggingHandler<R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoggingHandler")
            .field("level", &self.level)
            .field("style", &self.style)
            .finish_non_exhaustive()
    }
}
