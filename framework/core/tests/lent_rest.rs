//! An incomplete message in lent bytes does not keep what they are a part of.

use bytes::Bytes;
use fyke_buffer::ByteBuf;
use fyke_codec::Decoder;
use fyke_core::CodecError;
use fyke_core::embedded::EmbeddedChannel;

/// Messages of so many bytes.
struct Fixed(usize);

impl Decoder for Fixed {
    type Item = ByteBuf;

    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<ByteBuf>, CodecError> {
        Ok(src.try_split_to(self.0).ok())
    }
}

/// A block that a device lends a part of.
fn block() -> Bytes {
    Bytes::from(vec![7; 128 * 1024])
}

#[test]
fn a_short_rest_is_moved_out() {
    let block = block();
    let mut channel = EmbeddedChannel::new(|ch| ch.pipeline().decoder("fixed", Fixed(40_000)));
    channel.write_inbound(ByteBuf::lent(block.slice(..60_000)));
    let message = channel.read_inbound::<ByteBuf>().unwrap();
    assert!(message.is_lent() && !block.is_unique(), "a whole message is handed over as it lies");
    drop(message);
    assert!(block.is_unique(), "20,000 bytes wait for the rest of theirs, in memory of their own");
    channel.write_inbound(ByteBuf::lent(block.slice(60_000..80_000)));
    assert_eq!(channel.read_inbound::<ByteBuf>().unwrap(), block[..40_000]);
    assert!(block.is_unique());
}

#[test]
fn a_long_rest_stays_until_more_comes() {
    let block = block();
    let mut channel = EmbeddedChannel::new(|ch| ch.pipeline().decoder("fixed", Fixed(100_000)));
    channel.write_inbound(ByteBuf::lent(block.slice(..60_000)));
    assert!(!block.is_unique());
    channel.write_inbound(ByteBuf::lent(block.slice(60_000..100_000)));
    assert!(block.is_unique(), "the two were put together");
    assert_eq!(channel.read_inbound::<ByteBuf>().unwrap(), block[..100_000]);
}
