//! What both sides agree to: the four parameters of section 7.1, offered, answered and checked.

use core::fmt;

use super::DeflateConfig;
use crate::websocket::extension::{Extension, ExtensionError, parse};

/// The extension's name.
const NAME: &str = "permessage-deflate";

/// The largest window, and what is meant where none is named.
pub(super) const WINDOW_BITS_MAX: u8 = 15;
/// The smallest window that compressors have. The RFC knows 8 too, which deflate cannot do in fact:
/// we never agree to compress so.
pub(super) const WINDOW_BITS_MIN: u8 = 9;

/// How a connection compresses, both ways: what was agreed to in its handshake (RFC 7692 section
/// 7.1). As text it is what stands in the header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DeflateParams {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    client_max_window_bits: Option<u8>,
}

impl DeflateParams {
    /// Whether the server begins each message with an empty window.
    #[must_use]
    pub const fn server_no_context_takeover(&self) -> bool {
        self.server_no_context_takeover
    }

    /// Whether the client begins each message with an empty window.
    #[must_use]
    pub const fn client_no_context_takeover(&self) -> bool {
        self.client_no_context_takeover
    }

    /// The server's window is at most 2 to this bytes large; 15 when none was named.
    #[must_use]
    pub fn server_max_window_bits(&self) -> u8 {
        self.server_max_window_bits.unwrap_or(WINDOW_BITS_MAX)
    }

    /// The client's window is at most 2 to this bytes large; 15 when none was named.
    #[must_use]
    pub fn client_max_window_bits(&self) -> u8 {
        self.client_max_window_bits.unwrap_or(WINDOW_BITS_MAX)
    }
}

impl fmt::Display for DeflateParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)?;
        if self.server_no_context_takeover {
            f.write_str("; server_no_context_takeover")?;
        }
        if self.client_no_context_takeover {
            f.write_str("; client_no_context_takeover")?;
        }
        if let Some(bits) = self.server_max_window_bits {
            write!(f, "; server_max_window_bits={bits}")?;
        }
        if let Some(bits) = self.client_max_window_bits {
            write!(f, "; client_max_window_bits={bits}")?;
        }
        Ok(())
    }
}

/// The parameters as they stand in a header. `client_max_window_bits` may come without a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stated {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    client_max_window_bits: Option<Option<u8>>,
}

impl Stated {
    /// Reads them; an unknown name, a name twice and a wrong value are errors (section 7.1).
    fn read(extension: &Extension<'_>) -> Result<Self, ExtensionError> {
        let mut stated = Self::default();
        for (name, value) in &extension.params {
            let value = value.as_deref();
            let again = match *name {
                b"server_no_context_takeover" => {
                    none(value)?;
                    core::mem::replace(&mut stated.server_no_context_takeover, true)
                }
                b"client_no_context_takeover" => {
                    none(value)?;
                    core::mem::replace(&mut stated.client_no_context_takeover, true)
                }
                b"server_max_window_bits" => {
                    let value =
                        value.ok_or(ExtensionError::new("server_max_window_bits has no value"))?;
                    stated.server_max_window_bits.replace(window_bits(value)?).is_some()
                }
                b"client_max_window_bits" => {
                    let value = value.map(window_bits).transpose()?;
                    stated.client_max_window_bits.replace(value).is_some()
                }
                _ => return Err(ExtensionError::new("unknown parameter of permessage-deflate")),
            };
            if again {
                return Err(ExtensionError::new(
                    "parameter of permessage-deflate stands there twice",
                ));
            }
        }
        Ok(stated)
    }
}

fn none(value: Option<&[u8]>) -> Result<(), ExtensionError> {
    match value {
        None => Ok(()),
        Some(_) => Err(ExtensionError::new("no_context_takeover takes no value")),
    }
}

/// 8 to 15, without leading zeros (section 7.1.2).
fn window_bits(value: &[u8]) -> Result<u8, ExtensionError> {
    match value {
        [digit @ b'8'..=b'9'] => Ok(digit - b'0'),
        [b'1', digit @ b'0'..=b'5'] => Ok(10 + digit - b'0'),
        _ => Err(ExtensionError::new("window bits are not 8 to 15")),
    }
}

