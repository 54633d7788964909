//! What has a life, through any order of what may happen to it.

use std::time::Duration;

use seawall::balance::claim::{Slot, Ticket};
use seawall::health::{Kind, SharedHealth, WatchConfig};
use seawall::lifecycle::{Cause, Event, Lifecycle, LifecycleConfig, Phase};
use seawall::limit::adaptive::{AdaptiveConfig, AdaptiveLimiter, Algorithm};
use seawall::limit::throttle::{Throttle, ThrottleConfig};
use seawall::retry::{BudgetConfig, RetryBudget};
use seawall::{Instant, Outcome, Rng};

use super::bytes::Bytes;

fn outcome(bytes: &mut Bytes<'_>) -> Outcome {
    bytes.one(&[Outcome::Success, Outcome::Failure, Outcome::Neutral])
}

/// The limit stays within its bounds, and the calls in flight are those that began and have not ended.
pub fn adaptive(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let config = |bytes: &mut Bytes<'_>| AdaptiveConfig {
        algorithm: Algorithm::from_code(bytes.below(4)),
        initial_limit: bytes.below(40),
        min_limit: bytes.below(20),
        max_limit: bytes.below(300),
        min_window: bytes.millis(),
        max_window: bytes.millis(),
        min_samples: bytes.below(12),
        quantile: f64::from(bytes.below(101)) / 100.0,
        slow_after: bytes.millis(),
    };
    let (mut now, first) = (Instant::ZERO, config(&mut bytes));
    let Ok(mut limiter) = AdaptiveLimiter::new(first, 1, now) else { return };
    let mut running = 0_u32;
    while !bytes.is_empty() {
        match bytes.below(6) {
            0 | 1 => {
                let room = running < limiter.limit();
                assert_eq!(limiter.start().is_ok(), room);
                running += u32::from(room);
            }
            2 | 3 if running > 0 => {
                let took = bytes.millis() * bytes.one(&[1, 1, 7, 1000]);
                limiter.end(took, outcome(&mut bytes), now);
                running -= 1;
            }
            4 => now = now.after(bytes.millis()),
            5 => {
                let _ = limiter.update(config(&mut bytes));
            }
            _ => {}
        }
        let (config, seen) = (limiter.config(), limiter.explain(now));
        assert!((config.min_limit..=config.max_limit).contains(&limiter.limit()), "{seen:?}");
        assert_eq!((seen.in_flight, seen.limit), (running, limiter.limit()));
        assert!(seen.gain.is_none_or(f64::is_finite) && limiter.terms().room > 0);
    }
}

/// Throttles and budgets allow no more than their rules, and count what there was.
pub fn shares(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    if bytes.bool() { throttle(&mut bytes) } else { budget(&mut bytes) }
}

fn throttle(bytes: &mut Bytes<'_>) {
    let config = |bytes: &mut Bytes<'_>| ThrottleConfig {
        k: f64::from(bytes.below(64)) / 8.0,
        window: bytes.millis(),
        minimum_calls: bytes.below(8),
        max_rejection: f64::from(bytes.below(101)) / 100.0,
    };
    let (mut now, mut rng, mut config_now) = (Instant::ZERO, Rng::new(1), config(bytes));
    let Ok(mut throttle) = Throttle::new(config_now) else { return };
    while !bytes.is_empty() {
        match bytes.below(5) {
            0 | 1 => {
                let rejection = throttle.rejection(now);
                let admitted = throttle.admit(now, &mut rng);
                assert!(admitted || rejection > 0.0);
            }
            2 => throttle.settle(outcome(bytes), now),
            3 => now = now.after(bytes.millis()),
            _ => {
                let other = config(bytes);
                if throttle.update(other, now).is_ok() {
                    config_now = other;
                }
            }
        }
        let seen = throttle.explain(now);
        assert!((0.0..=config_now.max_rejection).contains(&seen.rejection), "{seen:?}");
        assert_eq!(seen.calls, seen.successes + seen.failures + seen.refused, "{seen:?}");
        assert!(seen.failures + seen.refused > 0 || seen.rejection == 0.0, "{seen:?}");
    }
}

