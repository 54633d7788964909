//! How a call ended, in the three values that every policy understands.

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Outcome {
    /// It did what it was called for.
    Success = 0,
    /// It failed in a way that speaks against the other side.
    Failure = 1,
    /// It says nothing about the other side: cancelled by its caller, or an
    /// error that a filter excludes. It frees what the call held and decides nothing.
    Neutral = 2,
}

impl Outcome {
    /// The outcome of a number that crossed a door; anything unknown is neutral.
    #[must_use]
    pub const fn from_code(code: u32) -> Self {
        match code {
            0 => Self::Success,
            1 => Self::Failure,
            _ => Self::Neutral,
        }
    }
}
