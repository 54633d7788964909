//! Dates of HTTP, in arithmetic that is the same everywhere.

use super::text::pieces;
use super::wait::whole;

const MONTHS: &str = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec";
const DAY_MS: f64 = 86_400_000.0;

/// A date of HTTP (RFC 9110, 5.6.7) in milliseconds since 1970, in any of its three formats.
///
/// The present, in the same unit, is needed for the format with two digits of a year: a date that
/// seems more than 50 years ahead is one of the past.
///
/// ```
/// use seawall::classify::http_date;
///
/// let now = 1.7e12;
/// let same = 784_111_777_000.0;
/// assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(same));
/// assert_eq!(http_date("Sunday, 06-Nov-94 08:49:37 GMT", now), Some(same));
/// assert_eq!(http_date("Sun Nov  6 08:49:37 1994", now), Some(same));
/// assert_eq!(http_date("yesterday", now), None);
/// ```
#[must_use]
pub fn http_date(text: &str, now_ms: f64) -> Option<f64> {
    let mut parts = pieces(text, b" ,-:").filter(|part| !part.is_empty());
    let weekday = parts.next()?;
    let second = parts.next()?;
    // Only asctime puts the month first, and the year last.
    let asctime = !second.starts_with(|first: char| first.is_ascii_digit());
    let third = parts.next()?;
    let (day, month) = if asctime { (third, second) } else { (second, third) };
    let year = if asctime { "" } else { parts.next()? };
    let (hour, minute, second) =
        (whole(parts.next()?)?, whole(parts.next()?)?, whole(parts.next()?)?);
    let last = parts.next()?;
    let year = if asctime { last } else { year };
    let well_formed = weekday.bytes().all(|byte| byte.is_ascii_alphabetic())
        && (asctime || last == "GMT")
        && parts.next().is_none();
    let month = pieces(MONTHS, b" ").position(|name| name == month)?;
    let (day, year) = (whole(day)?, full_year(year, now_ms)?);
    let in_range = (1.0..=31.0).contains(&day) && hour < 24.0 && minute < 60.0 && second <= 60.0;
    if !well_formed || !in_range {
        return None;
    }
    let time = (hour * 60.0 + minute) * 60.0 + second;
    Some(days_since_1970(year, month, day) * DAY_MS + time * 1e3)
}

/// A year of four digits, or of two with the century nearest to the present.
fn full_year(text: &str, now_ms: f64) -> Option<f64> {
    let year = whole(text)?;
    match text.len() {
        4 => Some(year),
        2 if now_ms.is_finite() => {
            let present = 1970.0 + libm::floor(now_ms / (365.2425 * DAY_MS));
            let near = libm::floor(present / 100.0) * 100.0 + year;
            Some(if near > present + 50.0 { near - 100.0 } else { near })
        }
        _ => None,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar; `month` counts from 0.
///
/// The year is taken to begin in March, so that the leap day is its last (Howard Hinnant,
/// "chrono-compatible low-level date algorithms", `days_from_civil`).
fn days_since_1970(year: f64, month: usize, day: f64) -> f64 {
    let month = f64::from(u8::try_from(month).unwrap_or(0));
    let (year, month) = if month < 2.0 { (year - 1.0, month + 10.0) } else { (year, month - 2.0) };
    let leap_days = libm::floor(year / 4.0) - libm::floor(year / 100.0) + libm::floor(year / 400.0);
    let day_of_year = libm::floor((153.0 * month + 2.0) / 5.0) + day - 1.0;
    year * 365.0 + leap_days + day_of_year - 719_468.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: f64 = 1_700_000_000_000.0;

    #[test]
    fn dates_need_their_whole_form() {
        let now = 4_000_000_000_000.0; // 2096
        let year_2030 = http_date("Tue, 01 Jan 2030 00:00:00 GMT", now);
        assert_eq!(http_date("Tuesday, 01-Jan-30 00:00:00 GMT", NOW), year_2030);
        assert_eq!(http_date("Tuesday, 01-Jan-30 00:00:00 GMT", f64::NAN), None);
        // Seen from 2096 the year 30 lies in the same century, 66 years back.
        assert_eq!(http_date("Tuesday, 01-Jan-30 00:00:00 GMT", now), year_2030);
        // Seen from 2023 the year 94 is not 71 years ahead.
        assert_eq!(http_date("Sunday, 06-Nov-94 08:49:37 GMT", NOW), Some(784_111_777_000.0));
        for text in [
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 32 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT x",
            "1, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nop 1994 08:49:37 GMT",
        ] {
            assert_eq!(http_date(text, NOW), None, "{text}");
        }
    }

    #[test]
    fn leap_years() {
        let day = |year, month, day| days_since_1970(year, month, day);
        assert_eq!(day(1970.0, 0, 1.0), 0.0);
        assert_eq!(day(2000.0, 2, 1.0) - day(2000.0, 1, 28.0), 2.0);
        assert_eq!(day(1900.0, 2, 1.0) - day(1900.0, 1, 28.0), 1.0);
        assert_eq!(day(2024.0, 11, 31.0), 20_088.0);
    }
}