fn budget(bytes: &mut Bytes<'_>) {
    let config = |bytes: &mut Bytes<'_>| {
        let ratio = f64::from(bytes.below(101)) / 100.0;
        if bytes.bool() {
            BudgetConfig::InFlight { ratio, min_concurrency: bytes.below(5) }
        } else {
            let (per_second, max_tokens) = (f64::from(bytes.below(30)), f64::from(bytes.below(9)));
            BudgetConfig::Tokens { ratio, per_second, max_tokens }
        }
    };
    let (mut now, mut config_now) = (Instant::ZERO, config(bytes));
    let Ok(mut budget) = RetryBudget::new(config_now) else { return };
    let (mut calls, mut retries) = (0_u32, 0_u32);
    while !bytes.is_empty() {
        match bytes.below(6) {
            0 => {
                budget.began();
                calls += 1;
            }
            1 if calls > 0 => {
                budget.ended();
                calls -= 1;
            }
            2 => {
                let before = budget.explain(now).tokens;
                let may = match config_now {
                    BudgetConfig::InFlight { ratio, min_concurrency } => {
                        retries < min_concurrency || f64::from(retries) <= ratio * f64::from(calls)
                    }
                    BudgetConfig::Tokens { .. } => before.is_some_and(|tokens| tokens >= 1.0),
                };
                assert_eq!(budget.allow(now), may, "{before:?} {config_now:?}");
                retries += u32::from(may);
            }
            3 if retries > 0 => {
                budget.retry_ended();
                retries -= 1;
            }
            4 => now = now.after(bytes.millis()),
            5 => {
                let other = config(bytes);
                if budget.update(other, now).is_ok() {
                    config_now = other;
                }
            }
            _ => {}
        }
        let seen = budget.explain(now);
        assert_eq!((seen.calls, seen.retries), (calls, retries));
        if let (BudgetConfig::Tokens { max_tokens, .. }, Some(tokens)) = (config_now, seen.tokens) {
            assert!((0.0..=max_tokens).contains(&tokens), "{tokens} of {max_tokens}");
        }
    }
}

/// Checks come and go, run, hang and answer late; the block says what the set says.
pub fn health(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let health = SharedHealth::new(Instant::ZERO);
    let (mut now, mut checks, mut runs) = (Instant::ZERO, Vec::new(), Vec::new());
    while !bytes.is_empty() {
        match bytes.below(9) {
            0 if checks.len() < 6 => {
                let config = WatchConfig {
                    timeout: bytes.millis(),
                    interval: bytes.one(&[Duration::MAX, Duration::from_millis(5)]),
                    max_age: bytes.millis(),
                    failures: bytes.below(3),
                    successes: bytes.below(3),
                    abandon: bytes.millis() * 10,
                    ..WatchConfig::new(bytes.one(&Kind::ALL))
                };
                checks.extend(health.change(now, |set| set.add(config, now)).ok());
            }
            1 if !checks.is_empty() => {
                let which = bytes.below(u32::try_from(checks.len()).expect("few")) as usize;
                let check = checks.swap_remove(which);
                health.change(now, |set| set.remove(check, now));
                // Whatever is told of its runs from now on is not heard.
                for (run, over) in &mut runs {
                    let run: &seawall::health::Run = run;
                    *over |= run.check == check;
                }
            }
            2 => {
                let begun = health.change(now, |set| {
                    let mut begun = Vec::new();
                    while let Some(run) = set.take(now) {
                        begun.push((run, false));
                        assert!(begun.len() <= 6, "one is due for ever");
                    }
                    begun
                });
                runs.extend(begun);
            }
            3 if !checks.is_empty() => {
                let which = bytes.below(u32::try_from(checks.len()).expect("few")) as usize;
                let run = health.change(now, |set| set.refresh(checks[which], now));
                runs.extend(run.map(|run| (run, false)));
            }
            4 | 5 if !runs.is_empty() => {
                let which = bytes.below(u32::try_from(runs.len()).expect("few")) as usize;
                let (run, over) = runs.swap_remove(which);
                let passed = bytes.bool();
                let counts = health.change(now, |set| set.settle(run, passed, now));
                assert!(!(counts && over), "{run:?} of a check that is gone");
            }
            6 if !runs.is_empty() => {
                let which = bytes.below(u32::try_from(runs.len()).expect("few")) as usize;
                let run = runs[which].0;
                health.change(now, |set| set.expire(run, now));
            }
            7 => {
                let (draining, lost) = (bytes.bool(), bytes.below(16) == 15);
                health.change(now, |set| {
                    set.set_draining(draining, now);
                    set.set_unrecoverable(lost, now);
                });
            }
            _ => now = now.after(bytes.millis()),
        }
        for kind in Kind::ALL {
            let verdict = health.read(|set| set.verdict(kind, now));
            assert_eq!(health.block().verdict(kind, now).passing, verdict.passing, "{kind:?}");
        }
        runs.truncate(64);
    }
}

