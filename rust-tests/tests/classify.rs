//! Classification through the public API: the table of the contract, and inputs nobody wrote.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::time::Duration;

use proptest::prelude::*;
use seawall::classify::{
    Facts, Processed, Repeat, Scope, Source, Verdict, Wait, classify, classify_error, classify_io,
    http_date, is_idempotent, is_safe, is_transient_code, is_transient_sqlite, join_packed,
    may_repeat,
};

fn code(code: &str) -> Option<Verdict> {
    classify(&Facts { code, ..Facts::default() })
}

fn number(source: Source, number: i32) -> Verdict {
    classify(&Facts { source, number: Some(number), ..Facts::default() }).unwrap()
}

fn name(name: &str) -> Option<Verdict> {
    classify(&Facts { name, ..Facts::default() })
}

fn status(status: u16) -> Option<Verdict> {
    classify(&Facts { status, ..Facts::default() })
}

fn shape(verdict: Option<Verdict>) -> (bool, Processed, Scope, bool) {
    let verdict = verdict.expect("a known failure");
    (verdict.transient, verdict.processed, verdict.scope, verdict.throttled)
}

const NO: Processed = Processed::No;
const MAYBE: Processed = Processed::Maybe;
const YES: Processed = Processed::Yes;
const CONNECTION: Scope = Scope::Connection;
const TRANSACTION: Scope = Scope::Transaction;
const STATEMENT: Scope = Scope::Statement;
const REQUEST: Scope = Scope::Request;

#[test]
fn the_list_of_the_drop_in_is_transient_here_too() {
    let listed = "ECONNREFUSED ETIMEDOUT ECONNRESET EPIPE 57P03 57P02 57P01 08000 08001 08003 08004 \
                  08006 40001 40P01 ER_LOCK_DEADLOCK ER_LOCK_WAIT_TIMEOUT ER_CON_COUNT_ERROR \
                  PROTOCOL_CONNECTION_LOST SQLITE_BUSY SQLITE_LOCKED";
    for word in listed.split(' ') {
        assert!(is_transient_code(word), "{word}");
        assert!(code(word).expect(word).transient, "{word}");
    }
    for value in [-2, 1205, 1222, -1, 233, 10054, 10053] {
        assert!(is_transient_code(&value.to_string()), "{value}");
        assert!(number(Source::MsSql, value).transient, "{value}");
    }
    for word in ["SQLITE_BUSY_SNAPSHOT", "SQLITE_BUSY_RECOVERY", "SQLITE_LOCKED_VTAB"] {
        assert!(is_transient_code(word) && code(word).unwrap().transient, "{word}");
    }
    for word in ["UNKNOWN_ERROR", "23505", "23503", "", " ", "SQLITE_BUSYX", "12", "econnreset"] {
        assert!(!is_transient_code(word), "{word}");
    }
    assert!(is_transient_sqlite(5) && is_transient_sqlite(517) && is_transient_sqlite(262));
    assert!(!is_transient_sqlite(0) && !is_transient_sqlite(19) && !is_transient_sqlite(-251));
}

