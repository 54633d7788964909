//! How long the other side asked to wait: `Retry-After` and the rate limit headers.

use core::time::Duration;

use super::date::http_date;
use super::text::{contains, pieces, strip_prefix_any_case};
use crate::time::duration_from_millis;

/// The headers of an answer that speak of waiting, empty where there are none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wait<'a> {
    /// `Retry-After`: seconds, or a date.
    pub retry_after: &'a str,
    /// `retry-after-ms` or `x-ms-retry-after-ms`: milliseconds.
    pub retry_after_ms: &'a str,
    /// `RateLimit` of the IETF drafts: `limit=10, remaining=0, reset=50`, or `"name";r=0;t=50`.
    pub rate_limit: &'a str,
    /// `RateLimit-Policy` of the IETF drafts: `"name";q=100;w=60`, or `100;w=60`. Where the limit is
    /// spent and nothing says until when, its window is the wait.
    pub rate_limit_policy: &'a str,
    /// `x-ratelimit-reset`, `ratelimit-reset` and the like, each with what is `remaining`: of the
    /// whole, of requests, and of tokens. Seconds, a date, seconds or milliseconds since 1970, or
    /// a span such as `1m30s`.
    pub windows: [Window<'a>; 3],
}

/// One window of a rate limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window<'a> {
    /// When it begins anew.
    pub reset: &'a str,
    /// How much of it is left.
    pub remaining: &'a str,
}

impl Window<'_> {
    fn spent(&self) -> bool {
        decimal(self.remaining) == Some((0.0, ""))
    }
}

impl<'a> Wait<'a> {
    /// Takes a header if it is one of those that speak of waiting, whatever the case of its name.
    pub fn set(&mut self, name: &str, value: &'a str) {
        let value = value.trim_ascii();
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("retry-after") {
            self.retry_after = value;
        } else if is("retry-after-ms") || is("x-ms-retry-after-ms") {
            self.retry_after_ms = value;
        } else if is("ratelimit") {
            self.rate_limit = value;
        } else if is("ratelimit-policy") {
            self.rate_limit_policy = value;
        } else {
            self.set_window(name, value);
        }
    }

    fn set_window(&mut self, name: &str, value: &'a str) {
        let name = strip_prefix_any_case(name, "x-").unwrap_or(name);
        let Some(name) = strip_prefix_any_case(name, "ratelimit-")
            .or_else(|| strip_prefix_any_case(name, "rate-limit-"))
        else {
            return;
        };
        let (is_reset, rest) = match strip_prefix_any_case(name, "reset") {
            Some(rest) => (true, rest),
            None => match strip_prefix_any_case(name, "remaining") {
                Some(rest) => (false, rest),
                None => return,
            },
        };
        let [whole, requests, tokens] = &mut self.windows;
        let window = match rest {
            _ if rest.is_empty() || (is_reset && rest.eq_ignore_ascii_case("-after")) => whole,
            _ if rest.eq_ignore_ascii_case("-requests") => requests,
            _ if rest.eq_ignore_ascii_case("-tokens") => tokens,
            _ => return,
        };
        if is_reset {
            window.reset = value;
        } else {
            window.remaining = value;
        }
    }

    /// Whether a window of a rate limit is used up.
    pub(crate) fn spent(&self) -> bool {
        self.windows.iter().any(Window::spent)
    }

    /// The wait that was asked for, `None` where none was or it makes no sense.
    ///
    /// `now_ms` is the present in milliseconds since 1970; a date in the past is a wait of zero.
    /// The rate limit headers stand in every answer of many services: they count only if the
    /// failure was `throttled`, and only where nothing remains.
    #[must_use]
    pub fn duration(&self, throttled: bool, now_ms: f64) -> Option<Duration> {
        let ms = whole(self.retry_after_ms)
            .or_else(|| whole(self.retry_after).map(|seconds| seconds * 1e3))
            .or_else(|| until(http_date(self.retry_after, now_ms)?, now_ms))
            .or_else(|| if throttled { self.limits(now_ms) } else { None })?;
        Some(duration_from_millis(ms))
    }

    fn limits(&self, now_ms: f64) -> Option<f64> {
        let mut longest = rate_limit(self.rate_limit, self.rate_limit_policy);
        for window in &self.windows {
            if window.remaining.is_empty() || window.spent() {
                longest = match reset(window.reset, now_ms) {
                    Some(wait) => Some(f64::max(wait, longest.unwrap_or(0.0))),
                    None => longest,
                };
            }
        }
        let spent = || self.windows.iter().any(Window::spent);
        longest.or_else(|| spent().then(|| window_of(self.rate_limit_policy, ""))?)
    }
}

