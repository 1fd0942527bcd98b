//! Routes of the web server that show forms, events and a router.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fyke::{ByteBuf, Decoder, Sender};
use fyke_codecs::http1::forms::{
    MultipartDecoder, MultipartLimits, MultipartPart, boundary_of, urlencoded,
};
use fyke_codecs::http1::router::{Found, Params, RouteError, Router};
use fyke_codecs::http1::sse::{SseEvent, event_stream};
use fyke_codecs::http1::{Method, Reply, Request, Response, ResponsePart, ServiceContext, Status};

type Handler = fn(&mut ServiceContext<'_>, &Request, &Params<'_>) -> Reply;

/// `/hello/:name`, `/form` and `/events`.
pub(crate) struct Extras(Router<Handler>);

impl Extras {
    pub(crate) fn new() -> Result<Self, RouteError> {
        let mut router = Router::<Handler>::new();
        router.add(Method::Get, "/hello/:name", hello)?;
        router.add(Method::Post, "/form", form)?;
        router.add(Method::Get, "/events", events)?;
        Ok(Self(router))
    }

    /// The reply, or `None` when the path is none of these.
    pub(crate) fn answer(&self, cx: &mut ServiceContext<'_>, request: &Request) -> Option<Reply> {
        match self.0.find(request.head.method(), request.head.path()) {
            Found::Route { target, params } => Some(target(cx, request, &params)),
            Found::NotFound => None,
            other => other.refusal().map(Reply::from),
        }
    }
}

fn text(status: Status, text: impl Into<String>) -> Reply {
    let response = Response::new(status).header("Content-Type", "text/plain; charset=utf-8");
    response.body(text.into()).into()
}

fn hello(_: &mut ServiceContext<'_>, _: &Request, params: &Params<'_>) -> Reply {
    text(Status::OK, format!("hello, {}\n", params.get("name").unwrap_or_default()))
}

/// What a form holds, one field a line.
fn form(_: &mut ServiceContext<'_>, request: &Request, _: &Params<'_>) -> Reply {
    let content_type = request.head.header("content-type").unwrap_or_default();
    match boundary_of(content_type) {
        Err(error) => text(Status::BAD_REQUEST, error.to_string()),
        Ok(Some(boundary)) => match multipart(&boundary, &request.body) {
            Ok(lines) => text(Status::OK, lines),
            Err(error) => text(Status::BAD_REQUEST, error.to_string()),
        },
        Ok(None) if content_type.starts_with(b"application/x-www-form-urlencoded") => {
            let lines = urlencoded(&request.body).map(|(name, value)| format!("{name}: {value}\n"));
            text(Status::OK, lines.collect::<String>())
        }
        Ok(None) => text(Status::UNSUPPORTED_MEDIA_TYPE, "not a form"),
    }
}

fn multipart(boundary: &[u8], body: &[u8]) -> Result<String, Box<dyn std::error::Error>> {
    let mut form = MultipartDecoder::new(boundary, MultipartLimits::new())?;
    let mut src = ByteBuf::from(body);
    let (mut lines, mut bytes) = (String::new(), 0);
    while let Some(part) = form.decode_eof(&mut src)? {
        match part {
            MultipartPart::Head(head) => {
                bytes = 0;
                lines.push_str(head.name());
                lines.extend(head.file_name().iter().flat_map(|name| [" (", name, ")"]));
            }
            MultipartPart::Body(piece) => bytes += piece.readable(),
            MultipartPart::End => lines.push_str(&format!(": {bytes} bytes\n")),
            _ => {}
        }
    }
    Ok(lines)
}

/// Who gets the events.
static LISTENERS: Mutex<Vec<Sender<ResponsePart>>> = Mutex::new(Vec::new());

/// A stream of events: the time since the program began, each second.
fn events(cx: &mut ServiceContext<'_>, request: &Request, _: &Params<'_>) -> Reply {
    if request.head.method() == Method::Head {
        return Reply::Parts(vec![event_stream().into(), ResponsePart::End]);
    }
    match cx.sender::<ResponsePart>() {
        Ok(listener) => {
            LISTENERS.lock().unwrap_or_else(PoisonError::into_inner).push(listener);
            Reply::Parts(vec![event_stream().into()])
        }
        Err(error) => text(Status::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

/// Sends the events, for as long as the program runs.
pub(crate) fn tick() {
    for second in 0_u64.. {
        std::thread::sleep(Duration::from_secs(1));
        let mut listeners = LISTENERS.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|listener| !listener.is_closed());
        for listener in &*listeners {
            let event = SseEvent::new(format!("{second} s")).id(second.to_string());
            // Who does not keep up misses events, and is closed in the end.
            if let Ok(part) = event.event("tick").into_part() {
                let _ = listener.try_send(part);
            }
        }
    }
}
