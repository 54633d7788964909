//! A service under load in virtual time, to see what a limiter makes of it.
//!
//! **Why.** What a limiter does to a service shows under overload, which nobody wants to try in
//! earnest. Here an hour of it takes a second, and the same seed makes the same calls.
//!
//! **When not.** As a forecast: a real service has more than one queue, and callers who come back.
//!
//! ```
//! use core::time::Duration;
//! use seawall::Instant;
//! use seawall::limit::adaptive::{AdaptiveConfig, AdaptiveLimiter};
//! use seawall::simulate::{Phase, Scenario, Service, run};
//!
//! // 20 servers of 50 ms serve 400 calls a second; 1200 come.
//! let service = Service::Exponential(Duration::from_millis(50));
//! let scenario = Scenario {
//!     servers: 20,
//!     timeout: None,
//!     phases: vec![
//!         Phase::new(Duration::from_secs(15), 200.0, service),
//!         Phase::new(Duration::from_secs(15), 1200.0, service),
//!     ],
//!     seed: 1,
//! };
//! let mut limiter = AdaptiveLimiter::new(AdaptiveConfig::default(), 1, Instant::ZERO)?;
//! let reports = run(&scenario, &mut limiter);
//! assert!(reports[1].goodput() > 360.0);
//! assert!(reports[1].latency(0.99) < Duration::from_millis(575));
//! # Ok::<(), seawall::options::Problem>(())
//! ```

mod backend;
mod report;

use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::time::Duration;

pub use backend::Service;
pub use report::Report;

use crate::limit::adaptive::AdaptiveLimiter;
use crate::time::nanos;
use crate::{Instant, Outcome, Rng};
use backend::{Backend, Job};

/// A stretch of time in which load and service stay the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Phase {
    /// How long it lasts.
    pub lasts: Duration,
    /// Calls per second at its beginning; they come at random (a Poisson process).
    pub rate: f64,
    /// How long a server is busy with a call at its beginning.
    pub service: Service,
    /// By what the time a call takes is multiplied at its end; in between it grows evenly.
    pub slows_to: f64,
}

impl Phase {
    /// `rate` calls per second for `lasts`, each taking `service`.
    #[must_use]
    pub const fn new(lasts: Duration, rate: f64, service: Service) -> Self {
        Self { lasts, rate, service, slows_to: 1.0 }
    }
}

/// A service and what happens to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Calls it serves at a time; the others wait in the order they came.
    pub servers: u32,
    /// A caller gives up after this, the server does not: its work is wasted. `None`: never.
    pub timeout: Option<Duration>,
    /// One after the other.
    pub phases: Vec<Phase>,
    /// The same seed makes the same calls, whatever the limiter does.
    pub seed: u64,
}

/// What decides which calls of a simulation begin.
pub trait Limiter {
    /// Whether a call may begin.
    fn start(&mut self, now: Instant) -> bool;
    /// A call that began has ended.
    fn end(&mut self, rtt: Duration, outcome: Outcome, now: Instant);
    /// How many may be in flight, for the report.
    fn limit(&self) -> u32;
}

impl Limiter for AdaptiveLimiter {
    fn start(&mut self, _now: Instant) -> bool {
        Self::start(self).is_ok()
    }

    fn end(&mut self, rtt: Duration, outcome: Outcome, now: Instant) {
        Self::end(self, rtt, outcome, now);
    }

    fn limit(&self) -> u32 {
        Self::limit(self)
    }
}

/// A fixed limit; `u32::MAX` is none.
#[derive(Debug, Clone, Copy)]
pub struct Fixed {
    /// Calls that may be in flight.
    pub limit: u32,
    in_flight: u32,
}

impl Fixed {
    /// At most `limit` calls in flight.
    #[must_use]
    pub const fn new(limit: u32) -> Self {
        Self { limit, in_flight: 0 }
    }
}

impl Limiter for Fixed {
    fn start(&mut self, _now: Instant) -> bool {
        let begins = self.in_flight < self.limit;
        self.in_flight = self.in_flight.saturating_add(u32::from(begins));
        begins
    }

    fn end(&mut self, _rtt: Duration, _outcome: Outcome, _now: Instant) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    fn limit(&self) -> u32 {
        self.limit
    }
}

