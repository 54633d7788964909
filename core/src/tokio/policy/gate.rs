//! The parts of a policy that let a call pass or not, and what they want back.

use crate::classify::Judged;
use crate::error::Error;
use crate::policy::Stage;
use crate::tokio::breaker::{Breaker, BreakerPermit};
use crate::tokio::places::Place;
use crate::tokio::throttle::{Throttle, ThrottlePermit};
use crate::tokio::{Adaptive, Bulkhead, Chaos, RateLimiter};

/// One of them.
#[derive(Debug)]
pub(super) enum Gate {
    Rate(RateLimiter),
    Throttle(Throttle),
    Breaker(Breaker),
    Bulkhead(Bulkhead),
    Adaptive(Adaptive),
    Chaos(Chaos),
}

impl Gate {
    pub(super) const fn stage(&self) -> Stage {
        match self {
            Self::Rate(_) => Stage::RateLimit,
            Self::Throttle(_) => Stage::Throttle,
            Self::Breaker(_) => Stage::Breaker,
            Self::Bulkhead(_) => Stage::Bulkhead,
            Self::Adaptive(_) => Stage::Adaptive,
            Self::Chaos(_) => Stage::Chaos,
        }
    }

    /// Whether calls may wait there for each other.
    pub(super) const fn has_a_queue(&self) -> bool {
        matches!(self, Self::Rate(_) | Self::Bulkhead(_) | Self::Adaptive(_))
    }

    pub(super) async fn pass<E>(&self, held: &mut Held) -> Result<(), Error<E>> {
        match self {
            Self::Rate(rate) => rate.acquire().await?,
            Self::Throttle(throttle) => held.throttle = Some(throttle.try_acquire()?),
            Self::Breaker(breaker) => held.breaker = Some(breaker.try_acquire()?),
            Self::Bulkhead(bulkhead) => {
                held.place = Some(match bulkhead.at_once() {
                    Some(place) => place,
                    None => bulkhead.acquire().await?,
                });
            }
            Self::Adaptive(adaptive) => {
                held.place = Some(match adaptive.at_once() {
                    Some(place) => place,
                    None => adaptive.acquire().await?,
                });
            }
            Self::Chaos(chaos) => chaos.strike().await?,
        }
        Ok(())
    }
}

/// What a call holds of the gates it has passed.
#[derive(Debug, Default)]
pub(super) struct Held {
    throttle: Option<ThrottlePermit>,
    breaker: Option<BreakerPermit>,
    /// Of the bulkhead or of the adaptive limiter: a policy has one of them.
    place: Option<Place>,
}

impl Held {
    pub(super) fn settle(self, judged: Judged) {
        if let Some(place) = self.place {
            place.settle(judged);
        }
        if let Some(permit) = self.breaker {
            permit.settle(judged);
        }
        if let Some(permit) = self.throttle {
            permit.settle(judged);
        }
    }
}
