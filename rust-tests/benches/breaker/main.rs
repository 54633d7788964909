//! What a guarded call costs: permit, call and record, in nanoseconds.
//!
//! `cargo bench -p seawall-tests`, with `--features compare` beside other breakers. All variants
//! run in turn, round after round, in one process; the least of all rounds counts, since whatever
//! else the machine does can only add. Compare columns of one run, not runs.
//!
//! Arguments after `--`: the number of rounds (default 60) and a part of the variants' names. With
//! SEAWALL_CALLS it makes so many calls of the variant of exactly that name, and prints nothing.
#![allow(clippy::disallowed_methods, reason = "a benchmark looks at the clock")]

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant as Clock};

use seawall::Instant;
use seawall::breaker::{
    BreakerConfig, CallError, CircuitBreaker, Machine, Permit, RateRule, Rejection, SlowRule,
    TripRule, Window,
};

#[cfg(feature = "futures")]
mod futures;
#[cfg(feature = "compare")]
mod others;

/// Calls of one thread in one round.
const CALLS: u32 = 50_000;

type Work = Box<dyn Fn(u32) + Send>;
/// What a thread runs, made in the thread that runs it.
type Variant = (&'static str, Box<dyn Fn() -> Work + Sync>);

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let rounds = arguments.next().and_then(|rounds| rounds.parse().ok()).unwrap_or(60);
    let part = arguments.next().unwrap_or_default();
    let mut variants = ours();
    #[cfg(feature = "futures")]
    variants.extend(futures::variants());
    #[cfg(feature = "compare")]
    variants.extend(others::variants());
    if let Ok(calls) = std::env::var("SEAWALL_CALLS") {
        return only(&variants, &part, calls.parse().expect("a number of calls"));
    }
    variants.retain(|(name, _)| name.contains(&part) || *name == EMPTY);

    let mut best = vec![[f64::INFINITY; 2]; variants.len()];
    for _ in 0..rounds {
        for ((_, make), best) in variants.iter().zip(&mut best) {
            best[0] = best[0].min(round(make, 1));
            best[1] = best[1].min(round(make, 2));
        }
    }
    let empty = best[0][0];
    println!(
        "{:<44} {:>9} {:>9} {:>7} {:>9}",
        "ns per call", "1 thread", "2 threads", "ratio", "over"
    );
    for ((name, _), [one, two]) in variants.iter().zip(&best) {
        println!("{name:<44} {one:>9.1} {two:>9.1} {:>7.2} {:>9.1}", two / one, one - empty);
    }
}

/// So many calls of one variant and nothing else, for `.ci/instructions`.
fn only(variants: &[Variant], name: &str, calls: u32) {
    let variant = variants.iter().find(|(other, _)| *other == name);
    let (_, make) = variant.unwrap_or_else(|| panic!("no variant is called {name:?}"));
    make()(calls);
}