impl DeflateConfig {
    /// The server's part: agrees to the first offer that it can keep to; `None` when there is none.
    /// `offers` are the values of `Sec-WebSocket-Extensions`; what is agreed to is, as text, the
    /// value of the answer's.
    ///
    /// # Errors
    /// When a value is not what the grammar allows. Offers with parameters that are not understood
    /// are declined, which is no error (RFC 7692 section 7).
    pub fn answer<'a>(
        &self,
        offers: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Option<DeflateParams>, ExtensionError> {
        let offers = parse(offers.into_iter())?;
        let mut stated = offers.iter().filter(is_ours).filter_map(|offer| Stated::read(offer).ok());
        Ok(stated.find_map(|offer| self.agree(offer)))
    }

    fn agree(&self, offer: Stated) -> Option<DeflateParams> {
        let server_max_window_bits = match offer.server_max_window_bits {
            Some(bits) if bits < WINDOW_BITS_MIN => return None,
            Some(bits) => Some(bits.min(self.server_window_bits)),
            // Naming one's own limit is allowed even so (section 7.1.2.1).
            None => named(self.server_window_bits),
        };
        // It may be asked of those who say that they can only (section 7.1.2.2).
        let client_max_window_bits = match offer.client_max_window_bits {
            Some(Some(bits)) => Some(bits.min(self.client_window_bits)),
            Some(None) => named(self.client_window_bits),
            None => None,
        };
        Some(DeflateParams {
            server_no_context_takeover: offer.server_no_context_takeover
                || self.server_no_context_takeover,
            client_no_context_takeover: offer.client_no_context_takeover
                || self.client_no_context_takeover,
            server_max_window_bits,
            client_max_window_bits,
        })
    }

    /// The client's offer: the value of its `Sec-WebSocket-Extensions`.
    #[must_use]
    pub fn offer(&self) -> String {
        let offered = DeflateParams {
            server_no_context_takeover: self.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover,
            server_max_window_bits: named(self.server_window_bits),
            client_max_window_bits: named(self.client_window_bits),
        };
        let mut text = offered.to_string();
        if offered.client_max_window_bits.is_none() {
            text.push_str("; client_max_window_bits");
        }
        text
    }

    /// The client's part: what the server has agreed to, `None` for no compression. `answers` are
    /// the values of the answer's `Sec-WebSocket-Extensions`.
    ///
    /// # Errors
    /// When the answer does not keep to the offer: the connection fails (RFC 7692 section 7.1, RFC
    /// 6455 section 4.1).
    pub fn accept<'a>(
        &self,
        answers: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Option<DeflateParams>, ExtensionError> {
        let answers = parse(answers.into_iter())?;
        match &answers[..] {
            [] => Ok(None),
            [answer] if is_ours(&answer) => self.accept_one(answer).map(Some),
            [_] => Err(ExtensionError::new("the server uses an extension nobody offered")),
            _ => Err(ExtensionError::new("the server uses more extensions than were offered")),
        }
    }

    fn accept_one(&self, answer: &Extension<'_>) -> Result<DeflateParams, ExtensionError> {
        let stated = Stated::read(answer)?;
        if self.server_no_context_takeover && !stated.server_no_context_takeover {
            return Err(ExtensionError::new(
                "server_no_context_takeover was asked for and not agreed to",
            ));
        }
        match stated.server_max_window_bits {
            None if self.server_window_bits < WINDOW_BITS_MAX => {
                return Err(ExtensionError::new(
                    "server_max_window_bits was asked for and not agreed to",
                ));
            }
            Some(bits) if bits > self.server_window_bits => {
                return Err(ExtensionError::new(
                    "server_max_window_bits is over what was asked for",
                ));
            }
            _ => {}
        }
        let client_max_window_bits = match stated.client_max_window_bits {
            Some(None) => return Err(ExtensionError::new("client_max_window_bits has no value")),
            Some(Some(bits)) if bits < WINDOW_BITS_MIN => {
                return Err(ExtensionError::new("client_max_window_bits is less than can be done"));
            }
            Some(Some(bits)) if bits > self.client_window_bits => {
                return Err(ExtensionError::new("client_max_window_bits is over what was offered"));
            }
            Some(bits) => bits,
            // Our own limit may go unmentioned; it holds all the same.
            None => named(self.client_window_bits),
        };
        Ok(DeflateParams {
            server_no_context_takeover: stated.server_no_context_takeover,
            client_no_context_takeover: stated.client_no_context_takeover
                || self.client_no_context_takeover,
            server_max_window_bits: stated.server_max_window_bits,
            client_max_window_bits,
        })
    }
}

fn is_ours(extension: &&Extension<'_>) -> bool {
    extension.name.eq_ignore_ascii_case(NAME.as_bytes())
}

/// A limit is named where it is one.
fn named(bits: u8) -> Option<u8> {
    (bits < WINDOW_BITS_MAX).then_some(bits)
}
