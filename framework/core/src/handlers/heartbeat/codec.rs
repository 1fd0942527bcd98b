//! What a ping and a pong are: all that a heartbeat has to know of a protocol.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

/// What a message that has arrived is to a heartbeat.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Beat {
    /// It is for the application, and a sign of life like any other.
    Data,
    /// The peer asks: it is answered with [`HeartbeatCodec::pong`] and goes no further.
    Ping,
    /// The same, but it is answered after so long.
    PingLater(Duration),
    /// The peer's answer; it goes no further.
    Pong,
    /// The peer's answer, which says where it sees us (any number made of our address there).
    /// When that changes, a NAT has lost the mapping that was there before.
    PongSeenAs(u64),
}

/// A protocol's pings and pongs, for [`HeartbeatHandler`](super::HeartbeatHandler).
pub trait HeartbeatCodec: 'static {
    /// What comes in.
    type Read: 'static;
    /// What goes out.
    type Write: 'static;

    /// Whether there is a [`late_ping`](Self::late_ping). A protocol needs it whose own packets
    /// would make a mapping that a NAT has lost anew, unseen: those over datagrams. An interval is
    /// then learned from late answers alone.
    const ASKS_LATE: bool = false;

    /// The ping with this number, from 1.
    fn ping(&mut self, number: u64) -> Self::Write;

    /// A ping that is answered after so long, in which nothing need pass; `None` by default.
    fn late_ping(&mut self, number: u64, after: Duration) -> Option<Self::Write> {
        let _ = (number, after);
        None
    }

    /// What a message is.
    fn beat(&mut self, message: &Self::Read) -> Beat;

    /// The answer to a message that [`beat`](Self::beat) has called a ping; `None` (the default)
    /// when there is none, or when another handler gives it.
    fn pong(&mut self, ping: Self::Read) -> Option<Self::Write> {
        let _ = ping;
        None
    }
}

/// The pings and pongs of a protocol as two functions: one makes the ping with a number, the other
/// says what a message is. For protocols whose pings are answered elsewhere.
///
/// ```
/// use fyke_buffer::ByteBuf;
/// use fyke_core::embedded::EmbeddedChannel;
/// use fyke_core::handlers::{Beat, HeartbeatConfig, HeartbeatHandler, beat_fns};
/// use fyke_core::Outgoing;
///
/// let mut channel = EmbeddedChannel::new(|ch| {
///     let codec = beat_fns(
///         |number| Outgoing::from(format!("ping {number}\n").into_bytes()),
///         |line: &ByteBuf| if line.starts_with(b"pong") { Beat::Pong } else { Beat::Data },
///     );
///     let config = HeartbeatConfig::new(std::time::Duration::from_secs(30)).jitter_percent(0);
///     ch.pipeline().inbound("heartbeat", HeartbeatHandler::new(codec, &config))
/// });
/// channel.advance(std::time::Duration::from_secs(30));
/// assert_eq!(channel.read_outbound(), b"ping 1\n");
/// ```
pub fn beat_fns<R, W, P, B>(ping: P, beat: B) -> BeatFns<R, W, P, B>
where
    R: 'static,
    W: 'static,
    P: FnMut(u64) -> W + 'static,
    B: FnMut(&R) -> Beat + 'static,
{
    BeatFns { ping, beat, types: PhantomData }
}

/// What [`beat_fns`] makes.
pub struct BeatFns<R, W, P, B> {
    ping: P,
    beat: B,
    types: PhantomData<fn(R) -> W>,
}

impl<R, W, P, B> HeartbeatCodec for BeatFns<R, W, P, B>
where
    R: 'static,
    W: 'static,
    P: FnMut(u64) -> W + 'static,
    B: FnMut(&R) -> Beat + 'static,
{
    type Read = R;
    type Write = W;

    fn ping(&mut self, number: u64) -> W {
        (self.ping)(number)
    }

    fn beat(&mut self, message: &R) -> Beat {
        (self.beat)(message)
    }
}

impl<R, W, P, B> fmt::Debug for BeatFns<R, W, P, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BeatFns").finish_non_exhaustive()
    }
}
