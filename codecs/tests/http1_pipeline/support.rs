//! A server on an embedded channel, and what it says.

use fyke_codecs::http1::{
    HttpObjectAggregator, HttpServerHandler, Limits, Reply, Request, RequestPart, Response,
    ResponsePart, Status, server,
};
use fyke_core::embedded::EmbeddedChannel;
use fyke_core::{ChannelOptions, Context, InboundHandler, Never, Result};

pub(crate) const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A server that answers with the method, the target and the body of each request.
pub(crate) fn mirror() -> EmbeddedChannel {
    serve(ChannelOptions::default(), |request| {
        let what = format!("{} {}|", request.head.method().as_str(), request.head.target());
        let body = [what.as_bytes(), &request.body].concat();
        Response::new(Status::OK).body(body).into()
    })
}

pub(crate) fn serve(options: ChannelOptions, service: fn(Request) -> Reply) -> EmbeddedChannel {
    EmbeddedChannel::with_options(options, move |ch| {
        server(ch.pipeline(), Limits::new())
            .inbound("aggregator", HttpObjectAggregator::new(1000))
            .inbound("app", HttpServerHandler::new(move |_, request| service(request)))
    })
}

/// A channel whose requests stay at the tail: the test itself answers.
pub(crate) fn by_hand(options: ChannelOptions) -> EmbeddedChannel {
    EmbeddedChannel::with_options(options, |ch| server(ch.pipeline(), Limits::new()))
}

/// Takes what the server has sent, without `Date`, as text.
pub(crate) fn sent(channel: &mut EmbeddedChannel) -> String {
    let bytes = channel.read_outbound();
    let text = String::from_utf8(bytes.to_vec()).expect("answers of tests are text");
    without_date(&text)
}

pub(crate) fn without_date(text: &str) -> String {
    text.split_inclusive("\r\n").filter(|line| !line.starts_with("Date: ")).collect()
}

/// The statuses in a stream of answers.
pub(crate) fn statuses(text: &str) -> Vec<u16> {
    let after = text.split("HTTP/1.1 ").skip(1);
    after.map(|rest| rest[..3].parse().expect("a status")).collect()
}

/// Requests that reached the tail: F, or H, B, E.
pub(crate) fn parts(channel: &mut EmbeddedChannel) -> String {
    let letter = |part| match part {
        RequestPart::Full(_) => 'F',
        RequestPart::Head(_) => 'H',
        RequestPart::Body(_) => 'B',
        RequestPart::End => 'E',
        other => panic!("{other:?}"),
    };
    channel.drain_inbound().into_iter().map(letter).collect()
}

pub(crate) fn write(channel: &mut EmbeddedChannel, part: impl Into<ResponsePart>) {
    drop(channel.write_outbound::<ResponsePart>(part.into()).expect("it takes responses"));
}

/// Answers at each head, before the rest of the request.
pub(crate) struct Early(pub(crate) fn() -> Response);

impl InboundHandler for Early {
    type In = RequestPart;
    type Out = Never;
    type Write = ResponsePart;

    fn read(&mut self, cx: &mut Context<'_, Self>, part: RequestPart) -> Result<()> {
        if part.head().is_some() {
            cx.write((self.0)().into());
        }
        Ok(())
    }
}
