//! The stalls of a loop: how long it stood still, since when and in which route.

use std::collections::VecDeque;
use std::time::Duration;

use seawall::Instant;

use super::routes::Route;
use super::turns::Turn;

/// How many are kept.
const KEPT: usize = 100;
/// From which length on, unless told.
const LIMIT: Duration = Duration::from_millis(100);

/// A stall that is over.
#[derive(Debug, Clone)]
pub(crate) struct Stall {
    /// Counted from 1.
    pub(crate) number: u64,
    pub(crate) began: Instant,
    pub(crate) length: Duration,
    /// How long it had lasted when the native thread saw it; nothing where it was over by then.
    pub(crate) seen: Option<Duration>,
    pub(crate) route: Route,
    /// What JavaScript was doing, where that was asked for.
    pub(crate) stack: Option<String>,
}

/// A stall under way, as the native thread saw it.
#[derive(Debug, Clone)]
struct Sight {
    turn: Turn,
    seen: Duration,
    route: Route,
    stack: Option<String>,
}

#[derive(Debug)]
pub(super) struct Stalls {
    pub(super) limit: Duration,
    /// Whether stacks are asked for.
    pub(super) stacks: bool,
    sight: Option<Sight>,
    over: VecDeque<Stall>,
    count: u64,
}

impl Default for Stalls {
    fn default() -> Self {
        Self { limit: LIMIT, stacks: false, sight: None, over: VecDeque::new(), count: 0 }
    }
}

impl Stalls {
    /// The native thread sees that `turn` has lasted for `age`, which is too long. Whether it is the
    /// first time.
    pub(super) fn see(&mut self, turn: Turn, age: Duration, route: impl Fn() -> Route) -> bool {
        let first = self.sight.as_ref().is_none_or(|sight| sight.turn != turn);
        match &mut self.sight {
            // What began before any route was entered goes on in one.
            Some(sight) if !first && !sight.route.during => sight.route = route(),
            Some(_) if !first => {}
            sight => *sight = Some(Sight { turn, seen: age, route: route(), stack: None }),
        }
        first
    }

    /// What JavaScript does in the stall that was seen.
    pub(super) fn explain(&mut self, turn: u64, stack: String) {
        let sight = self.sight.as_mut().filter(|sight| sight.turn.number == turn);
        if let Some(sight) = sight {
            sight.stack = Some(stack);
        }
    }

    /// A turn is over at last.
    pub(super) fn end(&mut self, turn: Turn, length: Duration, end: Instant, route: Route) {
        let sight = self.sight.take().filter(|sight| sight.turn == turn);
        self.count += 1;
        if self.over.len() >= KEPT {
            self.over.pop_front();
        }
        let began = Instant::ZERO.after(end.since(Instant::ZERO).saturating_sub(length));
        let (number, seen) = (self.count, sight.as_ref().map(|sight| sight.seen));
        let (seen_in, stack) = sight.map_or((None, None), |it| (Some(it.route), it.stack));
        let route = seen_in.filter(|seen_in| seen_in.during || !route.during).unwrap_or(route);
        self.over.push_back(Stall { number, began, length, seen, route, stack });
    }

    /// Those after the stall of a number.
    pub(super) fn after(&self, number: u64) -> impl Iterator<Item = &Stall> {
        self.over.iter().filter(move |stall| stall.number > number)
    }
}
