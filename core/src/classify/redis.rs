//! Redis and Valkey: the first word of a reply, and the errors of ioredis and node-redis.

use super::facts::{Facts, Source};
use super::table::{
    self, Bits, CROWDED, CUT, LOST, REFUSED, THROTTLED, TURNED_AWAY, UNREACHABLE, UNSENT, Words,
};
use super::text::pieces;

/// Classes of error replies, whose message is all there is: ioredis, then node-redis.
const REPLIES: &str = "ReplyError SimpleError BlobError ErrorReply";

/// First words of replies; any other is a refusal.
const WORDS: &[Words] = &[
    // Moved slots, a script at work, a cluster that is not whole, too few replicas to write to.
    (TURNED_AWAY, "TRYAGAIN MOVED ASK BUSY CLUSTERDOWN NOREPLICAS NOQUORUM INPROG"),
    // Not ready or no longer a master: another server may be.
    (UNSENT, "LOADING MASTERDOWN READONLY UNBLOCKED REDIRECT"),
    // No memory: keys that expire or are evicted make room.
    (THROTTLED, "OOM"),
    (UNREACHABLE, "NOAUTH WRONGPASS NOPERM DENIED"),
];

/// Class names of client errors, which have no codes.
const NAMES: &[Words] = &[
    (
        LOST,
        "MaxRetriesPerRequestError SocketClosedUnexpectedlyError SocketTimeoutError \
            SocketTimeoutDuringMaintenanceError CommandTimeoutDuringMaintenanceError",
    ),
    (
        UNSENT,
        "ConnectionTimeoutError ClientOfflineError ClusterAllFailedError RootNodesUnavailableError",
    ),
    (UNREACHABLE, "ClientClosedError ReconnectStrategyError"),
    (CUT, "DisconnectsClientError"),
];

/// The verdict on a client error by its name.
pub(crate) fn name(word: &str) -> Option<Bits> {
    table::by_word!(NAMES, word)
}

/// The verdict on an error reply by the first word of its message: drivers give nothing else.
pub(crate) fn reply(facts: &Facts<'_>) -> Option<Bits> {
    if facts.source != Source::Redis && !table::holds(REPLIES, facts.name) {
        return None;
    }
    // Parsers differ in whether they leave the mark of an error before it.
    let text = facts.message.strip_prefix("-").unwrap_or(facts.message);
    // The only refusal of a connection that has no word of its own.
    if text.starts_with("ERR max number of clients") {
        return Some(CROWDED);
    }
    let word = pieces(text, b" :").next().unwrap_or(text);
    let shouted = word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_uppercase());
    table::by_word!(WORDS, word).or_else(|| shouted.then_some(REFUSED))
}

/// What ioredis says without a code or a class, by the beginning of the message.
const MESSAGES: &[Words] = &[
    (LOST, "Connection is closed."),
    (LOST, "Command timed out"),
    (UNSENT, "Stream isn't writeable and enableOfflineQueue options is false"),
];

/// The verdict on a message of ioredis, which gives no code for these.
pub(crate) fn message(text: &str) -> Option<Bits> {
    table::by_start!(MESSAGES, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::Verdict;

    fn judge(message: &str) -> Option<Verdict> {
        reply(&Facts { name: "ReplyError", message, ..Facts::default() }).map(table::verdict)
    }

    #[test]
    fn the_first_word_decides() {
        assert!(judge("LOADING Redis is loading the dataset in memory").unwrap().transient);
        assert!(judge("OOM command not allowed").unwrap().throttled);
        assert!(!judge("WRONGTYPE Operation against a key").unwrap().transient);
        assert!(judge("ERR max number of clients reached").unwrap().throttled);
        assert_eq!(judge("Loading"), None);
        assert_eq!(reply(&Facts { message: "LOADING x", ..Facts::default() }), None);
    }
}
