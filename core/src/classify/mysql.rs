//! MySQL and MariaDB: server errors by name and number, and the codes of their drivers.

use super::facts::{Facts, Source};
use super::table::{
    self, Bits, CROWDED, EXHAUSTED, LOST, Numbers, REFUSED_STATEMENT, ROLLED_BACK, STATEMENT,
    STATEMENT_MAYBE, UNDECIDED, UNREACHABLE, UNSENT, Words,
};
use super::text::contains;

/// What follows `ER_`. The last lines of a group are the MariaDB connector's own.
const SERVER: &[Words] = &[
    (
        ROLLED_BACK,
        "LOCK_DEADLOCK XA_RBDEADLOCK XA_RBTIMEOUT XA_RBROLLBACK CHECKREAD TABLE_DEF_CHANGED \
         TRANSACTION_ROLLBACK_DURING_COMMIT",
    ),
    (UNDECIDED, "ERROR_DURING_COMMIT ERROR_DURING_ROLLBACK"),
    // InnoDB takes back the statement that waited, not the transaction
    // (`innodb_rollback_on_timeout` is off unless somebody turns it on).
    (STATEMENT, "LOCK_WAIT_TIMEOUT LOCK_NOWAIT NEED_REPREPARE"),
    (
        CROWDED,
        "CON_COUNT_ERROR TOO_MANY_USER_CONNECTIONS USER_LIMIT_REACHED CANT_CREATE_THREAD \
         GET_CONNECTION_TIMEOUT",
    ),
    (EXHAUSTED, "OUT_OF_RESOURCES OUTOFMEMORY DISK_FULL RECORD_FILE_FULL ENGINE_OUT_OF_MEMORY"),
    (
        LOST,
        "SERVER_SHUTDOWN NORMAL_SHUTDOWN SHUTDOWN_COMPLETE FORCING_CLOSE ABORTING_CONNECTION \
         NEW_ABORTING_CONNECTION NET_READ_ERROR NET_READ_INTERRUPTED NET_READ_ERROR_FROM_PIPE \
         NET_ERROR_ON_WRITE NET_WRITE_INTERRUPTED CONNECTION_KILLED SESSION_WAS_KILLED \
         SOCKET_UNEXPECTED_CLOSE SOCKET_TIMEOUT CMD_NOT_EXECUTED_DESTROYED",
    ),
    // The node of a cluster is not ready (1047), the server turned read-only, an idle session
    // was ended; the driver had no connection to send over.
    (
        UNSENT,
        "UNKNOWN_COM_ERROR READ_ONLY_MODE CLIENT_INTERACTION_TIMEOUT SERVER_OFFLINE_MODE \
         CONNECTION_TIMEOUT CONNECTION_ALREADY_CLOSED CMD_CONNECTION_CLOSED SOCKET_DESTROYED \
         SOCKET_CREATION_FAIL",
    ),
    (
        UNREACHABLE,
        "ACCESS_DENIED_ERROR DBACCESS_DENIED_ERROR BAD_DB_ERROR HOST_NOT_PRIVILEGED \
         HOST_IS_BLOCKED NOT_SUPPORTED_AUTH_MODE POOL_ALREADY_CLOSED",
    ),
];

/// Server numbers for the names above, and those of the client library.
const NUMBERS: &[Numbers] = &[
    (ROLLED_BACK, &[1213, 1614, 1613, 1402, 1020, 1412, 3101]),
    (UNDECIDED, &[1180, 1181]),
    (STATEMENT, &[1205, 3572, 1615]),
    (CROWDED, &[1040, 1203, 1226, 1135]),
    (EXHAUSTED, &[1041, 1037, 1021, 1114]),
    // 2006 the server has gone away, 2013 and 2055 the connection was lost during a query.
    (
        LOST,
        &[
            1053, 1077, 1079, 1080, 1152, 1184, 1157, 1158, 1159, 1160, 1161, 1927, 3169, 2006,
            2013, 2055,
        ],
    ),
    // 2002, 2003 and 2005: the client could not connect.
    (UNSENT, &[1047, 1836, 3032, 4031, 2002, 2003, 2005]),
    (UNREACHABLE, &[1044, 1045, 1049, 1129, 1130]),
];

/// Codes that mysql, mysql2 and their pools make up.
const DRIVER: &[Words] = &[
    (LOST, "PROTOCOL_CONNECTION_LOST PROTOCOL_PACKETS_OUT_OF_ORDER PROTOCOL_UNEXPECTED_PACKET"),
    (STATEMENT_MAYBE, "PROTOCOL_SEQUENCE_TIMEOUT"),
    // Queued on a connection that had broken before.
    (
        UNSENT,
        "PROTOCOL_ENQUEUE_AFTER_FATAL_ERROR PROTOCOL_ENQUEUE_AFTER_DESTROY \
         PROTOCOL_ENQUEUE_AFTER_QUIT POOL_NONEONLINE",
    ),
    (CROWDED, "POOL_ENQUEUELIMIT POOL_CONNLIMIT"),
    (UNREACHABLE, "POOL_CLOSED POOL_NOEXIST PROTOCOL_ENQUEUE_HANDSHAKE_TWICE"),
];

/// `read_only` and its like are told apart from other options by the message alone (1290).
const OPTION_PREVENTS: &str = "OPTION_PREVENTS_STATEMENT";

