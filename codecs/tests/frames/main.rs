//! Frames: Netty's documented cases, limits, ends of streams, every split, round trips.

mod delimiter;
mod fixed_length;
mod length_field;
mod line;
mod prepender;
mod round_trip;
mod splits;
mod text;
mod varint32;

use fyke_buffer::ByteBuf;
use fyke_codec::check::{Outcome as Split, every_split_by};
use fyke_codec::{CodecError, Decoder, Encoder};

/// What a stream became: its items, and the error that ended it.
#[derive(Debug, PartialEq)]
struct Outcome {
    items: Vec<Vec<u8>>,
    error: Option<String>,
}

/// Feeds `chunks` one after the other and then the end of the stream; stops at the first error.
fn run<D: Decoder<Item: AsRef<[u8]>>>(decoder: &mut D, chunks: &[&[u8]]) -> Outcome {
    let mut src = ByteBuf::new();
    let mut items = Vec::new();
    let result = (|| -> Result<(), CodecError> {
        for chunk in chunks {
            src.write_slice(chunk);
            while let Some(item) = decoder.decode(&mut src)? {
                items.push(item.as_ref().to_vec());
            }
        }
        while let Some(item) = decoder.decode_eof(&mut src)? {
            items.push(item.as_ref().to_vec());
        }
        Ok(())
    })();
    Outcome { items, error: result.err().map(|error| error.to_string()) }
}

/// Longer streams are not cut in every way: that would take too long.
const EVERY_SPLIT_BYTES_MAX: usize = 256;

/// Decodes `stream`, cut in every way unless it is long.
#[track_caller]
fn decode<D: Decoder<Item: AsRef<[u8]>> + Clone>(decoder: &D, stream: &[u8]) -> Outcome {
    if stream.len() > EVERY_SPLIT_BYTES_MAX {
        return run(&mut decoder.clone(), &[stream]);
    }
    let bytes = |item: D::Item| item.as_ref().to_vec();
    match every_split_by(|| decoder.clone(), stream, bytes) {
        Ok(Split { items, error, .. }) => {
            Outcome { items, error: error.map(|error| error.to_string()) }
        }
        Err(violation) => panic!("{violation}"),
    }
}

/// The items of a stream that must be whole.
#[track_caller]
fn frames<D: Decoder<Item: AsRef<[u8]>> + Clone>(decoder: D, stream: &[u8]) -> Vec<Vec<u8>> {
    let outcome = decode(&decoder, stream);
    assert_eq!(outcome.error, None, "items so far: {:?}", outcome.items);
    outcome.items
}

/// The error a stream must end with.
#[track_caller]
fn failure<D: Decoder<Item: AsRef<[u8]>> + Clone>(decoder: D, stream: &[u8]) -> String {
    let outcome = decode(&decoder, stream);
    outcome.error.unwrap_or_else(|| panic!("no error, but the items {:?}", outcome.items))
}

/// What an encoder appends.
#[track_caller]
fn wire<M>(mut encoder: impl Encoder<M>, msg: M) -> Vec<u8> {
    let mut dst = ByteBuf::from(b"before");
    encoder.encode(msg, &mut dst).expect("a message that can be encoded");
    dst.as_slice().strip_prefix(b"before").expect("it only appends").to_vec()
}

/// Why an encoder refuses a message.
#[track_caller]
fn refusal<M>(mut encoder: impl Encoder<M>, msg: M) -> String {
    let mut dst = ByteBuf::new();
    let error = encoder.encode(msg, &mut dst).expect_err("a message that cannot be encoded");
    error.to_string()
}

/// Decodes until an error comes and returns it; the buffer keeps what is left.
fn error_of<D: Decoder<Item: std::fmt::Debug>>(decoder: &mut D, src: &mut ByteBuf) -> CodecError {
    loop {
        match decoder.decode(src) {
            Ok(Some(_)) => {}
            Ok(None) => panic!("no error, {} bytes are left", src.readable()),
            Err(error) => return error,
        }
    }
}
