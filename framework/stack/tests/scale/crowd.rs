//! One stack, and as many peers as wanted, which are eight bytes each: they know their numbers, and
//! make their frames when it is their turn. Also what the bench `stack` measures with.

use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::Bytes;
use fyke_clock::Instant;
use fyke_stack::tcp::Flags;
use fyke_stack::wire::tcp::{Header, Options, TcpOption};
use fyke_stack::wire::{ChecksumIntent, Emit, IpProtocol, PseudoHeader, ipv4};
use fyke_stack::{
    ListenOptions, ListenerId, Medium, RxChecksum, RxMeta, Seed, Stack, StackConfig, TcpId,
    TxFrame, TxSink,
};

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const PORT: u16 = 80;
/// Peers of one address, by their ports.
const PORTS: u32 = 60_000;
const FIRST_PORT: u32 = 1024;
const IRS: u32 = 1;
const TRUSTED: RxMeta = RxMeta { checksum: RxChecksum::Valid, gso_size: 0 };

#[derive(Debug, Clone, Copy, Default)]
struct Peer {
    /// Its next number, and the next it expects.
    seq: u32,
    ack: u32,
}

/// Follows what the stack sends, by the peer it is for.
#[derive(Debug, Default)]
struct Heard {
    frames: u64,
    last: Option<(u32, u32, Flags)>,
}

impl TxSink for Heard {
    fn transmit(&mut self, frame: TxFrame<'_>) {
        let ip = &frame.header[frame.network_offset.into()..];
        let tcp = &frame.header[frame.transport_offset.into()..];
        let word = |at: usize| u32::from_be_bytes([tcp[at], tcp[at + 1], tcp[at + 2], tcp[at + 3]]);
        let flags = Flags::from_bits(u16::from(tcp[13]));
        let block = u32::from(ip[18]) << 8 | u32::from(ip[19]);
        let peer = (block - 1) * PORTS + (word(0) & 0xffff) - FIRST_PORT;
        let payload: usize = frame.payload.iter().map(|piece| piece.len()).sum();
        let offset = usize::from(tcp[12] >> 4) * 4;
        let inside = tcp.len() - offset + payload;
        let control = u32::from(flags.contains(Flags::SYN)) + u32::from(flags.contains(Flags::FIN));
        self.frames += 1;
        self.last = Some((peer, word(4).wrapping_add(inside as u32 + control), flags));
    }
}

#[derive(Debug)]
pub struct Crowd {
    pub stack: Stack,
    pub now: Instant,
    pub ids: Vec<TcpId>,
    listener: ListenerId,
    peers: Vec<Peer>,
    heard: Heard,
}

