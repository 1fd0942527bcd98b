//! Byte buffers with a reader and a writer index, pools and ropes (part of fyke).
