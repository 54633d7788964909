//! A circuit breaker as its documentation describes it, with no regard for cost.
//!
//! It keeps every reading of the clock, every call and every probe, and counts them all again
//! whenever it is asked. Shares are compared as whole numbers, so no rounding of a fraction can
//! hide in both this and the crate.

use std::time::Duration;

use seawall::breaker::{
    BreakerConfig, Cause, Counts, Mode, OpenFor, Opened, RateRule, Reason, State, Totals, TripRule,
    Window,
};
use seawall::{Outcome, Rng};

const NANO: Duration = Duration::from_nanos(1);
const SECOND: u64 = 1_000_000_000;
/// Shares are taken as so many parts.
const PARTS: f64 = 10_000.0;

/// The model of one breaker.
#[derive(Debug, Clone)]
pub struct Model {
    config: BreakerConfig,
    seed: u64,
    readings: Vec<u64>,
    mode: Mode,
    holders: u32,
    phase: Phase,
    generation: u32,
    /// What the rule has to go by since the last closing.
    log: Vec<Event>,
    /// When the rule last looked at the log: time passes for it only then.
    looked: u64,
    /// What every call in a recovery added to the spread of the shares.
    shares: Vec<u32>,
    /// How long each opening since the last closing was to last.
    openings: Vec<Duration>,
    open_for: Duration,
    opened: Opened,
    last_failure: Option<u64>,
    totals: Totals,
}

#[derive(Debug, Clone)]
enum Phase {
    Closed { since: u64 },
    Open { since: u64, lasts: Duration },
    HalfOpen { since: u64, lease: Duration, probes: Vec<Probe>, looked: u64 },
    Recovering { since: u64, step: usize, results: Vec<bool> },
}

#[derive(Debug, Clone)]
struct Probe {
    since: u64,
    ended: Option<Outcome>,
}

#[derive(Debug, Clone, Copy)]
enum Event {
    /// A call that ended in success or failure while the breaker was closed.
    Call { at: u64, failed: bool, slow: bool },
    /// A failure that only lengthens a streak.
    FailureOutside,
    /// Somebody opened the breaker.
    Forced,
}

/// Leave to run one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    generation: u32,
    probe: Option<usize>,
}

/// A refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// When to ask again.
    pub retry_after: Option<Duration>,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// Success, failure or neutral.
    pub outcome: Outcome,
    /// Longer than the limit.
    pub slow: bool,
    /// The other side asked to be left alone.
    pub open_for: Option<Duration>,
}

impl Model {
    /// A closed breaker.
    #[must_use]
    pub fn new(config: BreakerConfig, seed: u64) -> Self {
        Self {
            seed,
            readings: Vec::new(),
            mode: config.mode,
            holders: 0,
            phase: Phase::Closed { since: 0 },
            generation: 0,
            log: Vec::new(),
            looked: 0,
            shares: Vec::new(),
            openings: Vec::new(),
            open_for: Duration::ZERO,
            opened: Opened::default(),
            last_failure: None,
            totals: Totals::default(),
            config,
        }
    }

    /// Whether a call may start.
    ///
    /// # Errors
    /// The refusal.
    pub fn acquire(&mut self, raw: u64) -> Result<Ticket, Refusal> {
        let now = self.read(raw);
        if self.mode == Mode::Disabled {
            return Ok(self.ticket(None));
        }
        let decision = self.decide(now);
        match decision {
            Ok(probe) => Ok(self.ticket(probe)),
            Err(mut refusal) => {
                self.totals.rejected += 1;
                // By so much the caller's clock is behind what it has shown before.
                let behind = Duration::from_nanos(now - self.time().1 - raw);
                refusal.retry_after = refusal.retry_after.map(|after| after + behind);
                if self.mode == Mode::DryRun { Ok(self.ticket(None)) } else { Err(refusal) }
            }
        }
    }

