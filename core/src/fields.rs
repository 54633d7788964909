//! Turning the plain numbers of options that come from outside into what they mean.

use alloc::boxed::Box;
use core::time::Duration;

use crate::options::{Problem, Rule};
use crate::time::duration_from_millis;

/// Checks of options, of which the first that fails is kept.
///
/// Each is one call, and the code that makes it goes on as if it had passed. With a `?` after
/// each, which moves a whole [`Problem`], the options of all policies took 9 KB more in WASM.
#[derive(Debug, Default)]
pub struct Checks(Option<Box<Problem>>);

impl Checks {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(None)
    }

    /// Whether all passed.
    ///
    /// # Errors
    /// What the first that failed found.
    pub fn passed(self) -> Result<(), Box<Problem>> {
        self.0.map_or(Ok(()), Err)
    }

    /// Whether none has failed so far.
    #[must_use]
    #[cfg(feature = "std")]
    pub(crate) const fn have_passed(&self) -> bool {
        self.0.is_none()
    }

    /// `value`, unless a check failed.
    pub(crate) fn finish<T>(self, value: T) -> Result<T, Problem> {
        match self.0 {
            None => Ok(value),
            Some(problem) => Err(*problem),
        }
    }

    #[inline(never)]
    fn expect(
        &mut self,
        holds: bool,
        field: &'static str,
        rule: Rule,
        limit: f64,
        other: &'static str,
    ) {
        if !holds && self.0.is_none() {
            self.0 = Some(Box::new(Problem { field, rule, limit, other }));
        }
    }

    /// A rule that needs no number and no second option.
    pub(crate) fn rule(&mut self, holds: bool, field: &'static str, rule: Rule) {
        self.expect(holds, field, rule, 0.0, "");
    }

    /// A rule that speaks of a number.
    #[inline(never)]
    pub(crate) fn limit(&mut self, holds: bool, field: &'static str, rule: Rule, limit: f64) {
        self.expect(holds, field, rule, limit, "");
    }

    /// A rule between two options.
    #[inline(never)]
    pub(crate) fn between(
        &mut self,
        holds: bool,
        field: &'static str,
        rule: Rule,
        other: &'static str,
    ) {
        self.expect(holds, field, rule, 0.0, other);
    }

    /// An option that has no meaning here, for want of `other`.
    #[inline(never)]
    pub(crate) fn only_with(
        &mut self,
        field: &'static str,
        value: Option<f64>,
        other: &'static str,
    ) {
        self.between(value.is_none(), field, Rule::OnlyWith, other);
    }

    /// A share above 0 and at most 1.
    #[inline(never)]
    pub(crate) fn ratio(&mut self, field: &'static str, value: f64) {
        self.rule(value > 0.0 && value <= 1.0, field, Rule::Ratio);
    }

    /// A count of at least 1.
    #[inline(never)]
    pub(crate) fn at_least_one(&mut self, field: &'static str, count: u32) {
        self.limit(count > 0, field, Rule::IntegerAtLeast, 1.0);
    }

    /// A count from 1 to `most`.
    #[inline(never)]
    pub(crate) fn up_to(&mut self, field: &'static str, count: u32, most: u32) {
        self.at_least_one(field, count);
        self.limit(count <= most, field, Rule::AtMost, f64::from(most));
    }

    /// A time above 0.
    #[inline(never)]
    pub(crate) fn above_zero(&mut self, field: &'static str, value: Duration) {
        self.limit(!value.is_zero(), field, Rule::Above, 0.0);
    }

    /// Milliseconds of at least 0; what is past the range of a [`Duration`] saturates.
    #[inline(never)]
    pub(crate) fn millis(&mut self, field: &'static str, value: Option<f64>) -> Option<Duration> {
        let ms = value?;
        self.limit(ms >= 0.0, field, Rule::AtLeast, 0.0);
        Some(duration_from_millis(ms))
    }

    /// The same, `default` where there are none.
    #[inline(never)]
    pub(crate) fn millis_or(
        &mut self,
        field: &'static str,
        value: Option<f64>,
        default: Duration,
    ) -> Duration {
        self.millis(field, value).unwrap_or(default)
    }

    /// Milliseconds above 0, `default` where there are none.
    #[inline(never)]
    pub(crate) fn positive(
        &mut self,
        field: &'static str,
        value: Option<f64>,
        default: Duration,
    ) -> Duration {
        let Some(ms) = value else { return default };
        let time = duration_from_millis(ms);
        self.above_zero(field, time);
        time
    }

    /// A whole number of at least `least`, `default` where there is none.
    #[inline(never)]
    pub(crate) fn whole(
        &mut self,
        field: &'static str,
        value: Option<f64>,
        least: f64,
        default: u32,
    ) -> u32 {
        let Some(count) = value else { return default };
        let holds = count >= least && libm::floor(count) == count;
        self.limit(holds, field, Rule::IntegerAtLeast, least);
        count as u32
    }

    /// The same from 1 to what a `u32` holds.
    #[inline(never)]
    pub(crate) fn count(&mut self, field: &'static str, value: Option<f64>, default: u32) -> u32 {
        const MOST: f64 = u32::MAX as f64;
        let count = self.whole(field, value, 1.0, default);
        self.limit(value.is_none_or(|value| value <= MOST), field, Rule::AtMost, MOST);
        count
    }

    /// A whole number of attempts, at least 1; infinity is no limit.
    #[inline(never)]
    pub(crate) fn attempts(&mut self, field: &'static str, value: Option<f64>) -> Option<u32> {
        let count = value.filter(|count| *count != f64::INFINITY)?;
        Some(self.whole(field, Some(count), 1.0, 0))
    }
}
