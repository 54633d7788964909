//! One limiter: permits, a line of those who wait, a time before which nothing passes.

use core::time::Duration;

use super::config::{Kind, Plan};
use super::window::Window;
use super::{Decision, RateConfig, RateExplanation, Refusal};
use crate::fields::Checks;
use crate::limit::bucket::Level;
use crate::options::Problem;
use crate::time::{Instant, product};

/// A limit on permits by time. See the [module](super).
#[derive(Debug, Clone)]
pub struct RateLimiter {
    plan: Plan,
    state: State,
}

impl RateLimiter {
    /// A limiter of `config` that has let nothing through.
    ///
    /// # Errors
    ///
    /// The first option that is out of range.
    pub fn new(config: RateConfig) -> Result<Self, Problem> {
        let mut checks = Checks::new();
        let plan = config.plan(&mut checks);
        checks.finish(Self { plan, state: State::new(plan.kind) })
    }

    /// `permits` at once or not at all; never before those who wait in line.
    pub fn try_acquire(&mut self, permits: u32, now: Instant) -> Decision {
        self.state.acquire(&self.plan, permits, Duration::ZERO, now)
    }

    /// `permits` at once, or a place at the end of the line if the wait is expected to be no
    /// longer than `max_wait`.
    ///
    /// Whoever has a place keeps it in the order of arrival: it is redeemed with
    /// [`RateLimiter::advance`] by the first in line only, or given back with
    /// [`RateLimiter::leave`] by anybody, and then all behind move up.
    pub fn acquire(&mut self, permits: u32, max_wait: Duration, now: Instant) -> Decision {
        self.state.acquire(&self.plan, permits, max_wait, now)
    }

    /// Whether the first in line, who asked for `permits`, may go; if not, when to ask again.
    /// Granted or refused, its place is gone. Refused only if there are no longer that many at
    /// once.
    pub fn advance(&mut self, permits: u32, now: Instant) -> Decision {
        self.state.advance(&self.plan, permits, now)
    }

    /// Gives back a place in line that was taken for `permits`.
    pub fn leave(&mut self, permits: u32) {
        self.state.leave(permits);
    }

    /// How long until `permits` could be had, behind all who wait in line now, if nobody else
    /// comes; to the nanosecond. `None`: never, there are not that many at once.
    #[must_use]
    pub fn retry_after(&mut self, permits: u32, now: Instant) -> Option<Duration> {
        self.state.retry_after(&self.plan, permits, now)
    }

    /// How long until somebody in line may go, behind whom others wait for so many permits, if all
    /// before go when they may; to the nanosecond.
    #[must_use]
    pub fn turn(&mut self, behind: u64, now: Instant) -> Duration {
        self.state.turn(&self.plan, behind, now)
    }

    /// Lets nothing pass before `until`; an earlier time than the one in force changes nothing.
    pub fn hold(&mut self, until: Instant) {
        self.state.hold(until);
    }

    /// Ends a hold.
    pub fn release(&mut self) {
        self.state.release();
    }

    /// Goes on by other options. Permits in use stay in use, the line stays, a hold stays. With
    /// another [`Kind`] what was let through is forgotten.
    ///
    /// # Errors
    ///
    /// The first option that is out of range; nothing has changed then.
    pub fn update(&mut self, config: RateConfig, now: Instant) -> Result<(), Problem> {
        let mut checks = Checks::new();
        let plan = config.plan(&mut checks);
        checks.finish(())?;
        self.state.update(&self.plan, &plan, now);
        self.plan = plan;
        Ok(())
    }

    /// The state in numbers.
    #[must_use]
    pub fn explain(&mut self, now: Instant) -> RateExplanation {
        self.state.explain(&self.plan, now)
    }
}

/// Who waits in line is woken up by a timer, which is late. What is late by up to 16 ms counts as
/// of when it was due; as of the time it came, a line with a burst of 1 would move by one for each
/// turn of a timer, whatever the rate.
const SLACK: u64 = 16_000_000;

