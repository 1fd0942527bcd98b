//! Cookies of fast open (RFC 7413), the kernel's and the stack's.
//!
//! The cookies in scripts are those that Linux makes of a key the script sets: SipHash-2-4 over both
//! addresses. The stack has a key of its own. Where a script shows or expects what the kernel would
//! have given, the stack's takes its place, as with sequence numbers; any other cookie stays what it
//! is, and the stack has to refuse it.

use std::hash::Hasher;
use std::net::{IpAddr, SocketAddr};

use fyke_clock::Instant;
use fyke_stack::ListenOptions;
use siphasher::sip::SipHasher24;

use super::config::Config;
use super::host::Host;
use super::settings::Settings;
use crate::packet::{IpHeader, Packet, Payload, Segment, flag};
use crate::script::OptionSpec;

/// A key as Linux has it.
pub(crate) type Key = [u8; 16];

/// `a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4`, the way the kernel shows keys; several with commas between.
pub(crate) fn keys(text: &str) -> Option<Vec<Key>> {
    text.split(',').map(key).collect()
}

fn key(text: &str) -> Option<Key> {
    let mut key = Key::default();
    let words = text.trim().split('-').map(|word| u32::from_str_radix(word, 16).ok());
    let words = words.collect::<Option<Vec<_>>>().filter(|words| words.len() == 4)?;
    for (place, word) in key.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    Some(key)
}

/// The cookie Linux gives a client.
pub(crate) fn of_kernel(key: &Key, client: IpAddr, server: IpAddr) -> Vec<u8> {
    let mut hasher = SipHasher24::new_with_key(key);
    for address in [client, server] {
        match address {
            IpAddr::V4(v4) => hasher.write(&v4.octets()),
            IpAddr::V6(v6) => hasher.write(&v6.octets()),
        }
    }
    hasher.finish().to_le_bytes().to_vec()
}

/// The cookie the stack under test gives a client: its twin, which has the same secrets, is asked for
/// one.
pub(crate) fn of_stack(
    settings: &Settings,
    config: &Config,
    seed: u64,
    now: Instant,
    client: SocketAddr,
    server: SocketAddr,
) -> Option<Vec<u8>> {
    let mut twin = Host::new(settings, config, seed);
    twin.set_now(now);
    let mut options = ListenOptions::default();
    options.fast_open_pending_max = 1;
    twin.stack.listen(server, options).ok()?;
    let ip =
        IpHeader { source: client.ip(), destination: server.ip(), tos: 0, ttl: 64, flow_label: 0 };
    let segment = Segment {
        source_port: client.port(),
        destination_port: server.port(),
        flags: flag::SYN,
        window: u16::MAX,
        options: vec![OptionSpec::FastOpen(Vec::new()), OptionSpec::Nop, OptionSpec::Nop],
        ..Segment::default()
    };
    let packet = Packet { ip, payload: Payload::Tcp(segment) };
    twin.receive(packet.to_bytes()).ok()?;
    let Packet { payload: Payload::Tcp(answer), .. } = twin.sent.pop_front()?.packet.ok()? else {
        return None;
    };
    answer.options.into_iter().find_map(|option| match option {
        OptionSpec::FastOpen(cookie) => Some(cookie),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values google's runner and scripts give for these keys.
    #[test]
    fn the_kernels_cookies_follow_from_its_keys() {
        let cookie = |key: &str, client: &str, server: &str| {
            let key = keys(key).unwrap()[0];
            of_kernel(&key, client.parse().unwrap(), server.parse().unwrap())
        };
        let usual = "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4";
        assert_eq!(
            cookie(usual, "192.0.2.1", "192.168.0.1"),
            0x3021_b9d8_8901_7eeb_u64.to_be_bytes()
        );
        assert_eq!(
            cookie(usual, "fd3d:fa7b:d17d::1", "fd3d:0a0b:17d6::1"),
            0xc1d1_e974_2a47_a9bc_u64.to_be_bytes()
        );
        let zero = "00000000-00000000-00000000-00000000";
        let of_zero = 0x93b7_aa4f_550f_8a1a_u64.to_be_bytes();
        assert_eq!(cookie(zero, "10.248.0.2", "192.168.0.2"), of_zero);
        assert_eq!(keys("1-2-3"), None);
        assert_eq!(keys("0-0-0-0,1-0-0-0").map(|keys| keys.len()), Some(2));
    }
}