#[test]
fn families_in_full() {
    let cases = [
        ("ECONNREFUSED", (true, NO, CONNECTION, false)),
        ("ENOTFOUND", (true, NO, CONNECTION, false)),
        ("EADDRINUSE", (true, NO, CONNECTION, false)),
        ("ECONNRESET", (true, MAYBE, CONNECTION, false)),
        ("EPIPE", (true, MAYBE, CONNECTION, false)),
        ("ETIMEDOUT", (true, MAYBE, CONNECTION, false)),
        ("EACCES", (false, NO, REQUEST, false)),
        ("CERT_HAS_EXPIRED", (false, NO, CONNECTION, false)),
        ("UND_ERR_CONNECT_TIMEOUT", (true, NO, CONNECTION, false)),
        ("UND_ERR_SOCKET", (true, MAYBE, CONNECTION, false)),
        ("40001", (true, NO, TRANSACTION, false)),
        ("40P01", (true, NO, TRANSACTION, false)),
        ("55P03", (true, NO, TRANSACTION, false)),
        ("57014", (false, NO, TRANSACTION, false)),
        ("57P01", (true, MAYBE, CONNECTION, false)),
        ("53300", (true, NO, CONNECTION, true)),
        ("23505", (false, NO, TRANSACTION, false)),
        ("ER_LOCK_DEADLOCK", (true, NO, TRANSACTION, false)),
        ("ER_LOCK_WAIT_TIMEOUT", (true, NO, STATEMENT, false)),
        ("ER_CON_COUNT_ERROR", (true, NO, CONNECTION, true)),
        ("ER_DUP_ENTRY", (false, NO, STATEMENT, false)),
        ("POOL_CLOSED", (false, NO, CONNECTION, false)),
        ("SQLITE_BUSY", (true, NO, STATEMENT, false)),
        ("SQLITE_BUSY_SNAPSHOT", (true, NO, TRANSACTION, false)),
        ("SQLITE_CONSTRAINT_UNIQUE", (false, NO, STATEMENT, false)),
        ("ESOCKET", (true, MAYBE, CONNECTION, false)),
        ("ELOGIN", (false, NO, CONNECTION, false)),
        ("RESOURCE_EXHAUSTED", (true, NO, REQUEST, true)),
        ("ServerBusy", (true, MAYBE, REQUEST, true)),
        ("ConnectionRefused", (true, NO, CONNECTION, false)),
        ("P2034", (true, NO, TRANSACTION, false)),
    ];
    for (word, wanted) in cases {
        assert_eq!(shape(code(word)), wanted, "{word}");
    }
    assert_eq!(code("UNKNOWN_ERROR"), None);
    assert_eq!(shape(name("ThrottlingException")), (true, NO, REQUEST, true));
    assert_eq!(shape(name("AbortError")), (false, MAYBE, REQUEST, false));
    assert_eq!(shape(name("TimeoutError")), (true, MAYBE, REQUEST, false));
    assert_eq!(shape(name("MongoServerSelectionError")), (true, NO, CONNECTION, false));
    assert_eq!(shape(name("ClientOfflineError")), (true, NO, CONNECTION, false));
    assert_eq!(name("TypeError"), None);
}

#[test]
fn statuses() {
    assert_eq!(shape(status(429)), (true, NO, REQUEST, true));
    assert_eq!(shape(status(503)), (true, MAYBE, REQUEST, false));
    assert_eq!(shape(status(500)), (true, MAYBE, REQUEST, false));
    assert_eq!(shape(status(404)), (false, YES, REQUEST, false));
    assert_eq!(shape(status(421)), (true, NO, CONNECTION, false));
    assert_eq!(shape(status(521)), (true, NO, CONNECTION, false));
    assert_eq!(status(200), None);
}

#[test]
fn a_number_needs_someone_who_speaks() {
    assert!(number(Source::MySql, 1205).scope == STATEMENT);
    assert!(number(Source::MsSql, 1205).scope == TRANSACTION);
    assert!(number(Source::Sqlite, 261).transient);
    assert!(number(Source::Grpc, 14).transient);
    assert!(number(Source::MongoDb, 112).scope == TRANSACTION);
    assert_eq!(classify(&Facts { number: Some(1205), ..Facts::default() }), None);
}

#[test]
fn a_wait_goes_with_what_passes() {
    let wait = Wait { retry_after: "2", ..Wait::default() };
    let verdict = classify(&Facts { status: 503, wait, ..Facts::default() }).unwrap();
    assert_eq!(verdict.retry_after, Some(Duration::from_secs(2)));
    assert!(verdict.throttled, "a service that asks to wait asks for fewer requests");
    let verdict = classify(&Facts { status: 404, wait, ..Facts::default() }).unwrap();
    assert_eq!(verdict.retry_after, None);
    // The name decides, the headers still count: a throttled AWS answer has the status 400.
    let aws = Facts { name: "ThrottlingException", status: 400, wait, ..Facts::default() };
    assert_eq!(classify(&aws).unwrap().retry_after, Some(Duration::from_secs(2)));
}