#[derive(Debug, Clone)]
enum Meter {
    Gcra(Level),
    Window(Window),
}

impl Meter {
    const fn new(kind: Kind) -> Self {
        match kind {
            Kind::Gcra => Self::Gcra(Level::EMPTY),
            Kind::SlidingWindow => Self::Window(Window::EMPTY),
        }
    }
}

/// What a limiter remembers. Which rule it follows is told with each call, as one rule may serve
/// the limiters of a million keys.
#[derive(Debug, Clone)]
pub(super) struct State {
    meter: Meter,
    held_until: Instant,
    /// Permits that those in line wait for.
    waiting: u64,
    queued: u32,
    granted: u64,
    refused: u64,
    /// When it was asked last.
    used_at: Instant,
}

impl State {
    pub(super) const fn new(kind: Kind) -> Self {
        Self {
            meter: Meter::new(kind),
            held_until: Instant::ZERO,
            waiting: 0,
            queued: 0,
            granted: 0,
            refused: 0,
            used_at: Instant::ZERO,
        }
    }

    pub(super) fn acquire(
        &mut self,
        plan: &Plan,
        permits: u32,
        max_wait: Duration,
        now: Instant,
    ) -> Decision {
        self.used_at = now;
        if permits > plan.burst {
            return self.refuse(Refusal::Weight);
        }
        let wait = self.wait(plan, self.waiting.saturating_add(permits.into()), now);
        if self.queued == 0 && wait.is_zero() {
            return self.grant(plan, permits, now);
        }
        if max_wait.is_zero() {
            let held = self.held_until > now;
            return self.refuse(if held { Refusal::Held } else { Refusal::Rate });
        }
        if self.queued >= plan.max_queue {
            return self.refuse(Refusal::Queue);
        }
        if wait > max_wait {
            return self.refuse(Refusal::Wait);
        }
        self.queued = self.queued.saturating_add(1);
        self.waiting = self.waiting.saturating_add(permits.into());
        Decision::Wait(wait)
    }

    pub(super) fn advance(&mut self, plan: &Plan, permits: u32, now: Instant) -> Decision {
        if permits > plan.burst {
            self.leave(permits);
            return self.refuse(Refusal::Weight);
        }
        let at = self.due(plan, permits, now);
        if at > now {
            return Decision::Wait(at.since(now));
        }
        self.leave(permits);
        self.grant(plan, permits, at)
    }

    /// When the first in line may go, or might have gone if it had been woken up in time.
    fn due(&mut self, plan: &Plan, permits: u32, now: Instant) -> Instant {
        let wait = self.wait(plan, permits.into(), now);
        match &mut self.meter {
            Meter::Gcra(level) => {
                let from = level.at().max(self.held_until);
                let units = product(permits.into(), plan.rate.cost);
                let due = from.after(level.wait(&plan.rate, units, from).unwrap_or(Duration::MAX));
                if due <= now {
                    level.settle(&plan.rate, due);
                }
                due
            }
            Meter::Window(_) => now.after(wait),
        }
    }

    pub(super) fn leave(&mut self, permits: u32) {
        self.queued = self.queued.saturating_sub(1);
        self.waiting = self.waiting.saturating_sub(permits.into());
    }

    pub(super) fn retry_after(
        &mut self,
        plan: &Plan,
        permits: u32,
        now: Instant,
    ) -> Option<Duration> {
        if permits > plan.burst {
            return None;
        }
        Some(self.wait(plan, self.waiting.saturating_add(permits.into()), now))
    }

    fn turn(&mut self, plan: &Plan, behind: u64, now: Instant) -> Duration {
        self.wait(plan, self.waiting.saturating_sub(behind), now)
    }

