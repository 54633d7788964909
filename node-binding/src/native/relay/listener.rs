//! The threads of a front: each accepts connections and serves those it has accepted.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

use super::Shared;
use super::counters::{Stage, Staged};

/// How often hot workers are looked for.
const REBALANCE: Duration = Duration::from_millis(500);
/// For want of descriptors or memory: to accept again at once would not help.
const DEAF: Duration = Duration::from_millis(50);
/// How often is looked whether there is room again, or nothing under way any more.
const LOOK: Duration = Duration::from_millis(2);

/// What the threads are to do.
#[derive(Clone)]
pub(super) enum Phase {
    /// Nobody may connect yet.
    Bound,
    /// Clients may connect.
    Open(Arc<StdListener>),
    /// No more connections are accepted; a thread ends when none is under way any more.
    Stopped,
    /// What is under way is dropped.
    Ended,
}

/// A connection that has just come.
pub(crate) struct Accepted {
    pub(crate) stream: TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) staged: Staged,
}

/// Starts a thread that accepts and gives each connection to `serve`, on one loop of its own.
pub(super) fn start<S, F>(
    name: String,
    shared: Arc<Shared>,
    phase: watch::Receiver<Phase>,
    serve: S,
) -> io::Result<thread::JoinHandle<()>>
where
    S: Fn(Arc<Shared>, Accepted) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name(name).spawn(move || {
        runtime.block_on(run(&shared, phase, serve));
        // What is under way is dropped with it, and nothing is waited for.
        runtime.shutdown_background();
    })
}

async fn run<S, F>(shared: &Arc<Shared>, mut phase: watch::Receiver<Phase>, serve: S)
where
    S: Fn(Arc<Shared>, Accepted) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    shared.counters.accepting.fetch_add(1, Ordering::Relaxed);
    let mut rebalance = interval_at(Instant::now() + REBALANCE, REBALANCE);
    rebalance.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut listener = None;
    // What is to be listened to, until there is a descriptor for it.
    let mut opening: Option<Arc<StdListener>> = None;
    let begin = |stream: TcpStream, peer: SocketAddr| {
        #[cfg(not(target_os = "linux"))]
        let _ = super::manners(&stream);
        let staged = Staged::new(&shared.counters, Stage::Waiting);
        tokio::spawn(serve(Arc::clone(shared), Accepted { stream, peer, staged }));
    };
    loop {
        if let Some(open) = &opening {
            match open.try_clone().and_then(TcpListener::from_std) {
                Ok(open) => (listener, opening) = (Some(open), None),
                Err(error) => shared.counters.fails_to_accept(&error),
            }
        }
        // What there is no room for waits in the kernel.
        let room = shared.counters.undecided() < u64::from(shared.config.max_waiting);
        tokio::select! {
            biased;
            changed = phase.changed() => {
                if changed.is_err() {
                    return;
                }
                match phase.borrow_and_update().clone() {
                    Phase::Bound => {}
                    Phase::Open(open) => opening = Some(open),
                    Phase::Ended => return,
                    Phase::Stopped => {
                        let late = |open: Arc<StdListener>| {
                            open.try_clone().and_then(TcpListener::from_std).ok()
                        };
                        if let Some(open) = listener.take().or_else(|| opening.take().and_then(late)) {
                            rest(open, begin);
                        }
                        break;
                    }
                }
            }
            // Before clients: there may always be one more of them.
            _ = rebalance.tick(), if shared.workers.count() > 0 => shared.workers.rebalance(),
            accepted = accept(listener.as_ref()), if room && listener.is_some() => match accepted {
                Ok((stream, peer)) => begin(stream, peer),
                Err(error) => {
                    shared.counters.fails_to_accept(&error);
                    sleep(DEAF).await;
                }
            },
            () = sleep(LOOK), if !room => {}
            () = sleep(DEAF), if opening.is_some() => {}
        }
    }
    // Accepts no more, and ends with the last connection.
    shared.counters.accepting.fetch_sub(1, Ordering::Release);
    while !shared.counters.is_quiet() && !matches!(*phase.borrow(), Phase::Ended) {
        shared.workers.rebalance();
        sleep(LOOK * 5).await;
    }
}

async fn accept(listener: Option<&TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

/// Accepts who is connected already: they would be reset with the listener.
fn rest(listener: TcpListener, begin: impl Fn(TcpStream, SocketAddr)) {
    let Ok(listener) = listener.into_std() else { return };
    while let Ok((stream, peer)) = listener.accept() {
        if stream.set_nonblocking(true).is_ok()
            && let Ok(stream) = TcpStream::from_std(stream)
        {
            begin(stream, peer);
        }
    }
}
