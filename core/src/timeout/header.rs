//! The time that is left, from the header of a request.

use core::time::Duration;

use crate::time::product;

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
    let mut count = 0_u64;
    let mut digits = 0_u32;
    let mut unit = None;
    for byte in header.trim_ascii().bytes() {
        let digit = byte.wrapping_sub(b'0');
        if unit.is_some() || (digit > 9 && digits == 0) {
            return None;
        }
        if digit > 9 {
            unit = Some(nanos_of(byte)?);
        } else {
            count = product(count, 10).saturating_add(u64::from(digit));
            digits = digits.saturating_add(1);
        }
    }
    let told = (1..=12).contains(&digits);
    told.then(|| crate::time::duration(product(count, unit.unwrap_or(1_000_000))))
}

fn nanos_of(unit: u8) -> Option<u64> {
    Some(match unit {
        b'H' => 3_600_000_000_000,
        b'M' => 60_000_000_000,
        b'S' => 1_000_000_000,
        b'm' => 1_000_000,
        b'u' => 1_000,
        b'n' => 1,
        _ => return None,
    })
}
