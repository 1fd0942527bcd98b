//! Shared by the examples: flags, logging, start and stop.
