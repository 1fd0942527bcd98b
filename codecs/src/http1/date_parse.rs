//! Reads the three forms of a date (RFC 9110 section 5.6.7).

/// Seconds since 1970 of an `HTTP-date`, in any of its three forms; `None` for anything else, and for
/// what lies before 1970.
///
/// ```
/// use fyke_codecs::http1::parse_date;
///
/// let second = Some(784_111_777);
/// assert_eq!(parse_date(b"Sun, 06 Nov 1994 08:49:37 GMT"), second);
/// assert_eq!(parse_date(b"Sunday, 06-Nov-94 08:49:37 GMT"), second);
/// assert_eq!(parse_date(b"Sun Nov  6 08:49:37 1994"), second);
/// assert_eq!(parse_date(b"1994-11-06"), None);
/// ```
#[must_use]
pub fn parse_date(text: &[u8]) -> Option<u64> {
    let comma = text.iter().position(|&b| b == b',');
    match comma {
        Some(3) => fixdate(text),
        Some(at) => rfc850(text, at),
        None => asctime(text),
    }
}

const DAYS: [&[u8]; 7] =
    [b"Sunday", b"Monday", b"Tuesday", b"Wednesday", b"Thursday", b"Friday", b"Saturday"];
const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";

/// `Sun, 06 Nov 1994 08:49:37 GMT`
fn fixdate(text: &[u8]) -> Option<u64> {
    let text: &[u8; 29] = text.try_into().ok()?;
    let shape = text[3..5] == *b", "
        && [text[7], text[11], text[16]] == [b' '; 3]
        && text[25..] == *b" GMT"
        && DAYS.iter().any(|day| day[..3] == text[..3]);
    let year = two(&text[12..14])? * 100 + two(&text[14..16])?;
    shape.then_some(())?;
    second(year, month(&text[8..11])?, two(&text[5..7])?, clock(&text[17..25])?)
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`
fn rfc850(text: &[u8], comma: usize) -> Option<u64> {
    let (day, rest) = text.split_at(comma);
    let rest: &[u8; 24] = rest.try_into().ok()?;
    let shape = rest[..2] == *b", "
        && [rest[4], rest[8]] == [b'-'; 2]
        && rest[11] == b' '
        && rest[20..] == *b" GMT"
        && DAYS.contains(&day);
    shape.then_some(())?;
    // More than 50 years ahead means the past; clocks that say so began in 1970.
    let year = two(&rest[9..11])?;
    let year = year + if year < 70 { 2000 } else { 1900 };
    second(year, month(&rest[5..8])?, two(&rest[2..4])?, clock(&rest[12..20])?)
}

/// `Sun Nov  6 08:49:37 1994`
fn asctime(text: &[u8]) -> Option<u64> {
    let text: &[u8; 24] = text.try_into().ok()?;
    let shape = [text[3], text[7], text[10], text[19]] == [b' '; 4]
        && DAYS.iter().any(|day| day[..3] == text[..3]);
    shape.then_some(())?;
    let day = match text[8..10] {
        [b' ', digit] => two(&[b'0', digit])?,
        _ => two(&text[8..10])?,
    };
    let year = two(&text[20..22])? * 100 + two(&text[22..24])?;
    second(year, month(&text[4..7])?, day, clock(&text[11..19])?)
}

fn two(text: &[u8]) -> Option<u64> {
    match text {
        [a @ b'0'..=b'9', b @ b'0'..=b'9'] => Some(u64::from((a - b'0') * 10 + (b - b'0'))),
        _ => None,
    }
}

/// 1 to 12.
fn month(text: &[u8]) -> Option<u64> {
    MONTHS.chunks_exact(3).position(|name| name == text).map(|at| at as u64 + 1)
}

/// `08:49:37`, with a leap second's 60.
fn clock(text: &[u8]) -> Option<u64> {
    let [_, _, b':', _, _, b':', _, _] = text else { return None };
    let (hour, minute, second) = (two(&text[..2])?, two(&text[3..5])?, two(&text[6..])?);
    (hour < 24 && minute < 60 && second <= 60).then_some((hour * 60 + minute) * 60 + second)
}

fn second(year: u64, month: u64, day: u64, clock: u64) -> Option<u64> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let length = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 31,
    };
    if year < 1970 || day == 0 || day > length {
        return None;
    }
    // Counted in years that begin in March, so that the leap day comes last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    const DAYS_TO_1970: u64 = 719_468; // from 0000-03-01
    Some((days - DAYS_TO_1970) * 86_400 + clock)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::DateText;
    use std::time::UNIX_EPOCH;

    #[test]
    fn reads_what_is_written() {
        for second in (0..40_000).map(|n| n * 6_334_567).chain([0, 951_782_400, 253_402_300_799]) {
            assert_eq!(parse_date(DateText::new(second).as_bytes()), Some(second), "{second}");
        }
    }

    #[test]
    fn agrees_with_httpdate() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Thu Dec 11 00:00:00 2025",
            "Thu, 29 Feb 2024 23:59:59 GMT",
            "Thursday, 01-Jan-70 00:00:00 GMT",
            "Monday, 31-Dec-29 00:00:00 GMT",
        ] {
            let expected = httpdate::parse_http_date(text).expect("a date");
            let expected = expected.duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
            assert_eq!(parse_date(text.as_bytes()), Some(expected), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_dates() {
        for text in [
            "",
            ",",
            "now",
            "not-a-date",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Xyz, 06 Nov 1994 08:49:37 GMT",
            "Sun, 32 Nov 1994 08:49:37 GMT",
            "Sun, 31 Nov 1994 08:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 29 Feb 2023 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 1994 08:60:37 GMT",
            "Sun, 06 Nov 1994 08:49:61 GMT",
            "Sun, 06 Nov 1969 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT, x",
            "Sun, 06-Nov-94 08:49:37 GMT",
            "Sunday, 06-Nov-1994 08:49:37 GMT",
            "Sun Nov 006 08:49:37 1994",
            "784111777",
        ] {
            assert_eq!(parse_date(text.as_bytes()), None, "{text:?}");
        }
    }
}
