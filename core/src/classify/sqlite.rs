//! SQLite: result codes by name and by number, with their extended forms.

use super::facts::{Facts, Source};
use super::table::{
    self, Bits, Numbers, REFUSED_STATEMENT, ROLLED_BACK, STATEMENT, STATEMENT_BUSY,
    STATEMENT_MAYBE, Words,
};
use super::text::pieces;

/// Extended codes that do not mean what their primary code means, without `SQLITE_`.
///
/// A snapshot that is out of date, and a deadlock with another connection of a shared cache, pass
/// only with a new transaction.
const EXTENDED: &[Words] = &[
    (ROLLED_BACK, "BUSY_SNAPSHOT BUSY_RECOVERY LOCKED_SHAREDCACHE ABORT_ROLLBACK"),
    (STATEMENT_BUSY, "IOERR_NOMEM"),
    (STATEMENT, "IOERR_BLOCKED IOERR_LOCK IOERR_RDLOCK"),
];
/// The numbers of the above: primary code + 256 times the extension.
const EXTENDED_NUMBERS: &[Numbers] = &[
    (ROLLED_BACK, &[517, 261, 262, 516]),
    (STATEMENT_BUSY, &[3082]),
    (STATEMENT, &[2826, 3850, 2314]),
];

/// Primary codes, without `SQLITE_`; the rest is a refusal.
const PRIMARY: &[Words] = &[
    (STATEMENT, "BUSY LOCKED PROTOCOL SCHEMA"),
    (STATEMENT_BUSY, "NOMEM"),
    (STATEMENT_MAYBE, "IOERR"),
];
/// The numbers of the above.
const PRIMARY_NUMBERS: &[Numbers] =
    &[(STATEMENT, &[5, 6, 15, 17]), (STATEMENT_BUSY, &[7]), (STATEMENT_MAYBE, &[10])];

/// The verdict on a name such as `SQLITE_BUSY_TIMEOUT`; an extension nobody knows means what its
/// primary code means.
pub(crate) fn code(word: &str) -> Option<Bits> {
    let name = word.strip_prefix("SQLITE_")?;
    let primary = pieces(name, b"_").next().unwrap_or(name);
    table::by_word!(EXTENDED, name)
        .or_else(|| table::by_word!(PRIMARY, primary))
        .or(Some(REFUSED_STATEMENT))
}

/// The verdict on a result code; the primary one is its low byte.
pub(crate) fn number(facts: &Facts<'_>) -> Option<Bits> {
    let number = facts.number.filter(|number| facts.source == Source::Sqlite && *number > 0)?;
    table::by_number!(EXTENDED_NUMBERS, number)
        .or_else(|| table::by_number!(PRIMARY_NUMBERS, number & 0xff))
        .or(Some(REFUSED_STATEMENT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_agree() {
        for (name, value) in [
            ("SQLITE_BUSY", 5),
            ("SQLITE_BUSY_SNAPSHOT", 517),
            ("SQLITE_BUSY_TIMEOUT", 773),
            ("SQLITE_LOCKED", 6),
            ("SQLITE_LOCKED_SHAREDCACHE", 262),
            ("SQLITE_IOERR_READ", 266),
            ("SQLITE_IOERR_NOMEM", 3082),
            ("SQLITE_CONSTRAINT_UNIQUE", 2067),
            ("SQLITE_FULL", 13),
        ] {
            let facts = Facts { source: Source::Sqlite, number: Some(value), ..Facts::default() };
            assert_eq!(code(name), number(&facts), "{name}");
        }
    }
}
