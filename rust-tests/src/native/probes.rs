//! Heads of requests for probes.

#[path = "../../../node-binding/src/native/probes/head.rs"]
#[allow(dead_code, reason = "as the addon has it")]
pub(in crate::native) mod head;

use head::{Head, parse};

/// A request that was read: its path, and how many bytes its head has. A status where it is refused,
/// nothing where more has to come.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<Result<(String, usize), u16>> {
    match parse(bytes) {
        Head::Partial => None,
        Head::Request { path, bytes, .. } => Some(Ok((path, bytes))),
        Head::Refused(status) => Some(Err(status)),
    }
}
