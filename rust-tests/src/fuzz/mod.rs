//! What the fuzzers run: one function for each target, which panics where something is wrong.
//!
//! `fuzz/` has a program for each, and `tests/fuzz_corpus.rs` runs them over what was found worth
//! keeping, without a fuzzer.

mod bytes;
mod http;
mod limits;
mod machine;
mod native;
mod options;
mod sequences;
mod text;

/// What takes the bytes of a fuzzer.
pub type Target = fn(&[u8]);

/// All targets by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("adaptive", sequences::adaptive),
    ("answered", native::answered),
    ("breaker", machine::breaker),
    ("bulkhead", limits::bulkhead),
    ("chunks", http::chunks),
    ("claim", sequences::claim),
    ("classify", text::classify),
    ("config", options::config),
    ("head", text::head),
    ("health", sequences::health),
    ("lifecycle", sequences::lifecycle),
    ("networks", http::networks),
    ("options", options::options),
    ("os", text::os),
    ("pass", http::pass),
    ("proxy", http::proxy),
    ("rate", limits::rate),
    ("recording", text::recording),
    ("shares", sequences::shares),
    ("snapshot", options::snapshot),
    ("wait", text::wait),
];

/// Runs the target of that name.
///
/// # Panics
/// Where there is none, or it finds something wrong.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|(other, _)| *other == name);
    let (_, target) = target.unwrap_or_else(|| panic!("no target is called {name}"));
    target(data);
}
