//! Just enough of the record layer to tell where a record ends, and what is no TLS at all.

/// Type, version and length of a record (RFC 8446 section 5.1).
const HEADER_BYTES: usize = 5;
/// The largest record: 2^14 bytes, and what TLS 1.2 allows for encryption (RFC 5246 section 6.2.3).
const RECORD_BYTES_MAX: usize = (1 << 14) + 2048;

/// How many bytes are missing from the record at the beginning of `bytes`, as far as that is known:
/// those of its header come first. `None` when it is complete, or no record.
pub(super) fn missing(bytes: &[u8]) -> Option<usize> {
    let &[_, _, _, high, low, ..] = bytes else {
        return Some(HEADER_BYTES - bytes.len());
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > RECORD_BYTES_MAX {
        return None;
    }
    (HEADER_BYTES + length).checked_sub(bytes.len()).filter(|&missing| missing > 0)
}

/// What a peer speaks instead of TLS, from the first bytes it sends: eight tell.
pub(super) fn other_protocol(bytes: &[u8]) -> Option<&'static str> {
    const KNOWN: [(&[u8], &str); 15] = [
        (b"GET ", "plain HTTP"),
        (b"HEAD ", "plain HTTP"),
        (b"POST ", "plain HTTP"),
        (b"PUT ", "plain HTTP"),
        (b"DELETE ", "plain HTTP"),
        (b"OPTIONS ", "plain HTTP"),
        (b"PATCH ", "plain HTTP"),
        (b"CONNECT ", "plain HTTP"),
        (b"TRACE ", "plain HTTP"),
        (b"PRI * HT", "plain HTTP/2"),
        (b"HTTP/", "plain HTTP"),
        (b"PROXY ", "the PROXY protocol"),
        (b"\r\n\r\n\0\r\nQ", "the PROXY protocol"),
        (b"SSH-", "SSH"),
        (b"220 ", "a protocol that begins without TLS, SMTP or FTP say"),
    ];
    KNOWN.iter().find(|(begin, _)| bytes.starts_with(begin)).map(|(_, name)| *name)
}

/// Whether the first byte that a peer sends can begin a handshake, or refuse one.
pub(super) fn may_begin(first: u8) -> bool {
    const ALERT: u8 = 21;
    const HANDSHAKE: u8 = 22;
    matches!(first, ALERT | HANDSHAKE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing() {
        for (bytes, expected) in [
            (&b""[..], Some(5)),
            (b"\x16", Some(4)),
            (b"\x16\x03\x01\x00", Some(1)),
            (b"\x16\x03\x01\x00\x00", None),
            (b"\x16\x03\x01\x00\x03", Some(3)),
            (b"\x16\x03\x01\x00\x03ab", Some(1)),
            (b"\x16\x03\x01\x00\x03abc", None),
            (b"\x16\x03\x01\x00\x03abcd", None),
            // 2^14 + 2048 may be, one more may not.
            (b"\x17\x03\x03\x48\x00", Some(18432)),
            (b"\x17\x03\x03\x48\x01", None),
        ] {
            assert_eq!(missing(bytes), expected, "{bytes:02x?}");
        }
    }
}
