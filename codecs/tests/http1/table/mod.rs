//! What is refused, in rows: read by the tests of the decoder and by those of the whole server.

mod chunks;
mod fields;
mod framing;
mod line;
mod smuggling;

/// Clause of the RFC and case, input, status, reason.
///
/// An input that begins with `+` continues [`GET`], one with `*` [`POST`].
pub(crate) type Refusal = (&'static str, &'static str, u16, &'static str);

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\n";

/// One refusal with its input written out.
pub(crate) struct Case {
    pub(crate) clause: &'static str,
    pub(crate) input: String,
    pub(crate) status: u16,
    pub(crate) reason: &'static str,
}

fn written_out(&(clause, text, status, reason): &Refusal, prefix: &str) -> Case {
    let input = match text.split_at_checked(1) {
        _ if !prefix.is_empty() => format!("{prefix}{text}"),
        Some(("+", rest)) => format!("{GET}{rest}"),
        Some(("*", rest)) => format!("{POST}{rest}"),
        _ => text.to_owned(),
    };
    Case { clause, input, status, reason }
}

/// What is wrong with the head: no request comes of it.
pub(crate) fn heads() -> Vec<Case> {
    let tables = [line::LINE, fields::FIELDS, framing::FRAMING, smuggling::HEADS];
    tables.into_iter().flatten().map(|row| written_out(row, "")).collect()
}

/// What is wrong with the body: a request begins and does not end.
pub(crate) fn bodies() -> Vec<Case> {
    let chunked = format!("{POST}Transfer-Encoding: chunked\r\n\r\n");
    let chunks = chunks::CHUNKS.iter().map(|row| written_out(row, &chunked));
    chunks.chain(smuggling::BODIES.iter().map(|row| written_out(row, ""))).collect()
}
