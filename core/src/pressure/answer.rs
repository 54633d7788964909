//! What a request is told.

use super::signals::{SIGNALS, Signal};

/// Why a request is shed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// This signal was the greatest.
    Signal(Signal),
    /// The service was put into maintenance.
    Maintenance,
}

impl Cause {
    /// The place of the signal, [`SIGNALS`] for maintenance.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Signal(signal) => signal as u8,
            Self::Maintenance => SIGNALS as u8,
        }
    }
}

/// A refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shed {
    /// Why.
    pub cause: Cause,
    /// After how many seconds it is worth coming back, with jitter; 0: that is not known, or is
    /// less than a second.
    pub retry_after_s: u32,
    /// Whether the request is let in all the same, as this is a dry run.
    pub dry_run: bool,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Answer {
    /// It is let in.
    Admitted,
    /// It is refused, or would be.
    Shed(Shed),
}

impl Answer {
    /// Whether the request must not be served; not so in a dry run.
    #[must_use]
    pub const fn is_shed(self) -> bool {
        matches!(self, Self::Shed(Shed { dry_run: false, .. }))
    }

    /// In one number: 0 for admitted, else `1 + cause + 32 * seconds`, negative in a dry run.
    #[doc(hidden)]
    #[must_use]
    pub fn to_code(self) -> f64 {
        let Self::Shed(shed) = self else { return 0.0 };
        let code = 1.0 + f64::from(shed.cause.code()) + 32.0 * f64::from(shed.retry_after_s);
        if shed.dry_run { -code } else { code }
    }
}
