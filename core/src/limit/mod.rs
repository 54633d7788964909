//! Limits on what runs at once and how often.

pub mod adaptive;
pub mod bulkhead;
pub mod priority;
