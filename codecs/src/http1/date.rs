//! The text of a `Date` field (RFC 9110 section 5.6.7), kept for the second it is right.

use std::cell::Cell;

/// The current second as an IMF-fixdate, as in `Sun, 06 Nov 1994 08:49:37 GMT`.
///
/// There is no clock in here: whoever knows the time calls [`update`](Self::update), which costs one
/// compare within the same second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateText {
    second: u64,
    /// The whole line of the field, so that it can be copied out as it is.
    line: [u8; 37],
}

/// Where in the line the text is.
const TEXT: core::ops::Range<usize> = 6..35;

const DAY_SECONDS: u64 = 86_400;
/// The last second of the year 9999: the format has four digits.
const SECOND_MAX: u64 = 253_402_300_799;

impl DateText {
    /// The text for that many seconds since 1970.
    #[must_use]
    pub fn new(unix_seconds: u64) -> Self {
        let mut line = *b"Date: ___, __ ___ ____ __:__:__ GMT\r\n";
        line[TEXT].copy_from_slice(&render(unix_seconds.min(SECOND_MAX)));
        Self { second: unix_seconds, line }
    }

    /// Moves on to another second.
    #[inline]
    pub fn update(&mut self, unix_seconds: u64) {
        if self.second != unix_seconds {
            *self = Self::of_this_thread(unix_seconds);
        }
    }

    /// The text as it was rendered last on this thread, if that was for the same second: a loop is a
    /// thread, so all its connections share the work.
    pub(crate) fn of_this_thread(unix_seconds: u64) -> Self {
        thread_local! {
            static LAST: Cell<Option<DateText>> = const { Cell::new(None) };
        }
        LAST.with(|last| {
            let date = last.get().filter(|date| date.second == unix_seconds);
            let date = date.unwrap_or_else(|| Self::new(unix_seconds));
            last.set(Some(date));
            date
        })
    }

    /// The text.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.line[TEXT]
    }

    /// The field's line with its CRLF.
    #[inline]
    pub(crate) fn line(&self) -> &[u8; 37] {
        &self.line
    }
}

fn render(second: u64) -> [u8; 29] {
    const NAMES: &[u8; 21] = b"ThuFriSatSunMonTueWed";
    const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let (days, rest) = (second / DAY_SECONDS, second % DAY_SECONDS);
    let (year, month, day) = civil(days);
    let mut text = *b"___, __ ___ ____ __:__:__ GMT";
    let weekday = (days % 7) as usize * 3; // 1970 began on a Thursday
    text[..3].copy_from_slice(&NAMES[weekday..weekday + 3]);
    two(&mut text, 5, day);
    let month = (month as usize - 1) * 3;
    text[8..11].copy_from_slice(&MONTHS[month..month + 3]);
    two(&mut text, 12, year / 100);
    two(&mut text, 14, year % 100);
    two(&mut text, 17, rest / 3600);
    two(&mut text, 20, rest / 60 % 60);
    two(&mut text, 23, rest % 60);
    text
}

fn two(text: &mut [u8; 29], at: usize, n: u64) {
    text[at] = b'0' + (n / 10 % 10) as u8;
    text[at + 1] = b'0' + (n % 10) as u8;
}

/// Year, month and day of a day since 1970, counted in years that begin in March so that the leap
/// day comes last.
fn civil(days: u64) -> (u64, u64, u64) {
    const ERA_DAYS: u64 = 146_097; // 400 years
    const DAYS_TO_1970: u64 = 719_468; // from 0000-03-01
    let shifted = days + DAYS_TO_1970;
    let (era, of_era) = (shifted / ERA_DAYS, shifted % ERA_DAYS);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn agrees_with_httpdate() {
        let mut seconds: Vec<u64> = (0..40_000).map(|i| i * 6_334_567).collect();
        seconds.extend([0, 784_111_777, 951_782_400, 951_868_800, 4_107_542_400, SECOND_MAX]);
        for second in seconds {
            let expected = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(second));
            assert_eq!(DateText::new(second).as_bytes(), expected.as_bytes(), "{second}");
        }
    }

    #[test]
    fn what_a_thread_shares_is_right_for_each_second() {
        for second in [7, 7, 8, 7, 0, 784_111_777, 8] {
            assert_eq!(DateText::of_this_thread(second), DateText::new(second), "{second}");
        }
    }

    #[test]
    fn updates_and_stays_in_four_digit_years() {
        let mut date = DateText::new(0);
        date.update(784_111_777);
        assert_eq!(date.as_bytes(), b"Sun, 06 Nov 1994 08:49:37 GMT");
        date.update(u64::MAX);
        assert_eq!(date.as_bytes(), b"Fri, 31 Dec 9999 23:59:59 GMT");
    }
}
