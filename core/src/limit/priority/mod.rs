//! Who is turned away first when there is not enough for all.
//!
//! **Why.** A limiter that is full turns calls away by chance: a payment as soon as a prefetch, and
//! the tenant who sends ten calls with the one who sends ten thousand.
//!
//! A call has a *level* from 0 to 499, in five classes of a hundred; **the higher the level, the
//! longer it is served**. Within a class the level is drawn, so that a class is turned away share
//! by share and not all at once. Where calls name their user, it is the user's place among all
//! calls instead: the user who was let in most lately gets the lowest levels of the class, as many
//! of them as its share of the calls. Users who ask for more than there is are thus served alike,
//! and those who ask for little get it. The classes and numbers are failsafe-go's, whose services
//! may hand a level on (`X-Failsafe-Level`).
//!
//! A limiter says which share of calls it cannot serve ([`shed_rate`] for one with a queue). The
//! threshold is the level at that quantile of the last thousand calls that came while a limiter
//! was full, and calls below it are turned away. All that come are remembered, as in Uber's
//! Cinnamon, and not only those let in: the levels let in lie above the threshold, so that their
//! quantiles would raise it again and again until nearly everybody is refused.
//!
//! One [`Priorities`] may serve many limiters, which then agree on whom they turn away. What came
//! is forgotten by count and not by time; users are as many as calls are remembered, at most.
//!
//! ```
//! use seawall::Rng;
//! use seawall::limit::priority::{Ask, Priorities, Priority, shed_rate};
//!
//! let mut priorities = Priorities::new(Rng::new(1));
//! let (low, high) = (Ask::class(Priority::Low), Ask::class(Priority::High));
//! // A limit of 10: 20 and fewer in the queue turn nobody away, 30 turn away all.
//! assert_eq!([20, 25, 30].map(|queued| shed_rate(queued, 20, 30)), [0.0, 0.5, 1.0]);
//! for _ in 0..500 {
//!     assert!(priorities.judge(&low, 0.0).admitted);
//!     assert!(priorities.judge(&high, 0.0).admitted);
//! }
//! assert!(!priorities.judge(&low, 0.6).admitted);
//! assert!(priorities.judge(&high, 0.4).admitted);
//! ```

mod tally;
mod users;

use alloc::vec::Vec;

use self::tally::Tally;
use self::users::{NOBODY, Users, hash};
use crate::Rng;
use crate::numbers::put_count;

/// Levels there are: 0 to 499.
pub const LEVELS: u16 = 500;
/// Levels of one class.
pub const CLASS_LEVELS: u16 = 100;
/// Calls remembered.
pub const REMEMBERED: u16 = 1_000;

/// Both levels and counts of calls fit into as many bits.
const TALLY_BITS: u32 = 10;

/// A class of calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Priority {
    /// Levels 0 to 99: the first to be turned away, such as prefetches.
    VeryLow = 0,
    /// Levels 100 to 199.
    Low = 1,
    /// Levels 200 to 299: what calls are that say nothing.
    #[default]
    Medium = 2,
    /// Levels 300 to 399.
    High = 3,
    /// Levels 400 to 499: the last.
    VeryHigh = 4,
}

/// What a call says of its importance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rank {
    /// Its class; the level within it is found.
    Class(Priority),
    /// Its level, such as one that came with a request; [`LEVELS`] and more count as the highest.
    Level(u16),
}

impl Rank {
    /// From a number that came through a door: a level below 500, 1000 and more for a class,
    /// anything else for the class of those that say nothing.
    #[doc(hidden)]
    #[must_use]
    pub fn from_code(code: f64) -> Self {
        const CLASSES: [Priority; 5] = [
            Priority::VeryLow,
            Priority::Low,
            Priority::Medium,
            Priority::High,
            Priority::VeryHigh,
        ];
        if (0.0..1_000.0).contains(&code) {
            return Self::Level(code as u16);
        }
        let class = CLASSES.get((code - 1_000.0) as usize).filter(|_| code >= 1_000.0);
        Self::Class(class.copied().unwrap_or_default())
    }
}

/// A call that asks to be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask<'a> {
    /// How important it is.
    pub rank: Rank,
    /// Whose it is. Only calls that give a class, and not a level, are ranked by it.
    pub user: Option<&'a str>,
}

impl Ask<'_> {
    /// A call of that class, nobody's.
    #[must_use]
    pub const fn class(class: Priority) -> Self {
        Self { rank: Rank::Class(class), user: None }
    }
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it is let in: its level is not below the threshold.
    pub admitted: bool,
    /// The level found for it.
    pub level: u16,
    /// The level that was asked for.
    pub threshold: u16,
}