/// An unsigned decimal number at the beginning of `text`, and what follows it.
fn decimal(text: &str) -> Option<(f64, &str)> {
    let mut value = 0.0;
    let mut scale = 0.0;
    let mut digits = false;
    let mut end = text.len();
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'0'..=b'9' => {
                digits = true;
                let digit = f64::from(byte.wrapping_sub(b'0'));
                if scale == 0.0 {
                    value = value * 10.0 + digit;
                } else {
                    value += digit * scale;
                    scale /= 10.0;
                }
            }
            b'.' if scale == 0.0 && digits => scale = 0.1,
            _ => {
                end = at;
                break;
            }
        }
    }
    digits.then_some((value, text.get(end..)?))
}

/// A text that is an unsigned decimal number and nothing else.
pub(crate) fn whole(text: &str) -> Option<f64> {
    decimal(text).filter(|(_, rest)| rest.is_empty()).map(|(value, _)| value)
}

/// The milliseconds from `now_ms` to `then_ms`, at least 0; `None` if the present is not known.
fn until(then_ms: f64, now_ms: f64) -> Option<f64> {
    now_ms.is_finite().then(|| (then_ms - now_ms).max(0.0))
}

/// When a window begins anew, in milliseconds from now.
fn reset(text: &str, now_ms: f64) -> Option<f64> {
    // Smaller than any date after 2001 in seconds, larger than any wait.
    const SECONDS_SINCE_1970: f64 = 1e9;
    const MILLIS_SINCE_1970: f64 = 1e11;
    match whole(text) {
        Some(at) if at >= MILLIS_SINCE_1970 => until(at, now_ms),
        Some(at) if at >= SECONDS_SINCE_1970 => until(at * 1e3, now_ms),
        Some(seconds) => Some(seconds * 1e3),
        None => span(text).or_else(|| until(http_date(text, now_ms)?, now_ms)),
    }
}

/// A span as OpenAI writes it: `1s`, `6m0s`, `1h2m3.5s`, `20ms`.
fn span(mut text: &str) -> Option<f64> {
    let mut total = None;
    while !text.is_empty() {
        let (value, rest) = decimal(text)?;
        let units = [("ms", 1.0), ("s", 1e3), ("m", 6e4), ("h", 3.6e6), ("d", 8.64e7)];
        let (rest, unit) =
            units.iter().find_map(|(unit, ms)| Some((rest.strip_prefix(unit)?, ms)))?;
        total = Some(total.unwrap_or(0.0) + value * unit);
        text = rest;
    }
    total
}

/// The longest reset among the policies of a `RateLimit` header of which nothing remains.
///
/// Drafts 3 to 7 write one policy with commas, later ones a list with semicolons inside. Where one
/// does not say when it is renewed, its window in `policies` (`RateLimit-Policy`) is the longest it
/// can take.
fn rate_limit(text: &str, policies: &str) -> Option<f64> {
    let (between, within): (&[u8], &[u8]) =
        if contains(text, ";") { (b",", b";") } else { (b"", b",") };
    let mut longest = None;
    for policy in pieces(text, between) {
        let name = name_of(policy);
        let left =
            parameter(policy, within, "r").or_else(|| parameter(policy, within, "remaining"));
        let wait = parameter(policy, within, "t")
            .or_else(|| parameter(policy, within, "reset"))
            .map(|seconds| seconds * 1e3)
            .or_else(|| if left == Some(0.0) { window_of(policies, name) } else { None });
        if let Some(ms) = wait.filter(|_| left.unwrap_or(0.0) == 0.0) {
            longest = Some(f64::max(longest.unwrap_or(0.0), ms));
        }
    }
    longest
}

/// The number of a parameter of one policy, `key=value`.
fn parameter(policy: &str, within: &'static [u8], wanted: &str) -> Option<f64> {
    pieces(policy, within).find_map(|part| {
        let mut pair = pieces(part, b"=").map(str::trim_ascii);
        let found = pair.next()? == wanted;
        found.then(|| whole(pair.next()?))?
    })
}

/// What a policy is called: all before its parameters.
fn name_of(policy: &str) -> &str {
    pieces(policy, b";").next().unwrap_or("").trim_ascii()
}