    fn decide(&mut self, now: u64) -> Result<Option<usize>, Refusal> {
        if self.holders > 0 {
            return Err(Refusal { reason: Reason::Isolated, retry_after: None });
        }
        self.end_steps(now);
        if let Phase::Open { since, lasts } = self.phase {
            let open = Duration::from_nanos(now - since);
            if open <= lasts {
                return Err(Refusal {
                    reason: Reason::Open,
                    retry_after: Some(lasts - open + NANO),
                });
            }
            let lease = self.config.half_open.lease.unwrap_or(lasts);
            let lease = lease.max(Duration::from_millis(1));
            self.enter(Phase::HalfOpen { since: now, lease, probes: Vec::new(), looked: now });
        }
        let permits = self.config.half_open.permits as usize;
        match &mut self.phase {
            Phase::Closed { .. } => Ok(None),
            Phase::Open { .. } => unreachable!("it is half-open by now"),
            Phase::HalfOpen { lease, probes, looked, .. } => {
                *looked = now;
                let lease = *lease;
                let taken = probes.iter().filter(|probe| match probe.ended {
                    None => probe.is_awaited(lease, now),
                    Some(outcome) => outcome != Outcome::Neutral,
                });
                if taken.count() >= permits {
                    let ends = probes.iter().filter(|probe| probe.is_awaited(lease, now));
                    let next = ends.map(|probe| probe.since + nanos(lease)).min();
                    return Err(Refusal {
                        reason: Reason::Probing,
                        retry_after: next.map(|at| Duration::from_nanos(at - now)),
                    });
                }
                probes.push(Probe { since: now, ended: None });
                Ok(Some(probes.len() - 1))
            }
            Phase::Recovering { step, .. } => {
                let step = *step;
                let reclose = self.config.reclose.as_ref().expect("there are steps");
                let before = self.spread();
                self.shares.push((reclose.shares[step] * 4_294_967_296.0) as u32);
                if self.spread() >> 32 > before >> 32 {
                    Ok(Some(0))
                } else {
                    Err(Refusal { reason: Reason::Recovering, retry_after: None })
                }
            }
        }
    }

    /// Takes the end of a call.
    pub fn settle(&mut self, ticket: Ticket, ending: Ending, raw: u64) {
        let now = self.read(raw);
        let Ending { outcome, slow, open_for } = ending;
        match outcome {
            Outcome::Success => self.totals.successes += 1,
            Outcome::Failure => self.totals.failures += 1,
            Outcome::Neutral => self.totals.neutral += 1,
        }
        self.totals.slow += u64::from(slow);
        if self.mode == Mode::Disabled {
            return;
        }
        if self.holders == 0 {
            self.end_steps(now);
        }
        if self.holders > 0 || ticket.generation != self.generation {
            self.totals.late += 1;
            return;
        }
        let failed = outcome == Outcome::Failure;
        let result = match outcome {
            Outcome::Success if slow => Outcome::Failure,
            other => other,
        };
        match (&mut self.phase, ticket.probe) {
            (Phase::Open { .. }, _) | (Phase::HalfOpen { .. } | Phase::Recovering { .. }, None) => {
                // Let through by a dry run alone.
                return;
            }
            (Phase::Closed { .. }, _) => {
                if open_for.is_none() && outcome != Outcome::Neutral {
                    self.log.push(Event::Call { at: now, failed, slow });
                    self.looked = now;
                }
            }
            (Phase::HalfOpen { probes, looked, .. }, Some(number)) => {
                *looked = now;
                probes[number].ended = Some(result);
            }
            (Phase::Recovering { results, .. }, Some(_)) => {
                if result != Outcome::Neutral {
                    results.push(result == Outcome::Success);
                }
            }
        }
        if failed {
            self.last_failure = Some(now);
            if open_for.is_some() || !matches!(self.phase, Phase::Closed { .. }) {
                self.log.push(Event::FailureOutside);
            }
        }
        if let Some(open_for) = open_for {
            return self.open(now, Cause::Result, Some(open_for));
        }
        self.judge(now);
    }

    /// Judges what was counted.
    pub fn check(&mut self, raw: u64) {
        let now = self.read(raw);
        if self.mode != Mode::Disabled && self.holders == 0 && self.is_closed() {
            self.looked = now;
            self.judge(now);
        }
    }