/// The levels and users of the calls that came lately, see the [module](self).
#[derive(Debug, Clone)]
pub struct Priorities {
    rng: Rng,
    /// In a ring once there are [`REMEMBERED`].
    calls: Vec<Call>,
    oldest: usize,
    levels: Option<Tally>,
    users: Users,
}

#[derive(Debug, Clone, Copy)]
struct Call {
    level: u16,
    user: u16,
    admitted: bool,
}

impl Priorities {
    /// Nothing remembered, and next to no memory until the first call asks; then 8 KB, and 28 KB
    /// with a thousand users.
    #[must_use]
    pub fn new(rng: Rng) -> Self {
        Self { rng, calls: Vec::new(), oldest: 0, levels: None, users: Users::default() }
    }

    /// Whether a call is let in by a limiter that cannot serve the share `rate` (0 to 1) of calls,
    /// and remembers the call. For calls that come while the limiter is full; others just go.
    pub fn judge(&mut self, ask: &Ask<'_>, rate: f64) -> Verdict {
        self.judge_at(ask, self.threshold(rate))
    }

    /// The same with a threshold of the limiter's own.
    pub(crate) fn judge_at(&mut self, ask: &Ask<'_>, threshold: u16) -> Verdict {
        let user = ask.user.map(hash);
        let level = self.level(ask.rank, user);
        let admitted = level >= threshold;
        self.remember(level, user, admitted);
        Verdict { admitted, level, threshold }
    }

    /// The level below which calls are turned away at that rate; 0 at a rate of 0.
    #[must_use]
    pub fn threshold(&self, rate: f64) -> u16 {
        match &self.levels {
            Some(levels) if rate > 0.0 => {
                let last = self.calls.len().saturating_sub(1);
                // The cast ends at zero; a rate above 1 is the last.
                let rank = (rate * self.calls.len() as f64) as usize;
                levels.at(u32::try_from(rank.min(last)).unwrap_or(u32::MAX))
            }
            _ => 0,
        }
    }

    /// Calls remembered.
    #[must_use]
    pub fn calls(&self) -> u32 {
        u32::try_from(self.calls.len()).unwrap_or(u32::MAX)
    }

    /// Users remembered.
    #[must_use]
    pub const fn users(&self) -> u32 {
        self.users.len()
    }

    /// Calls and users remembered and the threshold at that rate, for doors that pass numbers.
    #[doc(hidden)]
    #[must_use]
    pub fn to_numbers(&self, rate: f64) -> Vec<f64> {
        let mut numbers = Vec::new();
        put_count(&mut numbers, self.calls());
        put_count(&mut numbers, self.users());
        put_count(&mut numbers, u32::from(self.threshold(rate)));
        numbers
    }

    fn level(&mut self, rank: Rank, user: Option<u64>) -> u16 {
        let class = match rank {
            Rank::Level(level) => return level.min(LEVELS.saturating_sub(1)),
            Rank::Class(class) => class,
        };
        let unit = self.rng.unit();
        // Users who were served alike share the levels between them by chance.
        let place = user.map_or(unit, |user| {
            let standing = self.users.standing(user);
            (f64::from(standing.above) + unit * f64::from(standing.equal)) / f64::from(standing.all)
        });
        let within = (place * f64::from(CLASS_LEVELS)) as u16;
        let first = u16::from(class as u8).saturating_mul(CLASS_LEVELS);
        first.saturating_add(within.min(CLASS_LEVELS.saturating_sub(1)))
    }

    fn remember(&mut self, level: u16, user: Option<u64>, admitted: bool) {
        let levels = self.levels.get_or_insert_with(|| Tally::new(TALLY_BITS));
        let full = self.calls.len() >= usize::from(REMEMBERED);
        if full && let Some(oldest) = self.calls.get(self.oldest) {
            levels.take(oldest.level, 1);
            if oldest.user != NOBODY {
                self.users.take(oldest.user, oldest.admitted);
            }
        }
        levels.add(level, 1);
        let user = user.map_or(NOBODY, |user| self.users.add(user, admitted));
        let call = Call { level, user, admitted };
        if !full {
            self.calls.push(call);
        } else if let Some(oldest) = self.calls.get_mut(self.oldest) {
            *oldest = call;
            self.oldest = self.oldest.saturating_add(1);
            if self.oldest >= usize::from(REMEMBERED) {
                self.oldest = 0;
            }
        }
    }
}

/// Which share of calls a limiter cannot serve: none with up to `from` in its queue, all with
/// `full`, in a straight line between.
#[must_use]
pub fn shed_rate(queued: u32, from: u32, full: u32) -> f64 {
    if queued >= full {
        return 1.0;
    }
    f64::from(queued.saturating_sub(from)) / f64::from(full.saturating_sub(from).max(1))
}
