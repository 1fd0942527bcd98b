//! Heartbeats behind a NAT box that forgets after a minute, over TCP and UDP, in virtual time: what
//! arrives with them and without, how soon a silent peer is found out, and what is learned of boxes.

mod adaptive;
mod session;
mod silent;
mod talk;