    /// Looks without judging.
    pub fn look(&mut self, raw: u64) {
        let now = self.read(raw);
        if self.is_closed() {
            self.looked = now;
        }
    }

    /// Closes.
    pub fn reset(&mut self, raw: u64) {
        let now = self.read(raw);
        self.last_failure = None;
        self.close(now);
    }

    /// Opens as if the rule had.
    pub fn force_open(&mut self, raw: u64) {
        let now = self.read(raw);
        self.log.push(Event::Forced);
        self.last_failure = Some(now);
        self.open(now, Cause::Forced, None);
    }

    /// One more holder.
    pub fn isolate(&mut self, raw: u64) {
        let now = self.read(raw);
        if self.holders == 0 {
            match &mut self.phase {
                Phase::Closed { since } | Phase::Open { since, .. } => *since = now,
                Phase::HalfOpen { since, .. } | Phase::Recovering { since, .. } => *since = now,
            }
            self.generation += 1;
        }
        self.holders += 1;
    }

    /// One holder less.
    pub fn release(&mut self, raw: u64) {
        let now = self.read(raw);
        match self.holders {
            0 => {}
            1 => {
                self.holders = 0;
                self.close(now);
            }
            more => self.holders = more - 1,
        }
    }

    /// Another mode.
    pub fn set_mode(&mut self, mode: Mode, raw: u64) {
        let now = self.read(raw);
        if mode != self.mode && (mode == Mode::Disabled || self.mode == Mode::Disabled) {
            self.close(now);
        }
        self.mode = mode;
    }

    /// What it does with calls.
    #[must_use]
    pub fn state(&self) -> State {
        match self.phase {
            _ if self.holders > 0 => State::Isolated,
            Phase::Closed { .. } => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::HalfOpen { .. } => State::HalfOpen,
            Phase::Recovering { .. } => State::Recovering,
        }
    }

    /// How often the state has changed.
    #[must_use]
    pub const fn generation(&self) -> u32 {
        self.generation
    }

