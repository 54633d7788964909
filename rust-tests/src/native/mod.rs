//! Parsers of the addon, from its own sources: the addon as a whole runs in Node alone, and nothing
//! that is read from others may go without a fuzzer.

pub mod probes;
pub mod refusals;
