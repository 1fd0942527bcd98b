//! What people write on a command line: `1%`, `50ms`, `10mbit`, `4MB`.

use std::time::Duration;

/// A number and the unit behind it.
fn split(text: &str) -> Result<(f64, String), String> {
    let text = text.trim();
    let at = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let number: f64 =
        text[..at].parse().map_err(|_| format!("{text:?} does not begin with a number"))?;
    Ok((number, text[at..].trim().to_ascii_lowercase()))
}

/// A probability: `1%` or `0.01`.
pub(crate) fn probability(text: &str) -> Result<f64, String> {
    let (number, unit) = split(text)?;
    let value = match unit.as_str() {
        "" => number,
        "%" => number / 100.0,
        _ => return Err(format!("{text:?} is no probability, such as 1% or 0.01")),
    };
    if value > 1.0 {
        return Err(format!("{text:?} is more than everything"));
    }
    Ok(value)
}

/// A time: `50ms`, `2s`, `1h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text)?;
    let seconds = match unit.as_str() {
        "us" => number / 1e6,
        "ms" => number / 1e3,
        "s" => number,
        "m" | "min" => number * 60.0,
        "h" => number * 3600.0,
        _ => return Err(format!("{text:?} is no time, such as 50ms or 2s")),
    };
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// Bits a second: `10mbit`, `1gbit`, `64kbit`.
pub(crate) fn rate(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text)?;
    let bits = match unit.as_str() {
        "bit" => number,
        "kbit" => number * 1e3,
        "mbit" => number * 1e6,
        "gbit" => number * 1e9,
        _ => return Err(format!("{text:?} is no rate, such as 10mbit")),
    };
    if bits < 1.0 {
        return Err(format!("{text:?} is less than a bit a second"));
    }
    Ok(bits as u64)
}

/// Bytes: `4MB`, `64KiB`, `1000`.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text)?;
    let bytes = match unit.as_str() {
        "" | "b" => number,
        "k" | "kb" => number * 1e3,
        "m" | "mb" => number * 1e6,
        "g" | "gb" => number * 1e9,
        "kib" => number * 1024.0,
        "mib" => number * 1024.0 * 1024.0,
        "gib" => number * 1024.0 * 1024.0 * 1024.0,
        _ => return Err(format!("{text:?} is no size, such as 4MB")),
    };
    Ok(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write() {
        assert_eq!(probability("1%"), Ok(0.01));
        assert_eq!(probability("0.5"), Ok(0.5));
        assert!(probability("101%").is_err());
        assert_eq!(duration("50ms"), Ok(Duration::from_millis(50)));
        assert_eq!(duration("1.5 s"), Ok(Duration::from_millis(1500)));
        assert!(duration("5").is_err());
        assert_eq!(rate("10mbit"), Ok(10_000_000));
        assert!(rate("fast").is_err());
        assert_eq!(size("4MB"), Ok(4_000_000));
        assert_eq!(size("64KiB"), Ok(65_536));
    }
}
