//! What may stand behind the addresses of version 2: type, length, value (section 2.2).

use fyke_codec::CodecError;

/// One thing that a proxy says besides addresses.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Tlv {
    /// Its type.
    pub kind: u8,
    /// Its value.
    pub value: Vec<u8>,
}

impl Tlv {
    /// The application protocol that was agreed on (ALPN).
    pub const ALPN: u8 = 0x01;
    /// The name that the client asked for (SNI).
    pub const AUTHORITY: u8 = 0x02;
    /// The checksum.
    pub const CRC32C: u8 = 0x03;
    /// Nothing, to fill up.
    pub const NOOP: u8 = 0x04;
    /// An identity of the connection, of the proxy's choice.
    pub const UNIQUE_ID: u8 = 0x05;
    /// What is known of the client's TLS.
    pub const SSL: u8 = 0x20;
    /// The name of the network namespace.
    pub const NETNS: u8 = 0x30;

    /// A value of a type.
    #[must_use]
    pub fn new(kind: u8, value: impl Into<Vec<u8>>) -> Self {
        Self { kind, value: value.into() }
    }

    /// What is known of the client's TLS, if this tells it.
    ///
    /// # Errors
    /// When it is broken.
    pub fn ssl(&self) -> Result<Option<SslInfo>, CodecError> {
        if self.kind != Self::SSL {
            return Ok(None);
        }
        let Some((&[client, v0, v1, v2, v3], rest)) = self.value.split_first_chunk() else {
            return Err(CodecError::malformed("PROXY: the TLV of TLS is too short"));
        };
        let verify = u32::from_be_bytes([v0, v1, v2, v3]);
        Ok(Some(SslInfo { client, verify, tlvs: parse(rest)? }))
    }
}

/// What a proxy knows of the client's TLS (section 2.2.6).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct SslInfo {
    client: u8,
    verify: u32,
    /// Details: version, names, cipher.
    pub tlvs: Vec<Tlv>,
}

impl SslInfo {
    /// Type of a detail: the version, `TLSv1.3` say.
    pub const VERSION: u8 = 0x21;
    /// Type of a detail: the common name of the client's certificate.
    pub const CN: u8 = 0x22;
    /// Type of a detail: the cipher suite.
    pub const CIPHER: u8 = 0x23;

    /// Whether the client has connected over TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.client & 1 != 0
    }

    /// Whether the client has shown a certificate over this connection, and it was good.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.client & 2 != 0 && self.verify == 0
    }

    /// A detail.
    #[must_use]
    pub fn get(&self, kind: u8) -> Option<&[u8]> {
        self.tlvs.iter().find(|tlv| tlv.kind == kind).map(|tlv| &tlv.value[..])
    }
}

/// Reads a sequence of TLVs.
pub(super) fn parse(mut bytes: &[u8]) -> Result<Vec<Tlv>, CodecError> {
    let mut tlvs = Vec::new();
    while let Some((&[kind, high, low], rest)) = bytes.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([high, low]));
        let Some((value, rest)) = rest.split_at_checked(length) else {
            return Err(CodecError::malformed("PROXY: a TLV is longer than the header"));
        };
        tlvs.push(Tlv::new(kind, value));
        bytes = rest;
    }
    if bytes.is_empty() {
        Ok(tlvs)
    } else {
        Err(CodecError::malformed("PROXY: bytes behind the last TLV"))
    }
}
