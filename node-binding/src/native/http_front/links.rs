//! Connections to workers, kept between requests by each thread for itself.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::super::relay::{Stream as Socket, Worker};
use super::buffer::Buffer;
use super::counters::HttpCounters;
use super::stream::is_quiet;
use super::watch::now;

/// For how long a worker is tried that does not take a connection, and how often where its queue is full.
const DIAL_FOR: Duration = Duration::from_secs(1);
const AGAIN: Duration = Duration::from_millis(5);

/// A connection to a worker.
pub(super) struct Link {
    pub(super) socket: Socket,
    pub(super) buffer: Buffer,
    /// Whether it has carried a request before.
    pub(super) used: bool,
    since: u64,
    counters: Arc<HttpCounters>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.counters.links.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Link {
    /// Whether it is as it was left: open, and nothing has come.
    fn is_good(&self) -> bool {
        is_quiet(&self.socket)
    }
}

thread_local! {
    static KEPT: RefCell<Vec<(Arc<Worker>, Vec<Link>)>> = const { RefCell::new(Vec::new()) };
}

/// A connection to `worker`: one that was kept, else, or where it has to be a fresh one, a new one. A full
/// queue is waited for until `until` at the longest, and tried once in any case.
pub(super) async fn take(
    worker: &Arc<Worker>,
    fresh: bool,
    until: Instant,
    counters: &Arc<HttpCounters>,
) -> io::Result<Link> {
    if !fresh && let Some(link) = kept(worker) {
        counters.idle.fetch_sub(1, Ordering::Relaxed);
        return Ok(link);
    }
    let socket = timeout(DIAL_FOR, dial(worker, until)).await;
    let socket = socket.map_err(|_| io::ErrorKind::TimedOut)??;
    counters.links.fetch_add(1, Ordering::Relaxed);
    let counters = Arc::clone(counters);
    Ok(Link { socket, buffer: Buffer::default(), used: false, since: 0, counters })
}

async fn dial(worker: &Worker, until: Instant) -> io::Result<Socket> {
    loop {
        let done = worker.dial().await;
        // Its queue of connections is full: it is busy, not gone.
        let is_busy = matches!(&done, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        if !is_busy || Instant::now() >= until {
            return done;
        }
        sleep(AGAIN).await;
    }
}

fn kept(worker: &Arc<Worker>) -> Option<Link> {
    KEPT.with_borrow_mut(|kept| {
        let (_, links) = kept.iter_mut().find(|(other, _)| Arc::ptr_eq(other, worker))?;
        while let Some(link) = links.pop() {
            if link.is_good() {
                return Some(link);
            }
            link.counters.idle.fetch_sub(1, Ordering::Relaxed);
        }
        None
    })
}

/// Keeps a connection whose answer is whole, up to `most` of them.
pub(super) fn keep(worker: &Arc<Worker>, mut link: Link, most: u32) {
    // What nobody asked for belongs to no answer.
    if !link.buffer.is_empty() {
        return;
    }
    link.buffer.release();
    link.used = true;
    link.since = now();
    KEPT.with_borrow_mut(|kept| {
        let place = kept.iter().position(|(other, _)| Arc::ptr_eq(other, worker));
        let place = place.unwrap_or_else(|| {
            kept.push((Arc::clone(worker), Vec::new()));
            kept.len() - 1
        });
        let links = &mut kept[place].1;
        if links.len() < most as usize {
            link.counters.idle.fetch_add(1, Ordering::Relaxed);
            links.push(link);
        }
    });
}

/// Closes those that were kept for too long, that the worker has closed, and all of a worker that
/// takes no more.
pub(super) fn sweep(keep_for: Duration) {
    let keep_for = u64::try_from(keep_for.as_millis()).unwrap_or(u64::MAX);
    let now = now();
    KEPT.with_borrow_mut(|kept| {
        kept.retain_mut(|(worker, links)| {
            let ready = worker.load().ready;
            links.retain(|link| {
                let stays = ready && now.saturating_sub(link.since) < keep_for && link.is_good();
                if !stays {
                    link.counters.idle.fetch_sub(1, Ordering::Relaxed);
                }
                stays
            });
            !links.is_empty()
        });
    });
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixStream;
    use tokio::runtime::Builder;

    use super::super::stream::Stream;
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_worker_whose_queue_is_full_costs_no_more_than_the_patience_that_is_left() {
        use socket2::{Domain, SockAddr, Socket as Raw, Type};

        use super::super::super::relay::Address;

        let name = format!("seawall-links-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_file(&path);
        let listener = Raw::new(Domain::UNIX, Type::STREAM, None).unwrap();
        listener.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        listener.listen(1).unwrap();
        let runtime =
            Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let worker = Worker::new(0, 1, Address::Path(path.clone()), false, None).unwrap();
            let worker = Arc::new(worker);
            let mut queue = Vec::new();
            while let Ok(socket) = worker.dial().await {
                queue.push(socket);
            }
            let counters = Arc::default();
            for left in [0, 300, 5_000] {
                let begun = Instant::now();
                let until = begun + Duration::from_millis(left);
                assert!(take(&worker, true, until, &counters).await.is_err());
                let most = Duration::from_millis(left).min(DIAL_FOR);
                let took = begun.elapsed();
                assert!((most..=most + AGAIN).contains(&took), "{took:?} of {most:?}");
            }
        });
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_link_that_the_worker_has_just_closed_is_not_taken_for_good() {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let link = Link {
                socket: Socket::Unix(ours),
                buffer: Buffer::default(),
                used: true,
                since: 0,
                counters: Arc::default(),
            };
            link.counters.links.store(1, Ordering::Relaxed);
            // From now on the runtime remembers that there is nothing to read.
            assert!(link.socket.try_read(&mut [0]).is_err());
            assert!(link.is_good());
            // Nothing runs between the two that could tell it otherwise.
            drop(theirs);
            assert!(!link.is_good());
        });
    }
}
