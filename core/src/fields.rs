//! Reading the plain numbers of options that come from outside.

use core::time::Duration;

use crate::options::{Problem, Rule};
use crate::time::duration_from_millis;

/// Milliseconds of at least 0; what is past the range of a [`Duration`] saturates.
pub(crate) fn millis(field: &'static str, value: Option<f64>) -> Result<Option<Duration>, Problem> {
    match value {
        None => Ok(None),
        Some(ms) if ms >= 0.0 => Ok(Some(duration_from_millis(ms))),
        Some(_) => Err(Problem::limit(field, Rule::AtLeast, 0.0)),
    }
}

/// A whole number of attempts, at least 1; infinity is no limit.
pub(crate) fn attempts(field: &'static str, value: Option<f64>) -> Result<Option<u32>, Problem> {
    match value {
        None => Ok(None),
        Some(count) if count == f64::INFINITY => Ok(None),
        Some(count) if count >= 1.0 && libm::floor(count) == count => Ok(Some(count as u32)),
        Some(_) => Err(Problem::limit(field, Rule::IntegerAtLeast, 1.0)),
    }
}
