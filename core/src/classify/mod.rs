//! What an error means: whether to try again, what may have happened, how long to wait.

mod verdict;

pub use verdict::{Processed, Scope, Verdict};