/// The table of the methods and the flow chart beside it.
#[test]
fn methods_and_failures() {
    let refused = code("ECONNREFUSED").unwrap();
    let reset = code("ECONNRESET").unwrap();
    let server = status(500).unwrap();
    let client = status(400).unwrap();
    let default = Repeat::default();
    for (method, safe, idempotent) in [
        ("GET", true, true),
        ("HEAD", true, true),
        ("PUT", false, true),
        ("DELETE", false, true),
        ("POST", false, false),
        ("PATCH", false, false),
    ] {
        assert_eq!(is_safe(method), safe, "{method}");
        assert_eq!(is_idempotent(method), idempotent, "{method}");
        assert!(may_repeat(method, refused, default), "{method}");
        assert_eq!(may_repeat(method, reset, default), idempotent, "{method}");
        assert_eq!(may_repeat(method, server, default), idempotent, "{method}");
        assert!(!may_repeat(method, client, default), "{method}");
    }
    let patch = Repeat { patch_is_idempotent: true, ..default };
    assert!(may_repeat("patch", server, patch) && !may_repeat("POST", server, patch));
    let never = Repeat { idempotent: Some(false), ..patch };
    assert!(!may_repeat("GET", server, never) && !may_repeat("PATCH", server, never));
    assert!(may_repeat("GET", refused, never), "what never arrived may be sent");
    assert!(may_repeat("", server, Repeat { idempotent: Some(true), ..default }));
}

#[derive(Debug)]
struct Wrapper(Option<Box<dyn Error + Send + Sync>>);

impl fmt::Display for Wrapper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("wrapper")
    }
}

impl Error for Wrapper {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.as_deref().map(|error| error as _)
    }
}

fn wrapped(depth: usize) -> Wrapper {
    let reset = io::Error::from(ErrorKind::ConnectionReset);
    (0..depth).fold(Wrapper(Some(reset.into())), |inner, _| Wrapper(Some(inner.into())))
}

#[test]
fn sources_are_followed_but_not_for_ever() {
    assert!(classify_error(&wrapped(5)).unwrap().transient);
    assert_eq!(classify_error(&wrapped(100)), None);
    assert_eq!(classify_error(&Wrapper(None)), None);
    // An I/O error made of another hides it from `source`.
    let nested = io::Error::other(wrapped(1));
    assert!(classify_error(&nested).unwrap().transient);
    let direct = io::Error::other(io::Error::from(ErrorKind::BrokenPipe));
    assert_eq!(classify_error(&direct).unwrap().processed, MAYBE);
}

#[test]
fn real_io_errors() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = std::net::TcpStream::connect(port).unwrap_err();
    assert_eq!(shape(classify_io(&refused)), (true, NO, CONNECTION, false));
    let missing = std::fs::File::open("/no/such/file").unwrap_err();
    assert!(!classify_io(&missing).unwrap().transient);
    if cfg!(unix) {
        assert!(classify_io(&io::Error::from_raw_os_error(24)).unwrap().transient);
    }
    assert_eq!(classify_io(&io::Error::other("odd")), None);
}

fn any_verdict() -> impl Strategy<Value = Verdict> {
    (0_u32..64, proptest::option::of(0_u64..1_000_000_000))
        .prop_map(|(bits, wait)| Verdict::from_bits(bits, wait.map(Duration::from_millis)))
}

fn any_word() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[A-Z_0-9]{0,12}",
        "(ER|SQLITE|UND_ERR|PROTOCOL|E|P|MongoX)_?[A-Z0-9_]{0,9}",
        "[0-9]{1,9}(\\.[0-9]{0,30})?(ms|s|m|h)?",
        "(Sun|Mon)[, ]{1,2}[0-9]{1,3}[ -](Nov|Feb)[ -][0-9]{0,5} [0-9]{0,3}:[0-9]{0,3}:[0-9]{0,3} ?G?M?T?",
        "\"?[a-z]{0,4}\"?;r=[0-9]{0,3};t=[0-9]{0,3},?",
    ]
}

