//! Codes of the operating system, of name resolution in each runtime's spelling, and our own.

use super::facts::Facts;
use super::table::{
    self, ABANDONED, Bits, CUT, FAILED, LOST, REFUSED, THROTTLED, TURNED_AWAY, UNREACHABLE, UNSENT,
    Words,
};
use super::text::contains;

const CODES: &[Words] = &[
    (
        UNSENT,
        "ECONNREFUSED ENOTFOUND EAI_AGAIN EAI_FAIL EAI_NODATA EAI_NONAME ESERVFAIL EREFUSED \
         EADDRINUSE EADDRNOTAVAIL EMFILE ENFILE ENOBUFS ENOMEM EAGAIN EWOULDBLOCK EBUSY \
         ERR_SOCKET_CONNECTION_TIMEOUT ERR_TLS_HANDSHAKE_TIMEOUT \
         ConnectionRefused FailedToOpenSocket AddrInUse AddrNotAvailable WouldBlock",
    ),
    (
        LOST,
        "EPIPE ECONNABORTED ENETRESET ENOTCONN ESHUTDOWN EINTR \
         ERR_STREAM_PREMATURE_CLOSE ERR_SOCKET_CLOSED ERR_HTTP2_GOAWAY_SESSION \
         ERR_HTTP2_SESSION_ERROR ERR_HTTP2_STREAM_ERROR ERR_HTTP2_STREAM_CANCEL \
         ERR_HTTP2_INVALID_SESSION ERR_NETWORK \
         ConnectionAborted ConnectionClosed NotConnected BrokenPipe Interrupted \
         UnexpectedEof",
    ),
    (
        ABANDONED,
        "ABORT_ERR ERR_ABORTED ERR_CANCELED ECANCELED AbortError SEAWALL_OVERTAKEN \
         SEAWALL_DEADLINE",
    ),
    (THROTTLED, "SEAWALL_BULKHEAD_FULL SEAWALL_RATE_LIMITED SEAWALL_OVERLOADED SEAWALL_THROTTLED"),
    (REFUSED, "EACCES EPERM ENOENT EEXIST EISDIR ENOTDIR EINVAL EROFS ENOSPC EDQUOT"),
    (
        UNREACHABLE,
        "CERT_HAS_EXPIRED CERT_NOT_YET_VALID CERT_REVOKED CERT_UNTRUSTED \
         DEPTH_ZERO_SELF_SIGNED_CERT SELF_SIGNED_CERT_IN_CHAIN UNABLE_TO_GET_ISSUER_CERT \
         UNABLE_TO_GET_ISSUER_CERT_LOCALLY UNABLE_TO_VERIFY_LEAF_SIGNATURE \
         ERR_TLS_CERT_ALTNAME_INVALID ERR_SSL_WRONG_VERSION_NUMBER EPROTONOSUPPORT \
         EAFNOSUPPORT",
    ),
    (CUT, "EPROTO"),
    (FAILED, "TimeoutError Timeout SEAWALL_TIMEOUT"),
];

/// Codes of a way that does not lead there: before a connection stands nothing was sent, after
/// that something may have been.
const PATH: &str = "EHOSTUNREACH ENETUNREACH ENETDOWN EHOSTDOWN ENONET NetworkUnreachable \
                    HostUnreachable NetworkDown";
/// Codes of a silence or a break. Only the system call tells whether it came before the request was sent.
const SILENCE: &str = "ETIMEDOUT ETIMEOUT ESOCKETTIMEDOUT ECONNRESET TimedOut \
                       ConnectionReset";

/// The verdict on a code, or on a name where the runtime puts the same word there.
pub(crate) fn code(word: &str, facts: &Facts<'_>) -> Option<Bits> {
    let connecting = matches!(facts.syscall, "connect" | "getaddrinfo")
        // The resolver's calls: `queryA`, `queryAaaa`, `querySrv`.
        || facts.syscall.starts_with("query");
    if table::holds(PATH, word) {
        let sent = matches!(facts.syscall, "read" | "write" | "send" | "recv");
        return Some(if sent { LOST } else { UNSENT });
    }
    if table::holds(SILENCE, word) {
        return Some(if connecting { UNSENT } else { LOST });
    }
    // RFC 9113, 8.7: a refused stream was not processed. Node tells it in the message alone.
    if word == "ERR_HTTP2_STREAM_ERROR" && contains(facts.message, "NGHTTP2_REFUSED_STREAM") {
        return Some(TURNED_AWAY);
    }
    table::by_word!(CODES, word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::Processed;
    use crate::classify::Verdict;

    fn ambiguous(word: &str) -> bool {
        code(word, &Facts::default()).unwrap().processed == Processed::Maybe
    }

    fn code(word: &str, facts: &Facts<'_>) -> Option<Verdict> {
        super::code(word, facts).map(table::verdict)
    }

    #[test]
    fn the_table_of_the_network_errors() {
        for word in ["ECONNREFUSED", "ENOTFOUND", "EADDRINUSE", "EHOSTUNREACH"] {
            assert!(!ambiguous(word), "{word}");
        }
        for word in ["ECONNRESET", "EPIPE", "ETIMEDOUT"] {
            assert!(ambiguous(word), "{word}");
        }
    }

    #[test]
    fn a_refused_stream_was_not_processed() {
        let broke = |message| {
            let facts = Facts { message, ..Facts::default() };
            code("ERR_HTTP2_STREAM_ERROR", &facts).unwrap().processed
        };
        let refused = "Stream closed with error code NGHTTP2_REFUSED_STREAM";
        assert_eq!(broke(refused), Processed::No);
        let other = "Stream closed with error code NGHTTP2_INTERNAL_ERROR";
        assert_eq!(broke(other), Processed::Maybe);
    }

    #[test]
    fn the_system_call_settles_what_the_code_leaves_open() {
        let connect = Facts { syscall: "connect", ..Facts::default() };
        assert_eq!(code("ETIMEDOUT", &connect).unwrap().processed, Processed::No);
        let read = Facts { syscall: "read", ..Facts::default() };
        assert_eq!(code("ETIMEDOUT", &read).unwrap().processed, Processed::Maybe);
        assert_eq!(code("EHOSTUNREACH", &read).unwrap().processed, Processed::Maybe);
        assert_eq!(code("ECONNREFUSED", &read).unwrap().processed, Processed::No);
    }
}
