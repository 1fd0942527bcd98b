//! The language: text to a [`Script`].
//!
//! ```text
//! text --lexer--> tokens --parser, packet, tcp_options, call--> ast
//! ```
//!
//! Both published dialects are read: google's and the one FreeBSD's test suite is written in, which
//! adds `!` (numbers as on the wire), `...(n)` (any sequence number), `/udp(a > b)`, `(hlim n)`,
//! `#ifdef` and more options. Structures are read by shape, not by name: a call checks its own.

mod ast;
mod call;
mod cursor;
mod error;
mod lexer;
mod packet;
mod parser;
mod tcp_options;
mod token;

pub use ast::{
    Action, Body, CallSpec, Direction, EcnSpec, Event, Expr, Field, FlagSpec, IcmpSpec, IpSpec,
    OptionSpec, OptionsSpec, OuterHeader, PacketSpec, Quoted, Script, ScriptOption, SeqSpec,
    TcpSpec, TosSpec, When,
};
pub use error::{Dialect, ScriptError};
pub use parser::parse;
