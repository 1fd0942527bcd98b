//! Requests and answers of embedded servers.

use fyke_codecs::http1::{RequestPart, ResponsePart};
use fyke_core::embedded::EmbeddedChannel;

pub(crate) fn request(method: &str, target: &str, fields: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

/// Takes what the server has sent, without `Date`, as text.
pub(crate) fn sent(channel: &mut EmbeddedChannel) -> String {
    let bytes = channel.read_outbound();
    let text = String::from_utf8(bytes.to_vec()).expect("answers of tests are text");
    text.split_inclusive("\r\n").filter(|line| !line.starts_with("Date: ")).collect()
}

pub(crate) fn write(channel: &mut EmbeddedChannel, part: impl Into<ResponsePart>) {
    drop(channel.write_outbound::<ResponsePart>(part.into()).expect("it takes responses"));
}

/// The targets of the requests that reached the tail.
pub(crate) fn targets(channel: &mut EmbeddedChannel) -> Vec<String> {
    let parts = channel.drain_inbound::<RequestPart>().into_iter();
    parts.filter_map(|part| part.head().map(|head| head.target().to_owned())).collect()
}