/// Nanoseconds per call of the slower thread; infinite if the threads did not run at once.
fn round(make: &(dyn Fn() -> Work + Sync), threads: usize) -> f64 {
    let ready = AtomicUsize::new(0);
    let times: Vec<(Clock, Clock)> = std::thread::scope(|scope| {
        let run = || {
            let work = make();
            work(CALLS / 10);
            // A barrier of the system would wake one long after the other.
            ready.fetch_add(1, Ordering::SeqCst);
            while ready.load(Ordering::SeqCst) < threads {
                std::hint::spin_loop();
            }
            let begun = Clock::now();
            work(CALLS);
            (begun, Clock::now())
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let slowest = times.iter().map(|(begun, ended)| *ended - *begun).max().expect("a thread");
    let all_begun = times.iter().map(|(begun, _)| *begun).max().expect("a thread");
    let one_ended = times.iter().map(|(_, ended)| *ended).min().expect("a thread");
    if one_ended.saturating_duration_since(all_begun) < slowest.mul_f64(0.8) {
        return f64::INFINITY;
    }
    slowest.as_nanos() as f64 / f64::from(CALLS)
}

const EMPTY: &str = "nothing but the call";

fn ours() -> Vec<Variant> {
    let consecutive = TripRule::Consecutive(5);
    let calls = rate(Window::Calls(100), None);
    let time = rate(Window::Time { span: Duration::from_secs(10), slices: 10 }, None);
    let never = TripRule::Rate(RateRule {
        window: Window::Calls(100),
        minimum_calls: 100,
        failure_rate: Some(1.0),
        slow: None,
    });
    let slow = SlowRule { rate: 0.5, longer_than: Duration::from_millis(500) };
    let slow = rate(Window::Calls(100), Some(slow));
    vec![
        (EMPTY, Box::new(|| repeat(|| black_box(call()).is_ok()))),
        ("a reading of the clock", Box::new(|| repeat(|| *START <= black_box(Clock::now())))),
        ("consecutive", shared(consecutive.clone(), none)),
        ("consecutive, handle", handle(consecutive.clone(), none)),
        ("consecutive, bare machine", machine(consecutive.clone())),
        ("last 100 calls", shared(calls.clone(), none)),
        ("last 100 calls, handle", handle(calls.clone(), none)),
        ("last 100 calls, bare machine", machine(calls.clone())),
        ("time window", shared(time.clone(), real)),
        ("time window, handle", handle(time.clone(), real)),
        ("time window, handle, clock for free", handle(time.clone(), none)),
        ("time window, bare machine", machine(time)),
        ("slow calls, handle", handle(slow, real)),
        ("every other fails, last 100 calls", failing(never)),
        ("refused", refused(consecutive.clone())),
        ("refused, handle", refused_handle(consecutive.clone())),
        ("consecutive, permit", permit(consecutive)),
        ("last 100 calls, permit of a handle", handle_permit(calls)),
    ]
}

fn rate(window: Window, slow: Option<SlowRule>) -> TripRule {
    TripRule::Rate(RateRule { window, minimum_calls: 20, failure_rate: Some(0.5), slow })
}

static START: std::sync::LazyLock<Clock> = std::sync::LazyLock::new(Clock::now);

fn none() -> Instant {
    Instant::ZERO
}

fn real() -> Instant {
    Instant::from(START.elapsed())
}

/// The call that is guarded: it succeeds, and the compiler does not know.
pub fn call() -> Result<u32, u32> {
    black_box(Ok(1))
}

/// `run` so many times; it must answer true.
pub fn repeat(run: impl Fn() -> bool + Send + 'static) -> Work {
    assert!(run(), "it does not measure what it says");
    Box::new(move |calls| {
        for _ in 0..calls {
            black_box(run());
        }
    })
}

fn breaker(trip: TripRule) -> Arc<CircuitBreaker> {
    let config = BreakerConfig { trip, ..BreakerConfig::default() };
    Arc::new(CircuitBreaker::new(config, 0).expect("valid options"))
}

/// One breaker for all threads.
fn shared(
    trip: TripRule,
    clock: impl Fn() -> Instant + Copy + Send + Sync + 'static,
) -> Box<dyn Fn() -> Work + Sync> {
    let breaker = breaker(trip);
    Box::new(move || {
        let breaker = Arc::clone(&breaker);
        repeat(move || breaker.call(&clock, call).is_ok())
    })
}

/// One breaker, and a handle for each thread.
fn handle(
    trip: TripRule,
    clock: impl Fn() -> Instant + Copy + Send + Sync + 'static,
) -> Box<dyn Fn() -> Work + Sync> {
    let breaker = breaker(trip);
    Box::new(move || {
        let handle = breaker.handle();
        repeat(move || handle.call(&clock, call).is_ok())
    })
}

/// A machine for each thread, told everything.
fn machine(trip: TripRule) -> Box<dyn Fn() -> Work + Sync> {
    let config = Arc::new(BreakerConfig { trip, ..BreakerConfig::default() });
    Box::new(move || {
        let machine = Machine::new(Arc::clone(&config), 0).expect("valid options");
        let machine = std::cell::RefCell::new(machine);
        repeat(move || {
            let mut machine = machine.borrow_mut();
            let Ok(permit) = machine.acquire(none()) else { return false };
            let answer = call();
            machine.record(permit, seawall::Outcome::Success.into(), none());
            answer.is_ok()
        })
    })
}

/// An open breaker.
fn refused(trip: TripRule) -> Box<dyn Fn() -> Work + Sync> {
    let breaker = breaker(trip);
    breaker.force_open(none(), 0.0);
    Box::new(move || {
        let breaker = Arc::clone(&breaker);
        repeat(move || breaker.call(&none, call).is_err())
    })
}

/// An open breaker, and a handle for each thread.
fn refused_handle(trip: TripRule) -> Box<dyn Fn() -> Work + Sync> {
    let breaker = breaker(trip);
    breaker.force_open(none(), 0.0);
    Box::new(move || {
        let handle = breaker.handle();
        repeat(move || handle.call(&none, call).is_err())
    })
}

/// One breaker for all threads, used by permits.
fn permit(trip: TripRule) -> Box<dyn Fn() -> Work + Sync> {
    let breaker = breaker(trip);
    Box::new(move || {
        let breaker = Arc::clone(&breaker);
        repeat(move || guarded(breaker.try_acquire(&none)))
    })
}

/// One breaker and a handle for each thread, used by permits.
fn handle_permit(trip: TripRule) -> Box<dyn Fn() -> Work + Sync> {
    let breaker = breaker(trip);
    Box::new(move || {
        let handle = breaker.handle();
        repeat(move || guarded(handle.try_acquire(&none)))
    })
}

#[inline]
fn guarded(permit: Result<Permit<'_>, Rejection>) -> bool {
    let Ok(permit) = permit else { return false };
    let answer = call();
    permit.success(&none);
    answer.is_ok()
}

/// One breaker, a handle for each thread, and every other call fails.
fn failing(trip: TripRule) -> Box<dyn Fn() -> Work + Sync> {
    let breaker = breaker(trip);
    Box::new(move || {
        let handle = breaker.handle();
        let number = std::cell::Cell::new(0u32);
        repeat(move || {
            number.set(number.get() ^ 1);
            let answer = if number.get() == 0 { call() } else { Err(1) };
            !matches!(handle.call(&none, || answer), Err(CallError::Rejected(_)))
        })
    })
}
