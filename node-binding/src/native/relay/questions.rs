//! Asking a function of the user's about a connection, and waiting for its answer.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::super::ask::{Choice, Lending, Lent, Question, Tell};

/// How long an answer is waited for at least, however short the patience is.
const AT_LEAST: Duration = Duration::from_secs(1);

pub(crate) struct Questions {
    tell: Tell,
    patience: Duration,
    last: AtomicU64,
    open: Mutex<HashMap<u64, oneshot::Sender<Choice>>>,
}

impl Questions {
    pub(super) fn new(tell: Tell, patience: Duration) -> Self {
        let patience = patience.max(AT_LEAST);
        Self { tell, patience, last: AtomicU64::new(0), open: Mutex::default() }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Choice>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the function answers about a client that sent `head`, for which was waited that long; it
    /// gets `socket` until it has answered. Nothing where it does not answer in time.
    pub(crate) async fn ask(
        &self,
        head: Vec<u8>,
        address: SocketAddr,
        waited: Duration,
        socket: Option<Lent>,
    ) -> Option<Choice> {
        let id = self.last.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let (sender, answer) = oneshot::channel();
        let socket = socket.map(Lending::new);
        let lent = socket.clone().map(|socket| (socket, address));
        let _asked = Asked { questions: self, id, lent };
        self.open().insert(id, sender);
        let waited = waited.as_secs_f64() * 1e3;
        if !(self.tell)(Question { id, head, address, waited, socket }) {
            return Some(Choice::Nobody);
        }
        timeout(self.patience, answer).await.ok()?.ok()
    }

    /// The answer to the question `id`.
    pub(super) fn answer(&self, id: u64, choice: Choice) {
        if let Some(sender) = self.open().remove(&id) {
            // Nobody may wait any more.
            let _ = sender.send(choice);
        }
    }
}

/// Forgets a question, also where the connection ended first.
struct Asked<'a> {
    questions: &'a Questions,
    id: u64,
    /// What JavaScript gets a descriptor of, and whose connection it is.
    lent: Option<(Lending, SocketAddr)>,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let was_open = self.questions.open().remove(&self.id).is_some();
        let Some((socket, address)) = self.lent.take().filter(|_| was_open) else { return };
        // Where JavaScript has it already, it has to hear that nobody waits; else it never gets it, and
        // a process that is blocked keeps no descriptors of those who left.
        if socket.take().is_none() {
            (self.questions.tell)(Question::withdrawn(self.id, address));
        }
    }
}
