//! Limits on how many calls go out: at once, by time, and by how many of them succeed.

pub mod adaptive;
pub(crate) mod bucket;
pub mod bulkhead;
pub mod priority;
pub mod rate;
pub mod throttle;
