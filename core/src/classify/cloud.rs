//! AWS, Google Cloud, Azure and Prisma: stable words in `name`, `code` or `status`.

use super::facts::Facts;
use super::table::{
    self, ABANDONED, ANSWERED, Bits, CROWDED, FAILED, FAILED_BUSY, LOST, ROLLED_BACK, THROTTLED,
    UNSENT, Words,
};

const WORDS: &[Words] = &[
    (
        THROTTLED,
        // AWS.
        "Throttling ThrottlingException ThrottledException RequestThrottled \
         RequestThrottledException TooManyRequestsException LimitExceededException \
         RequestLimitExceeded BandwidthLimitExceeded ProvisionedThroughputExceededException \
         TransactionInProgressException PriorRequestNotComplete EC2ThrottledException SlowDown \
         RESOURCE_EXHAUSTED rateLimitExceeded userRateLimitExceeded \
         TooManyRequests RequestRateTooLarge",
    ),
    (
        FAILED_BUSY,
        // Azure.
        "ServerBusy ServiceBusy ServiceBusyError",
    ),
    (
        FAILED,
        // AWS, Google, Azure.
        "RequestTimeout RequestTimeoutException InternalError InternalFailure InternalServerError \
         InternalServerException ServiceUnavailable ServiceUnavailableException \
         IDPCommunicationError DEADLINE_EXCEEDED backendError OperationTimedOut ServerTimeout \
         ServiceTimeout ServiceTimeoutError P1008",
    ),
    (LOST, "UNAVAILABLE ServiceCommunicationProblem ServiceCommunicationError P1017"),
    (ROLLED_BACK, "ABORTED TransactionConflictException P2034"),
    // Prisma: not reached, reached too late; no connection free in the pool or in the server.
    (UNSENT, "P1001 P1002"),
    (CROWDED, "P2024 P2037"),
    (ABANDONED, "CANCELLED INTERNAL DATA_LOSS"),
    (
        ANSWERED,
        "INVALID_ARGUMENT NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED FAILED_PRECONDITION \
         OUT_OF_RANGE UNIMPLEMENTED UNAUTHENTICATED",
    ),
];

/// The verdict on a word in `code` or `name`.
pub(crate) fn word(word: &str) -> Option<Bits> {
    table::by_word!(WORDS, word)
}

/// The verdict that the AWS SDK wrote on the error itself.
pub(crate) fn marked(facts: &Facts<'_>) -> Option<Bits> {
    match (facts.throttling, facts.retryable) {
        (true, _) => Some(THROTTLED),
        (false, true) => Some(FAILED),
        (false, false) => None,
    }
}
