//! What an error means: whether to try again, what may have happened, how long to wait.
//!
//! [`classify()`] judges the [`Facts`] of one failure by codes, numbers, names and statuses, one
//! file a family, and by a message only where a driver or a runtime gives nothing else.
//! [`may_repeat`] adds the rules of the HTTP methods.

#[cfg(feature = "std")]
mod clients;
mod cloud;
mod date;
mod facts;
mod fetch;
mod grpc;
mod http;
mod judge;
mod mongodb;
mod mssql;
mod mysql;
mod redis;
mod repeat;
#[cfg(feature = "http")]
mod response;
mod sqlite;
mod sqlstate;
#[cfg(feature = "std")]
mod standard;
mod system;
mod table;
mod text;
mod transient;
mod verdict;
mod wait;

pub use date::http_date;
pub use facts::{Facts, Source};
pub use http::status;
pub use judge::{AllPass, ByResult, Inside, Judge, Judged};
#[cfg(feature = "std")]
pub use judge::{ByBoxedError, ByError};
pub use repeat::{Repeat, is_idempotent, is_safe, may_repeat};
#[cfg(feature = "http")]
pub use response::{ByResponse, classify_response};
#[cfg(feature = "std")]
pub use standard::{classify_error, classify_io};
pub use transient::{is_transient_code, is_transient_sqlite};
pub use verdict::{Processed, Scope, UNKNOWN, Verdict, join_packed};
pub use wait::{Wait, Window};

use table::Bits;

/// What a failure means, `None` if nothing in it is known.
///
/// The most telling fact decides: error labels, then numbers of a known [`Source`], the code, the
/// SQLSTATE, the name, marks of the client library, the HTTP status, and last the message. A wait
/// that the answer asked for goes with any verdict that is transient.
#[must_use]
pub fn classify(facts: &Facts<'_>) -> Option<Verdict> {
    let mut verdict = table::verdict(judge(facts)?);
    if verdict.transient {
        verdict.retry_after = facts.wait.duration(verdict.throttled, facts.now_ms);
    }
    Some(verdict)
}

fn judge(facts: &Facts<'_>) -> Option<Bits> {
    mongodb::labels(facts)
        .or_else(|| number(facts))
        .or_else(|| code(facts))
        .or_else(|| sqlstate::code(facts.sql_state, facts))
        .or_else(|| name(facts))
        .or_else(|| redis::reply(facts))
        .or_else(|| cloud::marked(facts))
        .or_else(|| http::judge(facts))
        .or_else(|| message(facts))
}

fn number(facts: &Facts<'_>) -> Option<Bits> {
    match facts.source {
        Source::MySql => mysql::number(facts),
        Source::MsSql => mssql::number(facts),
        Source::Sqlite => sqlite::number(facts),
        Source::Grpc => grpc::number(facts),
        Source::MongoDb => mongodb::number(facts),
        Source::Unknown | Source::Redis => None,
    }
}

fn code(facts: &Facts<'_>) -> Option<Bits> {
    let word = facts.code;
    if word.is_empty() {
        return None;
    }
    // Those that are told by their beginning go first.
    sqlstate::code(word, facts)
        .or_else(|| mysql::code(word, facts))
        .or_else(|| sqlite::code(word))
        .or_else(|| fetch::code(word))
        .or_else(|| system::code(word, facts))
        .or_else(|| mssql::code(word))
        .or_else(|| cloud::word(word))
}

fn name(facts: &Facts<'_>) -> Option<Bits> {
    let word = facts.name;
    if matches!(word, "" | "Error" | "TypeError") {
        return None;
    }
    system::code(word, facts)
        .or_else(|| redis::name(word))
        .or_else(|| mongodb::name(word))
        .or_else(|| cloud::word(word))
}

fn message(facts: &Facts<'_>) -> Option<Bits> {
    let text = facts.message;
    if text.is_empty() {
        return None;
    }
    sqlstate::message(text)
        .or_else(|| mysql::message(text))
        .or_else(|| redis::message(text))
        .or_else(|| fetch::message(facts))
}
