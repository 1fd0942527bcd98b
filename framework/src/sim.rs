//! A simulated network in virtual time, and servers and clients in it as they are.
//!
//! ```
//! use std::time::Duration;
//!
//! use fyke::prelude::*;
//! use fyke::sim::{HostExt, LinkConfig, World};
//!
//! let world = World::new(7);
//! let server = world.host("server").address("10.0.0.1/24").start()?;
//! let client = world.host("client").address("10.0.0.2/24").start()?;
//! let wan = LinkConfig::new().delay(Duration::from_millis(25)).loss(0.01);
//! world.link(&server, &client, wan)?;
//!
//! let listening = ServerBootstrap::new(server.group())
//!     .transport(server.transport())
//!     .child(|ch| ch.pipeline().inbound("echo", read_fn(|cx, msg: ByteBuf| {
//!         cx.write(Outgoing::Buf(msg));
//!         Ok(())
//!     })))
//!     .bind("10.0.0.1:7000")?;
//!
//! let (answers, answer) = std::sync::mpsc::channel();
//! let bootstrap = Bootstrap::new(client.group()).transport(client.transport());
//! let bootstrap = bootstrap.handler(move |ch| {
//!     let answers = answers.clone();
//!     ch.pipeline().inbound("tell", read_fn(move |_, msg: ByteBuf| {
//!         answers.send(msg.to_vec()).map_err(Error::handler)
//!     }))
//! });
//! let channel = bootstrap.connect(listening.local_address()).wait()?;
//! channel.sender()?.send(Outgoing::from("hello"))?;
//! let mut answered = None;
//! world.run_while(|| {
//!     answered = answered.take().or_else(|| answer.try_recv().ok());
//!     answered.is_none()
//! })?;
//! assert_eq!(answered.unwrap(), b"hello");
//! assert!(world.now().as_nanos() >= 100_000_000, "a handshake and an echo: two round trips");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub use fyke_sim::*;

use crate::group::EventLoopGroup;

/// What bootstraps need of a simulated host.
pub trait HostExt {
    /// The host's loops as a group. They do not end with the group: the host owns them. After a
    /// restart there are others.
    fn group(&self) -> EventLoopGroup;
}

impl HostExt for Host {
    fn group(&self) -> EventLoopGroup {
        EventLoopGroup::of_loops(self.event_loops()).expect("there is a loop")
    }
}
