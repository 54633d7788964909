//! What is told to `tracing` and `metrics`.

use std::sync::{Arc, Mutex};

use seawall::backoff::{Backoff, BackoffConfig};
use seawall::breaker::{BreakerConfig, RateRule, SlowRule, TripRule, Window};
use seawall::retry::RetryConfig;
use seawall::timeout::TimeoutConfig;
use seawall::tokio::{Breaker, Retry, Setup, Timeout};
use tracing::field::{Field, Visit};
use tracing::span;

use crate::{fails, heard_by, ms, takes};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Log {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "seawall"
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        struct Words(String);
        impl Visit for Words {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                self.0 += &format!("{}={value:?} ", field.name());
            }
        }
        let mut words = Words(String::new());
        event.record(&mut words);
        self.0.lock().unwrap().push(words.0);
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[tokio::test(start_paused = true)]
async fn bad_paths_are_told_and_happy_ones_are_not() {
    let log = Log::default();
    let _guard = heard_by(log.clone());
    let config = BreakerConfig { trip: TripRule::Consecutive(3), ..BreakerConfig::default() };
    let breaker = Breaker::with(config, Setup::named("orders")).unwrap();
    let backoff = Backoff::new(BackoffConfig::constant(ms(1))).unwrap();
    let retry = Retry::with(RetryConfig::with(backoff), Setup::named("again")).unwrap();
    let timeout = Timeout::with(TimeoutConfig::fixed(ms(5)), Setup::named("short")).unwrap();

    breaker.call(takes(1)).await.unwrap();
    retry.call(|| takes(1)).await.unwrap();
    timeout.call(takes(1)).await.unwrap();
    assert_eq!(log.0.lock().unwrap().len(), 0);

    assert!(retry.call(|| breaker.call(fails())).await.is_err());
    assert!(breaker.call(takes(1)).await.is_err());
    assert!(timeout.call(takes(10)).await.is_err());
    let told = log.0.lock().unwrap().join("\n");
    for (words, times) in [
        ("policy=\"again\" repetition=1", 1),
        ("policy=\"again\" repetition=2", 1),
        ("policy=\"orders\" from=\"closed\" to=\"open\"", 1),
        ("policy=\"orders\" by=\"breaker\" why=\"open\"", 1),
        ("policy=\"short\" by=\"timeout\"", 1),
    ] {
        assert_eq!(told.matches(words).count(), times, "{words} in\n{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_good_call_that_opens_a_breaker_is_told_of_as_well() {
    let log = Log::default();
    let _guard = heard_by(log.clone());
    let slow = SlowRule { rate: 0.5, longer_than: ms(100) };
    for (name, slow, time) in [("failures", None, 1), ("slow", Some(slow), 200)] {
        let (window, minimum_calls) = (Window::Calls(10), 2);
        let rule = RateRule { window, minimum_calls, failure_rate: Some(0.5), slow };
        let config = BreakerConfig { trip: TripRule::Rate(rule), ..BreakerConfig::default() };
        let breaker = Breaker::with(config, Setup::named(name)).unwrap();
        if slow.is_none() {
            assert!(breaker.call(fails()).await.is_err());
        } else {
            breaker.call(takes(time)).await.unwrap();
        }
        breaker.call(takes(time)).await.unwrap();
        let told = log.0.lock().unwrap().join("\n");
        let words = format!("policy=\"{name}\" from=\"closed\" to=\"open\"");
        assert_eq!(told.matches(&words).count(), 1, "{words} in\n{told}");
    }
}
