//! Retries of HTTP requests.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use http::{Method, Request, Response};
use seawall::retry::{BudgetConfig, RetryConfig};
use seawall::tokio::{Budget, Retry, Setup};
use seawall::tower::RetryLayer;
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::ms;

/// An answer: a status, or below 100 a failure of the connection: 1 refused, 2 reset.
async fn exchange(
    method: Method,
    key: Option<&str>,
    answers: &[u16],
    retry: Retry,
) -> (Result<u16, io::ErrorKind>, usize) {
    let left = Rc::new(RefCell::new(answers.to_vec()));
    let answers = Rc::clone(&left);
    let service = RetryLayer::http(retry).layer(service_fn(move |_: Request<&'static str>| {
        let status = answers.borrow_mut().remove(0);
        async move {
            match status {
                1 => Err(io::Error::from(io::ErrorKind::ConnectionRefused)),
                2 => Err(io::Error::from(io::ErrorKind::ConnectionReset)),
                429 => {
                    Ok(Response::builder().status(429).header("retry-after", "7").body(()).unwrap())
                }
                _ => Ok(Response::builder().status(status).body(()).unwrap()),
            }
        }
    }));
    let mut request = Request::builder().method(method);
    if let Some(key) = key {
        request = request.header("Idempotency-Key", key);
    }
    let answer = service.oneshot(request.body("body").unwrap()).await;
    let unused = left.borrow().len();
    (answer.map(|it| it.status().as_u16()).map_err(|it| it.kind()), unused)
}

fn retry() -> Retry {
    Retry::with(RetryConfig::default(), Setup::default().seed(1)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_repeated() {
    let get = |answers: &'static [u16]| exchange(Method::GET, None, answers, retry());
    assert_eq!(get(&[503, 200]).await, (Ok(200), 0));
    assert_eq!(get(&[1, 2, 200]).await, (Ok(200), 0));
    assert_eq!(get(&[404, 200]).await, (Ok(404), 1));
    assert_eq!(get(&[501, 200]).await, (Ok(501), 1));
    assert_eq!(get(&[502, 502, 502, 200]).await, (Ok(502), 1), "the last answer is the answer");
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_carried_out_is_not_unless_twice_is_as_good() {
    let post = |answers: &'static [u16]| exchange(Method::POST, None, answers, retry());
    assert_eq!(post(&[503, 200]).await, (Ok(503), 1));
    assert_eq!(post(&[2, 200]).await, (Err(io::ErrorKind::ConnectionReset), 1));
    assert_eq!(post(&[1, 200]).await, (Ok(200), 0), "it never arrived");
    assert_eq!(post(&[429, 200]).await, (Ok(200), 0), "it was turned away");
    let keyed = exchange(Method::POST, Some("k"), &[503, 200], retry());
    assert_eq!(keyed.await, (Ok(200), 0));
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_kept() {
    let begun = tokio::time::Instant::now();
    assert_eq!(exchange(Method::GET, None, &[429, 200], retry()).await, (Ok(200), 0));
    assert!((7_000..7_010).contains(&(begun.elapsed().as_millis() as u64)));
}

#[tokio::test(start_paused = true)]
async fn a_budget_is_kept_and_given_back() {
    let config = BudgetConfig::Tokens { ratio: 0.1, per_second: 0.0, max_tokens: 1.0 };
    let budget = Budget::new(config).unwrap();
    let once = retry().within(budget.clone());
    assert_eq!(exchange(Method::GET, None, &[503, 503, 200], once).await, (Ok(503), 1));
    assert_eq!((budget.explain().calls, budget.explain().retries), (0, 0));
    assert!(seawall::tokio::now() > seawall::Instant::ZERO.after(ms(1)));
}
