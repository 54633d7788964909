//! What the two JavaScript doors share: values and breakers of one isolate by number.
//!
//! Not part of the crate's promise to Rust programs.

mod breakers;
mod causes;
pub mod health;
pub mod isolate;
pub mod numbers;
mod slab;

pub use breakers::Breakers;
pub use causes::Causes;
pub use slab::Slab;
