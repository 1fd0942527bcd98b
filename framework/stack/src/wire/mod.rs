//! How every protocol looks on the wire: views over bytes, values to emit, checksums.
