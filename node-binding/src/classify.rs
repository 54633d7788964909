//! Classification of errors: strings and numbers in, a packed verdict out.

use napi_derive::napi;
use seawall::classify::{
    Facts, Repeat, Source, UNKNOWN, Verdict, classify, is_transient_code as transient_code,
    is_transient_sqlite as transient_sqlite, join_packed, may_repeat as may_be_repeated,
};

/// The packed verdict on the facts of one failure, -1 if nothing in them is known.
#[napi]
pub fn classify_facts(
    text: String,
    flags: u32,
    source: u32,
    number: Option<i32>,
    status: u32,
    now_ms: f64,
) -> f64 {
    let facts = Facts {
        source: Source::from_number(source),
        number,
        status: u16::try_from(status).unwrap_or(0),
        now_ms,
        ..Facts::from_fields(&text, flags)
    };
    classify(&facts).map_or(UNKNOWN, Verdict::to_packed)
}

/// Two packed verdicts about one piece of work as one.
#[napi]
pub fn classify_join(a: f64, b: f64) -> f64 {
    join_packed(a, b)
}

/// Whether a code is on the fixed list of the Kysely drop-in.
#[napi]
pub fn is_transient_code(code: String) -> bool {
    transient_code(&code)
}

/// Whether a result code of SQLite means busy or locked.
#[napi]
pub fn is_transient_sqlite(result: i32) -> bool {
    transient_sqlite(result)
}

/// Whether a request may be sent again after a failure with this packed verdict.
#[napi]
pub fn may_repeat(method: String, packed: f64, flags: u32) -> bool {
    Verdict::from_packed(packed)
        .is_some_and(|verdict| may_be_repeated(&method, verdict, Repeat::from_flags(flags)))
}
