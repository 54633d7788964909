//! Layers around a real client and a real server, on loopback.
#![cfg(not(loom))]
#![allow(missing_docs, reason = "tests")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::client::legacy::{Client, Error as ClientError, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use seawall::backoff::{Backoff, BackoffConfig};
use seawall::breaker::{BreakerConfig, State, TripRule};
use seawall::classify::ByResponse;
use seawall::error::Error;
use seawall::retry::{BudgetConfig, RetryConfig};
use seawall::tokio::{Breaker, Budget, Retry};
use seawall::tower::{BreakerLayer, RetryLayer};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tower::{Layer, Service, ServiceExt as _};

type Body = Full<Bytes>;
type Http = Client<HttpConnector, Body>;

fn client() -> Http {
    // A connection that the server has closed would be found out by the client itself.
    Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http()
}

fn retry(tries: u32) -> Retry {
    let backoff = Backoff::new(BackoffConfig::constant(Duration::from_millis(1))).unwrap();
    Retry::new(RetryConfig { max_attempts: Some(tries), ..RetryConfig::with(backoff) }).unwrap()
}

fn request(method: Method, at: SocketAddr) -> Request<Body> {
    let request = Request::builder().method(method).uri(format!("http://{at}/"));
    request.body(Body::from("a body")).unwrap()
}

/// A server that answers each request with the next of these statuses, the last one for ever.
async fn answering(statuses: &'static [u16]) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (at, seen) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&seen);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let counted = Arc::clone(&counted);
            let service = service_fn(move |_: Request<Incoming>| {
                let place = counted.fetch_add(1, Ordering::SeqCst).min(statuses.len() - 1);
                let answer = Response::builder().status(statuses[place]).header("retry-after", "0");
                async move { Ok::<_, Infallible>(answer.body(Body::default()).unwrap()) }
            });
            let connection = hyper::server::conn::http1::Builder::new();
            tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
        }
    });
    (at, seen)
}

/// A server that hangs up on what it has read, so many times, and then answers.
async fn hanging_up(times: usize) -> (SocketAddr, Arc<AtomicUsize>) {
    use tokio::io::AsyncWriteExt as _;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (at, seen) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&seen);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            if counted.fetch_add(1, Ordering::SeqCst) >= times {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(answer).await.unwrap();
            }
        }
    });
    (at, seen)
}

async fn send(
    service: impl Service<Request<Body>, Response = Response<Incoming>, Error = ClientError>,
    request: Request<Body>,
) -> Result<u16, ClientError> {
    service.oneshot(request).await.map(|answer| answer.status().as_u16())
}

#[tokio::test]
async fn a_busy_server_is_asked_again() {
    let (at, seen) = answering(&[503, 429, 200]).await;
    let service = RetryLayer::http(retry(3)).layer(client());
    assert_eq!(send(service, request(Method::GET, at)).await.unwrap(), 200);
    assert_eq!(seen.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn the_last_answer_counts_when_tries_are_used_up() {
    let (at, seen) = answering(&[503]).await;
    let service = RetryLayer::http(retry(3)).layer(client());
    assert_eq!(send(service, request(Method::GET, at)).await.unwrap(), 503);
    assert_eq!(seen.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_lost_connection_is_tried_again_only_where_nothing_is_done_twice() {
    let (at, seen) = hanging_up(1).await;
    let service = RetryLayer::http(retry(3)).layer(client());
    assert_eq!(send(service.clone(), request(Method::GET, at)).await.unwrap(), 200);
    assert_eq!(seen.load(Ordering::SeqCst), 2);

    let (at, seen) = hanging_up(1).await;
    assert!(send(service.clone(), request(Method::POST, at)).await.is_err());
    assert_eq!(seen.load(Ordering::SeqCst), 1, "it may have been carried out");

    let (at, seen) = hanging_up(1).await;
    let mut keyed = request(Method::POST, at);
    keyed.headers_mut().insert("idempotency-key", "7".parse().unwrap());
    assert_eq!(send(service, keyed).await.unwrap(), 200);
    assert_eq!(seen.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_refused_connection_is_tried_again_whatever_the_method() {
    // Nobody listens there any more.
    let at = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
    let tries = Arc::new(Mutex::new(0));
    let (counted, client) = (Arc::clone(&tries), client());
    let counting = tower::service_fn(move |request: Request<Body>| {
        *counted.lock().unwrap() += 1;
        client.request(request)
    });
    let service = RetryLayer::http(retry(3)).layer(counting);
    assert!(send(service, request(Method::POST, at)).await.unwrap_err().is_connect());
    assert_eq!(*tries.lock().unwrap(), 3);
}

#[tokio::test]
async fn a_budget_ends_the_storm() {
    let (at, seen) = answering(&[503]).await;
    let budget = BudgetConfig::Tokens { ratio: 0.1, per_second: 0.0, max_tokens: 2.0 };
    let retry = retry(10).within(Budget::new(budget).unwrap());
    let service = RetryLayer::http(retry).layer(client());
    assert_eq!(send(service, request(Method::GET, at)).await.unwrap(), 503);
    assert_eq!(seen.load(Ordering::SeqCst), 3, "two repetitions");
}

#[tokio::test]
async fn a_breaker_between_them_opens_on_statuses() {
    let (at, seen) = answering(&[500]).await;
    let config = BreakerConfig { trip: TripRule::Consecutive(2), ..BreakerConfig::default() };
    let breaker = Breaker::new(config).unwrap();
    let layer = BreakerLayer::new(breaker.clone()).judged_by(ByResponse);
    let service = layer.layer(client());
    for _ in 0..2 {
        let answer = service.clone().oneshot(request(Method::GET, at)).await.unwrap();
        assert_eq!(answer.status(), 500);
    }
    assert_eq!(breaker.state(), State::Open);
    let refused = service.oneshot(request(Method::GET, at)).await.unwrap_err();
    assert!(matches!(refused, Error::Rejected(_)));
    assert_eq!(seen.load(Ordering::SeqCst), 2);
}