    /// How long until so many permits in all have passed, to the nanosecond for one call.
    fn wait(&mut self, plan: &Plan, permits: u64, now: Instant) -> Duration {
        self.settle(plan, now);
        let from = now.max(self.held_until);
        let held = from.since(now);
        match &self.meter {
            Meter::Gcra(level) => {
                let units = product(permits, plan.rate.cost);
                held.saturating_add(level.wait(&plan.rate, units, from).unwrap_or(Duration::MAX))
            }
            Meter::Window(window) => {
                // What passes now has room again a period later: the line moves in rounds.
                let before = permits.saturating_sub(1);
                let limit = u64::from(plan.window.limit.max(1));
                let rounds = before.checked_div(limit).unwrap_or(0);
                let rest = before.checked_rem(limit).unwrap_or(0).saturating_add(1);
                let rest = u32::try_from(rest).unwrap_or(u32::MAX);
                let ready = window.ready(&plan.window, rest, from);
                let ready = ready.saturating_add(product(rounds, plan.window.per));
                Instant::from_nanos(ready).since(now)
            }
        }
    }

    fn settle(&mut self, plan: &Plan, now: Instant) {
        match &mut self.meter {
            Meter::Gcra(level) if self.queued > 0 => level.settle_behind(&plan.rate, SLACK, now),
            Meter::Gcra(level) => level.settle(&plan.rate, now),
            Meter::Window(window) => window.settle(&plan.window, now),
        }
    }

    fn grant(&mut self, plan: &Plan, permits: u32, now: Instant) -> Decision {
        match &mut self.meter {
            Meter::Gcra(level) => level.put(product(permits.into(), plan.rate.cost)),
            Meter::Window(window) => window.add(&plan.window, permits, now),
        }
        self.granted = self.granted.wrapping_add(1);
        Decision::Granted
    }

    const fn refuse(&mut self, refusal: Refusal) -> Decision {
        self.refused = self.refused.wrapping_add(1);
        Decision::Refused(refusal)
    }

    pub(super) fn hold(&mut self, until: Instant) {
        self.held_until = self.held_until.max(until);
    }

    pub(super) const fn release(&mut self) {
        self.held_until = Instant::ZERO;
    }

    pub(super) fn update(&mut self, from: &Plan, to: &Plan, now: Instant) {
        self.settle(from, now);
        match &mut self.meter {
            Meter::Gcra(level) if to.kind == Kind::Gcra => level.resize(&from.rate, &to.rate),
            Meter::Window(_) if to.kind == Kind::SlidingWindow => {}
            meter => *meter = Meter::new(to.kind),
        }
    }

    /// How much would be lost without it, and when it was used last: 2 where calls wait, 1 where
    /// permits are in use or nothing passes, 0 where a new state would decide the same.
    #[cfg(feature = "std")]
    pub(super) fn worth(&mut self, plan: &Plan, now: Instant) -> (u8, Instant) {
        self.settle(plan, now);
        let rank = if self.queued > 0 {
            2
        } else {
            u8::from(self.held_until > now || self.used(plan) > 0.0)
        };
        (rank, self.used_at)
    }

    /// Permits in use, with fractions where they come back bit by bit.
    fn used(&self, plan: &Plan) -> f64 {
        match &self.meter {
            Meter::Gcra(level) => level.used() as f64 / plan.rate.cost as f64,
            Meter::Window(window) => f64::from(window.used()),
        }
    }

    pub(super) fn explain(&mut self, plan: &Plan, now: Instant) -> RateExplanation {
        self.settle(plan, now);
        let used = self.used(plan);
        RateExplanation {
            at_once: plan.burst,
            used,
            available: libm::floor((f64::from(plan.burst) - used).max(0.0)) as u32,
            queued: self.queued,
            waiting: self.waiting,
            held: self.held_until.since(now),
            next: self.wait(plan, self.waiting.saturating_add(1), now),
            granted: self.granted,
            refused: self.refused,
        }
    }
}
