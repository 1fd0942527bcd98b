//! How rustls is driven: its states one after the other, for both sides.

use std::ops::DerefMut;

use fyke_buffer::ByteBuf;
use rustls::Error as RustlsError;
use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedConnectionCommon,
    UnbufferedStatus, WriteTraffic,
};

use super::error::TlsError;
use super::session::RECORD_PLAIN_BYTES;

/// Most handshakes' flights fit into this.
const HANDSHAKE_OUT_BYTES: usize = 4096;
/// Decrypted bytes are handed on in buffers of at most this size: four full records.
const PLAIN_BYTES_MAX: usize = 64 * 1024;
/// The least that encryption adds to a record: header, type and tag of TLS 1.3 (RFC 8446 section 5.2).
const RECORD_OVERHEAD_BYTES_MIN: usize = 5 + 1 + 16;

/// What came of bytes that arrived.
pub(super) struct Io<'a> {
    /// The peer's bytes, decrypted: what follows the full buffers.
    pub(super) plain: ByteBuf,
    pub(super) full: Vec<ByteBuf>,
    /// Encrypted bytes that may still become plain ones.
    pub(super) left: usize,
    /// What is to be sent, handshake and answers of the protocol.
    pub(super) out: ByteBuf,
    /// Where buffers come from.
    pub(super) take: &'a dyn Fn(usize) -> ByteBuf,
}

impl<'a> Io<'a> {
    /// For so many bytes that have arrived.
    pub(super) fn new(left: usize, take: &'a dyn Fn(usize) -> ByteBuf) -> Self {
        Self { plain: ByteBuf::new(), full: Vec::new(), left, out: ByteBuf::new(), take }
    }

    /// Appends what was in a record. No buffer grows, as that would copy what it holds already.
    fn add(&mut self, payload: &[u8]) {
        if self.plain.writable() < payload.len() {
            let room = plain_bytes(self.left).min(PLAIN_BYTES_MAX).max(payload.len());
            let full = std::mem::replace(&mut self.plain, (self.take)(room));
            if !full.is_empty() {
                self.full.push(full);
            }
        }
        self.plain.write_slice(payload);
        self.left = self.left.saturating_sub(payload.len());
    }
}

/// At most so many plain bytes come out of so many encrypted ones: of one full record not a byte more
/// than its block of the pool has.
fn plain_bytes(encrypted: usize) -> usize {
    let records = encrypted.div_ceil(RECORD_PLAIN_BYTES + RECORD_OVERHEAD_BYTES_MIN);
    encrypted.saturating_sub(records * RECORD_OVERHEAD_BYTES_MIN)
}

/// Both kinds of connections of rustls.
pub(super) trait Engine: DerefMut<Target = UnbufferedConnectionCommon<Self::Data>> {
    type Data;

    fn records<'c, 'i>(&'c mut self, input: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data>;
}

impl Engine for UnbufferedServerConnection {
    type Data = ServerConnectionData;

    fn records<'c, 'i>(&'c mut self, input: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(input)
    }
}

impl Engine for UnbufferedClientConnection {
    type Data = ClientConnectionData;

    fn records<'c, 'i>(&'c mut self, input: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(input)
    }
}

pub(super) struct Ran {
    pub(super) used: usize,
    pub(super) peer_closed: bool,
}

/// Works on all whole records of `input`. A failure leaves its alert in `io.out`.
pub(super) fn run<E: Engine>(
    engine: &mut E,
    input: &mut [u8],
    io: &mut Io<'_>,
) -> Result<Ran, RustlsError> {
    let mut ran = Ran { used: 0, peer_closed: false };
    loop {
        let UnbufferedStatus { mut discard, state } = engine.records(&mut input[ran.used..]);
        let (mut more, mut read) = (true, false);
        match state {
            Err(error) => {
                alert(engine, &mut io.out);
                return Err(error);
            }
            Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                while let Some(record) = traffic.next_record() {
                    let record = record?;
                    discard += record.discard;
                    io.add(record.payload);
                }
                read = true;
            }
            Ok(ConnectionState::EncodeTlsData(mut data)) => encode(&mut data, io),
            Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
            Ok(ConnectionState::PeerClosed) => ran.peer_closed = true,
            // It can go on only with more bytes. Early data is switched off.
            Ok(_) => more = false,
        }
        ran.used += discard;
        // Behind the last record rustls would only say that it waits for another one, unless it has
        // to answer something.
        let drained = read && ran.used == input.len() && !engine.wants_write();
        if !more || drained {
            return Ok(ran);
        }
    }
}

fn encode<D>(data: &mut EncodeTlsData<'_, D>, io: &mut Io<'_>) {
    if io.out.capacity() == 0 {
        io.out = (io.take)(HANDSHAKE_OUT_BYTES);
    }
    append(data, &mut io.out);
}

fn append<D>(data: &mut EncodeTlsData<'_, D>, out: &mut ByteBuf) {
    loop {
        match data.encode(out.spare_mut()) {
            Ok(n) => return out.advance_writer(n),
            Err(EncodeError::InsufficientSize(size)) => out.reserve(size.required_size),
            Err(EncodeError::AlreadyEncoded) => return,
        }
    }
}

/// A connection has failed: takes out what it has to say of that. rustls must not see the bytes
/// again that it has failed at, so it is asked no further.
fn alert<E: Engine>(engine: &mut E, out: &mut ByteBuf) {
    while engine.wants_write() {
        match engine.records(&mut []).state {
            Ok(ConnectionState::EncodeTlsData(mut data)) => append(&mut data, out),
            _ => return,
        }
    }
}

/// Appends something to send, behind what rustls itself has to send first. `rest` is what lies
/// there of the peer's next record, which rustls wants to see again.
pub(super) fn write<E: Engine>(
    engine: &mut E,
    rest: &mut [u8],
    out: &mut ByteBuf,
    mut add: impl FnMut(&mut WriteTraffic<'_, E::Data>, &mut [u8]) -> Result<usize, EncryptError>,
) -> Result<(), TlsError> {
    loop {
        let state = engine.records(rest).state.map_err(|error| TlsError::of(error, false))?;
        match state {
            ConnectionState::EncodeTlsData(mut data) => append(&mut data, out),
            ConnectionState::TransmitTlsData(data) => data.done(),
            // The read that brought it has told it already.
            ConnectionState::PeerClosed => {}
            ConnectionState::WriteTraffic(mut traffic) => loop {
                match add(&mut traffic, out.spare_mut()) {
                    Ok(n) => {
                        out.advance_writer(n);
                        return Ok(());
                    }
                    Err(EncryptError::InsufficientSize(size)) => out.reserve(size.required_size),
                    Err(EncryptError::EncryptExhausted) => {
                        return Err(TlsError::of(RustlsError::EncryptError, false));
                    }
                }
            },
            _ => return Err(TlsError::of(RustlsError::HandshakeNotComplete, false)),
        }
    }
}
