//! An event-driven networking framework: pipelines of handlers over kernel sockets, memory, and fyke's own TCP/IP stack.
