//! What the tests of the `seawall` crate share.

pub mod breaker_model;
pub mod breaker_pair;
pub mod breaker_world;
#[cfg(not(loom))]
pub mod fuzz;
#[cfg(not(loom))]
pub mod js_caller;
#[cfg(not(loom))]
pub mod native;
pub mod vectors;

/// `cases` random cases, or as many times more as `SEAWALL_TEST_EFFORT` says; two under Miri.
#[must_use]
pub fn cases(cases: u32) -> u32 {
    if cfg!(miri) {
        return cases.min(2);
    }
    let effort = std::env::var("SEAWALL_TEST_EFFORT").ok().and_then(|effort| effort.parse().ok());
    cases.saturating_mul(effort.unwrap_or(1))
}

/// Runs the Rust blocks of the README as doc tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
