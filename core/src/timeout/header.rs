//! The time that is left, from the header of a request.

use core::time::Duration;

/// Reads how much time a caller has left: digits and a unit as in gRPC's `grpc-timeout` (`H` hours,
/// `M` minutes, `S` seconds, `m` milliseconds, `u` microseconds, `n` nanoseconds), or digits alone
/// for milliseconds, as Envoy's `x-envoy-expected-rq-timeout-ms`. Anything else is `None`; so are
/// more than 12 digits.
///
/// ```
/// use core::time::Duration;
/// use seawall::timeout::remaining;
///
/// assert_eq!(remaining("1500m"), Some(Duration::from_millis(1500)));
/// assert_eq!(remaining("2S"), Some(Duration::from_secs(2)));
/// assert_eq!(remaining("250"), Some(Duration::from_millis(250)));
/// assert_eq!(remaining("-5"), None);
/// ```
#[must_use]
pub fn remaining(header: &str) -> Option<Duration> {
    let header = header.trim_ascii().as_bytes();
    let (digits, nanos) = match header.split_last()? {
        (b'H', digits) => (digits, 3_600_000_000_000),
        (b'M', digits) => (digits, 60_000_000_000),
        (b'S', digits) => (digits, 1_000_000_000),
        (b'm', digits) => (digits, 1_000_000),
        (b'u', digits) => (digits, 1_000),
        (b'n', digits) => (digits, 1),
        _ => (header, 1_000_000_u64),
    };
    if digits.is_empty() || digits.len() > 12 {
        return None;
    }
    let mut count = 0_u64;
    for digit in digits {
        let value = digit.wrapping_sub(b'0');
        if value > 9 {
            return None;
        }
        count = count.saturating_mul(10).saturating_add(u64::from(value));
    }
    Some(Duration::from_nanos(count.saturating_mul(nanos)))
}