    /// What the rule counts, recounted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let calls = self.log.iter().filter_map(|event| match *event {
            Event::Call { at, failed, slow } => Some((at, failed, slow)),
            _ => None,
        });
        let calls: Vec<_> = calls.collect();
        match &self.config.trip {
            TripRule::Consecutive(threshold) => {
                let mut streak = 0;
                for event in &self.log {
                    streak = match event {
                        Event::Call { failed: false, .. } => 0,
                        Event::Call { .. } | Event::FailureOutside => streak + 1,
                        Event::Forced => *threshold,
                    };
                }
                Counts { calls: streak, failures: streak, slow: 0 }
            }
            TripRule::Failures { failures: threshold, within } => {
                let recent = calls.iter().filter(|(at, failed, _)| {
                    *failed && Duration::from_nanos(self.looked.saturating_sub(*at)) <= *within
                });
                let failures = u32::try_from(recent.count()).unwrap().min(*threshold);
                Counts { calls: failures, failures, slow: 0 }
            }
            TripRule::Rate(RateRule { window: Window::Calls(size), .. }) => {
                let first = calls.len().saturating_sub(*size as usize);
                sum(&calls[first..])
            }
            TripRule::Rate(RateRule { window: Window::Time { span, slices }, .. }) => {
                let slice = (nanos(*span) / u64::from(*slices)).max(1);
                let newest = self.looked / slice;
                let recent = |at: u64| at / slice + u64::from(*slices) > newest;
                let calls: Vec<_> = calls.into_iter().filter(|(at, ..)| recent(*at)).collect();
                sum(&calls)
            }
        }
    }

    /// After how many successes in a row, now, it would open.
    #[must_use]
    pub fn ask_after(&self) -> Option<u32> {
        let TripRule::Rate(rule) = &self.config.trip else { return None };
        if self.mode == Mode::Disabled || !self.is_closed() {
            return None;
        }
        let counts = self.counts();
        (1..=rule.minimum_calls).find(|more| {
            let calls = counts.calls + more;
            counts.calls < rule.minimum_calls && self.verdict(Counts { calls, ..counts }).is_some()
        })
    }

    /// When it last opened, and why.
    #[must_use]
    pub const fn opened(&self) -> Opened {
        self.opened
    }

    /// How long the last opening was to last.
    #[must_use]
    pub const fn open_for(&self) -> Duration {
        self.open_for
    }

    /// Openings since the last closing.
    #[must_use]
    pub fn openings(&self) -> u32 {
        u32::try_from(self.openings.len()).unwrap()
    }

    /// All calls.
    #[must_use]
    pub const fn totals(&self) -> Totals {
        self.totals
    }

    /// How long ago the last failure was that counted.
    #[must_use]
    pub fn last_failure(&self) -> Option<Duration> {
        self.last_failure.map(|at| Duration::from_nanos(self.time().0 - at))
    }

    /// For how long it has been as it is.
    #[must_use]
    pub fn since(&self) -> Duration {
        let (Phase::Closed { since }
        | Phase::Open { since, .. }
        | Phase::HalfOpen { since, .. }
        | Phase::Recovering { since, .. }) = self.phase;
        Duration::from_nanos(self.time().0 - since)
    }

    /// Whether a probe is out.
    #[must_use]
    pub fn is_testing(&self) -> bool {
        match &self.phase {
            Phase::HalfOpen { lease, probes, looked, .. } => {
                probes.iter().any(|probe| probe.is_awaited(*lease, *looked))
            }
            _ => false,
        }
    }

    /// The step of the re-close.
    #[must_use]
    pub fn step(&self) -> Option<usize> {
        if let Phase::Recovering { step, .. } = self.phase { Some(step) } else { None }
    }

    /// When the answer may change by itself, on the caller's clock.
    #[must_use]
    pub fn changes_at(&self) -> Option<u64> {
        if self.holders > 0 || self.mode == Mode::Disabled {
            return None;
        }
        let at = match &self.phase {
            Phase::Closed { .. } => None,
            Phase::Open { since, lasts } => Some(since + nanos(*lasts) + 1),
            Phase::HalfOpen { lease, probes, looked, .. } => {
                let awaited = probes.iter().filter(|probe| probe.is_awaited(*lease, *looked));
                awaited.map(|probe| probe.since + nanos(*lease)).min()
            }
            Phase::Recovering { since, .. } => {
                self.config.reclose.as_ref().map(|reclose| since + nanos(reclose.step))
            }
        };
        at.map(|at| at.saturating_sub(self.time().1))
    }

    const fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed { .. })
    }

    const fn ticket(&self, probe: Option<usize>) -> Ticket {
        Ticket { generation: self.generation, probe }
    }

    fn read(&mut self, raw: u64) -> u64 {
        self.readings.push(raw);
        self.time().0
    }

    /// The breaker's time after all readings, and how far it is ahead of the caller's clock.
    fn time(&self) -> (u64, u64) {
        let (mut now, mut ahead) = (0u64, 0u64);
        for raw in &self.readings {
            let time = raw + ahead;
            if time + SECOND < now {
                ahead += now - time;
            }
            now = now.max(time);
        }
        (now, ahead)
    }

    fn spread(&self) -> u128 {
        let start = u128::from(self.seed >> 32);
        start + self.shares.iter().map(|&share| u128::from(share)).sum::<u128>()
    }

    fn judge(&mut self, now: u64) {
        let half_open = self.config.half_open;
        match &self.phase {
            Phase::Open { .. } => {}
            Phase::Closed { .. } => {
                if let Some(cause) = self.verdict(self.counts()) {
                    self.open(now, cause, None);
                }
            }
            Phase::HalfOpen { probes, .. } => {
                let ended = |outcome| probes.iter().filter(|p| p.ended == Some(outcome)).count();
                let required = required(half_open.success_rate, half_open.permits as usize);
                if ended(Outcome::Success) >= required {
                    self.recover(0, now);
                } else if ended(Outcome::Failure) > half_open.permits as usize - required {
                    self.open(now, Cause::Recovery, None);
                }
            }
            Phase::Recovering { step, results, .. } => {
                let reclose = self.config.reclose.as_ref().expect("there are steps");
                let of = reclose.calls as usize;
                let failures = results.iter().filter(|good| !**good).count();
                if failures > of - required(half_open.success_rate, of) {
                    self.open(now, Cause::Recovery, None);
                } else if results.len() >= of {
                    self.recover(step + 1, now);
                }
            }
        }
    }

    /// Ends the steps whose time is over, each on the results it has.
    fn end_steps(&mut self, now: u64) {
        while let Phase::Recovering { since, step, results } = &self.phase {
            let reclose = self.config.reclose.as_ref().expect("there are steps");
            let end = since + nanos(reclose.step);
            if now < end {
                return;
            }
            let of = results.len();
            let failures = results.iter().filter(|good| !**good).count();
            if of > 0 && failures > of - required(self.config.half_open.success_rate, of) {
                self.open(end, Cause::Recovery, None);
            } else {
                self.recover(step + 1, end);
            }
        }
    }

    fn verdict(&self, counts: Counts) -> Option<Cause> {
        let Counts { calls, failures, slow } = counts;
        match &self.config.trip {
            TripRule::Consecutive(threshold) => {
                (failures >= *threshold).then_some(Cause::Consecutive)
            }
            TripRule::Failures { failures: threshold, .. } => {
                (failures >= *threshold).then_some(Cause::Failures)
            }
            TripRule::Rate(rule) if calls < rule.minimum_calls => None,
            TripRule::Rate(rule) => {
                let reached = |count: u32, rate: f64| {
                    count > 0 && u64::from(count) * PARTS as u64 >= parts(rate) * u64::from(calls)
                };
                if rule.failure_rate.is_some_and(|rate| reached(failures, rate)) {
                    return Some(Cause::FailureRate);
                }
                rule.slow.filter(|rule| reached(slow, rule.rate)).map(|_| Cause::SlowRate)
            }
        }
    }

    fn open(&mut self, now: u64, cause: Cause, open_for: Option<Duration>) {
        if self.is_closed() {
            self.looked = now;
        }
        self.opened = Opened { cause, counts: self.counts() };
        let number = self.openings() + 1;
        let lasts = open_for.unwrap_or_else(|| match &self.config.open_for {
            OpenFor::Fixed(duration) => *duration,
            OpenFor::Backoff(backoff) => {
                let before = self.openings.last().copied().unwrap_or_default();
                let mut rng = Rng::new(self.seed.wrapping_add(u64::from(number)));
                backoff.wait(number, before, &mut rng)
            }
        });
        self.openings.push(lasts);
        self.open_for = lasts;
        self.enter(Phase::Open { since: now, lasts });
    }

    fn recover(&mut self, step: usize, now: u64) {
        let steps = self.config.reclose.as_ref().map_or(0, |reclose| reclose.shares.len());
        if step < steps {
            self.enter(Phase::Recovering { since: now, step, results: Vec::new() });
        } else {
            self.close(now);
        }
    }

    fn close(&mut self, now: u64) {
        self.log.clear();
        self.openings.clear();
        self.enter(Phase::Closed { since: now });
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.generation += 1;
    }
}

impl Probe {
    fn is_awaited(&self, lease: Duration, now: u64) -> bool {
        self.ended.is_none() && Duration::from_nanos(now - self.since) < lease
    }
}

fn sum(calls: &[(u64, bool, bool)]) -> Counts {
    let number = |count: usize| u32::try_from(count).unwrap();
    Counts {
        calls: number(calls.len()),
        failures: number(calls.iter().filter(|(_, failed, _)| *failed).count()),
        slow: number(calls.iter().filter(|(_, _, slow)| *slow).count()),
    }
}

/// How many of `of` must succeed: the share of them, rounded up, at least one.
fn required(share: f64, of: usize) -> usize {
    let of = u64::try_from(of).unwrap();
    let needed = (parts(share) * of).div_ceil(PARTS as u64).max(1);
    usize::try_from(needed).unwrap()
}

fn parts(share: f64) -> u64 {
    let parts = (share * PARTS).round();
    assert!((parts / PARTS - share).abs() < 1e-12, "the model takes shares of {PARTS} parts");
    parts as u64
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap()
}