/// The verdict on a code of the server or of a driver.
pub(crate) fn code(word: &str, facts: &Facts<'_>) -> Option<Bits> {
    let Some(name) = word.strip_prefix("ER_") else {
        return if word.starts_with('P') { table::by_word!(DRIVER, word) } else { None };
    };
    if name == OPTION_PREVENTS {
        return Some(option_prevents(facts));
    }
    // What the server calls by a name and is not listed was refused.
    Some(table::by_word!(SERVER, name).unwrap_or(REFUSED_STATEMENT))
}

fn option_prevents(facts: &Facts<'_>) -> Bits {
    let read_only = contains(facts.message, "read-only") || contains(facts.message, "read_only");
    if read_only { UNSENT } else { REFUSED_STATEMENT }
}

/// The verdict on a number of the server; one that is not listed and that the driver has no name
/// for was refused. From 2000 to 2999 it is the client library that speaks.
pub(crate) fn number(facts: &Facts<'_>) -> Option<Bits> {
    let number = facts.number.filter(|_| facts.source == Source::MySql)?;
    if number == 1290 {
        return Some(option_prevents(facts));
    }
    let refused = facts.code.is_empty() && number > 0 && !(2000..3000).contains(&number);
    table::by_number!(NUMBERS, number).or_else(|| refused.then_some(REFUSED_STATEMENT))
}

/// What mysql2 says without a code, by the beginning of the message.
const MESSAGES: &[Words] = &[
    // mysql2: the connection had broken when the command was queued.
    (UNSENT, "Can't add new command when connection is in closed state"),
    (UNSENT, "Can't write in closed state"),
    // mysql2's pool.
    (UNREACHABLE, "Pool is closed."),
    (CROWDED, "No connections available."),
    (CROWDED, "Queue limit reached."),
];

/// The verdict on a message of mysql2, which gives no code for these.
pub(crate) fn message(text: &str) -> Option<Bits> {
    table::by_start!(MESSAGES, text)
}

/// The SQLSTATE of most errors that only MySQL has.
#[cfg(feature = "sqlx")]
pub(super) const GENERAL: &str = "HY000";

/// Numbers of the server with that SQLSTATE that say when to try again, by the beginning of the
/// message.
#[cfg(feature = "sqlx")]
const SAID: &[(i32, &str)] = &[
    (1205, "Lock wait timeout exceeded"),
    (3572, "Statement aborted because lock(s) could not be acquired immediately"),
    (1615, "Prepared statement needs to be re-prepared"),
    (1020, "Record has changed since last read in table"),
    (1412, "Table definition has changed, please retry transaction"),
    (1135, "Can't create a new thread"),
    (1836, "Running in read-only mode"),
    (1290, "The MySQL server is running with the"),
    (1290, "The MariaDB server is running with the"),
    (3032, "The server is currently in offline mode"),
    (4031, "The client was disconnected by the server because of inactivity"),
];

/// The number behind a message, for clients that keep it to themselves.
#[cfg(feature = "sqlx")]
pub(super) fn number_of(message: &str) -> Option<i32> {
    SAID.iter().find(|(_, beginning)| message.starts_with(beginning)).map(|(number, _)| *number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::Verdict;

    fn code(word: &str, facts: &Facts<'_>) -> Option<Verdict> {
        super::code(word, facts).map(table::verdict)
    }

    fn number(facts: &Facts<'_>) -> Option<Verdict> {
        super::number(facts).map(table::verdict)
    }

    #[test]
    fn names_and_numbers_agree() {
        for (name, value) in [
            ("ER_LOCK_DEADLOCK", 1213),
            ("ER_LOCK_WAIT_TIMEOUT", 1205),
            ("ER_CON_COUNT_ERROR", 1040),
            ("ER_SERVER_SHUTDOWN", 1053),
            ("ER_UNKNOWN_COM_ERROR", 1047),
            ("ER_ACCESS_DENIED_ERROR", 1045),
        ] {
            let facts = Facts { source: Source::MySql, number: Some(value), ..Facts::default() };
            assert_eq!(code(name, &facts), number(&facts), "{name}");
        }
    }

    #[cfg(feature = "sqlx")]
    #[test]
    fn messages_stand_for_numbers_that_are_listed() {
        for (value, message) in super::SAID {
            let facts = Facts { source: Source::MySql, number: Some(*value), ..Facts::default() };
            let facts = Facts { message: "--read-only", ..facts };
            assert!(number(&facts).unwrap().transient, "{message}");
        }
        assert_eq!(super::number_of("Lock wait"), None);
    }

    #[test]
    fn a_number_without_a_name_was_refused() {
        let facts = |value, code| Facts {
            source: Source::MySql,
            number: Some(value),
            code,
            ..Facts::default()
        };
        assert!(!number(&facts(1969, "")).unwrap().transient);
        assert_eq!(number(&facts(45_013, "ER_SOCKET_TIMEOUT")), None);
        assert_eq!(number(&facts(2999, "")), None);
    }

    #[test]
    fn an_option_prevents_in_two_ways() {
        let facts = |message| Facts { message, ..Facts::default() };
        let name = "ER_OPTION_PREVENTS_STATEMENT";
        assert!(code(name, &facts("running with the --read-only option")).unwrap().transient);
        assert!(!code(name, &facts("running with --skip-grant-tables")).unwrap().transient);
    }

    #[test]
    fn unlisted_names_were_refused() {
        assert!(!code("ER_DUP_ENTRY", &Facts::default()).unwrap().transient);
        assert_eq!(code("PROTOCOL_NEW", &Facts::default()), None);
    }
}
