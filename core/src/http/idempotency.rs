//! What a server does with an idempotency key that it may have seen before.

use core::time::Duration;

use crate::fields::Checks;
use crate::options::Problem;

/// What the store knows of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// A request with this key is being processed, since this long.
    Running {
        /// Whether it is the same request: method, path and body.
        same: bool,
        /// The time since it began, as far as that is known.
        age: Duration,
    },
    /// A request with this key was processed.
    Done {
        /// Whether it is the same request.
        same: bool,
        /// Whether its answer was kept.
        kept: bool,
    },
}

impl Found {
    /// From the numbers of a door: 0 nothing, 1 running, 2 done, 3 done without its answer.
    #[must_use]
    pub const fn from_code(code: u32, same: bool, age: Duration) -> Self {
        match code {
            1 => Self::Running { same, age },
            2 => Self::Done { same, kept: true },
            3 => Self::Done { same, kept: false },
            _ => Self::Nothing,
        }
    }
}

/// What to do with a request that has a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Take the key, and process the request if that succeeds.
    Process,
    /// Take the key over from one that has held it for too long, and process the request.
    TakeOver,
    /// Answer what was answered before.
    Replay,
    /// Another request with this key is being processed (409).
    Conflict,
    /// The key belongs to another request (422).
    Mismatch,
    /// It was processed, and its answer was not kept (409, but not to be repeated).
    Gone,
    /// Look again after so long.
    Wait(Duration),
}

impl Step {
    /// One number for a door: the wait in ms, or one below 0.
    #[must_use]
    pub fn to_code(self) -> f64 {
        match self {
            Self::Wait(wait) => crate::time::millis(wait),
            Self::Process => -1.0,
            Self::TakeOver => -2.0,
            Self::Replay => -3.0,
            Self::Conflict => -4.0,
            Self::Mismatch => -5.0,
            Self::Gone => -6.0,
        }
    }
}

/// How keys are kept, in plain values; what is left out has the default given.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct IdempotencyOptions {
    /// How long an answer is kept, in ms, above 0. Default 24 hours.
    pub ttl_ms: Option<f64>,
    /// How long a key is held for a request that does not end, in ms, above 0. Default 60 s.
    pub lock_ms: Option<f64>,
    /// How long a request waits for another one with its key, in ms; zero does not wait at all.
    /// Default 10 s.
    pub wait_ms: Option<f64>,
    /// The longest answer that is kept, in bytes. Default 1 MiB.
    pub max_body_bytes: Option<f64>,
    /// How long the store may take for one thing before it counts as failed, in ms, above 0.
    /// Default 2 s.
    pub store_timeout_ms: Option<f64>,
}

/// What becomes of requests with an idempotency key. Keeps no state: the store does.
///
/// ```
/// use core::time::Duration;
/// use seawall::http::{Found, Idempotency, IdempotencyOptions, Step};
///
/// let keys = Idempotency::new(&IdempotencyOptions::default()).expect("defaults");
/// let step = |found| keys.step(found, Duration::ZERO, 0);
/// assert_eq!(step(Found::Nothing), Step::Process);
/// assert_eq!(step(Found::Done { same: true, kept: true }), Step::Replay);
/// assert_eq!(step(Found::Done { same: false, kept: true }), Step::Mismatch);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Idempotency {
    ttl: Duration,
    lock: Duration,
    wait: Duration,
    max_body: u32,
    store_timeout: Duration,
}

const HOUR: Duration = Duration::from_secs(3600);
/// The first look after another request, and the longest time between two.
const SOONEST: Duration = Duration::from_millis(20);
const LATEST: Duration = Duration::from_millis(500);

impl Idempotency {
    /// The rule of `options`.
    ///
    /// # Errors
    /// The first option that is out of range.
    pub fn new(options: &IdempotencyOptions) -> Result<Self, Problem> {
        let mut checks = Checks::new();
        let rule = Self::make(options, &mut checks);
        checks.finish(rule)
    }

    /// The same, for who looks at the checks afterwards.
    #[doc(hidden)]
    #[must_use]
    pub fn make(options: &IdempotencyOptions, checks: &mut Checks) -> Self {
        Self {
            ttl: checks.positive("ttlMs", options.ttl_ms, HOUR.saturating_mul(24)),
            lock: checks.positive("lockMs", options.lock_ms, Duration::from_secs(60)),
            wait: checks.millis_or("waitMs", options.wait_ms, Duration::from_secs(10)),
            max_body: checks.whole("maxBodyBytes", options.max_body_bytes, 0.0, 1 << 20),
            store_timeout: checks.positive(
                "storeTimeoutMs",
                options.store_timeout_ms,
                Duration::from_secs(2),
            ),
        }
    }

    /// How long an answer is kept.
    #[must_use]
    pub const fn ttl(&self) -> Duration {
        self.ttl
    }

    /// How long the store may take for one thing before it counts as failed.
    #[must_use]
    pub const fn store_timeout(&self) -> Duration {
        self.store_timeout
    }

    /// How long a key is held for a request that does not end.
    #[must_use]
    pub const fn lock(&self) -> Duration {
        self.lock
    }

    /// Whether an answer of so many bytes is kept.
    #[must_use]
    pub fn holds(&self, bytes: f64) -> bool {
        bytes <= f64::from(self.max_body)
    }

