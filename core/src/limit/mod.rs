//! Limits on what runs at once and how often.

pub mod bulkhead;
pub mod priority;
