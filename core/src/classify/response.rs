//! Responses of the `http` crate.

use ::http::{HeaderMap, Response, StatusCode, header};

use super::judge::{Judge, Judged};
use super::standard::judge_error;
use super::verdict::Verdict;
use super::{Facts, Wait, classify, http_date};

/// What a response means, `None` for one that is no failure: its status, and what its headers say of
/// waiting. A wait until a date is counted from the response's own `Date`.
///
/// ```
/// use std::time::Duration;
/// use seawall::classify::classify_response;
///
/// let response = http::Response::builder().status(429).header("retry-after", "7").body(())?;
/// let verdict = classify_response(response.status(), response.headers()).expect("a failure");
/// assert!(verdict.transient && verdict.throttled);
/// assert_eq!(verdict.retry_after, Some(Duration::from_secs(7)));
/// # Ok::<(), http::Error>(())
/// ```
#[must_use]
pub fn classify_response(status: StatusCode, headers: &HeaderMap) -> Option<Verdict> {
    if status.as_u16() < 400 {
        return None;
    }
    let mut wait = Wait::default();
    for (name, value) in headers {
        if let Ok(value) = value.to_str() {
            wait.set(name.as_str(), value);
        }
    }
    let date = headers.get(header::DATE).and_then(|date| date.to_str().ok());
    let date = date.and_then(|date| http_date(date, f64::NAN));
    classify(&Facts {
        status: status.as_u16(),
        wait,
        now_ms: date.unwrap_or(f64::NAN),
        ..Facts::default()
    })
}

/// Judges responses of the `http` crate. An answer that a repetition would not change (a 404, a 422)
/// is a success: the other side works. What may pass, and any other 5xx, is a failure; an `Err` is
/// what [`classify_error`](super::classify_error) finds in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ByResponse;

impl ByResponse {
    fn of<B>(response: &Response<B>) -> Judged {
        let status = response.status();
        match classify_response(status, response.headers()) {
            Some(verdict) if verdict.transient || status.is_server_error() => {
                Judged::Failure(Some(verdict))
            }
            _ => Judged::Success,
        }
    }
}

impl<B, E: core::error::Error + 'static> Judge<Response<B>, E> for ByResponse {
    fn judge(&self, result: Result<&Response<B>, &E>) -> Judged {
        match result {
            Ok(response) => Self::of(response),
            Err(error) => judge_error(error),
        }
    }
}
