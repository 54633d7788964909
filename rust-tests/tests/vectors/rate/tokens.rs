//! A naive rate limiter.

use std::time::Duration;

use seawall::limit::rate::{Decision, Refusal};
use serde_json::Value;

use super::{Limiter, MS};

/// Permits are counted in nanoseconds of the period, the window keeps every call.
pub struct Tokens {
    limit: u64,
    per: u64,
    burst: u64,
    max_queue: u32,
    sliding: bool,
    /// Of a bucket: the parts of permits there are, of which one permit has `per`.
    tokens: i128,
    at: u64,
    log: Vec<(u64, u32)>,
    held_until: u64,
    queued: u32,
    waiting: u64,
}

impl Tokens {
    pub fn new(options: &Value) -> Self {
        let mut tokens = Self {
            limit: 1,
            per: 1,
            burst: 1,
            max_queue: 0,
            sliding: false,
            tokens: 0,
            at: 0,
            log: Vec::new(),
            held_until: 0,
            queued: 0,
            waiting: 0,
        };
        tokens.configure(options);
        tokens.tokens = tokens.most();
        tokens
    }

    fn configure(&mut self, options: &Value) {
        let number = |field: &str, default: f64| options[field].as_f64().unwrap_or(default);
        self.limit = number("limit", 1.0) as u64;
        self.per = (number("perMs", 1000.0) * 1e6) as u64;
        self.burst = number("burst", self.limit as f64) as u64;
        self.max_queue = number("maxQueue", 1000.0) as u32;
        self.sliding = options["kind"] == "slidingWindow";
    }

    fn most(&self) -> i128 {
        i128::from(self.burst) * i128::from(self.per)
    }

    fn tokens_at(&self, time: u64) -> i128 {
        let brought = i128::from(time.saturating_sub(self.at)) * i128::from(self.limit);
        self.most().min(self.tokens + brought)
    }

    /// A line is woken up late; up to 16 ms of that are made good.
    fn settle(&mut self, now: u64) {
        self.log.retain(|(at, _)| at + self.per > now);
        let to = if self.queued > 0 { now.saturating_sub(16 * MS) } else { now };
        if to > self.at {
            self.tokens = self.tokens_at(to);
            self.at = to;
        }
    }

    fn wait(&mut self, permits: u64, now: u64) -> u64 {
        self.settle(now);
        let from = now.max(self.held_until);
        if !self.sliding {
            return from - now + self.lacking(permits, from);
        }
        // The line moves in rounds of a period.
        let (rounds, rest) = ((permits - 1) / self.limit, (permits - 1) % self.limit + 1);
        let used = |time| {
            let within = self.log.iter().filter(|(at, _)| at + self.per > time);
            within.map(|(_, permits)| u64::from(*permits)).sum::<u64>()
        };
        let ends = self.log.iter().map(|(at, _)| at + self.per).filter(|end| *end > from);
        let ready = std::iter::once(from).chain(ends).find(|time| used(*time) + rest <= self.limit);
        ready.expect("some time") + rounds * self.per - now
    }

    /// How long until a bucket has so many permits.
    fn lacking(&self, permits: u64, from: u64) -> u64 {
        let lacking = i128::from(permits) * i128::from(self.per) - self.tokens_at(from);
        let limit = i128::from(self.limit);
        u64::try_from((lacking.max(0) + limit - 1) / limit).expect("not that long")
    }

    fn grant(&mut self, permits: u32, at: u64) -> Decision {
        if self.sliding {
            self.log.push((at, permits));
        } else {
            self.tokens = self.tokens_at(at) - i128::from(permits) * i128::from(self.per);
            self.at = self.at.max(at);
        }
        Decision::Granted
    }
}

impl Limiter for Tokens {
    fn acquire(&mut self, permits: u32, max_wait: Duration, now: u64) -> Decision {
        if u64::from(permits) > if self.sliding { self.limit } else { self.burst } {
            return Decision::Refused(Refusal::Weight);
        }
        let wait = Duration::from_nanos(self.wait(self.waiting + u64::from(permits), now));
        if self.queued == 0 && wait.is_zero() {
            return self.grant(permits, now);
        }
        if max_wait.is_zero() {
            let held = self.held_until > now;
            return Decision::Refused(if held { Refusal::Held } else { Refusal::Rate });
        }
        if self.queued >= self.max_queue {
            return Decision::Refused(Refusal::Queue);
        }
        if wait > max_wait {
            return Decision::Refused(Refusal::Wait);
        }
        self.queued += 1;
        self.waiting += u64::from(permits);
        Decision::Wait(wait)
    }

    fn advance(&mut self, permits: u32, now: u64) -> Decision {
        if u64::from(permits) > if self.sliding { self.limit } else { self.burst } {
            self.leave(permits);
            return Decision::Refused(Refusal::Weight);
        }
        self.settle(now);
        let due = if self.sliding {
            now + self.wait(permits.into(), now)
        } else {
            let from = self.at.max(self.held_until);
            from + self.lacking(permits.into(), from)
        };
        if due > now {
            return Decision::Wait(Duration::from_nanos(due - now));
        }
        self.leave(permits);
        self.grant(permits, due)
    }

    fn leave(&mut self, permits: u32) {
        self.queued -= 1;
        self.waiting -= u64::from(permits);
    }

    fn retry_after(&mut self, permits: u32, now: u64) -> Option<Duration> {
        let most = if self.sliding { self.limit } else { self.burst };
        (u64::from(permits) <= most)
            .then(|| Duration::from_nanos(self.wait(self.waiting + u64::from(permits), now)))
    }

    fn hold(&mut self, until: u64) {
        self.held_until = if until == 0 { 0 } else { self.held_until.max(until) };
    }

    fn update(&mut self, options: &Value, now: u64) {
        self.settle(now);
        let (used, per) = (self.most() - self.tokens, i128::from(self.per));
        self.configure(options);
        self.tokens = self.most() - (used * i128::from(self.per) + per - 1) / per;
    }

    fn look(&mut self, now: u64) -> (u32, u32, u64, Duration, Duration) {
        let next = Duration::from_nanos(self.wait(self.waiting + 1, now));
        let used: u32 = self.log.iter().map(|(_, permits)| permits).sum();
        let available = if self.sliding {
            self.limit as u32 - used
        } else {
            u32::try_from(self.tokens.max(0) / i128::from(self.per)).expect("few")
        };
        let held = Duration::from_nanos(self.held_until.saturating_sub(now));
        (available, self.queued, self.waiting, held, next)
    }
}
