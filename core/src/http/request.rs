//! Whether a request may be sent again, and what its end says about the other side.

use crate::classify::{Processed, Repeat, Verdict, may_repeat};
use crate::outcome::Outcome;

/// What is known of one attempt beside its method, as flags.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Request(u32);

impl Request {
    /// It carries an idempotency key: the server carries it out once, however often it comes.
    pub const KEY: Self = Self(1);
    /// Only a resource in a given state takes it (`If-Match`, `If-None-Match: *`): the second of
    /// two is refused.
    pub const GUARDED: Self = Self(1 << 1);
    /// Its body can be sent again, or there is none.
    pub const REPLAYABLE: Self = Self(1 << 2);
    /// The service is one's own, and its 503 says that nothing was done.
    pub const OWN: Self = Self(1 << 3);
    /// The caller says that it may be carried out twice.
    pub const IDEMPOTENT: Self = Self(1 << 4);
    /// The caller says that it may not; wins over all of the above.
    pub const ONLY_ONCE: Self = Self(1 << 5);
    /// PATCH sets values here: twice is as good as once.
    pub const PATCH: Self = Self(1 << 6);
    /// The caller has aborted.
    pub const ABORTED: Self = Self(1 << 7);
    /// The attempt failed before there was a request: a bad address, a forbidden header.
    pub const MISTAKE: Self = Self(1 << 8);

    /// The flags as a door sends them; unknown ones are ignored.
    #[must_use]
    pub const fn from_flags(flags: u32) -> Self {
        Self(flags)
    }

    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    fn repeat(self) -> Repeat {
        let word = self.has(Self::KEY) || self.has(Self::GUARDED) || self.has(Self::IDEMPOTENT);
        Repeat {
            idempotent: if self.has(Self::ONLY_ONCE) { Some(false) } else { word.then_some(true) },
            patch_is_idempotent: self.has(Self::PATCH),
        }
    }
}

/// What follows from the end of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judgement {
    /// The request may be sent again as it is.
    pub repeat: bool,
    /// What it says about the other side, for a breaker.
    pub outcome: Outcome,
}

impl Judgement {
    /// One number for a door: the [`Outcome`], and 4 more if the request may be sent again.
    #[must_use]
    pub const fn to_code(self) -> u32 {
        self.outcome as u32 | if self.repeat { 4 } else { 0 }
    }
}

/// Judges an attempt that was answered with `status`, or that failed without an answer (0).
///
/// `verdict` is what [`classify`](crate::classify::classify()) makes of the answer or the error.
/// A request is repeated if what ended it may pass, its body can be sent again, and it was surely
/// not carried out or may be carried out twice. The caller's abort is nobody's failure.
///
/// ```
/// use seawall::Outcome;
/// use seawall::classify::{Facts, classify};
/// use seawall::http::{Request, judge};
///
/// let reset = classify(&Facts { code: "ECONNRESET", ..Facts::default() });
/// let post = Request::REPLAYABLE;
/// assert!(!judge("POST", 0, reset, post).repeat);
/// assert!(judge("POST", 0, reset, post.and(Request::KEY)).repeat);
/// assert_eq!(judge("POST", 0, reset, post).outcome, Outcome::Failure);
/// assert_eq!(judge("GET", 404, None, post).outcome, Outcome::Success);
/// ```
#[must_use]
pub fn judge(method: &str, status: u16, verdict: Option<Verdict>, request: Request) -> Judgement {
    if request.has(Request::ABORTED) {
        return Judgement { repeat: false, outcome: Outcome::Neutral };
    }
    let verdict = verdict.map(|mut verdict| {
        if status == 503 && request.has(Request::OWN) {
            verdict.processed = Processed::No;
        }
        verdict
    });
    let repeat = request.has(Request::REPLAYABLE)
        && verdict.is_some_and(|verdict| may_repeat(method, verdict, request.repeat()));
    let outcome = if status == 0 { of_error(verdict, request) } else { outcome(status) };
    Judgement { repeat, outcome }
}

/// What a status says about the other side, for a breaker.
///
/// A 5xx that may pass is a failure. An answer that only asks for another time or another way
/// (408, 421, 425, 429) says nothing either way: a breaker that opened on 429 would punish the
/// other side for being careful. Everything else is an answer, and so is a 501: the server is well.
#[must_use]
pub const fn outcome(status: u16) -> Outcome {
    match status {
        408 | 421 | 425 | 429 => Outcome::Neutral,
        501 | 505 | 506 | 508 | 510 | 511 => Outcome::Success,
        500..=599 => Outcome::Failure,
        _ => Outcome::Success,
    }
}

/// An error nobody knows is a failure, but for a mistake of the caller's. One that is known speaks
/// against the other side if it may pass, or if nothing can reach it.
fn of_error(verdict: Option<Verdict>, request: Request) -> Outcome {
    use crate::classify::Scope;
    match verdict {
        None if request.has(Request::MISTAKE) => Outcome::Neutral,
        Some(verdict) if !verdict.transient && verdict.scope == Scope::Request => Outcome::Neutral,
        _ => Outcome::Failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::{self, Facts};

    fn error(code: &str) -> Option<Verdict> {
        classify::classify(&Facts { code, ..Facts::default() })
    }

    fn repeats(method: &str, status: u16, flags: Request) -> bool {
        judge(method, status, classify::status(status), flags.and(Request::REPLAYABLE)).repeat
    }

    #[test]
    fn a_body_that_is_gone_is_never_sent_again() {
        let refused = error("ECONNREFUSED");
        assert!(judge("POST", 0, refused, Request::REPLAYABLE).repeat);
        assert!(!judge("POST", 0, refused, Request::KEY.and(Request::IDEMPOTENT)).repeat);
    }

    #[test]
    fn one_s_own_503_was_not_processed() {
        assert!(!repeats("POST", 503, Request::default()));
        assert!(repeats("POST", 503, Request::OWN));
        assert!(!repeats("POST", 500, Request::OWN));
    }

    #[test]
    fn the_caller_s_word_wins() {
        assert!(!repeats("PUT", 503, Request::ONLY_ONCE));
        assert!(!repeats("POST", 503, Request::ONLY_ONCE.and(Request::KEY)));
        assert!(repeats("PATCH", 503, Request::GUARDED));
        assert!(!repeats("PATCH", 503, Request::default()));
        assert!(repeats("PATCH", 503, Request::PATCH));
    }

    #[test]
    fn what_speaks_against_the_other_side() {
        for (code, wanted) in [
            ("ECONNRESET", Outcome::Failure),
            ("CERT_HAS_EXPIRED", Outcome::Failure),
            ("TimeoutError", Outcome::Failure),
            ("ABORT_ERR", Outcome::Neutral),
            ("EACCES", Outcome::Neutral),
            ("E_UNHEARD_OF", Outcome::Failure),
        ] {
            assert_eq!(judge("GET", 0, error(code), Request::default()).outcome, wanted, "{code}");
        }
        assert_eq!(judge("GET", 0, None, Request::MISTAKE).outcome, Outcome::Neutral);
        let aborted = judge("GET", 0, error("ECONNRESET"), Request::ABORTED);
        assert_eq!((aborted.repeat, aborted.outcome), (false, Outcome::Neutral));
    }

    #[test]
    fn codes_of_a_judgement() {
        let judgement = |repeat, outcome| Judgement { repeat, outcome }.to_code();
        assert_eq!(judgement(false, Outcome::Success), 0);
        assert_eq!(judgement(true, Outcome::Failure), 5);
        assert_eq!(judgement(true, Outcome::Neutral), 6);
    }
}
