//! The native door: converts, calls the core, converts back.
//!
//! Free functions over numbers, because a class method costs three times as much.

mod classify;
mod options;
