//! What is wrong with an option, as values that every door can word.

use core::fmt;

#[doc(hidden)]
pub use crate::fields::Checks;

/// What an option must be.
///
/// The discriminants cross to JavaScript, where `npm/src/errors.ts` words them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[non_exhaustive]
pub enum Rule {
    /// A whole number of at least [`Problem::limit`].
    IntegerAtLeast = 1,
    /// A number of at least [`Problem::limit`].
    AtLeast = 2,
    /// A number above [`Problem::limit`].
    Above = 3,
    /// A number of at most [`Problem::limit`].
    AtMost = 4,
    /// Above 0 and at most 1.
    Ratio = 5,
    /// From 0 to 1.
    Share = 6,
    /// Not less than the option named by [`Problem::other`].
    NotBelow = 7,
    /// Not together with the option named by [`Problem::other`].
    NotWith = 8,
    /// Only together with the option named by [`Problem::other`].
    OnlyWith = 9,
    /// Not empty.
    NotEmpty = 10,
    /// Each entry larger than the one before.
    Ascending = 11,
    /// One of the values the documentation lists.
    OneOf = 12,
    /// In use with the same options wherever it is used.
    SameOptions = 13,
    /// Further out than the part named by [`Problem::other`].
    Outside = 14,
    /// Addresses, or ranges of them, and at least one.
    Networks = 15,
}

/// Why options were refused: which one, and what it must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Problem {
    /// The option, spelt as in the JavaScript options (`halfOpen.permits`).
    pub field: &'static str,
    /// What it must be.
    pub rule: Rule,
    /// The number the rule speaks of, 0 where it speaks of none.
    pub limit: f64,
    /// The other option the rule speaks of, empty where it speaks of none.
    pub other: &'static str,
}

impl Problem {
    /// A problem whose rule needs no number and no second option.
    #[must_use]
    pub const fn new(field: &'static str, rule: Rule) -> Self {
        Self { field, rule, limit: 0.0, other: "" }
    }

    /// A problem whose rule speaks of a number.
    #[must_use]
    pub const fn limit(field: &'static str, rule: Rule, limit: f64) -> Self {
        Self { field, rule, limit, other: "" }
    }

    /// A problem between two options.
    #[must_use]
    pub const fn between(field: &'static str, rule: Rule, other: &'static str) -> Self {
        Self { field, rule, limit: 0.0, other }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, limit, other, .. } = self;
        match self.rule {
            Rule::IntegerAtLeast => {
                write!(f, "`{field}` must be a whole number of at least {limit}")
            }
            Rule::AtLeast => write!(f, "`{field}` must be at least {limit}"),
            Rule::Above => write!(f, "`{field}` must be above {limit}"),
            Rule::AtMost => write!(f, "`{field}` must be at most {limit}"),
            Rule::Ratio => write!(f, "`{field}` must be above 0 and at most 1"),
            Rule::Share => write!(f, "`{field}` must be from 0 to 1"),
            Rule::NotBelow => write!(f, "`{field}` must not be less than `{other}`"),
            Rule::NotWith => write!(f, "`{field}` must not be set together with `{other}`"),
            Rule::OnlyWith => write!(f, "`{field}` may be set only together with `{other}`"),
            Rule::NotEmpty => write!(f, "`{field}` must not be empty"),
            Rule::Ascending => {
                write!(f, "each entry of `{field}` must be larger than the one before")
            }
            Rule::SameOptions => write!(f, "`{field}` is in use with other options"),
            Rule::Outside => write!(f, "`{field}` must stand outside `{other}`"),
            Rule::Networks => {
                write!(f, "`{field}` must be addresses, or ranges as `10.0.0.0/8`")
            }
            Rule::OneOf => write!(f, "`{field}` must be one of the documented values"),
        }
    }
}

impl core::error::Error for Problem {}