/// What happens next, soonest first, in the order it was planned where at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A server has done the job.
    Done(Job),
    /// The caller of this job gives up.
    GivesUp(Job),
}

/// Runs `scenario` and answers one report for each of its phases. Calls
/// still under way at the end are in none.
#[must_use]
pub fn run(scenario: &Scenario, limiter: &mut impl Limiter) -> Vec<Report> {
    let mut simulation = Simulation {
        backend: Backend::new(scenario.servers),
        events: BinaryHeap::new(),
        planned: 0,
        timeout: scenario.timeout,
        given_up: Vec::new(),
        reports: Vec::new(),
        limiter,
    };
    let (mut arrivals, mut work) = (Rng::new(scenario.seed), Rng::new(!scenario.seed));
    let mut begins = Instant::ZERO;
    for phase in &scenario.phases {
        let ends = begins.after(phase.lasts);
        simulation.reports.push(Report::new(phase.lasts));
        let mut now = begins;
        loop {
            let gap = backend::exponential(1e9 / phase.rate, &mut arrivals);
            now = now.after(Duration::from_nanos(gap as u64));
            if now >= ends {
                break;
            }
            simulation.until(now);
            let passed = nanos(now.since(begins)) as f64 / (nanos(phase.lasts) as f64).max(1.0);
            let factor = 1.0 + (phase.slows_to - 1.0) * passed;
            // Drawn for refused calls too, so that the calls are the same for every limiter.
            let takes = phase.service.draw(&mut work) * factor;
            simulation.arrive(Duration::from_nanos(takes as u64), now);
        }
        simulation.until(ends);
        begins = ends;
    }
    simulation.reports.iter_mut().for_each(Report::finish);
    simulation.reports
}

struct Simulation<'a, L> {
    backend: Backend,
    events: BinaryHeap<Reverse<(Instant, u64, Event)>>,
    planned: u64,
    timeout: Option<Duration>,
    given_up: Vec<bool>,
    reports: Vec<Report>,
    limiter: &'a mut L,
}

impl<L: Limiter> Simulation<'_, L> {
    fn plan(&mut self, at: Instant, event: Event) {
        self.planned = self.planned.wrapping_add(1);
        self.events.push(Reverse((at, self.planned, event)));
    }

    /// Lets everything happen that happens until `now`.
    fn until(&mut self, now: Instant) {
        while let Some(Reverse((at, _, event))) = self.events.peek().copied() {
            if at > now {
                break;
            }
            self.events.pop();
            match event {
                Event::Done(job) => {
                    if let Some((next, takes)) = self.backend.done() {
                        self.plan(at.after(takes), Event::Done(next));
                    }
                    if !self.has_given_up(job) {
                        self.end(job, Outcome::Success, at);
                    }
                }
                Event::GivesUp(job) => {
                    if !self.has_given_up(job) {
                        self.end(job, Outcome::Failure, at);
                    }
                }
            }
        }
    }

    fn arrive(&mut self, takes: Duration, now: Instant) {
        let begins = self.limiter.start(now);
        let phase = self.reports.len().saturating_sub(1);
        if let Some(report) = self.reports.last_mut() {
            report.arrived(begins);
        }
        if !begins {
            return;
        }
        let job = Job { id: self.given_up.len(), since: now, phase };
        self.given_up.push(false);
        if self.backend.begin(job, takes) {
            self.plan(now.after(takes), Event::Done(job));
        }
        if let Some(timeout) = self.timeout {
            self.plan(now.after(timeout), Event::GivesUp(job));
        }
    }

    /// Whether the call is over, and from now on it is.
    fn has_given_up(&mut self, job: Job) -> bool {
        self.given_up.get_mut(job.id).is_none_or(|over| core::mem::replace(over, true))
    }

    fn end(&mut self, job: Job, outcome: Outcome, now: Instant) {
        let rtt = now.since(job.since);
        self.limiter.end(rtt, outcome, now);
        let limit = self.limiter.limit();
        if let Some(report) = self.reports.get_mut(job.phase) {
            report.ended(rtt, outcome);
        }
        if let Some(report) = self.reports.last_mut() {
            report.completed(outcome, limit);
        }
    }
}
