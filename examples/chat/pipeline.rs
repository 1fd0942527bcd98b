//! What serves a connection: the page, and the chat behind it.

use fyke::{ChannelInit, IntoStages};
use fyke_codecs::http1::{self, HttpObjectAggregator, HttpServerHandler, Request};
use fyke_codecs::websocket::{self, WebSocketServerProtocolConfig, WebSocketServerProtocolHandler};
use fyke_examples::tls::ServerTls;

use crate::page::Page;
use crate::session::{Session, SharedRooms};
use crate::{outlet, protocol};

/// The page asks for its files without any content.
const REQUEST_BYTES_MAX: u64 = 4096;

/// A session gives up a slow client long before this; it holds for clients that only ask for files.
pub(crate) const OUTBOUND_BYTES_MAX: usize = 4 * outlet::QUEUE_BYTES_MAX;

/// What all connections share.
pub(crate) struct Chat {
    page: Page,
    rooms: SharedRooms,
    websocket: WebSocketServerProtocolConfig,
    tls: ServerTls,
}

impl Chat {
    pub(crate) fn new(tls: ServerTls) -> Self {
        let limits = websocket::Limits::new().message_bytes_max(protocol::MESSAGE_BYTES_MAX);
        Self {
            page: Page::new(),
            rooms: SharedRooms::default(),
            websocket: WebSocketServerProtocolConfig::new("/ws").limits(limits),
            tls,
        }
    }

    /// The pipeline of a connection.
    pub(crate) fn serve(&self, ch: &mut ChannelInit<'_>) -> impl IntoStages + use<> {
        let (page, rooms) = (self.page.clone(), SharedRooms::clone(&self.rooms));
        let upgrade = WebSocketServerProtocolHandler::duplex(&self.websocket, move |_| {
            Session::new(SharedRooms::clone(&rooms))
        });
        http1::server(self.tls.pipeline(ch), http1::Limits::new())
            .duplex("ws-upgrade", upgrade)
            .inbound("aggregator", HttpObjectAggregator::new(REQUEST_BYTES_MAX))
            .inbound("page", HttpServerHandler::new(move |_, asked: Request| page.answer(&asked)))
    }
}
