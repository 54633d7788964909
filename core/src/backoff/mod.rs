//! stub until merged
use crate::Rng;
use crate::options::Problem;
use core::time::Duration;
/// stub
#[derive(Debug, Clone, PartialEq)]
pub struct Backoff;
/// stub
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
pub struct BackoffOptions {}
/// stub
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BackoffConfig {}
impl BackoffOptions {
    /// stub
    pub fn into_config(self) -> Result<BackoffConfig, Problem> {
        Ok(BackoffConfig {})
    }
}
impl Backoff {
    /// stub
    pub fn new(_: BackoffConfig) -> Result<Self, Problem> {
        Ok(Self)
    }
    /// stub
    pub fn delay(&self, _: u32, _: Duration, _: &mut Rng) -> Option<Duration> {
        None
    }
}
