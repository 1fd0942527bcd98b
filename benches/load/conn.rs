//! One connection of the crowd.

use std::collections::VecDeque;
use std::io;
use std::time::Instant;

use super::Work;
use super::wire::Wire;
use hdrhistogram::Histogram;

/// What a connection has received.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Progress {
    pub(crate) answers: u64,
    pub(crate) read: u64,
}

/// A connection with up to [`Work::depth`] messages on their way.
#[derive(Debug)]
pub(crate) struct Conn<W> {
    stream: W,
    /// Where in a message the writer is, and how much is still to be written.
    write_at: usize,
    to_write: usize,
    /// Where in an answer the reader is.
    read_at: usize,
    /// When the messages on their way were issued, oldest first, and how many at a time.
    issued: VecDeque<(Instant, u64)>,
    in_flight: u64,
}

impl<W: Wire> Conn<W> {
    pub(crate) fn new(stream: W) -> Self {
        let issued = VecDeque::new();
        Self { stream, write_at: 0, to_write: 0, read_at: 0, issued, in_flight: 0 }
    }

    /// Issues what the depth and `most` allow; answers how many.
    pub(crate) fn issue(&mut self, work: &Work, most: u64, now: Instant) -> io::Result<u64> {
        let count = (work.depth() as u64 - self.in_flight).min(most);
        if count > 0 {
            self.issued.push_back((now, count));
            self.in_flight += count;
            self.to_write += count as usize * work.message_bytes();
            self.write(work)?;
        }
        Ok(count)
    }

    fn write(&mut self, work: &Work) -> io::Result<()> {
        while self.to_write > 0 {
            // Messages are all alike, so any number of them is a piece of the prepared row.
            let row = &work.messages()[self.write_at..];
            let piece = &row[..row.len().min(self.to_write)];
            match self.stream.write(piece) {
                Ok(n) => {
                    self.to_write -= n;
                    self.write_at = (self.write_at + n) % work.message_bytes();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes and reads as much as goes.
    pub(crate) fn go_on(
        &mut self,
        work: &Work,
        room: &mut [u8],
        times: &mut Histogram<u64>,
    ) -> io::Result<Progress> {
        self.write(work)?;
        let mut progress = Progress::default();
        while self.in_flight > 0 {
            match self.stream.read(room) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => {
                    progress.read += n as u64;
                    progress.answers += self.check(work, &room[..n], times)?;
                    if n < room.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(progress)
    }

    /// Compares what was read; answers how many answers it completed.
    fn check(
        &mut self,
        work: &Work,
        mut read: &[u8],
        times: &mut Histogram<u64>,
    ) -> io::Result<u64> {
        let mut answers = 0;
        while !read.is_empty() {
            let n = (work.answer_bytes() - self.read_at).min(read.len());
            if self.in_flight == 0 || !work.is_answer(self.read_at, &read[..n]) {
                let text = "the answer is wrong";
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            self.read_at += n;
            read = &read[n..];
            if self.read_at == work.answer_bytes() {
                self.read_at = 0;
                self.in_flight -= 1;
                answers += 1;
                self.note_time(times);
            }
        }
        Ok(answers)
    }

    fn note_time(&mut self, times: &mut Histogram<u64>) {
        let Some((issued, left)) = self.issued.front_mut() else { return };
        times.saturating_record(issued.elapsed().as_nanos() as u64);
        *left -= 1;
        if *left == 0 {
            self.issued.pop_front();
        }
    }
}
