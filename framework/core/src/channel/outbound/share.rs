//! Handing bytes to a transport that keeps them until the peer has acknowledged them.

use bytes::Bytes;

use super::{Chunk, GATHER_SLICES_MAX, Gather};

/// A chunk that a transport may keep.
#[derive(Debug)]
pub enum Share<'a> {
    /// Not worth sharing: few bytes, or most of its block is empty and would be kept with it.
    Slice(&'a [u8]),
    /// Shared with the channel's queue: keeping it copies nothing.
    Bytes(Bytes),
}

impl Gather<'_> {
    /// Offers chunk after chunk, up to the first file, until `keep` takes less than all of one.
    /// Chunks of up to `copy_bytes_max` come as slices to be copied. Answers how many bytes were
    /// taken, which the transport reports as it reports bytes that it copied.
    pub fn share(
        &mut self,
        copy_bytes_max: usize,
        mut keep: impl FnMut(Share<'_>) -> usize,
    ) -> usize {
        let out = &mut *self.0;
        out.seal();
        let (mut total, mut offered) = (0, 0);
        for chunk in &mut out.chunks {
            if offered == GATHER_SLICES_MAX {
                break;
            }
            let (taken, len) = match chunk {
                Chunk::Promise(_) => continue,
                Chunk::File(_) => break,
                Chunk::Buf(buf) => {
                    let len = buf.readable();
                    if len <= copy_bytes_max || len < buf.capacity() / 2 {
                        (keep(Share::Slice(buf.as_slice())), len)
                    } else {
                        let bytes = std::mem::take(buf).freeze();
                        *chunk = Chunk::Bytes(bytes.clone());
                        (keep(Share::Bytes(bytes)), len)
                    }
                }
                Chunk::Bytes(bytes) if bytes.len() <= copy_bytes_max => {
                    (keep(Share::Slice(bytes)), bytes.len())
                }
                Chunk::Bytes(bytes) => (keep(Share::Bytes(bytes.clone())), bytes.len()),
            };
            offered += 1;
            total += taken;
            if taken < len {
                break;
            }
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use fyke_buffer::{ByteBuf, Pool};

    use crate::channel::outbound::{Outbound, Share};
    use crate::outgoing::Outgoing;
    use crate::promise::Promise;

    fn queue(parts: Vec<Outgoing>) -> Outbound {
        let mut out = Outbound::default();
        for part in parts {
            out.push(part, Promise::NONE);
        }
        out
    }

    #[test]
    fn large_chunks_are_shared_and_small_ones_are_slices() {
        let (small, large) = (vec![1; 10], vec![2; 4000]);
        let mut out = queue(vec![
            ByteBuf::copy_from_slice(&small).into(),
            ByteBuf::copy_from_slice(&large).into(),
            bytes::Bytes::from(large.clone()).into(),
        ]);
        let mut seen = Vec::new();
        let taken = out.gather().share(100, |share| match share {
            Share::Slice(slice) => {
                seen.push((false, slice.len()));
                slice.len()
            }
            Share::Bytes(bytes) => {
                seen.push((true, bytes.len()));
                bytes.len().min(3000)
            }
        });
        assert_eq!(seen, [(false, 10), (true, 4000)], "the second was not taken whole");
        assert_eq!(taken, 3010);
        out.advance(taken, &Pool::new());
        assert_eq!(out.pending(), 5000);
        let mut rest = Vec::new();
        out.gather().share(0, |share| {
            let Share::Bytes(bytes) = share else { panic!("it was to be shared") };
            rest.extend_from_slice(&bytes);
            bytes.len()
        });
        assert_eq!(rest, vec![2; 5000]);
    }

    #[test]
    fn a_block_that_is_mostly_empty_is_not_kept() {
        let mut buf = ByteBuf::with_capacity(64 * 1024);
        buf.write_slice(&[7; 2000]);
        let mut out = queue(vec![buf.into()]);
        let taken = out.gather().share(100, |share| match share {
            Share::Slice(slice) => slice.len(),
            Share::Bytes(_) => panic!("2000 bytes would keep 64 KiB"),
        });
        assert_eq!(taken, 2000);
    }
}
