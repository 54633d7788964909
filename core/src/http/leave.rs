//! How long each side waits for the other at the end, so that no request on its way is lost.

use core::time::Duration;

/// For how long a front that stops still sends requests that are on their way to workers before those
/// hear of the end. A client that has just written one gets its answer.
pub const SETTLE_FOR: Duration = Duration::from_millis(250);

/// For how long a worker that leaves waits until a front has ended its connections without a request,
/// where the front looks for workers that leave every `look`: ended by both, a request on its way would be
/// lost. Two looks may have begun before the worker said that it leaves.
///
/// ```
/// use core::time::Duration;
/// use seawall::http::links_for;
///
/// assert_eq!(links_for(Duration::from_millis(50)), Duration::from_millis(150));
/// ```
#[must_use]
pub const fn links_for(look: Duration) -> Duration {
    look.saturating_mul(3)
}
