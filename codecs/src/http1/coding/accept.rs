//! What a client accepts (RFC 9110 sections 12.4.2 and 12.5.3).

use super::name::ContentCoding;
use crate::http1::chars::{list, trim};

/// A weight in thousandths.
type Weight = u16;

/// The codings a client accepts, with their weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AcceptEncoding {
    weights: [Option<Weight>; 4],
    identity: Option<Weight>,
    any: Option<Weight>,
}

impl AcceptEncoding {
    /// Reads the values of all `Accept-Encoding` fields. Members with a malformed weight, and codings
    /// nobody here knows, are passed over. No field at all accepts what an empty one does: no coding.
    #[must_use]
    pub fn parse<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut this = Self::default();
        for member in values.into_iter().flat_map(list) {
            let mut parts = member.splitn(2, |&b| b == b';');
            let name = trim(parts.next().unwrap_or_default());
            let Some(weight) = parts.next().map_or(Some(1000), weight) else { continue };
            let place = match name {
                b"*" => &mut this.any,
                _ if name.eq_ignore_ascii_case(b"identity") => &mut this.identity,
                _ => match ContentCoding::parse(name) {
                    Some(coding) => &mut this.weights[coding as usize],
                    None => continue,
                },
            };
            // The first one counts, as for a field that should not be repeated.
            place.get_or_insert(weight);
        }
        this
    }

    /// The weight of a coding in thousandths; 0 is not acceptable.
    #[must_use]
    pub fn weight(&self, coding: ContentCoding) -> u16 {
        self.weights[coding as usize].or(self.any).unwrap_or(0)
    }

    /// Whether the content may be sent without a coding. Only `identity;q=0`, or `*;q=0` without an
    /// `identity` of its own, forbid that.
    #[must_use]
    pub fn accepts_identity(&self) -> bool {
        self.identity.or(self.any) != Some(0)
    }

    /// The best of `offered` for this client, in which the order decides between equals; `None` when
    /// it wants none of them, or would rather have no coding.
    #[must_use]
    pub fn choose(&self, offered: &[ContentCoding]) -> Option<ContentCoding> {
        let mut best: Option<(Weight, ContentCoding)> = None;
        for &coding in offered {
            let weight = self.weight(coding);
            if weight > best.map_or(0, |(weight, _)| weight) {
                best = Some((weight, coding));
            }
        }
        let identity = self.identity.unwrap_or(0);
        best.filter(|(weight, _)| *weight >= identity).map(|(_, coding)| coding)
    }
}

/// Reads `q=0.xxx`, white space around it allowed.
fn weight(parameter: &[u8]) -> Option<Weight> {
    let [b'q' | b'Q', b'=', value @ ..] = trim(parameter) else { return None };
    let (whole, digits) = match value {
        [whole @ (b'0' | b'1')] => (*whole, &[][..]),
        [whole @ (b'0' | b'1'), b'.', digits @ ..] => (*whole, digits),
        _ => return None,
    };
    if digits.len() > 3 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |at: usize| digits.get(at).map_or(0, |digit| Weight::from(digit - b'0'));
    let weight = Weight::from(whole - b'0') * 1000 + digit(0) * 100 + digit(1) * 10 + digit(2);
    (weight <= 1000).then_some(weight)
}
