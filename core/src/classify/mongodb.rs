//! MongoDB: error labels, server codes and the driver's error names.

use super::facts::{Facts, Source};
use super::table::{
    self, Bits, CROWDED, FAILED, LOST, Numbers, REFUSED_STATEMENT, ROLLED_BACK, STATEMENT_MAYBE,
    THROTTLED, UNDECIDED, UNREACHABLE, UNSENT, Words, holds,
};

/// Labels by weight: of several, the first of these holds.
const LABELS: &[(u8, &str)] = &[
    (UNDECIDED, "UnknownTransactionCommitResult"),
    (ROLLED_BACK, "TransientTransactionError"),
    (THROTTLED, "SystemOverloadedError"),
    (STATEMENT_MAYBE, "RetryableWriteError"),
];

const CODES: &[Numbers] = &[
    // Write conflict; the transaction is no longer known.
    (ROLLED_BACK, &[112, 251]),
    // Host unreachable or not found, network timeout, socket; shutting down, interrupted, no
    // longer the primary while it worked.
    (LOST, &[6, 7, 89, 9001, 91, 189, 11600, 11602]),
    // Not the primary, nor a secondary: nothing was done.
    (UNSENT, &[10107, 10058, 13435, 13436]),
    // Time limit of the server, read concern not there yet, write concern not confirmed.
    (STATEMENT_MAYBE, &[262, 134, 64]),
    (THROTTLED, &[462]),
];

const NAMES: &[Words] = &[
    (LOST, "MongoNetworkError MongoNetworkTimeoutError MongoStalePrimaryError"),
    (
        UNSENT,
        "MongoServerSelectionError MongoPoolClearedError PoolClearedError \
              PoolClearedOnNetworkError MongoPoolClearedOnNetworkError",
    ),
    (CROWDED, "MongoWaitQueueTimeoutError WaitQueueTimeoutError"),
    (FAILED, "MongoOperationTimeoutError"),
    (
        UNREACHABLE,
        "MongoTopologyClosedError MongoNotConnectedError MongoClientClosedError PoolClosedError",
    ),
];

/// The verdict by the labels, which the server and the driver attach for this purpose.
pub(crate) fn labels(facts: &Facts<'_>) -> Option<Bits> {
    if facts.labels.is_empty() {
        return None;
    }
    let found = LABELS.iter().find(|(_, label)| holds(facts.labels, label))?;
    let nothing_written = holds(facts.labels, "NoWritesPerformed");
    Some(if nothing_written { table::unprocessed(found.0) } else { found.0 })
}

/// The verdict on a server code; one that is not listed was refused.
pub(crate) fn number(facts: &Facts<'_>) -> Option<Bits> {
    let number = facts.number.filter(|_| facts.source == Source::MongoDb)?;
    table::by_number!(CODES, number).or(Some(REFUSED_STATEMENT))
}

/// The verdict on the name of a driver's error.
pub(crate) fn name(word: &str) -> Option<Bits> {
    table::by_word!(NAMES, word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::{Processed, Verdict};

    #[test]
    fn labels_by_weight() {
        let judge = |labels| labels_of(labels).unwrap();
        assert_eq!(judge("RetryableWriteError TransientTransactionError").processed, Processed::No);
        assert_eq!(
            judge("TransientTransactionError UnknownTransactionCommitResult").processed,
            Processed::Maybe
        );
        assert_eq!(judge("RetryableWriteError NoWritesPerformed").processed, Processed::No);
        assert_eq!(labels_of("HandshakeError"), None);
    }

    fn labels_of(labels: &str) -> Option<Verdict> {
        super::labels(&Facts { labels, ..Facts::default() }).map(table::verdict)
    }
}
