//! Transports for fyke's loops: kernel sockets, blocking threads, memory (part of fyke).
