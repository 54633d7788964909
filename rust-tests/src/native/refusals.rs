//! Heads of requests that are refused before JavaScript sees them.

#[path = "../../../node-binding/src/native/refusals/head.rs"]
#[allow(dead_code, clippy::bool_assert_comparison, reason = "as the addon has it")]
mod head;

/// What can be answered: whether the connection stays, how many bytes are there, and whether more
/// may come. `None` where it cannot be told yet, or is for another to answer (`foreign`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// There must come more.
    Partial,
    /// Somebody else's.
    Foreign,
    /// A request that is refused here.
    Whole {
        /// Whether the connection can go on.
        stays: bool,
        /// How many bytes of it are there.
        bytes: usize,
        /// Whether more of it may come.
        more: bool,
    },
}

/// Reads what `bytes` begin with; requests for one of `paths` are somebody else's.
#[must_use]
pub fn read(bytes: &[u8], paths: &[String]) -> Seen {
    match head::read(bytes, paths) {
        head::Head::Partial => Seen::Partial,
        head::Head::Foreign => Seen::Foreign,
        head::Head::Whole(head::Request { stays, bytes, more, .. }) => {
            Seen::Whole { stays, bytes, more }
        }
    }
}
