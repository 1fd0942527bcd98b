//! Event loop, channel and pipeline, free of sockets and threads (part of fyke).
