//! How many calls may run, begin or wait: limits of several kinds.

pub mod adaptive;
