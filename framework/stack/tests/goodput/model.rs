//! What a flow should get: the response functions of Mathis and of RFC 9438.

use crate::sim::Path;

/// The payload of a segment with timestamps.
pub const SEGMENT_BYTES: f64 = 1448.0;

/// Payload bytes of the bottleneck in a second.
pub fn capacity(path: &Path) -> f64 {
    path.rate as f64 * SEGMENT_BYTES / (SEGMENT_BYTES + 66.0)
}

/// The mean window in segments.
pub fn window(path: &Path) -> f64 {
    let (rtt, p) = (path.rtt.as_secs_f64(), path.loss);
    // Mathis et al., with byte counting: sqrt(3/2) / sqrt(p), and it is what RFC 9438, section 4.3,
    // makes its Reno-friendly region for.
    let mathis = (1.5 / p).sqrt();
    // RFC 9438, section 5.1, equation 5, with C = 0.4 and beta = 0.7.
    let cubic = (0.4_f64 * 3.7 / 1.2).powf(0.25) * (rtt / p).powf(0.75);
    mathis.max(cubic)
}

/// Payload bytes in a second.
pub fn goodput(path: &Path) -> f64 {
    let rate = window(path) * SEGMENT_BYTES / path.rtt.as_secs_f64();
    rate.min(capacity(path))
}
