//! The virtio header in front of each frame, and what the stack calls the same things.

use fyke_stack::wire::{Emit, virtio_net};
use fyke_stack::{GsoKind, RxChecksum, RxMeta, TxChecksum, TxFrame};

use super::super::device::Frame;
use super::datagrams;

/// One received frame in a block.
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) header: virtio_net::Header,
}

impl Span {
    /// What the stack shall know; `None` when the frame stands for several datagrams.
    pub(super) fn meta(&self) -> Option<RxMeta> {
        let checksum = match self.header.checksum {
            virtio_net::Checksum::Unchecked => RxChecksum::None,
            virtio_net::Checksum::Valid => RxChecksum::Valid,
            virtio_net::Checksum::Partial { .. } => RxChecksum::Partial,
        };
        let gso_size = match self.header.gso {
            None => 0,
            Some(gso) => match gso.kind {
                virtio_net::GsoKind::TcpV4 | virtio_net::GsoKind::TcpV6 => gso.size,
                virtio_net::GsoKind::Udp | virtio_net::GsoKind::UdpFragments => return None,
            },
        };
        Some(RxMeta { checksum, gso_size })
    }

    /// Cuts a frame of several datagrams; `false` when it is none, or not cut this way.
    pub(super) fn cut_datagrams(&self, block: &[u8], frames: &mut Vec<Frame>) -> bool {
        match (self.header.gso, self.header.checksum) {
            (
                Some(virtio_net::Gso { kind: virtio_net::GsoKind::Udp, size, .. }),
                virtio_net::Checksum::Partial { start, .. },
            ) => {
                let frame = &block[self.start..self.end];
                datagrams::cut(frame, start.into(), size.into(), frames)
            }
            _ => false,
        }
    }
}

/// What the kernel is told about a frame.
pub(super) fn virtio_header(frame: &TxFrame<'_>) -> [u8; virtio_net::HEADER_LEN] {
    const CWR: u8 = 0x80;
    const FLAGS_AT: usize = 13;
    let checksum = match frame.checksum {
        TxChecksum::Partial { start, offset } => virtio_net::Checksum::Partial { start, offset },
        _ => virtio_net::Checksum::Unchecked,
    };
    let gso = frame.gso.map(|gso| {
        let flags = frame.header.get(usize::from(frame.transport_offset) + FLAGS_AT);
        virtio_net::Gso {
            kind: match gso.kind {
                GsoKind::Tcp6 => virtio_net::GsoKind::TcpV6,
                _ => virtio_net::GsoKind::TcpV4,
            },
            ecn: flags.is_some_and(|flags| flags & CWR != 0),
            size: gso.size,
        }
    });
    let header_len = if gso.is_some() { frame.header.len() as u16 } else { 0 };
    let mut bytes = [0; virtio_net::HEADER_LEN];
    virtio_net::Header { checksum, gso, header_len, buffers: None }.emit(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use fyke_stack::Gso;

    fn frame(header: &[u8], gso: Option<Gso>, checksum: TxChecksum) -> TxFrame<'_> {
        let (network_offset, transport_offset) = (14, 34);
        TxFrame { header, payload: &[], network_offset, transport_offset, gso, checksum }
    }

    #[test]
    fn what_is_written_for_a_frame_reads_back() {
        let mut header = [0; 54];
        let checksum = TxChecksum::Partial { start: 34, offset: 16 };
        let gso = Some(Gso { size: 1448, kind: GsoKind::Tcp4 });
        for (flags, ecn) in [(0x10, false), (0x90, true)] {
            header[34 + 13] = flags;
            let mut wire = virtio_header(&frame(&header, gso, checksum)).to_vec();
            wire.extend(header);
            let (parsed, rest) = virtio_net::Header::parse(&wire, false).unwrap();
            let kind = virtio_net::GsoKind::TcpV4;
            assert_eq!(parsed.gso, Some(virtio_net::Gso { kind, ecn, size: 1448 }));
            let partial = virtio_net::Checksum::Partial { start: 34, offset: 16 };
            assert_eq!((parsed.checksum, parsed.header_len), (partial, 54));
            assert_eq!(rest, header);
        }
        let plain = virtio_header(&frame(&header, None, TxChecksum::Complete));
        assert_eq!(plain, [0; 10]);
    }

    #[test]
    fn the_stack_is_told_what_the_sender_left_out() {
        let span = |checksum, gso| Span {
            start: 0,
            end: 0,
            header: virtio_net::Header { checksum, gso, ..virtio_net::Header::default() },
        };
        let gso = |kind| Some(virtio_net::Gso { kind, ecn: false, size: 9 });
        let partial = virtio_net::Checksum::Partial { start: 34, offset: 16 };
        let tcp = span(partial, gso(virtio_net::GsoKind::TcpV6)).meta();
        assert_eq!(tcp, Some(RxMeta { checksum: RxChecksum::Partial, gso_size: 9 }));
        let valid = span(virtio_net::Checksum::Valid, None).meta();
        assert_eq!(valid, Some(RxMeta { checksum: RxChecksum::Valid, gso_size: 0 }));
        assert_eq!(span(virtio_net::Checksum::Unchecked, None).meta(), Some(RxMeta::default()));
        for kind in [virtio_net::GsoKind::Udp, virtio_net::GsoKind::UdpFragments] {
            let several = span(partial, gso(kind));
            assert_eq!(several.meta(), None);
            assert!(!several.cut_datagrams(b"", &mut Vec::new()));
        }
    }
}