/// The longest window in milliseconds of the policies called `name`, or of all if none is.
fn window_of(policies: &str, name: &str) -> Option<f64> {
    let longest = |named: bool| {
        pieces(policies, b",")
            .filter(|policy| !named || name_of(policy) == name)
            .filter_map(|policy| parameter(policy, b";", "w"))
            .reduce(f64::max)
    };
    Some(longest(true).or_else(|| longest(false))? * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: f64 = 1_700_000_000_000.0;

    fn ms(headers: &[(&str, &'static str)], throttled: bool) -> Option<u64> {
        let mut wait = Wait::default();
        for (name, value) in headers {
            wait.set(name, value);
        }
        Some(u64::try_from(wait.duration(throttled, NOW)?.as_millis()).unwrap())
    }

    #[test]
    fn seconds_dates_and_milliseconds() {
        assert_eq!(ms(&[("Retry-After", "120")], false), Some(120_000));
        assert_eq!(ms(&[("retry-after", " 1.5 ")], false), Some(1_500));
        assert_eq!(ms(&[("retry-after", "0")], false), Some(0));
        assert_eq!(ms(&[("retry-after", "9"), ("retry-after-ms", "250")], false), Some(250));
        assert_eq!(ms(&[("retry-after", "Tue, 14 Nov 2023 22:13:50 GMT")], false), Some(30_000));
        assert_eq!(ms(&[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")], false), Some(0));
    }

    #[test]
    fn nonsense_is_no_wait() {
        for value in ["", "-5", "1e3", "soon", "NaN", ".5", "1.2.3", "Tue, 14 Nov 2023", "5 s"] {
            assert_eq!(ms(&[("retry-after", value)], true), None, "{value}");
        }
    }

    #[test]
    fn digits_beyond_measure_saturate() {
        let mut wait = Wait::default();
        let long = "9".repeat(400);
        wait.set("retry-after", &long);
        assert!(wait.duration(false, NOW).unwrap() > Duration::from_secs(1 << 33));
    }

    #[test]
    fn windows_count_when_throttled_and_spent() {
        let reset = ("X-RateLimit-Reset", "1700000010");
        assert_eq!(ms(&[reset], true), Some(10_000));
        assert_eq!(ms(&[reset], false), None);
        assert_eq!(ms(&[reset, ("X-RateLimit-Remaining", "3")], true), None);
        assert_eq!(ms(&[reset, ("X-RateLimit-Remaining", "0")], true), Some(10_000));
        assert_eq!(ms(&[("x-ratelimit-reset", "1700000007000")], true), Some(7_000));
        assert_eq!(ms(&[("ratelimit-reset", "15")], true), Some(15_000));
        assert_eq!(ms(&[("x-rate-limit-reset", "30")], true), Some(30_000));
        assert_eq!(ms(&[("x-ratelimit-reset-after", "0.25")], true), Some(250));
    }

    #[test]
    fn spans_of_requests_and_tokens() {
        let headers = [
            ("x-ratelimit-reset-requests", "1h0m1.5s"),
            ("x-ratelimit-remaining-requests", "12"),
            ("x-ratelimit-reset-tokens", "6m0s"),
            ("x-ratelimit-remaining-tokens", "0"),
        ];
        assert_eq!(ms(&headers, true), Some(360_000));
        assert_eq!(ms(&[("x-ratelimit-reset-tokens", "20ms")], true), Some(20));
        assert_eq!(ms(&[("x-ratelimit-reset-tokens", "20x")], true), None);
    }

    #[test]
    fn drafts_of_rate_limit() {
        let said = |value| ms(&[("RateLimit", value)], true);
        assert_eq!(said("limit=10, remaining=0, reset=50"), Some(50_000));
        assert_eq!(said("limit=10, remaining=2, reset=50"), None);
        assert_eq!(said("\"default\";r=0;t=50"), Some(50_000));
        assert_eq!(said("\"hour\";r=9;t=3000, \"second\";t=2;r=0"), Some(2_000));
        assert_eq!(said(";;==,"), None);
    }

    #[test]
    fn a_spent_limit_without_a_reset_waits_for_its_window() {
        let policy = ("RateLimit-Policy", "\"hour\";q=1000;w=3600, \"burst\";q=9;w=10");
        let said = |name, value| ms(&[policy, (name, value)], true);
        assert_eq!(said("RateLimit", "\"burst\";r=0"), Some(10_000));
        assert_eq!(said("RateLimit", "\"hour\";r=5, \"burst\";r=0"), Some(10_000));
        assert_eq!(said("RateLimit", "\"burst\";r=0;t=4"), Some(4_000));
        assert_eq!(said("RateLimit", "\"other\";r=0"), Some(3_600_000));
        assert_eq!(said("RateLimit", "\"burst\";r=3"), None);
        assert_eq!(said("RateLimit-Remaining", "0"), Some(3_600_000));
        assert_eq!(said("RateLimit-Remaining", "2"), None);
        assert_eq!(
            ms(&[("RateLimit-Policy", "10;w=1"), ("RateLimit-Remaining", "0")], true),
            Some(1_000)
        );
        assert_eq!(
            ms(&[("RateLimit-Policy", "nonsense"), ("RateLimit-Remaining", "0")], true),
            None
        );
    }
}
