//! Limits on how many calls go out: by time, and by how many of them succeed.

pub(crate) mod bucket;
pub mod rate;
pub mod throttle;
