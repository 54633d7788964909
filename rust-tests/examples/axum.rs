//! An axum service that shields itself and what it depends on.
//!
//! `cargo run -p seawall-tests --features async --example axum`
//!
//! In front: at most so many requests at a time, each with a time limit; what is refused is a 503
//! with a `Retry-After`. Behind: one policy for the dependency, which answers from memory while that
//! is down.
#![allow(clippy::print_stdout, reason = "an example")]

use std::time::Duration;

use axum::Router;
use axum::error_handling::HandleErrorLayer;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use seawall::breaker::BreakerConfig;
use seawall::cache::LifetimesConfig;
use seawall::error::Error;
use seawall::limit::bulkhead::BulkheadConfig;
use seawall::retry::RetryConfig;
use seawall::timeout::TimeoutConfig;
use seawall::tokio::{Answers, Breaker, Bulkhead, Cache, Policy, Retry, Timeout};
use seawall::tower::{BulkheadLayer, TimeoutLayer};
use tower::ServiceBuilder;

type Prices = Answers<&'static str, u32, std::io::Error>;

/// What a caller is told of a refusal or a time-out.
async fn sorry(error: Error<Error<std::convert::Infallible>>) -> impl IntoResponse {
    let mut headers = HeaderMap::new();
    let status = match error.flatten() {
        Error::TimedOut(_) => StatusCode::GATEWAY_TIMEOUT,
        Error::Rejected(rejected) => {
            let wait = rejected.retry_after.unwrap_or(Duration::from_secs(1)).as_secs().max(1);
            headers.insert(header::RETRY_AFTER, wait.into());
            StatusCode::SERVICE_UNAVAILABLE
        }
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, headers)
}

/// The dependency: down at the second question.
async fn fetch() -> std::io::Result<u32> {
    use std::sync::atomic::{AtomicU32, Ordering};
    static ASKED: AtomicU32 = AtomicU32::new(0);
    match ASKED.fetch_add(1, Ordering::Relaxed) {
        0 => Ok(3),
        _ => Err(std::io::ErrorKind::ConnectionRefused.into()),
    }
}

async fn price(State(prices): State<Prices>) -> Response {
    match prices.call("tea", fetch).await {
        Ok(price) => price.to_string().into_response(),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

fn service() -> Result<Router, seawall::options::Problem> {
    let kept = LifetimesConfig {
        stale_if_error: Duration::from_secs(600),
        ..LifetimesConfig::new(Duration::from_millis(1))
    };
    let prices = Policy::builder()
        .deadline(Duration::from_secs(2))
        .retry(Retry::new(RetryConfig { max_attempts: Some(2), ..RetryConfig::default() })?)
        .breaker(Breaker::new(BreakerConfig::default())?)
        .build()?
        .answers()
        .cached(Cache::new(kept, 1_000)?)
        .coalesced();
    let shield = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(sorry))
        .layer(BulkheadLayer::new(Bulkhead::new(BulkheadConfig::new(100))?))
        .layer(TimeoutLayer::new(Timeout::new(TimeoutConfig::fixed(Duration::from_secs(5)))?));
    Ok(Router::new().route("/price", get(price)).layer(shield).with_state(prices))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let at = listener.local_addr()?;
    let server = tokio::spawn(axum::serve(listener, service()?).into_future());
    // Ask it twice as a client would: the second answer is the one that is kept.
    for _ in 0..2 {
        println!("{}", ask(at).await?);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.abort();
    Ok(())
}

/// The last line of what it answers.
async fn ask(at: std::net::SocketAddr) -> std::io::Result<String> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(at).await?;
    stream.write_all(b"GET /price HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.lines().last().unwrap_or_default().to_owned())
}
