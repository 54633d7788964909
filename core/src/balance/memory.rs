//! How much of a container's memory each of several workers may use for its heap.

/// Which part of a worker's share its old generation may take: the rest is for young objects,
/// buffers, code and stacks.
const HEAP_PART: f64 = 0.75;
const MEBIBYTE: f64 = 1_048_576.0;
/// Less is no heap to run in; the container is too small for that many workers.
const LEAST_MEBIBYTES: f64 = 32.0;

/// The limit in MiB for the old generation of each of `workers`, in a container that may use
/// `limit` bytes on a machine with `total`. The primary has a share as well. Nothing where there is
/// no limit.
///
/// ```
/// use seawall::balance::heap_share;
///
/// let gibibyte = f64::from(1 << 30);
/// assert_eq!(heap_share(gibibyte, 16.0 * gibibyte, 3), Some(192));
/// assert_eq!(heap_share(16.0 * gibibyte, 16.0 * gibibyte, 3), None, "the whole machine");
/// assert_eq!(heap_share(f64::INFINITY, gibibyte, 3), None);
/// ```
#[must_use]
pub fn heap_share(limit: f64, total: f64, workers: u32) -> Option<u32> {
    if limit.is_nan() || limit <= 0.0 || limit >= total {
        return None;
    }
    let processes = f64::from(workers) + 1.0;
    let share = limit / processes * HEAP_PART / MEBIBYTE;
    Some(libm::floor(share).max(LEAST_MEBIBYTES) as u32)
}
