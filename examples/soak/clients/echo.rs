//! Bytes there and back.

use std::io::{Read, Write};
use std::time::Duration;

use super::{Client, Outcome, wire};

const ROUNDS_MAX: usize = 8;
/// Less than the system's buffers on the way hold: who sends it need not read meanwhile.
const BYTES_MAX: usize = 32 * 1024;
const MUCH_BYTES_MAX: usize = 3 * 1024 * 1024;
const DAWDLE_MAX: Duration = Duration::from_millis(30);

impl Client<'_> {
    pub(super) fn echo(&mut self) -> Outcome {
        let side = self.side();
        let mut wire = self.connect(self.targets.echo, side)?;
        for _ in 0..self.rng.usize(1..=ROUNDS_MAX) {
            let len = self.rng.usize(1..=BYTES_MAX);
            let sent = self.bytes(len);
            self.send(&mut wire, &sent).map_err(|error| format!("echo takes nothing: {error}"))?;
            self.pause();
            let mut back = vec![0; len];
            wire.read_exact(&mut back).map_err(|error| format!("no echo came: {error}"))?;
            if back != sent {
                return Err(format!("an echo of {len} bytes differs"));
            }
            self.answered();
        }
        self.part(wire)
    }

    /// More than fits into the buffers on the way, read with pauses: the server has to stop reading.
    pub(super) fn echo_much(&mut self) -> Outcome {
        let cannot = |error: std::io::Error| format!("much echo: {error}");
        self.done.connections.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut socket = wire::socket(self.targets.echo[0]).map_err(cannot)?;
        let len = self.rng.usize(BYTES_MAX..MUCH_BYTES_MAX);
        let sent = self.bytes(len);
        let mut sender = socket.try_clone().map_err(cannot)?;
        let back = std::thread::scope(|scope| {
            let sending = scope.spawn(|| {
                sender.write_all(&sent).and_then(|()| sender.shutdown(std::net::Shutdown::Write))
            });
            let mut back = Vec::with_capacity(len);
            let mut piece = vec![0; 256 * 1024];
            let read = loop {
                match socket.read(&mut piece) {
                    Ok(0) => break Ok(()),
                    Ok(n) => back.extend_from_slice(&piece[..n]),
                    Err(error) => break Err(error),
                }
                if self.rng.u8(..4) == 0 {
                    let micros = self.rng.u64(..DAWDLE_MAX.as_micros() as u64);
                    std::thread::sleep(Duration::from_micros(micros));
                }
            };
            let sent = sending.join().unwrap_or_else(|_| Err(std::io::Error::other("panicked")));
            read.and(sent).map(|()| back)
        });
        if back.map_err(cannot)? != sent {
            return Err(format!("an echo of {len} bytes differs"));
        }
        self.answered();
        Ok(())
    }
}
