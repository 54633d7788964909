//! Who has had a connection or a request already.

use alloc::collections::BTreeSet;

/// The workers that have had a connection or a request, and have not taken it or not answered it:
/// [`Balancer::pick_other`](super::Balancer::pick_other) gives it to another.
///
/// Without memory of its own as long as it is empty, which it nearly always is.
///
/// ```
/// use seawall::balance::Tried;
///
/// let mut tried = Tried::default();
/// assert!(tried.is_empty());
/// tried.insert(64);
/// assert!(tried.contains(64) && !tried.contains(65));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tried {
    workers: BTreeSet<usize>,
}

impl Tried {
    /// Whether nobody has had it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.workers.is_empty()
    }

    /// Notes that `worker` has had it.
    pub fn insert(&mut self, worker: usize) {
        let _is_new = self.workers.insert(worker);
    }

    /// Whether `worker` has had it.
    #[must_use]
    pub fn contains(&self, worker: usize) -> bool {
        self.workers.contains(&worker)
    }
}
