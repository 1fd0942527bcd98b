//! TCP options, both ways.

use super::Malformed;
use crate::script::OptionSpec;

mod kind {
    pub(super) const END: u8 = 0;
    pub(super) const NOP: u8 = 1;
    pub(super) const MSS: u8 = 2;
    pub(super) const WINDOW_SCALE: u8 = 3;
    pub(super) const SACK_PERMITTED: u8 = 4;
    pub(super) const SACK: u8 = 5;
    pub(super) const TIMESTAMP: u8 = 8;
    pub(super) const MD5: u8 = 19;
    pub(super) const FAST_OPEN: u8 = 34;
    pub(super) const EXPERIMENTAL: u8 = 254;
}

/// The experiment fast open was before it had a number (RFC 7413, section 4.1.1).
const FAST_OPEN_EXPERIMENT: [u8; 2] = [0xf9, 0x89];

/// The options as bytes, filled up with zeros to a multiple of four.
pub(super) fn encode(options: &[OptionSpec]) -> Vec<u8> {
    let mut out = Vec::new();
    for option in options {
        let mut put = |kind: u8, data: &[u8]| {
            out.extend([kind, data.len() as u8 + 2]);
            out.extend(data);
        };
        match option {
            OptionSpec::End => out.push(kind::END),
            OptionSpec::Nop => out.push(kind::NOP),
            OptionSpec::Mss(mss) => put(kind::MSS, &mss.to_be_bytes()),
            OptionSpec::WindowScale(shift) => put(kind::WINDOW_SCALE, &[*shift]),
            OptionSpec::SackPermitted => put(kind::SACK_PERMITTED, &[]),
            OptionSpec::Sack(blocks) => {
                let edges = blocks.iter().flat_map(|(left, right)| [*left, *right]);
                put(kind::SACK, &edges.flat_map(u32::to_be_bytes).collect::<Vec<_>>());
            }
            OptionSpec::Timestamp { value, echo, .. } => {
                let [a, b, c, d] = value.unwrap_or(0).to_be_bytes();
                let [e, f, g, h] = echo.to_be_bytes();
                put(kind::TIMESTAMP, &[a, b, c, d, e, f, g, h]);
            }
            OptionSpec::FastOpen(cookie) => put(kind::FAST_OPEN, cookie),
            OptionSpec::FastOpenExperimental(cookie) => {
                put(kind::EXPERIMENTAL, &[&FAST_OPEN_EXPERIMENT, cookie.as_slice()].concat());
            }
            OptionSpec::Md5(digest) => put(kind::MD5, digest.as_deref().unwrap_or(&[0; 16])),
            OptionSpec::Other(kind, data) => put(*kind, data),
            // No packet is made of what is refused before.
            OptionSpec::NoCheck => {}
        }
    }
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

/// The options in their order, padding too.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<OptionSpec>, Malformed> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some((&number, tail)) = rest.split_first() {
        rest = match number {
            kind::END => {
                out.push(OptionSpec::End);
                tail
            }
            kind::NOP => {
                out.push(OptionSpec::Nop);
                tail
            }
            _ => {
                let length = usize::from(*tail.first().ok_or(Malformed("TCP option length"))?);
                if length < 2 {
                    return Err(Malformed("TCP option length"));
                }
                let data = rest.get(2..length).ok_or(Malformed("TCP option length"))?;
                out.push(option(number, data)?);
                &rest[length..]
            }
        };
    }
    Ok(out)
}

fn option(number: u8, data: &[u8]) -> Result<OptionSpec, Malformed> {
    let word = |at: usize| {
        let bytes: [u8; 4] = data[at..at + 4].try_into().unwrap_or_default();
        u32::from_be_bytes(bytes)
    };
    Ok(match (number, data) {
        (kind::MSS, [a, b]) => OptionSpec::Mss(u16::from_be_bytes([*a, *b])),
        (kind::WINDOW_SCALE, [shift]) => OptionSpec::WindowScale(*shift),
        (kind::SACK_PERMITTED, []) => OptionSpec::SackPermitted,
        (kind::SACK, _) if !data.is_empty() && data.len().is_multiple_of(8) => {
            let blocks = (0..data.len()).step_by(8).map(|at| (word(at), word(at + 4)));
            OptionSpec::Sack(blocks.collect())
        }
        (kind::TIMESTAMP, _) if data.len() == 8 => {
            OptionSpec::Timestamp { value: Some(word(0)), echo: word(4), echo_absolute: false }
        }
        (kind::FAST_OPEN, cookie) => OptionSpec::FastOpen(cookie.to_vec()),
        (kind::MD5, digest) => OptionSpec::Md5(Some(digest.to_vec())),
        (kind::EXPERIMENTAL, [a, b, cookie @ ..]) if [*a, *b] == FAST_OPEN_EXPERIMENT => {
            OptionSpec::FastOpenExperimental(cookie.to_vec())
        }
        (
            kind::MSS | kind::WINDOW_SCALE | kind::SACK_PERMITTED | kind::SACK | kind::TIMESTAMP,
            _,
        ) => {
            return Err(Malformed("TCP option length"));
        }
        _ => OptionSpec::Other(number, data.to_vec()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_survives_the_wire() {
        let all = vec![
            OptionSpec::Mss(1460),
            OptionSpec::Nop,
            OptionSpec::WindowScale(7),
            OptionSpec::SackPermitted,
            OptionSpec::Sack(vec![(1, 2), (u32::MAX, 5)]),
            OptionSpec::Timestamp { value: Some(9), echo: 8, echo_absolute: false },
            OptionSpec::FastOpen(vec![1, 2, 3, 4]),
            OptionSpec::FastOpenExperimental(vec![]),
            OptionSpec::Md5(Some(vec![7; 16])),
            OptionSpec::Other(30, vec![1]),
        ];
        for option in &all {
            let one = std::slice::from_ref(option);
            let decoded = decode(&encode(one)).unwrap();
            assert_eq!(decoded.first(), Some(option));
            let padding = &decoded[1..];
            assert!(padding.iter().all(|o| *o == OptionSpec::End) && padding.len() < 4);
        }
    }

    #[test]
    fn options_that_lie_about_their_length_are_malformed() {
        for bytes in [&[2, 0][..], &[2, 1], &[2, 4, 5], &[8], &[2, 3, 1], &[5, 4, 0, 0]] {
            assert!(decode(bytes).is_err(), "{bytes:?}");
        }
    }
}
