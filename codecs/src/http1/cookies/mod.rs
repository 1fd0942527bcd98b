//! Cookies (RFC 6265): those a client sends, and those a server sets.

mod date;
mod parse;
mod set_cookie;

pub use parse::{Cookie, cookies};
pub use set_cookie::{CookieError, SameSite, SetCookie};
