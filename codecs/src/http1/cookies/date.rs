//! Dates in cookies (RFC 6265 section 5.1.1), which servers write in many ways.

use crate::http1::parse_date;

/// Seconds since 1970 of a cookie's date: a time, a day, a month and a year in any order, with anything
/// between them. What lies before 1970 is 0.
pub(super) fn cookie_date(text: &[u8]) -> Option<u64> {
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    for token in text.split(|b| is_delimiter(*b)).filter(|token| !token.is_empty()) {
        if time.is_none()
            && let Some(found) = clock(token)
        {
            time = Some(found);
        } else if day.is_none()
            && let Some(found) = number(token, 1, 2)
        {
            day = Some(found);
        } else if month.is_none()
            && let Some(found) = month_of(token)
        {
            month = Some(found);
        } else if year.is_none()
            && let Some(found) = number(token, 2, 4)
        {
            year = Some(found);
        }
    }
    let ((hour, minute, second), day, month, year) = (time?, day?, month?, year?);
    let year = match year {
        70..=99 => year + 1900,
        0..=69 => year + 2000,
        _ => year,
    };
    if year < 1601 || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    if year < 1970 {
        return Some(0);
    }
    // Written down as the one form that has a reader already, which also knows the days of a month.
    let name = MONTHS.get(month * 3..month * 3 + 3)?;
    let name = core::str::from_utf8(name).ok()?;
    parse_date(
        format!("Mon, {day:02} {name} {year:04} {hour:02}:{minute:02}:{second:02} GMT").as_bytes(),
    )
}

const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";

const fn is_delimiter(byte: u8) -> bool {
    matches!(byte, 0x09 | 0x20..=0x2f | 0x3b..=0x40 | 0x5b..=0x60 | 0x7b..=0x7e)
}

/// A number of `min` to `max` digits at the start of a token, with no further digit behind it.
fn number(token: &[u8], min: usize, max: usize) -> Option<u32> {
    let digits = token.iter().take_while(|b| b.is_ascii_digit()).count();
    if digits < min || digits > max {
        return None;
    }
    Some(token[..digits].iter().fold(0, |n, digit| n * 10 + u32::from(digit - b'0')))
}

fn clock(token: &[u8]) -> Option<(u32, u32, u32)> {
    let mut fields = token.splitn(3, |&b| b == b':');
    let mut field = |strict: bool| {
        let text = fields.next()?;
        let all_digits = text.iter().all(u8::is_ascii_digit);
        if strict && !all_digits { None } else { number(text, 1, 2) }
    };
    Some((field(true)?, field(true)?, field(false)?))
}

fn month_of(token: &[u8]) -> Option<usize> {
    let start = token.get(..3)?;
    MONTHS.chunks(3).position(|name| name.eq_ignore_ascii_case(start))
}
