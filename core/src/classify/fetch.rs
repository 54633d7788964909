//! HTTP clients: undici, axios, and `fetch` where a runtime gives nothing but a message.

use super::facts::Facts;
use super::table::{
    self, ABANDONED, ANSWERED, Bits, FAILED, LOST, REFUSED, UNREACHABLE, UNSENT, Words,
};

/// What follows `UND_ERR_`.
const UNDICI: &[Words] = &[
    (UNSENT, "CONNECT_TIMEOUT BPL_MISSING_UPSTREAM"),
    (LOST, "HEADERS_TIMEOUT BODY_TIMEOUT SOCKET INFO SECURE_PROXY_CONNECTION PRX_TLS"),
    (ABANDONED, "ABORTED ABORT RES_CONTENT_LENGTH_MISMATCH RES_EXCEEDED_MAX_SIZE"),
    (ANSWERED, "HEADERS_OVERFLOW"),
    (
        REFUSED,
        "CLOSED DESTROYED INVALID_ARG INVALID_RETURN_VALUE NOT_SUPPORTED \
         REQ_CONTENT_LENGTH_MISMATCH MAX_ORIGINS_REACHED",
    ),
];

/// Codes that begin with `UND_ERR_`; those of a status (`UND_ERR_RESPONSE`) leave it to the status.
pub(crate) fn code(word: &str) -> Option<Bits> {
    table::by_word!(UNDICI, word.strip_prefix("UND_ERR_")?)
}

/// The wrapper of Node and Deno, for any failure: bad options too, so a cause goes before it. Where
/// the cause was lost on the way (JSON, another process), the network is the likeliest.
const WRAPPER: &str = "fetch failed";

/// Messages that runtimes throw from `fetch`; of those that fit, the first holds.
const MESSAGES: &[Words] = &[
    // Node: the body of an answer broke off.
    (LOST, "terminated"),
    // Deno: connecting, which covers names, TCP and TLS. Certificates do not mend themselves.
    (UNREACHABLE, "error sending request|invalid peer certificate"),
    (UNSENT, "error sending request|(Connect)"),
    (LOST, "error sending request"),
    // Deno: the system's words for a connection that broke under a request.
    (LOST, "Connection reset by peer|(os error"),
    (LOST, "Broken pipe|(os error"),
    (LOST, "Connection timed out|(os error"),
    (UNSENT, "Connection refused|(os error"),
    // Deno: the body of an answer broke off.
    (LOST, "error reading a body from connection"),
    (LOST, "request or response body error"),
    // Chrome and Edge: any failure of the network, and a refusal by CORS.
    (LOST, "Failed to fetch"),
    // Chrome: the body of an answer broke off.
    (LOST, "network error"),
    // Firefox.
    (LOST, "NetworkError when attempting to fetch resource"),
    // Safari.
    (LOST, "Load failed"),
    (LOST, "The network connection was lost"),
    (UNSENT, "The Internet connection appears to be offline"),
    (UNSENT, "Could not connect to the server"),
    (UNSENT, "A server with the specified hostname could not be found"),
    // Workers.
    (LOST, "Network connection lost"),
    // Bun.
    (UNSENT, "Unable to connect"),
    (LOST, "The socket connection was closed unexpectedly"),
    // React Native, and the polyfills that follow it.
    (LOST, "Network request failed"),
    // Node: a request of `node:http` whose code was lost on the way.
    (LOST, "socket hang up"),
    // Rust's standard library: a name that was not resolved has neither kind nor number.
    (UNSENT, "failed to lookup address information"),
    // superagent and gRPC-web over XMLHttpRequest.
    (FAILED, "Request has been terminated"),
];

/// The runtimes that give a message and nothing else.
pub(crate) fn message(facts: &Facts<'_>) -> Option<Bits> {
    let text = facts.message;
    if text == WRAPPER {
        return (!facts.caused).then_some(LOST);
    }
    table::by_start!(MESSAGES, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::Verdict;

    fn message(facts: &Facts<'_>) -> Option<Verdict> {
        super::message(facts).map(table::verdict)
    }

    #[test]
    fn a_cause_goes_before_the_wrapper() {
        let alone = Facts { message: "fetch failed", ..Facts::default() };
        assert!(message(&alone).unwrap().transient);
        assert_eq!(message(&Facts { caused: true, ..alone }), None);
    }

    #[test]
    fn deno_tells_connecting_from_talking() {
        let said = |text| message(&Facts { message: text, ..Facts::default() }).unwrap();
        let connect = "error sending request for url (http://a/): client error (Connect): x";
        assert_eq!(said(connect), table::verdict(UNSENT));
        assert_eq!(said("error sending request for url (http://a/)"), table::verdict(LOST));
        let tls = "error sending request for url (https://a/): client error (Connect): invalid peer certificate: UnknownIssuer";
        assert!(!said(tls).transient);
    }
}
