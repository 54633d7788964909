//! What an operation of the system failed with, for JavaScript.

use std::io;

use napi::Error;

/// The number the system has for it, and its words; TypeScript words it anew.
pub(super) fn failed(error: &io::Error) -> Error {
    let number = error.raw_os_error().unwrap_or(0);
    Error::from_reason(format!("{number} {error}"))
}