/// A process ends once, step by step, in time, and is never asked to wait for what is past.
pub fn lifecycle(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let config = LifecycleConfig {
        grace: bytes.millis() * 30,
        margin: bytes.millis(),
        pre_stop: bytes.millis(),
        drain_delay: bytes.millis(),
        drain_timeout: bytes.millis() * 10,
        longest_request: bytes.millis(),
        hooks: bytes.millis(),
        repeat_within: bytes.millis(),
        shortened: bytes.millis(),
    };
    let Ok(mut process) = Lifecycle::new(config) else { return };
    let (mut now, mut phase, mut deadline) = (Instant::from_millis(1e6), Phase::Running, None);
    while !bytes.is_empty() {
        match bytes.below(7) {
            0 => drop(process.begin(now, Cause::of(bytes.below(3)))),
            1 => drop(process.signal(now, bytes.byte() & 3)),
            2 | 3 => {
                let before = process.phase();
                let after = process.advance(now, Event::of(bytes.below(6)));
                assert!(
                    after == before || after == Phase::Forced || after as u8 == before as u8 + 1
                );
            }
            4 => process.set_hooks(bytes.millis() * 5),
            _ => now = now.after(bytes.millis()),
        }
        assert!(process.phase() >= phase, "{:?} after {phase:?}", process.phase());
        phase = process.phase();
        // What it is to be woken for moves it on.
        let mut turns = 0;
        let mut woken = process;
        while let Some(due) = woken.due() {
            assert_ne!(woken.advance(due.max(now), Event::Time), Phase::Running);
            turns += 1;
            assert!(turns <= 4, "{:?} is due again and again", woken.phase());
        }
        let ends = (process.ready_until(), process.drain_until(), process.deadline());
        if let (Some(ready), Some(drain), Some(end)) = ends {
            assert!(ready <= drain && drain <= end, "{ends:?}");
            assert!(deadline.is_none_or(|before| end <= before), "it is never put off");
            deadline = Some(end);
        }
    }
}

/// A connection that is offered is served by one of two, and who claims at random gets nothing else.
pub fn claim(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let slot = Slot::default();
    // The present offer, and whether it was claimed.
    let mut offer: Option<(Ticket, bool)> = None;
    let mut old = Vec::new();
    while !bytes.is_empty() {
        match bytes.below(6) {
            0 => {
                let ticket = slot.offer();
                assert_eq!(ticket.is_some(), offer.is_none(), "the slot is lost, or given twice");
                offer = offer.or(ticket.map(|ticket| (ticket, false)));
            }
            1 => {
                if let Some((ticket, claimed)) = &mut offer {
                    assert_eq!(slot.claim(*ticket), !*claimed);
                    *claimed = true;
                }
            }
            2 => {
                // As it comes from outside: any number at all, or one that was valid once.
                let bits = bytes.u64() & bytes.one(&[u64::MAX, 0xff, 0xffff]);
                let ticket = Ticket::from_bits(bits);
                let is_it = offer.is_some_and(|(it, claimed)| it == ticket && !claimed);
                assert_eq!(slot.claim(ticket), is_it);
                if let Some((_, claimed)) = &mut offer {
                    *claimed |= is_it;
                }
                for ticket in &old {
                    assert!(!slot.claim(*ticket) && !slot.withdraw(*ticket));
                }
            }
            3 => {
                if let Some((ticket, false)) = offer {
                    assert!(slot.withdraw(ticket));
                    old.push(ticket);
                    offer = None;
                }
            }
            4 => {
                if let Some((ticket, true)) = offer {
                    assert!(!slot.withdraw(ticket));
                    slot.release(ticket);
                    old.push(ticket);
                    offer = None;
                }
            }
            _ => {
                slot.reset();
                old.extend(offer.take().map(|(ticket, _)| ticket));
            }
        }
        assert!(offer.is_none_or(|(ticket, claimed)| slot.is_claimed(ticket) == claimed));
    }
}