    /// What to do, given what the store knows, how long this request has waited already, and how
    /// often it has looked (0 the first time).
    #[must_use]
    pub fn step(&self, found: Found, waited: Duration, looks: u32) -> Step {
        match found {
            Found::Nothing => Step::Process,
            Found::Running { same: false, .. } | Found::Done { same: false, .. } => Step::Mismatch,
            Found::Done { kept: true, .. } => Step::Replay,
            Found::Done { kept: false, .. } => Step::Gone,
            Found::Running { age, .. } if age >= self.lock => Step::TakeOver,
            Found::Running { .. } if waited >= self.wait => Step::Conflict,
            Found::Running { .. } => {
                let next = SOONEST.saturating_mul(1 << looks.min(8)).min(LATEST);
                Step::Wait(next.min(self.wait.saturating_sub(waited)))
            }
        }
    }
}

/// Whether an answer with this status is one to repeat for later requests with the key.
///
/// Not those of the server (5xx), nor those after which the same request is meant to come again or
/// was never looked at: 401, 403, 408, 409, 421, 423, 425, 429. Those give the key back.
#[must_use]
pub const fn is_kept_status(status: u16) -> bool {
    match status {
        401 | 403 | 408 | 409 | 421 | 423 | 425 | 429 => false,
        200..=499 => true,
        _ => false,
    }
}

/// Headers of a connection, of one message, or of one client's session.
const NOT_KEPT: [&str; 15] = [
    "connection",
    "content-length",
    "date",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "retry-after",
    "server-timing",
    "set-cookie",
    "te",
    "trailer",
    "trailers",
    "transfer-encoding",
    "upgrade",
    "x-response-time",
];

/// Whether a header of an answer is repeated with it, whatever the case of its name.
#[must_use]
pub fn is_kept_header(name: &str) -> bool {
    !NOT_KEPT.iter().any(|other| other.eq_ignore_ascii_case(name))
}

/// The longest key that is taken, in bytes.
const LONGEST_KEY: usize = 255;

/// Whether a text can be a key: 1 to 255 visible ASCII characters.
#[must_use]
pub fn is_key(text: &str) -> bool {
    let bytes = text.as_bytes();
    !bytes.is_empty() && bytes.len() <= LONGEST_KEY && bytes.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(options: IdempotencyOptions) -> Idempotency {
        Idempotency::new(&options).unwrap()
    }

    fn running(ms: u64) -> Found {
        Found::Running { same: true, age: Duration::from_millis(ms) }
    }

    #[test]
    fn waits_grow_and_end_with_the_patience() {
        let rule = rule(IdempotencyOptions { wait_ms: Some(1000.0), ..Default::default() });
        let wait = |waited, looks| rule.step(running(0), Duration::from_millis(waited), looks);
        let ms = |ms| Step::Wait(Duration::from_millis(ms));
        assert_eq!(wait(0, 0), ms(20));
        assert_eq!(wait(20, 1), ms(40));
        assert_eq!(wait(100, 20), ms(500));
        assert_eq!(wait(900, u32::MAX), ms(100));
        assert_eq!(wait(1000, 5), Step::Conflict);
    }

    #[test]
    fn no_patience_is_a_conflict_at_once() {
        let rule = rule(IdempotencyOptions { wait_ms: Some(0.0), ..Default::default() });
        assert_eq!(rule.step(running(0), Duration::ZERO, 0), Step::Conflict);
    }

    #[test]
    fn a_key_held_for_too_long_is_taken_over() {
        let rule = rule(IdempotencyOptions { lock_ms: Some(50.0), ..Default::default() });
        assert_eq!(rule.step(running(50), Duration::ZERO, 0), Step::TakeOver);
        let other = Found::Running { same: false, age: Duration::from_millis(50) };
        assert_eq!(rule.step(other, Duration::ZERO, 0), Step::Mismatch);
    }

    #[test]
    fn an_answer_that_was_not_kept_is_not_processed_again() {
        let rule = rule(IdempotencyOptions::default());
        let done = Found::Done { same: true, kept: false };
        assert_eq!(rule.step(done, Duration::ZERO, 0), Step::Gone);
        assert!(rule.holds(1_048_576.0) && !rule.holds(1_048_577.0));
    }

    #[test]
    fn options_out_of_range() {
        for (options, field) in [
            (IdempotencyOptions { ttl_ms: Some(0.0), ..Default::default() }, "ttlMs"),
            (IdempotencyOptions { lock_ms: Some(0.0), ..Default::default() }, "lockMs"),
            (IdempotencyOptions { wait_ms: Some(-1.0), ..Default::default() }, "waitMs"),
            (
                IdempotencyOptions { max_body_bytes: Some(0.5), ..Default::default() },
                "maxBodyBytes",
            ),
        ] {
            assert_eq!(Idempotency::new(&options).unwrap_err().field, field);
        }
    }

    #[test]
    fn what_is_kept() {
        for status in [200, 201, 204, 302, 400, 404, 422] {
            assert!(is_kept_status(status), "{status}");
        }
        for status in [0, 100, 199, 401, 409, 429, 500, 503, 599, 600] {
            assert!(!is_kept_status(status), "{status}");
        }
        assert!(is_kept_header("Content-Type") && !is_kept_header("Set-Cookie"));
    }

    #[test]
    fn keys_are_short_and_visible() {
        let long = "k".repeat(255);
        assert!(is_key("a") && is_key(&long));
        for key in ["", " ", "a b", "é", "a\n", &"k".repeat(256)] {
            assert!(!is_key(key), "{key:?}");
        }
    }
}
