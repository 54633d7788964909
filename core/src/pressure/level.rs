//! The steps by which a process defends itself.

/// What a process under pressure does beside serving. Each level includes those before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// No pressure: everybody is let in.
    #[default]
    Normal = 0,
    /// Some: a share of the least important requests is refused.
    Elevated = 1,
    /// A quarter and more: connections are kept open for a shorter time.
    High = 2,
    /// A half and more: a share of the connections is closed after the answer.
    Severe = 3,
    /// All there can be: only what is critical is let in.
    Full = 4,
}

/// Levels from the highest, each with the pressure that leads to it.
const STEPS: [(Level, f64); 3] = [(Level::Full, 1.0), (Level::Severe, 0.5), (Level::High, 0.25)];

/// The part of what leads to a level below which it is left.
pub(super) const LEAVE: f64 = 0.9;

impl Level {
    /// The level to which a pressure leads.
    #[must_use]
    pub fn entered_at(pressure: f64) -> Self {
        Self::reached(pressure, 1.0, pressure > 0.0)
    }

    /// The highest level that a pressure holds once it was entered; `near` is whether any signal is
    /// still at nine tenths of its soft limit.
    pub(super) fn held_at(pressure: f64, near: bool) -> Self {
        Self::reached(pressure, LEAVE, near || pressure > 0.0)
    }

    fn reached(pressure: f64, part: f64, some: bool) -> Self {
        let step = STEPS.iter().find(|(_, from)| pressure >= from * part);
        let least = if some { Self::Elevated } else { Self::Normal };
        step.map_or(least, |(level, _)| *level)
    }

    /// The least pressure at which it is entered; for [`Level::Elevated`] anything above.
    #[must_use]
    pub fn floor(self) -> f64 {
        STEPS.iter().find(|(level, _)| *level == self).map_or(0.0, |(_, from)| *from)
    }
}