proptest! {
    #[test]
    fn nothing_panics(
        words in proptest::collection::vec(any_word(), 12),
        source in 0_u32..9,
        number in proptest::option::of(any::<i32>()),
        status: u16,
        flags: u32,
        now_ms: f64,
    ) {
        let fields = format!(
            "{}\0{}\0{}\0{}\0{}\0{}\0retry-after\0{}\0RateLimit\0{}\0X-RateLimit-Reset\0{}\0{}\0{}\0{}",
            words[0], words[1], words[2], words[3], words[4], words[5],
            words[6], words[7], words[8], words[9], words[10], words[11],
        );
        let facts = Facts {
            source: Source::from_number(source),
            number,
            status,
            now_ms,
            ..Facts::from_fields(&fields, flags)
        };
        if let Some(verdict) = classify(&facts) {
            prop_assert!(verdict.transient || verdict.retry_after.is_none());
            prop_assert!(verdict.transient || !verdict.throttled);
            let packed = verdict.to_packed();
            prop_assert!((0.0..2_f64.powi(53)).contains(&packed));
        }
        let _ = is_transient_code(&words[0]);
        let _ = http_date(&words[6], now_ms);
        let _ = is_idempotent(&words[1]);
    }

    #[test]
    fn packing_is_exact(verdict in any_verdict()) {
        prop_assert_eq!(Verdict::from_packed(verdict.to_packed()), Some(verdict));
    }

    #[test]
    fn joining_is_the_worst_of_all(a in any_verdict(), b in any_verdict(), c in any_verdict()) {
        prop_assert_eq!(a.join(b), b.join(a));
        prop_assert_eq!(a.join(b).join(c), a.join(b.join(c)));
        prop_assert_eq!(a.join(a), a);
        let joined = a.join(b);
        prop_assert_eq!(joined.transient, a.transient && b.transient);
        prop_assert!(joined.processed >= a.processed && joined.scope >= b.scope);
        prop_assert!(joined.retry_after >= a.retry_after);
        prop_assert_eq!(join_packed(a.to_packed(), b.to_packed()), joined.to_packed());
    }

    #[test]
    fn numbers_that_are_no_verdict_are_refused(packed: f64) {
        if let Some(verdict) = Verdict::from_packed(packed) {
            prop_assert!(packed >= 0.0);
            prop_assert_eq!(Verdict::from_packed(verdict.to_packed()), Some(verdict));
        }
    }

    #[test]
    fn dates_agree_with_a_count_of_days(days in 0_u32..40_000, second in 0_u32..86_400) {
        // The oracle counts the days one by one.
        let names = ["Jan","Feb","Mar","Apr","May","Jun","Jul","Aug","Sep","Oct","Nov","Dec"];
        let leap = |year: u32| {
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
        };
        let (mut year, mut left) = (1970, days);
        while left >= if leap(year) { 366 } else { 365 } {
            left -= if leap(year) { 366 } else { 365 };
            year += 1;
        }
        let lengths = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let mut month = 0;
        while left >= lengths[month] {
            left -= lengths[month];
            month += 1;
        }
        let (hour, minute, rest) = (second / 3600, second / 60 % 60, second % 60);
        let (day, name) = (left + 1, names[month]);
        let wanted = f64::from(days) * 86_400_000.0 + f64::from(second) * 1000.0;
        let imf = format!("Sun, {day:02} {name} {year} {hour:02}:{minute:02}:{rest:02} GMT");
        prop_assert_eq!(http_date(&imf, 0.0), Some(wanted));
        let asctime = format!("Sun {name} {day:>2} {hour:02}:{minute:02}:{rest:02} {year}");
        prop_assert_eq!(http_date(&asctime, 0.0), Some(wanted));
        let short = year % 100;
        let old = format!("Sunday, {day:02}-{name}-{short:02} {hour:02}:{minute:02}:{rest:02} GMT");
        prop_assert_eq!(http_date(&old, wanted), Some(wanted));
    }
}
