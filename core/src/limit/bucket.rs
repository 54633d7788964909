//! A bucket that leaks at a steady rate, in whole numbers: what goes in and out adds up exactly.

use core::time::Duration;

use crate::time::{Instant, nanos, product};

/// What a bucket may hold at most, in units, so that no sum of two leaves the range.
pub(crate) const MOST_UNITS: u64 = 1 << 62;

/// The size of a bucket and of what goes into it, in units of the caller's choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    /// What one permit takes.
    pub(crate) cost: u64,
    /// What leaks in a nanosecond. Zero: nothing.
    pub(crate) speed: u64,
    /// What the bucket holds.
    pub(crate) capacity: u64,
}

/// How full a bucket is, since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Level {
    used: u64,
    at: u64,
}

impl Level {
    pub(crate) const EMPTY: Self = Self { used: 0, at: 0 };

    /// Lets leak what has leaked by `now`. A clock that went back leaks nothing until it is where
    /// it was; one that went back by more than a full bucket takes to drain is believed, lest the
    /// bucket stay full for as long as the clock was set back.
    pub(crate) fn settle(&mut self, rate: &Rate, now: Instant) {
        let now = now.as_nanos();
        self.used = self.used_at(rate, now);
        let full = rate.capacity.checked_div(rate.speed).unwrap_or(0);
        if now > self.at || self.at.saturating_sub(now) > full {
            self.at = now;
        }
    }

    /// The same up to `slack` before now only: what happened since can still be put in at its time.
    pub(crate) fn settle_behind(&mut self, rate: &Rate, slack: u64, now: Instant) {
        let behind = now.as_nanos().saturating_sub(slack);
        if behind > self.at {
            self.settle(rate, Instant::from_nanos(behind));
        } else if now.as_nanos() < self.at {
            self.settle(rate, now);
        }
    }

    /// When it was settled last.
    pub(crate) const fn at(&self) -> Instant {
        Instant::from_nanos(self.at)
    }

    fn used_at(&self, rate: &Rate, now: u64) -> u64 {
        self.used.saturating_sub(product(now.saturating_sub(self.at), rate.speed))
    }

    /// What it held at the last settling.
    pub(crate) const fn used(&self) -> u64 {
        self.used
    }

    /// Puts `units` in.
    pub(crate) fn put(&mut self, units: u64) {
        self.used = self.used.saturating_add(units);
    }

    /// Takes `units` out.
    pub(crate) fn take(&mut self, units: u64) {
        self.used = self.used.saturating_sub(units);
    }

    /// The time from `from` on, the present or later, until `units` more have room; to the
    /// nanosecond. `None`: never.
    pub(crate) fn wait(&self, rate: &Rate, units: u64, from: Instant) -> Option<Duration> {
        let used = self.used_at(rate, from.as_nanos());
        let over = used.saturating_add(units).saturating_sub(rate.capacity);
        if over == 0 {
            return Some(Duration::ZERO);
        }
        // Counted from when it leaks again, if the clock is behind that.
        let behind = self.at.saturating_sub(from.as_nanos());
        let leaking = over.checked_add(rate.speed)?.checked_sub(1)?.checked_div(rate.speed)?;
        Some(crate::time::duration(leaking.saturating_add(behind)))
    }

    /// The same permits in a bucket of another rate.
    pub(crate) fn resize(&mut self, from: &Rate, to: &Rate) {
        let whole = self.used.checked_div(from.cost).unwrap_or(0);
        let part = self.used.checked_rem(from.cost).unwrap_or(0) as f64 / from.cost as f64;
        let part = libm::ceil(part * to.cost as f64) as u64;
        self.used = product(whole, to.cost).saturating_add(part).min(MOST_UNITS);
    }
}

/// The rate of `limit` permits in `per` with room for `burst`: exact if a full bucket is below
/// 2^62 units, as it is with a million permits and an hour; beyond, by less than a millionth
/// slower. The capacity is too large if that does not help.
pub(crate) fn rate(limit: u32, per: Duration, burst: u32) -> Rate {
    let (mut cost, mut speed) = (nanos(per).max(1), u64::from(limit.max(1)));
    let divisor = gcd(cost, speed);
    cost = cost.checked_div(divisor).unwrap_or(cost);
    speed = speed.checked_div(divisor).unwrap_or(speed);
    while product(cost, burst.into()) > MOST_UNITS && speed >= 1 << 21 {
        cost = cost.div_ceil(2);
        speed /= 2;
    }
    Rate { cost, speed, capacity: product(cost, burst.into()) }
}

fn gcd(a: u64, b: u64) -> u64 {
    let (mut a, mut b) = (a, b);
    while let Some(rest) = a.checked_rem(b) {
        (a, b) = (b, rest);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn rates_are_reduced() {
        assert_eq!(rate(100, SECOND, 5), Rate { cost: 10_000_000, speed: 1, capacity: 50_000_000 });
        assert_eq!(
            rate(3, SECOND, 1),
            Rate { cost: 1_000_000_000, speed: 3, capacity: 10u64.pow(9) }
        );
        let large = rate(999_999_937, Duration::from_secs(86_400), 100_000);
        assert!(large.capacity <= MOST_UNITS);
        let wanted = 999_999_937.0 / 86.4e12;
        let got = large.speed as f64 / large.cost as f64;
        assert!(got <= wanted && got > wanted * (1.0 - 1e-6), "{got} {wanted}");
        let too_large = rate(1, Duration::from_secs(86_400), 100_000);
        assert!(too_large.capacity > MOST_UNITS);
    }

    #[test]
    fn thirds_add_up() {
        let rate = rate(3, SECOND, 3);
        let mut level = Level::EMPTY;
        for i in 0..3000u64 {
            level.settle(&rate, Instant::from_nanos(i * 1_000_000_000 / 3 + 1));
            assert_eq!(
                level.wait(&rate, rate.cost, Instant::from_nanos(i * 333_333_334)),
                Some(Duration::ZERO)
            );
            level.put(rate.cost);
        }
    }

    #[test]
    fn permits_keep_their_number_in_another_rate() {
        let (slow, fast) = (rate(3, SECOND, 10), rate(1000, SECOND, 50));
        let mut level = Level::EMPTY;
        level.put(slow.cost * 2 + slow.cost / 2);
        level.resize(&slow, &fast);
        assert_eq!(level.used(), fast.cost * 5 / 2);
    }
}
