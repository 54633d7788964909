//! Whose turn a request is, or a connection that is passed as a whole, and a connection there.

use std::sync::Arc;

use seawall::balance::Tried;
use seawall::http::{Turn, is_probe};
use tokio::time::{Duration, Instant, sleep};

use super::super::ask::Choice;
use super::super::relay::{Counted, Shared, Worker, is_ours};
use super::answer::Refusal;
use super::client::Client;
use super::counters::UnderWay;
use super::links::{self, Link};

/// How long after a worker that could not be connected to the same one is tried again.
const AGAIN: Duration = Duration::from_millis(5);

/// The search for who serves.
pub(super) struct Search {
    /// How many bytes of what was read a function of the user's is told of, until it was asked.
    asks: Option<usize>,
    /// When the patience with workers that cannot be connected to is over.
    until: Instant,
    pub(super) tried: Tried,
    /// Whose kept connection had ended.
    pub(super) closed: Option<usize>,
}

impl Search {
    pub(super) fn new(bytes: usize) -> Self {
        let (tried, closed) = (Tried::default(), None);
        Self { asks: Some(bytes), until: Instant::now(), tried, closed }
    }
}

/// What is asked for, by the head for the worker.
fn target(head: &[u8]) -> &str {
    let target = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    std::str::from_utf8(target).unwrap_or_default()
}

impl Client<'_> {
    /// A connection to the worker whose turn it is, or to another where that cannot be connected to:
    /// nothing was sent, so that is no try yet. `anew`: not one that was kept.
    pub(super) async fn reach(
        &mut self,
        search: &mut Search,
        anew: bool,
    ) -> Result<(Counted, Link), Refusal> {
        let mut named = None;
        if let Some(bytes) = search.asks.take() {
            named = self.named(bytes).await?;
            // The patience is with the workers: it begins when the function has answered.
            search.until = Instant::now() + self.shared.config.patience;
        }
        loop {
            let worker = self.choose(search, named).await?;
            self.is_served();
            let counted = Counted::new(&worker);
            let again = search.tried.contains(worker.place);
            let error = match links::take(&worker, anew, search.until, &self.front.counters).await {
                Ok(link) => return Ok((counted, link)),
                Err(error) => error,
            };
            let excused = is_ours(&error);
            if !excused {
                self.shared.workers.failed(&worker);
                search.tried.insert(worker.place);
            }
            // Who has not been asked is asked all the same: connecting may have taken all of the time.
            if again || excused {
                if Instant::now() >= search.until {
                    return Err(Refusal::Nobody);
                }
                sleep(AGAIN).await;
            }
        }
    }

    /// The worker a function of the user's names, which is told of so many bytes.
    async fn named(&self, bytes: usize) -> Result<Option<usize>, Refusal> {
        let Some(questions) = &self.shared.questions else { return Ok(None) };
        let head = self.buffer.filled().get(..bytes).unwrap_or_default().to_vec();
        let _asked = UnderWay::new(&self.shared.counters.asked);
        match questions.ask(head, self.peer, self.since.elapsed(), None).await {
            Some(Choice::Worker(place)) => Ok(Some(place)),
            Some(Choice::Anybody) => Ok(None),
            Some(Choice::Nobody) => Err(Refusal::Lost),
            None => Err(Refusal::Nobody),
        }
    }

    /// The worker whose turn it is.
    async fn choose(&self, search: &Search, named: Option<usize>) -> Result<Arc<Worker>, Refusal> {
        let Shared { workers, counters, config, .. } = self.shared;
        let mut turns = self.front.config;
        if is_probe(target(&self.head)) {
            turns = turns.without_pressure();
        }
        let mut waiting = None;
        let until = Instant::now() + config.patience;
        loop {
            let refusal = match workers.turn(&turns, named, &search.tried, search.closed) {
                (Turn::Worker(_), Some(worker)) => return Ok(worker),
                (Turn::Full, _) => Refusal::Full,
                _ if Instant::now() >= until => Refusal::Nobody,
                _ if waiting.is_none() && counters.undecided() >= u64::from(config.max_waiting) => {
                    Refusal::Nobody
                }
                _ => {
                    waiting.get_or_insert_with(|| UnderWay::new(&counters.waiting));
                    workers.changed().await;
                    continue;
                }
            };
            return Err(refusal);
        }
    }
}
