//! The content of a message on its way in, however its end is known (RFC 9112 section 6): requests
//! and responses are framed by the same rules, so one piece of code reads both.

use fyke_buffer::ByteBuf;

use super::chunked::{Chunked, Piece};
use super::{HttpError, Limits, Status, Trailers};

/// What is still to come of a body.
#[derive(Debug)]
pub(super) enum Body {
    /// Nothing but its end, which is due.
    Whole,
    /// This much, never 0.
    Sized(u64),
    /// As many chunks as the peer likes.
    Chunked(Chunked),
    /// Everything until the peer closes (responses only).
    UntilClose,
}

/// A part of a body.
#[derive(Debug)]
pub(super) enum BodyPart {
    Data(ByteBuf),
    Trailers(Trailers),
    End,
}

impl Body {
    /// A body of a declared length.
    pub(super) const fn sized(length: u64) -> Self {
        if length == 0 { Self::Whole } else { Self::Sized(length) }
    }

    pub(super) fn chunked() -> Self {
        Self::Chunked(Chunked::new())
    }

    /// Whether everything but the end has been handed over.
    #[inline]
    pub(super) const fn is_whole(&self) -> bool {
        matches!(self, Self::Whole)
    }

    /// Takes the next part off `src`, at most `room` bytes of content.
    #[inline]
    pub(super) fn next(
        &mut self,
        src: &mut ByteBuf,
        room: u64,
        limits: &Limits,
    ) -> Result<Option<BodyPart>, HttpError> {
        let data = match self {
            Self::Whole => return Ok(Some(BodyPart::End)),
            Self::Chunked(_) => return self.next_of_chunks(src, room, limits),
            Self::Sized(_) | Self::UntilClose if src.is_empty() => return Ok(None),
            Self::Sized(_) | Self::UntilClose if room == 0 => return Err(too_large()),
            Self::UntilClose => src.split_to(room.min(src.readable() as u64) as usize),
            Self::Sized(left) => {
                let take = (*left).min(room).min(src.readable() as u64);
                let data = src.split_to(take as usize);
                *self = Self::sized(*left - take);
                data
            }
        };
        Ok(Some(BodyPart::Data(data)))
    }

    fn next_of_chunks(
        &mut self,
        src: &mut ByteBuf,
        room: u64,
        limits: &Limits,
    ) -> Result<Option<BodyPart>, HttpError> {
        let Self::Chunked(chunked) = self else { return Ok(None) };
        // With no room left only the frame around the content may still come.
        match chunked.next(src, room, limits)? {
            Some(Piece::Data(data)) => Ok(Some(BodyPart::Data(data))),
            Some(Piece::End) => {
                let trailers = chunked.take_trailers();
                *self = Self::Whole;
                Ok(Some(trailers.map_or(BodyPart::End, BodyPart::Trailers)))
            }
            None if room == 0 && chunked.in_data() && !src.is_empty() => Err(too_large()),
            None => Ok(None),
        }
    }
}

#[cold]
fn too_large() -> HttpError {
    HttpError::new(Status::CONTENT_TOO_LARGE, "body over the limit")
}
