//! gRPC status codes.

use super::facts::{Facts, Source};
use super::table::{
    self, ABANDONED, ANSWERED, Bits, FAILED, LOST, Numbers, ROLLED_BACK, THROTTLED,
};

const CODES: &[Numbers] = &[
    // Cancelled, unknown, internal, data loss.
    (ABANDONED, &[1, 2, 13, 15]),
    // Deadline exceeded.
    (FAILED, &[4]),
    // Resource exhausted.
    (THROTTLED, &[8]),
    // Aborted: a conflict of transactions.
    (ROLLED_BACK, &[10]),
    // Unavailable.
    (LOST, &[14]),
    // Invalid argument, not found, already exists, permission denied, failed precondition, out
    // of range, unimplemented, unauthenticated.
    (ANSWERED, &[3, 5, 6, 7, 9, 11, 12, 16]),
];

/// The verdict on a status code of gRPC, whose errors are told by their shape.
pub(crate) fn number(facts: &Facts<'_>) -> Option<Bits> {
    table::by_number!(CODES, facts.number.filter(|_| facts.source == Source::Grpc)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_but_ok_has_a_verdict() {
        for code in 0..=17 {
            let facts = Facts { source: Source::Grpc, number: Some(code), ..Facts::default() };
            assert_eq!(number(&facts).is_some(), (1..=16).contains(&code), "{code}");
        }
    }
}
