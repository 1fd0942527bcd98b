//! An HTTP/1.1 server's end of a pipeline, and how it sends.

use fyke_core::{CodecContext, CodecError, FileRegion, PipelineBuilder};

use super::codec::HttpServerCodec;
use super::options::ServerOptions;
use crate::http1::gathered::write_gathered;
use crate::http1::{RequestPart, Response, ResponsePart, ServerCodec, Status};

/// The name of the stage that [`server`] adds: the [`HttpServerCodec`].
pub const HTTP_STAGE: &str = "http";

/// A longer body is sent from where it lies instead of being copied behind its head.
pub(super) const COPY_BYTES_MAX: usize = 2048;

type Cx<'a> = CodecContext<'a, HttpServerCodec>;

/// Adds the codec of an HTTP/1.1 server to a pipeline: requests come out in parts, responses go in.
///
/// What it sees to by itself:
/// * the order of answers, `HEAD`, HTTP/1.0, `Connection`, `Date`, framing;
/// * what cannot be read is answered with its 4xx or 5xx, behind the answers to the requests before
///   it, and the connection is closed;
/// * the connection is closed behind its last answer, and not before a peer that has sent its end
///   has got all answers;
/// * reading is paused while too many answers are due, while an answer sent in parts has no end yet,
///   and while it is open whether an upgrade takes place;
/// * who takes too long is answered 408 or left, by the [`Timeouts`](super::Timeouts) of the options.
///
/// ```
/// use fyke_codecs::http1::{
///     HttpObjectAggregator, HttpServerHandler, Limits, Request, Response, Status, server,
/// };
/// use fyke_core::embedded::EmbeddedChannel;
///
/// let mut channel = EmbeddedChannel::new(|ch| {
///     server(ch.pipeline(), Limits::new())
///         .inbound("aggregator", HttpObjectAggregator::new(1024 * 1024))
///         .inbound("app", HttpServerHandler::new(|_, request: Request| {
///             Response::new(Status::OK).body(request.body)
///         }))
/// });
/// channel.write_inbound("POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi");
/// let answer = channel.read_outbound();
/// assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n") && answer.ends_with(b"\r\n\r\nhi"));
/// ```
pub fn server(
    pipeline: PipelineBuilder,
    options: impl Into<ServerOptions>,
) -> PipelineBuilder<RequestPart, ResponsePart> {
    let options = options.into();
    let codec = HttpServerCodec::new(ServerCodec::new(options.limits), options.timeouts);
    pipeline.codec_handler(HTTP_STAGE, codec)
}

/// The answer when it is our fault.
pub(super) fn internal_error() -> Response {
    Response::new(Status::INTERNAL_SERVER_ERROR)
        .header("Content-Type", "text/plain; charset=utf-8")
        .body("internal server error")
}

/// Encodes a part, straight into the channel's outbound queue but for what is too large to copy.
#[inline]
pub(super) fn send(
    codec: &mut ServerCodec,
    cx: &mut Cx<'_>,
    part: ResponsePart,
) -> Result<(), CodecError> {
    if let ResponsePart::File(region) = part {
        return send_file(codec, cx, region);
    }
    codec.set_unix_time(cx.env().unix_time().as_secs());
    write_gathered(cx, |dst| codec.encode_gather(part, dst, COPY_BYTES_MAX))
}

fn send_file(
    codec: &mut ServerCodec,
    cx: &mut Cx<'_>,
    region: FileRegion,
) -> Result<(), CodecError> {
    let mut behind = None;
    cx.encode(|dst| -> Result<(), CodecError> {
        behind = codec.encode_external(region.len(), dst)?;
        Ok(())
    })?;
    if let Some(behind) = behind {
        cx.write(region.into());
        if !behind.is_empty() {
            cx.write(behind.into());
        }
    }
    Ok(())
}
