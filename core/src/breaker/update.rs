//! Other options for a breaker in use.

use alloc::sync::Arc;

use super::config::BreakerConfig;
use super::machine::{Machine, Phase};
use super::trip::Tracker;
use crate::time::Instant;

impl Machine {
    /// Goes on with other options from the state it is in.
    ///
    /// An opening lasts as long as it was to last. What the rule counted is kept where the new rule
    /// is of the same kind, as far as its window reaches; another kind of rule begins anew, and so
    /// does a time window whose slices have another length. A trial begins anew, and a step of a re-close that the new options do not have closes the breaker.
    /// A mode that was set by hand stays unless the options' own mode changes. The new rule judges
    /// from the next call on.
    pub fn update(&mut self, config: impl Into<Arc<BreakerConfig>>, now: Instant) {
        let config = config.into();
        let now = self.line.read(now);
        if self.is_closed() {
            self.tracker.advance(&self.config.trip, now);
        }
        let (rule, memory) = self.tracker.to_numbers(now);
        self.tracker = Tracker::new(&config.trip);
        let is_other = self.tracker.to_numbers(now).0 != rule;
        self.tracker.restore(rule, &memory, now);
        let mode = (config.mode != self.config.mode).then_some(config.mode);
        let steps = config.reclose.as_ref().map_or(0, |reclose| reclose.shares.len());
        self.config = config;
        match &self.phase {
            Phase::HalfOpen(_) => {
                let since = self.since;
                self.enter(Phase::Open { until: now }, now);
                self.since = since;
            }
            Phase::Recovering(step) if usize::from(step.index) >= steps => self.close(now),
            // Who counts by itself has to learn whether the rule looks at the time.
            Phase::Closed if is_other => {
                let since = self.since;
                self.enter(Phase::Closed, now);
                self.since = since;
            }
            _ => {}
        }
        if let Some(mode) = mode {
            let raw = self.line.raw(now);
            self.set_mode(mode, raw);
        }
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::breaker::{OpenFor, Settled, State, TripRule};
    use crate::outcome::Outcome;

    fn ms(ms: u64) -> Instant {
        Instant::ZERO.after(Duration::from_millis(ms))
    }

    fn consecutive(threshold: u32) -> BreakerConfig {
        BreakerConfig { trip: TripRule::Consecutive(threshold), ..BreakerConfig::default() }
    }

    fn fails(machine: &mut Machine, times: u32, now: Instant) {
        for _ in 0..times {
            let permit = machine.acquire(now).unwrap();
            machine.record(permit, Settled::from(Outcome::Failure), now);
        }
    }

    #[test]
    fn a_streak_goes_on_under_another_threshold() {
        let mut machine = Machine::new(consecutive(10), 0).unwrap();
        fails(&mut machine, 4, ms(0));
        machine.update(consecutive(5), ms(1));
        assert_eq!(machine.state(), State::Closed);
        fails(&mut machine, 1, ms(2));
        assert_eq!(machine.state(), State::Open);
    }

    #[test]
    fn an_opening_lasts_as_long_as_it_was_to() {
        let open_for = |ms| OpenFor::Fixed(Duration::from_millis(ms));
        let mut machine =
            Machine::new(BreakerConfig { open_for: open_for(100), ..consecutive(1) }, 0).unwrap();
        fails(&mut machine, 1, ms(0));
        machine.update(BreakerConfig { open_for: open_for(5_000), ..consecutive(1) }, ms(10));
        assert!(machine.acquire(ms(99)).is_err());
        assert!(machine.acquire(ms(101)).is_ok());
        assert_eq!(machine.state(), State::HalfOpen);
        machine.update(consecutive(1), ms(102));
        assert!(machine.acquire(ms(103)).is_ok(), "a trial begins anew");
    }

    #[test]
    fn another_kind_of_rule_begins_anew_and_in_another_generation() {
        let mut machine = Machine::new(consecutive(3), 0).unwrap();
        fails(&mut machine, 2, ms(0));
        let within = Duration::from_secs(60);
        let rule = TripRule::Failures { failures: 3, within };
        machine.update(BreakerConfig { trip: rule, ..BreakerConfig::default() }, ms(1));
        fails(&mut machine, 2, ms(2));
        assert_eq!(machine.state(), State::Closed);
        fails(&mut machine, 1, ms(3));
        assert_eq!(machine.state(), State::Open);
    }
}
