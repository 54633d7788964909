//! HTTP status codes.

use super::facts::Facts;
use super::table::{
    self, ABANDONED, ANSWERED, Bits, FAILED, FAILED_BUSY, THROTTLED, TURNED_AWAY, UNSENT,
};
use super::verdict::Verdict;

/// The verdict on a status from 400 on; lower ones are no failures.
///
/// A 5xx leaves open what the server did before it failed, except where the code says that the
/// origin was never reached. A 4xx is an answer and stands, except those that ask to come again.
#[must_use]
pub fn status(status: u16) -> Option<Verdict> {
    bits(status).map(table::verdict)
}

fn bits(status: u16) -> Option<Bits> {
    Some(match status {
        // Misdirected: try another connection.
        421 => UNSENT,
        // Too early: once more, without early data.
        425 => TURNED_AWAY,
        429 => THROTTLED,
        // The server gave up waiting for the request; a proxy may say so for its own reasons.
        408 => FAILED,
        400..=499 => ANSWERED,
        501 | 505 | 506 | 508 | 510 | 511 | 526 => ANSWERED,
        500 | 502 | 503 | 504 | 520 | 522 | 524 | 530 | 598 | 599 => FAILED,
        509 | 529 => FAILED_BUSY,
        // Between Cloudflare and the origin: refused, no route, no TLS.
        521 | 523 | 525 => UNSENT,
        500..=599 => ABANDONED,
        _ => return None,
    })
}

/// The status of `facts`, wherever a client keeps it, with what the headers say about it.
pub(crate) fn judge(facts: &Facts<'_>) -> Option<Bits> {
    let code = match facts.status {
        0 => from_code(facts)?,
        code => code,
    };
    let asked_to_wait = !facts.wait.retry_after.is_empty() || !facts.wait.retry_after_ms.is_empty();
    match code {
        // GitHub and others answer 403 where 429 is meant, and say so in the headers.
        403 if asked_to_wait || facts.wait.spent() => Some(THROTTLED),
        503 if asked_to_wait => Some(FAILED_BUSY),
        // RFC 9110, 15.5.14: with Retry-After the condition is temporary.
        413 if asked_to_wait => Some(TURNED_AWAY),
        code => bits(code),
    }
}

/// gaxios and others keep the status in `code`, as a number or as three digits.
fn from_code(facts: &Facts<'_>) -> Option<u16> {
    let number = match facts.code.as_bytes() {
        &[a @ b'4'..=b'5', b, c] if b.is_ascii_digit() && c.is_ascii_digit() => {
            let digit = |byte: u8| u16::from(byte.wrapping_sub(b'0'));
            digit(a)
                .wrapping_mul(100)
                .wrapping_add(digit(b).wrapping_mul(10))
                .wrapping_add(digit(c))
        }
        _ => u16::try_from(facts.number?).ok()?,
    };
    (400..=599).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::{Processed, Wait};

    fn judge(facts: &Facts<'_>) -> Option<Verdict> {
        super::judge(facts).map(table::verdict)
    }

    #[test]
    fn what_is_no_failure_has_no_verdict() {
        for code in [0, 100, 200, 204, 301, 304, 399, 600, u16::MAX] {
            assert_eq!(status(code), None);
        }
    }

    #[test]
    fn a_status_in_the_code_counts() {
        let written = Facts { code: "503", ..Facts::default() };
        assert_eq!(judge(&written), status(503));
        let counted = Facts { number: Some(429), ..Facts::default() };
        assert_eq!(judge(&counted), status(429));
        for code in ["200", "5x3", "50", "5000", ""] {
            assert_eq!(judge(&Facts { code, ..Facts::default() }), None);
        }
    }

    #[test]
    fn headers_change_what_a_refusal_means() {
        let plain = Facts { status: 403, ..Facts::default() };
        assert!(!judge(&plain).unwrap().transient);
        let wait = Wait { retry_after: "60", ..Wait::default() };
        assert!(judge(&Facts { wait, ..plain }).unwrap().throttled);
        assert!(judge(&Facts { wait, status: 413, ..plain }).unwrap().transient);
        assert_eq!(
            judge(&Facts { wait, status: 503, ..plain }).unwrap().processed,
            Processed::Maybe
        );
    }
}
