//! Readiness from the operating system: epoll, poll, select, mio (part of fyke).
