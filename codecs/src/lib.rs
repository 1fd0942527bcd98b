//! Protocols for fyke: frames, HTTP/1.1, WebSocket.
