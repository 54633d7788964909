//! Which HTTP methods may be repeated after a failure.

use super::text::pieces;
use super::verdict::{Processed, Verdict};

/// Methods that change nothing (RFC 9110, 9.2.1, and the IANA registry).
const SAFE: &str = "GET HEAD OPTIONS TRACE QUERY PROPFIND REPORT SEARCH";
/// Methods that change something, but twice does as much as once.
const IDEMPOTENT: &str = "PUT DELETE ACL BIND CHECKIN CHECKOUT COPY LABEL LINK MERGE MKACTIVITY \
                          MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE ORDERPATCH PROPPATCH \
                          REBIND UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF \
                          VERSION-CONTROL";

fn listed(list: &'static str, method: &str) -> bool {
    pieces(list, b" ").any(|entry| entry.eq_ignore_ascii_case(method))
}

/// Whether a method promises to change nothing; the case of the letters does not matter.
#[must_use]
pub fn is_safe(method: &str) -> bool {
    listed(SAFE, method)
}

/// Whether a method promises that doing it twice is as good as once; the case of the letters does
/// not matter. A method nobody knows promises nothing, and neither do POST and PATCH.
#[must_use]
pub fn is_idempotent(method: &str) -> bool {
    listed(SAFE, method) || listed(IDEMPOTENT, method)
}

/// What the caller knows about a request beyond its method.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Repeat {
    /// Whether this request may be carried out twice, whatever the method says: `Some(true)` with
    /// an idempotency key, `Some(false)` for a PUT that is not what it should be.
    pub idempotent: Option<bool>,
    /// This service's PATCH sets values rather than changing them, so twice is as good as once.
    /// Off by default, since the method itself promises nothing of the kind.
    pub patch_is_idempotent: bool,
}

impl Repeat {
    /// [`Repeat::idempotent`] is `Some(true)`, among the flags of [`Repeat::from_flags`].
    pub const IDEMPOTENT: u32 = 1;
    /// [`Repeat::idempotent`] is `Some(false)`, among the flags of [`Repeat::from_flags`].
    pub const ONLY_ONCE: u32 = 2;
    /// [`Repeat::patch_is_idempotent`], among the flags of [`Repeat::from_flags`].
    pub const PATCH: u32 = 4;

    /// The options as a door that passes numbers sends them; [`Repeat::ONLY_ONCE`] wins.
    #[must_use]
    pub const fn from_flags(flags: u32) -> Self {
        Self {
            idempotent: match (flags & Self::ONLY_ONCE != 0, flags & Self::IDEMPOTENT != 0) {
                (true, _) => Some(false),
                (false, true) => Some(true),
                (false, false) => None,
            },
            patch_is_idempotent: flags & Self::PATCH != 0,
        }
    }
}

/// Whether a request may be sent again after a failure.
///
/// What will not pass is not repeated. What was surely not processed may be repeated whatever the
/// method. Anything else only if twice is as good as once: by the word of the caller, or of the
/// method. An empty method is one that promises nothing.
///
/// ```
/// use seawall::classify::{Facts, Repeat, classify, may_repeat};
///
/// let reset = classify(&Facts { code: "ECONNRESET", ..Facts::default() }).expect("known");
/// assert!(may_repeat("GET", reset, Repeat::default()));
/// assert!(!may_repeat("POST", reset, Repeat::default()));
/// let with_key = Repeat { idempotent: Some(true), ..Repeat::default() };
/// assert!(may_repeat("POST", reset, with_key));
///
/// let refused = classify(&Facts { code: "ECONNREFUSED", ..Facts::default() }).expect("known");
/// assert!(may_repeat("POST", refused, Repeat::default()));
/// ```
#[must_use]
pub fn may_repeat(method: &str, verdict: Verdict, repeat: Repeat) -> bool {
    if !verdict.transient {
        return false;
    }
    if verdict.processed == Processed::No {
        return true;
    }
    repeat.idempotent.unwrap_or_else(|| {
        is_idempotent(method)
            || (repeat.patch_is_idempotent && method.eq_ignore_ascii_case("PATCH"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_length_do_no_harm() {
        assert!(is_safe("get") && is_idempotent("updateredirectref"));
        assert!(!is_idempotent("") && !is_idempotent("GET HEAD") && !is_idempotent("É"));
        assert!(!is_idempotent("A-METHOD-LONGER-THAN-ALL-OTHERS"));
    }
}
