//! What a front of requests has counted.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[doc = $words:literal])* $name:ident,)*) => {
        /// What has been counted so far, and how many there are now.
        #[derive(Default)]
        pub(super) struct HttpCounters {
            $($(#[doc = $words])* pub(super) $name: AtomicU64,)*
        }

        impl HttpCounters {
            /// In the order of the package's `HTTP_COUNTS`.
            pub(super) fn numbers(&self) -> Vec<f64> {
                [$(&self.$name),*].map(|count| count.load(Ordering::Relaxed) as f64).to_vec()
            }
        }
    };
}

counters! {
    /// Requests whose head was read.
    requests,
    /// Of them, those a worker answered.
    answered,
    /// Requests sent again.
    retried,
    /// Requests refused because every worker was full.
    shed,
    /// Requests refused because none was ready in time.
    unavailable,
    /// Requests whose worker went away or took too long.
    failed,
    /// What could not be read.
    malformed,
    /// Heads and bodies that took too long.
    late,
    /// Requests whose client went away before the whole answer.
    aborted,
    /// Connections that became something else than HTTP/1.
    tunnels,
    /// Requests under way.
    in_flight,
    /// Connections to workers.
    links,
    /// Of them, those without a request.
    idle,
}

pub(super) fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Counts one as under way for as long as it lives.
pub(super) struct UnderWay<'a>(&'a AtomicU64);

impl<'a> UnderWay<'a> {
    pub(super) fn new(gauge: &'a AtomicU64) -> Self {
        add(gauge);
        Self(gauge)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
