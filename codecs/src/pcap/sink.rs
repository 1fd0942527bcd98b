//! A bounded queue in front of a file: loops put blocks in, a thread that may block writes them.

use std::collections::VecDeque;
use std::fmt;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fyke_core::Offload;

use super::pcapng::file_header;

/// Where captures go: a file, or anything else that can be written to. A clone is a handle of the
/// same one, so all channels of a server share it.
///
/// What is captured waits in memory, up to a limit; what comes beyond that is left out and
/// [counted](Self::dropped). Writing is offloaded, so that a slow disk does not hold up a loop.
#[derive(Clone)]
pub struct PcapSink(Arc<Shared>);

/// Bytes that may wait to be written, if nothing else is said.
const QUEUE_BYTES_MAX: usize = 16 * 1024 * 1024;

struct Shared {
    queue: Mutex<Queue>,
    writer: Mutex<Box<dyn Write + Send>>,
    /// A piece of work is under way that will write what waits.
    scheduled: AtomicBool,
    dropped: AtomicU64,
    failed: AtomicBool,
    bytes_max: usize,
}

#[derive(Default)]
struct Queue {
    blocks: VecDeque<Vec<u8>>,
    bytes: usize,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl PcapSink {
    /// Writes to `writer`, with the default limit of 16 MiB that wait.
    #[must_use]
    pub fn new(writer: impl Write + Send + 'static) -> Self {
        Self::with_queue_bytes_max(writer, QUEUE_BYTES_MAX)
    }

    /// The same, with a limit.
    #[must_use]
    pub fn with_queue_bytes_max(writer: impl Write + Send + 'static, bytes_max: usize) -> Self {
        let header = file_header();
        let queue = Queue { bytes: header.len(), blocks: VecDeque::from([header]) };
        Self(Arc::new(Shared {
            queue: Mutex::new(queue),
            writer: Mutex::new(Box::new(writer)),
            scheduled: AtomicBool::new(false),
            dropped: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            bytes_max,
        }))
    }

    /// How often something was left out, as the queue was full or the file could not be written.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Puts blocks in.
    pub(super) fn put(&self, blocks: Vec<u8>, offload: &Arc<dyn Offload>) {
        if blocks.is_empty() {
            return;
        }
        let mut queue = locked(&self.0.queue);
        let full = queue.bytes + blocks.len() > self.0.bytes_max;
        if full || self.0.failed.load(Ordering::Relaxed) {
            drop(queue);
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        queue.bytes += blocks.len();
        queue.blocks.push_back(blocks);
        drop(queue);
        if !self.0.scheduled.swap(true, Ordering::AcqRel) {
            let work = Scheduled(Arc::clone(&self.0));
            offload.run(Box::new(move || work.write()));
        }
    }
}

/// Work under way. Dropped without having run, somebody else may try.
struct Scheduled(Arc<Shared>);

impl Scheduled {
    fn write(&self) {
        let shared = &*self.0;
        let mut writer = locked(&shared.writer);
        loop {
            let block = {
                let mut queue = locked(&shared.queue);
                let block = queue.blocks.pop_front();
                if block.is_none() {
                    // What is put in from here on finds nobody at work.
                    shared.scheduled.store(false, Ordering::Release);
                }
                block
            };
            let Some(block) = block else { break };
            let written = writer.write_all(&block);
            locked(&shared.queue).bytes -= block.len();
            if let Err(error) = written {
                shared.fail(&error);
                return;
            }
        }
        if let Err(error) = writer.flush() {
            shared.fail(&error);
        }
    }
}

impl Shared {
    fn fail(&self, error: &std::io::Error) {
        if !self.failed.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "the capture cannot be written and ends here");
        }
        let mut queue = locked(&self.queue);
        self.dropped.fetch_add(queue.blocks.len() as u64, Ordering::Relaxed);
        *queue = Queue::default();
    }
}

impl Drop for Scheduled {
    fn drop(&mut self) {
        self.0.scheduled.store(false, Ordering::Release);
    }
}

impl fmt::Debug for PcapSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PcapSink").field("dropped", &self.dropped()).finish_non_exhaustive()
    }
}
