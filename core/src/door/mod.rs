//! What the two JavaScript doors share: values and breakers of one isolate by number.
//!
//! Not part of the crate's promise to Rust programs.

#[cfg(feature = "serde")]
mod breakers;
mod causes;
#[cfg(feature = "serde")]
pub mod numbers;
mod slab;

#[cfg(feature = "serde")]
pub use breakers::Breakers;
pub use causes::Causes;
pub use slab::Slab;
