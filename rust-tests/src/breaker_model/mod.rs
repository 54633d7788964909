//! A circuit breaker as its documentation describes it, with no regard for cost.
//!
//! It keeps every reading of the clock, every call and every probe, and counts them all again
//! whenever it is asked. Shares are compared as whole numbers, so no rounding of a fraction can
//! hide in both this and the crate.

mod moves;
mod seen;

use std::time::Duration;

use seawall::Outcome;
use seawall::breaker::{BreakerConfig, Cause, Mode, Opened, Reason, Totals};

const NANO: Duration = Duration::from_nanos(1);
const SECOND: u64 = 1_000_000_000;

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
}

impl Probe {
    fn is_awaited(&self, lease: Duration, now: u64) -> bool {
        self.ended.is_none() && Duration::from_nanos(now - self.since) < lease
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap()
}
