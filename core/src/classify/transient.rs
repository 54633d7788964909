//! The codes that `isTransientError` of the Kysely drop-in has always known.

use super::table::holds;

const CODES: &str = "ECONNREFUSED ETIMEDOUT ECONNRESET EPIPE \
                     57P03 57P02 57P01 08000 08001 08003 08004 08006 40001 40P01 \
                     ER_LOCK_DEADLOCK ER_LOCK_WAIT_TIMEOUT ER_CON_COUNT_ERROR \
                     PROTOCOL_CONNECTION_LOST \
                     SQLITE_BUSY SQLITE_LOCKED \
                     -2 1205 1222 -1 233 10054 10053";

/// Whether a code, or a SQL Server number in decimal, is one of the 27 that mean a passing
/// failure of a database, or an extended form of `SQLITE_BUSY` and `SQLITE_LOCKED`.
///
/// This is the fixed list of a drop-in; [`classify`](super::classify()) knows far more.
///
/// ```
/// use seawall::classify::is_transient_code;
///
/// assert!(is_transient_code("40001"));
/// assert!(is_transient_code("SQLITE_BUSY_SNAPSHOT"));
/// assert!(!is_transient_code("23505"));
/// ```
#[must_use]
pub fn is_transient_code(code: &str) -> bool {
    holds(CODES, code) || code.starts_with("SQLITE_BUSY_") || code.starts_with("SQLITE_LOCKED_")
}

/// Whether a result code of SQLite, extended or not, means `SQLITE_BUSY` or `SQLITE_LOCKED`; for
/// drivers that give the number alone (`node:sqlite`).
#[must_use]
pub const fn is_transient_sqlite(result: i32) -> bool {
    result > 0 && matches!(result & 0xff, 5 | 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_27() {
        assert_eq!(CODES.split(' ').count(), 27);
        assert!(CODES.split(' ').all(is_transient_code));
    }
}
