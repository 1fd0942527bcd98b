//! A connection that is about to end.

/// A user event: this connection takes no more requests, and ends with the responses that are due. It
/// comes when the loop shuts down while there are some, on both sides of a connection.
///
/// Whoever sends a response without an end of its own, a stream of events say, ends it now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoMoreRequests;
