//! What the two say to each other, with a heartbeat or without, and times as people write them.
//!
//! Over TCP: frames with a length in front (u16), over UDP: datagrams. `ping` and `pong` are the
//! heartbeat's; a UDP pong ends with the address of its receiver. Whatever else the server sends is
//! the message that the client waits for, but for `welcome`, its answer to the `hello` with which a
//! UDP client begins.

use std::time::Duration;

use fyke::PipelineBuilder;
use fyke::handlers::{HeartbeatCodec, HeartbeatConfig, HeartbeatHandler};

pub(crate) const PING: &[u8] = b"ping";
pub(crate) const PONG: &[u8] = b"pong";
pub(crate) const HELLO: &[u8] = b"hello";
pub(crate) const WELCOME: &[u8] = b"welcome";
pub(crate) const PUSH: &[u8] = b"something has happened";

pub(crate) const ADDRESS: &str = "127.0.0.1:7500";

/// The stages so far, and a heartbeat behind them when there is one.
pub(crate) fn with_heartbeat<C: HeartbeatCodec>(
    stages: PipelineBuilder<C::Read, C::Write>,
    codec: C,
    config: Option<&HeartbeatConfig>,
) -> PipelineBuilder<C::Read, C::Write> {
    match config {
        Some(config) => stages.inbound("heartbeat", HeartbeatHandler::new(codec, config)),
        None => stages,
    }
}

/// `16s`, `500ms`, `2m`, `1h`, or seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("`{unit}` is no unit: use ms, s, m or h")),
    };
    let number: f64 =
        number.parse().map_err(|_| format!("`{text}` is no time like 16s or 500ms"))?;
    let time = Duration::try_from_secs_f64(number * factor).map_err(|e| e.to_string())?;
    if time.is_zero() { Err("the time must not be zero".to_owned()) } else { Ok(time) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let ms = |text| duration(text).map(|time| time.as_millis());
        assert_eq!(ms("16s"), Ok(16_000));
        assert_eq!(ms("500ms"), Ok(500));
        assert_eq!(ms("1.5m"), Ok(90_000));
        assert_eq!(ms("2h"), Ok(7_200_000));
        assert_eq!(ms("3"), Ok(3_000));
        for text in ["", "s", "3 s", "-3s", "3d", "0s", "1.2.3s", "1e400"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