impl Crowd {
    /// A stack, with room for `most` peers on this side of the count.
    pub fn new(most: u32, change: impl FnOnce(&mut StackConfig)) -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        let mut config = StackConfig::new(Medium::RawIp);
        change(&mut config);
        let mut stack = Stack::new(config, Seed::from(7), now);
        stack.add_address(now, "10.0.0.1/8".parse().unwrap()).unwrap();
        let mut options = ListenOptions::default();
        options.backlog = most.max(128) as usize;
        let listener = stack.listen((SERVER, PORT).into(), options).unwrap();
        let (ids, peers) = (Vec::with_capacity(most as usize), Vec::with_capacity(most as usize));
        Self { stack, now, ids, listener, peers, heard: Heard::default() }
    }

    /// A frame of peer `n`.
    pub fn frame(n: u32, flags: Flags, seq: u32, ack: u32, payload: &[u8]) -> Bytes {
        let block = 1 + n / PORTS;
        let from = Ipv4Addr::new(10, 1, (block >> 8) as u8, block as u8);
        let offer = [
            TcpOption::MaximumSegmentSize(1460),
            TcpOption::SackPermitted,
            TcpOption::WindowScale(7),
        ];
        let offer = if flags.contains(Flags::SYN) { &offer[..] } else { &[] };
        let options = Options::new(offer).expect("they fit");
        let header = Header {
            source_port: (FIRST_PORT + n % PORTS) as u16,
            destination_port: PORT,
            seq,
            ack,
            flags: flags.bits(),
            window: 60_000,
            urgent: 0,
            options,
        };
        let len = header.wire_len() + payload.len();
        let ip = ipv4::Header::new(from, SERVER, IpProtocol::TCP, len as u16);
        let mut bytes = Vec::with_capacity(20 + len);
        ip.append(&mut bytes);
        header.append(&mut bytes);
        let pseudo = PseudoHeader::V4 { source: from, destination: SERVER };
        Header::fill_checksum(&mut bytes[20..], &pseudo, &[payload], ChecksumIntent::Full);
        bytes.extend_from_slice(payload);
        bytes.into()
    }

    /// Hands a frame of peer `n` over.
    pub fn give(&mut self, n: u32, flags: Flags, payload: &[u8]) {
        let Peer { seq, ack } = self.peers[n as usize];
        let frame = Self::frame(n, flags, seq, ack, payload);
        let control = u32::from(flags.intersects(Flags::SYN | Flags::FIN));
        self.peers[n as usize].seq = seq.wrapping_add(payload.len() as u32 + control);
        self.stack.input(self.now, frame, TRUSTED);
    }

    /// Lets the stack send; says how many frames.
    pub fn listen(&mut self) -> u64 {
        let before = self.heard.frames;
        loop {
            let sent = self.stack.poll_transmit(self.now, &mut self.heard, 1);
            if let Some((peer, ack, _)) = self.heard.last.take()
                && let Some(peer) = self.peers.get_mut(peer as usize)
            {
                peer.ack = ack;
            }
            if sent == 0 {
                return self.heard.frames - before;
            }
        }
    }

    /// Lets the stack send all it has to one peer, which hears the last of it.
    pub fn hear(&mut self) {
        self.stack.poll_transmit(self.now, &mut self.heard, usize::MAX);
        if let Some((peer, ack, _)) = self.heard.last.take() {
            // What is sent again moves nothing.
            let known = &mut self.peers[peer as usize].ack;
            if ack.wrapping_sub(*known).cast_signed() > 0 {
                *known = ack;
            }
        }
    }

    /// What peer `n` sends next, and what it expects.
    pub fn numbers(&self, n: u32) -> (u32, u32) {
        let Peer { seq, ack } = self.peers[n as usize];
        (seq, ack)
    }

    /// A SYN of the next peer.
    pub fn knock(&mut self) -> u32 {
        let n = self.peers.len() as u32;
        self.peers.push(Peer { seq: IRS, ack: 0 });
        self.give(n, Flags::SYN, b"");
        n
    }

    /// The next peer connects, and is accepted.
    pub fn open(&mut self) -> u32 {
        let n = self.knock();
        self.listen();
        self.give(n, Flags::ACK, b"");
        self.ids.push(self.stack.accept(self.listener).expect("a connection"));
        self.forget_events();
        n
    }

    pub fn forget_events(&mut self) {
        while self.stack.poll_event().is_some() {}
    }

    /// Peer `n` asks, the application answers, and the peer acknowledges.
    pub fn exchange(&mut self, n: u32, payload: &'static [u8]) {
        let id = self.ids[n as usize];
        self.give(n, Flags::ACK, payload);
        let asked = self.stack.read(self.now, id, payload.len()).unwrap();
        assert_eq!(asked.as_deref(), Some(payload));
        let taken = self.stack.write(self.now, id, Bytes::from_static(payload)).unwrap();
        assert_eq!(taken, payload.len());
        self.listen();
        self.give(n, Flags::ACK, b"");
        self.forget_events();
    }

    /// Ends the connection of peer `n`: we first, so that we are left in TIME-WAIT.
    pub fn close(&mut self, n: u32) {
        self.stack.close(self.now, self.ids[n as usize]).unwrap();
        self.listen();
        self.give(n, Flags::FIN | Flags::ACK, b"");
        self.listen();
        self.forget_events();
    }

    /// Lets time pass until nothing waits for it any more.
    pub fn rest(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(next) = self.stack.poll_timeout().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.stack.handle_timeout(self.now);
            self.listen();
        }
        self.now = end;
    }

    /// As many connections at rest, each of which has carried data both ways.
    pub fn fill(&mut self, count: u32) {
        for _ in 0..count {
            let n = self.open();
            self.exchange(n, b"hello");
        }
        self.rest(Duration::from_secs(10));
    }
}
