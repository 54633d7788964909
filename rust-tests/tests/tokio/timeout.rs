use std::future::pending;
use std::io;
use std::time::Duration;

use seawall::error::{Error, Why};
use seawall::policy::Stage;
use seawall::timeout::TimeoutConfig;
use seawall::tokio::{Timeout, now};
use tokio::time::{Instant, advance};

use crate::{ms, poll, takes};

#[tokio::test(start_paused = true)]
async fn time_is_up_or_it_is_not() {
    let timeout = Timeout::new(TimeoutConfig::fixed(ms(100))).unwrap();
    assert_eq!(timeout.call(takes(99)).await.unwrap(), 99);
    let begun = Instant::now();
    let Err(Error::TimedOut(late)) = timeout.call(takes(200)).await else { panic!("in time") };
    assert_eq!((late.limit, late.by, late.held_up), (ms(100), Stage::Timeout, false));
    assert!((100..103).contains(&(begun.elapsed().as_millis() as u64)));
    assert_eq!(timeout.call_within(Some(ms(300)), None, takes(200)).await.unwrap(), 200);
    let none = Timeout::new(TimeoutConfig::fixed(Duration::MAX)).unwrap();
    assert_eq!(none.call(takes(100_000)).await.unwrap(), 100_000);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_comes_first_and_too_little_is_not_begun() {
    let timeout = Timeout::new(TimeoutConfig::fixed(ms(1_000))).unwrap();
    for _ in 0..50 {
        timeout.call_within(None, Some(now().after(ms(5_000))), takes(50)).await.unwrap();
    }
    let deadline = now().after(ms(200));
    let late = timeout.call_within(None, Some(deadline), takes(500)).await;
    let Err(Error::TimedOut(late)) = late else { panic!("in time") };
    assert_eq!(late.by, Stage::Deadline);
    let refused = timeout.call_within(None, Some(now().after(ms(20))), takes(1)).await;
    assert_eq!(refused.unwrap_err().rejected().unwrap().why, Why::Deadline);
}

#[tokio::test(start_paused = true)]
async fn what_is_there_when_a_late_timer_fires_is_the_answer() {
    let timeout = Timeout::new(TimeoutConfig::fixed(ms(100))).unwrap();
    let mut call = Box::pin(timeout.call(takes(90)));
    assert!(poll(call.as_mut()).is_pending());
    advance(ms(5_000)).await;
    assert_eq!(call.await.unwrap(), 90);
}

#[tokio::test(start_paused = true)]
async fn a_timer_held_up_speaks_against_nobody() {
    let timeout = Timeout::new(TimeoutConfig::fixed(ms(100))).unwrap();
    let mut call = Box::pin(timeout.call(pending::<io::Result<()>>()));
    assert!(poll(call.as_mut()).is_pending());
    advance(ms(5_000)).await;
    let Err(Error::TimedOut(late)) = call.await else { panic!("no answer was there") };
    assert!(late.held_up);
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_follows_sees_its_own_time_outs() {
    let timeout = Timeout::new(TimeoutConfig::following(0.9, 2.0)).unwrap();
    for _ in 0..40 {
        timeout.call(takes(50)).await.unwrap();
    }
    let own = timeout.explain().own;
    assert!(own.abs_diff(ms(100)) < ms(10), "{own:?}");
    for _ in 0..40 {
        let _ = timeout.call(takes(120)).await;
    }
    assert!(timeout.explain().own > ms(150), "{:?}", timeout.explain().own);
}
