//! Random breakers and random lives for them.

mod configs;
mod ops;

pub use configs::{any_config, any_trip, window_that_never_slides};
pub use ops::{Op, any_op, forward_op};
