//! WebSocket as stages of a pipeline.
//!
//! ```text
//!   before:  http -- ws-upgrade -- the HTTP service
//!   after:   ws-decoder -- ws -- ws-app
//! ```
//!
//! [`WebSocketServerProtocolHandler`] stands behind the HTTP codec. It lets every request pass but
//! those for its path; a handshake that is in order it answers with 101, and then, in one
//! transaction, puts the stages of WebSocket in the place of those of HTTP. Bytes that came behind
//! the handshake enter the new stages.
//!
//! [`client`] begins with `ws-http -- ws-upgrade -- the application`, which asks for the upgrade
//! itself; the application stays, and hears `active` when the WebSocket is open.
//!
//! [`WebSocketHandler`] is what stays: it answers pings, closes in order and encodes. With `heartbeat`
//! in the configuration a stage `ws-heartbeat` stands behind it.

mod client;
mod client_config;
mod config;
mod control;
mod heartbeat;
mod order;
mod upgrade;

pub use client::{WebSocketClientProtocolHandler, client};
pub use client_config::WebSocketClientConfig;
pub use config::{Opened, WebSocketServerProtocolConfig, same_origin};
pub use control::WebSocketHandler;
pub use heartbeat::WebSocketHeartbeat;
pub use upgrade::WebSocketServerProtocolHandler;
