//! Errors of client libraries, each behind the feature of its name.
//!
//! What only wraps another error says nothing here: its source is asked next.

use std::error::Error;

use super::verdict::Verdict;

/// What an error of a known client means; its sources are not asked.
pub(super) fn classify(error: &(dyn Error + 'static)) -> Option<Verdict> {
    let _ = error;
    #[cfg(feature = "hyper")]
    if let Some(verdict) = error.downcast_ref().and_then(hyper::classify) {
        return Some(verdict);
    }
    #[cfg(feature = "reqwest")]
    if let Some(verdict) = error.downcast_ref().and_then(reqwest::classify) {
        return Some(verdict);
    }
    #[cfg(feature = "redis")]
    if let Some(verdict) = error.downcast_ref().and_then(redis::classify) {
        return Some(verdict);
    }
    #[cfg(feature = "sqlx")]
    if let Some(verdict) = error.downcast_ref().and_then(sqlx::classify) {
        return Some(verdict);
    }
    #[cfg(feature = "tokio-postgres")]
    if let Some(verdict) = error.downcast_ref().and_then(postgres::classify) {
        return Some(verdict);
    }
    None
}

#[cfg(feature = "hyper")]
mod hyper {
    use super::Verdict;
    use crate::classify::table::{LOST, UNSENT, verdict};

    pub(super) fn classify(error: &::hyper::Error) -> Option<Verdict> {
        if error.is_canceled() || error.is_closed() {
            // It never left: the connection was gone, or never ready for it.
            Some(verdict(UNSENT))
        } else if error.is_incomplete_message() || error.is_timeout() {
            Some(verdict(LOST))
        } else {
            None
        }
    }
}

#[cfg(feature = "reqwest")]
mod reqwest {
    use super::Verdict;
    use crate::classify::table::{LOST, UNSENT, verdict};

    pub(super) fn classify(error: &::reqwest::Error) -> Option<Verdict> {
        if let Some(status) = error.status() {
            return crate::classify::status(status.as_u16());
        }
        match (error.is_timeout(), is_connect(error)) {
            (true, true) => Some(verdict(UNSENT)),
            (true, false) => Some(verdict(LOST)),
            // Why it has no connection is further in.
            _ => None,
        }
    }

    #[cfg(not(all(target_arch = "wasm32", any(target_os = "unknown", target_os = "none"))))]
    fn is_connect(error: &::reqwest::Error) -> bool {
        error.is_connect()
    }

    /// A browser does not say it, and reqwest has no such method there.
    #[cfg(all(target_arch = "wasm32", any(target_os = "unknown", target_os = "none")))]
    const fn is_connect(_: &::reqwest::Error) -> bool {
        false
    }
}

#[cfg(feature = "redis")]
mod redis {
    use ::redis::{ErrorKind, RedisError};

    use super::Verdict;
    use crate::classify::table::{LOST, UNREACHABLE, UNSENT, verdict};
    use crate::classify::{Facts, Source, classify as judge};

    pub(super) fn classify(error: &RedisError) -> Option<Verdict> {
        if error.is_connection_refusal() {
            return Some(verdict(UNSENT));
        }
        if error.is_timeout() || error.is_connection_dropped() {
            return Some(verdict(LOST));
        }
        match error.kind() {
            ErrorKind::AuthenticationFailed => Some(verdict(UNREACHABLE)),
            _ => {
                let code = error.code()?;
                // One refusal of a connection has no word of its own.
                let detail = error.detail().filter(|_| code == "ERR");
                let message = detail.filter(|text| text.starts_with("max number of clients"));
                let message = message.map_or(code, |_| "ERR max number of clients");
                judge(&Facts { source: Source::Redis, message, ..Facts::default() })
            }
        }
    }
}

#[cfg(feature = "sqlx")]
mod sqlx {
    use ::sqlx::Error;

    use super::Verdict;
    use crate::classify::table::{LOST, TURNED_AWAY, UNREACHABLE, verdict};
    use crate::classify::{Facts, Source, classify as judge, mysql};

    pub(super) fn classify(error: &Error) -> Option<Verdict> {
        match error {
            Error::Database(database) => {
                let code = database.code();
                let code = code.as_deref().unwrap_or_default();
                if code == mysql::GENERAL
                    && let Some(verdict) = by_number_of_mysql(database.message())
                {
                    return Some(verdict);
                }
                // An SQLSTATE has five characters, a result code of SQLite up to four digits.
                let number = if code.len() < 5 { code.parse().ok() } else { None };
                let source = if number.is_some() { Source::Sqlite } else { Source::Unknown };
                let sql_state = if number.is_some() { "" } else { code };
                judge(&Facts {
                    sql_state,
                    number,
                    source,
                    message: database.message(),
                    ..Facts::default()
                })
            }
            Error::PoolTimedOut => Some(verdict(TURNED_AWAY)),
            Error::PoolClosed => Some(verdict(UNREACHABLE)),
            Error::WorkerCrashed => Some(verdict(LOST)),
            _ => None,
        }
    }

    fn by_number_of_mysql(message: &str) -> Option<Verdict> {
        let number = Some(mysql::number_of(message)?);
        judge(&Facts { source: Source::MySql, number, message, ..Facts::default() })
    }
}

#[cfg(feature = "tokio-postgres")]
mod postgres {
    use ::tokio_postgres::Error;

    use super::Verdict;
    use crate::classify::table::{LOST, verdict};
    use crate::classify::{Facts, classify as judge};

    pub(super) fn classify(error: &Error) -> Option<Verdict> {
        if let Some(state) = error.code() {
            return judge(&Facts { sql_state: state.code(), ..Facts::default() });
        }
        error.is_closed().then(|| verdict(LOST))
    }
}

#[cfg(test)]
mod tests {
    /// A server that takes a request and hangs up, as one does that closes an idle connection just as
    /// it is used again.
    #[cfg(feature = "reqwest")]
    #[test]
    fn a_connection_of_reqwest_that_the_server_closed() {
        use crate::classify::{Processed, Scope, classify_error};
        use std::io::Read;

        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = std::format!("http://{}/", server.local_addr().unwrap());
        let hangs_up = std::thread::spawn(move || {
            let (mut connection, _) = server.accept().unwrap();
            assert!(connection.read(&mut [0; 1_024]).unwrap() > 0);
        });
        let client = ::reqwest::Client::builder().no_proxy().build().unwrap();
        let runtime = ::tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let error = runtime.block_on(client.get(url).send()).unwrap_err();
        hangs_up.join().unwrap();
        let lost = classify_error(&error).unwrap();
        assert_eq!(
            (lost.transient, lost.processed, lost.scope),
            (true, Processed::Maybe, Scope::Connection)
        );
    }

    #[cfg(feature = "redis")]
    #[test]
    fn replies_of_redis() {
        use crate::classify::{Processed, classify_error};
        let reply = |code: &str, text: &str| {
            let error = ::redis::make_extension_error(code.into(), Some(text.into()));
            classify_error(&error)
        };
        assert!(reply("CLUSTERDOWN", "x").unwrap().transient);
        assert!(reply("OOM", "command not allowed").unwrap().throttled);
        assert!(!reply("WRONGTYPE", "x").unwrap().transient);
        assert!(reply("ERR", "max number of clients reached").unwrap().throttled);
        let io = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let refused = classify_error(&::redis::RedisError::from(io)).unwrap();
        assert_eq!((refused.transient, refused.processed), (true, Processed::No));
        let io = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        let lost = classify_error(&::redis::RedisError::from(io)).unwrap();
        assert_eq!((lost.transient, lost.processed), (true, Processed::Maybe));
    }

    #[cfg(feature = "sqlx")]
    #[test]
    fn errors_of_sqlx() {
        use crate::classify::{Processed, Scope, classify_error};
        use std::borrow::Cow;
        use std::error::Error;

        #[derive(Debug)]
        struct Database(&'static str, &'static str);
        impl std::fmt::Display for Database {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("database")
            }
        }
        impl Error for Database {}
        impl ::sqlx::error::DatabaseError for Database {
            fn message(&self) -> &str {
                self.1
            }
            fn code(&self) -> Option<Cow<'_, str>> {
                Some(self.0.into())
            }
            fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
                self
            }
            fn as_error_mut(&mut self) -> &mut (dyn Error + Send + Sync + 'static) {
                self
            }
            fn into_error(self: Box<Self>) -> Box<dyn Error + Send + Sync + 'static> {
                self
            }
            fn kind(&self) -> ::sqlx::error::ErrorKind {
                ::sqlx::error::ErrorKind::Other
            }
        }
        let says = |code, message| {
            classify_error(&::sqlx::Error::Database(Box::new(Database(code, message))))
        };
        let of = |code| says(code, "database");
        let deadlock = of("40P01").unwrap();
        assert_eq!((deadlock.transient, deadlock.scope), (true, Scope::Transaction));
        assert!(!of("23505").unwrap().transient);
        assert!(of("5").unwrap().transient, "SQLITE_BUSY");
        assert!(of("517").unwrap().transient, "SQLITE_BUSY_SNAPSHOT");
        let io = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        assert!(classify_error(&::sqlx::Error::Io(io)).unwrap().transient);
        let full = classify_error(&::sqlx::Error::PoolTimedOut).unwrap();
        assert_eq!((full.transient, full.processed), (true, Processed::No));
        assert_eq!(classify_error(&::sqlx::Error::RowNotFound), None);
        // MySQL, of which sqlx keeps the number to itself.
        let waited = "Lock wait timeout exceeded; try restarting transaction";
        let lock = says("HY000", waited).unwrap();
        assert_eq!(
            (lock.transient, lock.processed, lock.scope),
            (true, Processed::No, Scope::Statement)
        );
        let option = |option: &str, server: &str| {
            let text = std::format!(
                "The {server} server is running with the {option} option so it cannot execute \
                 this statement"
            );
            says("HY000", text.leak()).unwrap()
        };
        for server in ["MySQL", "MariaDB"] {
            assert!(option("--read-only", server).transient);
            assert!(!option("--secure-file-priv", server).transient);
        }
        assert_eq!([says("HY000", "Unknown error"), says("HY000", "")], [None; 2]);
        assert!(!says("23000", waited).unwrap().transient, "its SQLSTATE says what it is");
    }
}
