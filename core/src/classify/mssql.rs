//! SQL Server and Azure SQL: server numbers, and the codes of tedious and mssql.

use super::facts::{Facts, Source};
use super::table::{
    self, ABANDONED, Bits, CROWDED, EXHAUSTED, LOST, Numbers, REFUSED_STATEMENT, ROLLED_BACK,
    STATEMENT, STATEMENT_BUSY, STATEMENT_MAYBE, UNREACHABLE, UNSENT, Words,
};

const NUMBERS: &[Numbers] = &[
    // Deadlock; conflicts of snapshots and of memory-optimised tables.
    (ROLLED_BACK, &[1205, 3960, 3966, 41301, 41302, 41305, 41325, 41839]),
    // Lock request timeout; the schema moved under the statement.
    (STATEMENT, &[1222, 617]),
    // No grant of memory in time.
    (STATEMENT_BUSY, &[8645, 8651, 8628]),
    (EXHAUSTED, &[701]),
    // The client's own timeout.
    (STATEMENT_MAYBE, &[-2]),
    // Transport errors of the client (-1, 20, 64, 121, 233), of Winsock (10053, 10054, 10060),
    // a killed session (596), a shutdown (6005), and the service in mid-reconfiguration.
    (LOST, &[-1, 20, 64, 121, 233, 10053, 10054, 10060, 596, 6005, 40143, 40197]),
    // Not reached (53, 10061, 11001); the database is not open yet or elsewhere just now.
    (
        UNSENT,
        &[53, 10061, 11001, 4060, 4221, 921, 922, 976, 983, 17142, 17197, 18401, 40540, 40613],
    ),
    // Too many requests, sessions, workers or logins.
    (CROWDED, &[10922, 10928, 10929, 10936, 17809, 40501, 49918, 49919, 49920]),
    (UNREACHABLE, &[18456, 18452, 40615]),
];

/// Codes of tedious and mssql. `ETIMEOUT` stands with the system codes, which spell it alike.
const CODES: &[Words] = &[
    (LOST, "ESOCKET ECLOSE"),
    (UNSENT, "ECONNCLOSED ENOTOPEN EINSTLOOKUP EINVALIDSTATE"),
    (UNREACHABLE, "ELOGIN ENOCONN EFEDAUTH EENCRYPT"),
    (ABANDONED, "ECANCEL"),
    // The transaction was aborted by the server under the driver's hands.
    (ROLLED_BACK, "EABORT"),
];

/// The verdict on a code of a driver.
pub(crate) fn code(word: &str) -> Option<Bits> {
    table::by_word!(CODES, word)
}

/// The verdict on a server number; one that is not listed was refused.
pub(crate) fn number(facts: &Facts<'_>) -> Option<Bits> {
    let number = facts.number.filter(|_| facts.source == Source::MsSql)?;
    table::by_number!(NUMBERS, number).or_else(|| (number > 0).then_some(REFUSED_STATEMENT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::Verdict;

    fn judge(value: i32) -> Option<Verdict> {
        number(&Facts { source: Source::MsSql, number: Some(value), ..Facts::default() })
            .map(table::verdict)
    }

    #[test]
    fn listed_numbers_pass_and_the_rest_is_refused() {
        assert!(judge(1205).unwrap().transient && judge(40501).unwrap().throttled);
        assert!(!judge(2627).unwrap().transient);
        assert_eq!(judge(-7), None);
        assert_eq!(number(&Facts { number: Some(1205), ..Facts::default() }), None);
    }
}
