//! SQLSTATE codes, as PostgreSQL and those that speak its protocol use them.

use super::facts::{Facts, Source};
use super::table::{
    self, Bits, CROWDED, EXHAUSTED, LOST, REFUSED_STATEMENT, REFUSED_TRANSACTION, ROLLED_BACK,
    UNDECIDED, UNREACHABLE, UNSENT, Words,
};

/// Codes that do not mean what their class means.
const CODES: &[Words] = &[
    // Not established, or refused while starting. 57P05 and 25P03 end a session that was idle,
    // outside and within a transaction; 25006 stands for a connection that a failover left at a
    // standby.
    (UNSENT, "08001 08003 08004 57P03 57P05 25P03 25006"),
    // Ended by an administrator or a crash, perhaps just after a commit.
    (LOST, "57P01 57P02"),
    (CROWDED, "53300"),
    (UNREACHABLE, "08P01 57P04 28000 28P01 3D000"),
    // Locked, used by another session.
    (ROLLED_BACK, "55P03 55006"),
    // Whether it was committed is what is not known.
    (UNDECIDED, "08007 40003"),
    // Deferred constraints; cancelled by a timeout or the user; limits that more attempts do not
    // lift; files that are missing or in the way.
    (REFUSED_TRANSACTION, "40002 57014 25P04 53400 58P01 58P02 58P03"),
];

/// Classes whose codes all mean the same but for those above.
const CLASSES: &[Words] =
    &[(LOST, "08"), (ROLLED_BACK, "40"), (EXHAUSTED, "53"), (UNDECIDED, "58")];

/// Classes of the standard and of PostgreSQL that are refusals.
const REFUSALS: &str = "03 09 0A 0B 0F 0L 0P 0Z 10 20 21 22 23 24 25 26 27 28 2B 2D 2F 34 38 39 3B \
                        3D 3F 42 44 54 55 57 72 F0 HV P0 XX";

/// The verdict on a SQLSTATE.
///
/// A refusal takes the transaction around it along, as any error does in PostgreSQL; in MySQL and
/// SQL Server the transaction lives.
pub(crate) fn code(state: &str, facts: &Facts<'_>) -> Option<Bits> {
    if state.len() != 5 {
        return None;
    }
    let class = state.get(..2)?;
    let transaction_lives = matches!(facts.source, Source::MySql | Source::MsSql);
    let refused = if transaction_lives { REFUSED_STATEMENT } else { REFUSED_TRANSACTION };
    table::by_word!(CODES, state)
        .or_else(|| table::by_word!(CLASSES, class))
        .or_else(|| table::holds(REFUSALS, class).then_some(refused))
}

/// What `pg` and its pool say without a code, by the beginning of the message.
const MESSAGES: &[Words] = &[
    // pg: the socket closed under a query, or during the start.
    (LOST, "Connection terminated unexpectedly"),
    (UNSENT, "Connection terminated due to connection timeout"),
    (LOST, "Connection terminated"),
    // pg: the client had already broken when the query was queued.
    (UNSENT, "Client has encountered a connection error and is not queryable"),
    (UNREACHABLE, "Client was closed and is not queryable"),
    (LOST, "Query read timeout"),
    // pg: `connectionTimeoutMillis` ran out.
    (UNSENT, "timeout expired"),
    // pg-pool: no client became free in time.
    (CROWDED, "timeout exceeded when trying to connect"),
    (UNREACHABLE, "Cannot use a pool after calling end on the pool"),
];

/// The verdict on a message of `pg` or `pg-pool`, which give no code for these.
pub(crate) fn message(text: &str) -> Option<Bits> {
    table::by_start!(MESSAGES, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::Verdict;
    use crate::classify::{Processed, Scope};

    fn judge(state: &str) -> Option<Verdict> {
        code(state, &Facts::default()).map(table::verdict)
    }

    #[test]
    fn codes_go_before_classes() {
        assert_eq!(judge("08006"), Some(table::verdict(LOST)));
        assert_eq!(judge("08007").unwrap().processed, Processed::Maybe);
        assert_eq!(judge("08001").unwrap().processed, Processed::No);
        assert!(judge("40001").unwrap().transient && !judge("40002").unwrap().transient);
        assert_eq!(judge("40003").unwrap().processed, Processed::Maybe);
        assert!(judge("53100").unwrap().transient && !judge("53400").unwrap().transient);
        assert!(!judge("57014").unwrap().transient && !judge("57000").unwrap().transient);
    }

    #[test]
    fn five_letters_alone_are_no_sqlstate() {
        for word in ["EPIPE", "EBUSY", "00000", "P2034", "ééa", "hello", "4000"] {
            assert_eq!(judge(word), None, "{word}");
        }
    }

    #[test]
    fn mysql_keeps_the_transaction() {
        let facts = Facts { source: Source::MySql, ..Facts::default() };
        assert_eq!(code("23000", &facts).map(table::verdict).unwrap().scope, Scope::Statement);
        assert_eq!(judge("23505").unwrap().scope, Scope::Transaction);
    }
}
