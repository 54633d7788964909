//! For how long an event loop is to be blamed: a thread that others keep from the processor looks
//! blocked from outside, and does nothing.

use core::time::Duration;

use crate::time::millis;

/// A loop that used the processor for so long within a turn was at work, and the time it had to wait
/// for the processor meanwhile counts as well. Half of the shortest limit by which nobody is refused
/// on an idle server.
pub const AT_WORK: Duration = Duration::from_millis(25);
/// No thread that could run is left waiting for so long: what took it waited for something, as a call
/// that blocks does without using the processor.
pub const WAITED: Duration = Duration::from_millis(250);

/// For how long a turn that has lasted for `wall` counts, of a thread that used the processor for
/// `cpu` meanwhile; nothing: not known, and all of it counts.
///
/// `frozen` is for how long of that nobody ran the process at all, as far as that is known: one that
/// was stopped by a signal, or put to sleep with its container, waits for nothing.
///
/// ```
/// use core::time::Duration;
/// use seawall::pressure::at_work;
///
/// let ms = Duration::from_millis;
/// let zero = Duration::ZERO;
/// assert_eq!(at_work(ms(90), Some(ms(60)), zero), ms(90), "it worked");
/// assert_eq!(at_work(ms(90), Some(ms(1)), zero), ms(1), "others had the processor");
/// assert_eq!(at_work(ms(300), Some(ms(1)), zero), ms(300), "it waits for a disk");
/// assert_eq!(at_work(ms(300), Some(ms(1)), ms(280)), ms(1), "it was stopped");
/// assert_eq!(at_work(ms(90), None, zero), ms(90));
/// ```
#[must_use]
pub fn at_work(wall: Duration, cpu: Option<Duration>, frozen: Duration) -> Duration {
    match cpu {
        Some(cpu) if is_at_rest(millis(wall), millis(cpu), millis(frozen)) => wall.min(cpu),
        _ => wall,
    }
}

/// The same in milliseconds for who does not know how long nobody ran the process, but whether it was
/// `preempted`, kept from a processor that it could have used. `cpu` is NaN where it is not known.
#[doc(hidden)]
#[must_use]
pub fn at_work_ms(wall: f64, cpu: f64, preempted: bool) -> f64 {
    let waited = !preempted && wall >= millis(WAITED);
    if cpu < millis(AT_WORK) && !waited { wall.min(cpu) } else { wall }
}

/// Whether a turn neither worked nor waited for anything. What was used may have been used before the
/// turn, and not while nobody ran the process.
fn is_at_rest(wall: f64, cpu: f64, frozen: f64) -> bool {
    let run = wall - frozen;
    cpu.min(run) < millis(AT_WORK) && run < millis(WAITED)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZERO: Duration = Duration::ZERO;

    #[test]
    fn the_edges_count_as_work() {
        let ms = Duration::from_millis;
        let less = Duration::from_nanos(1);
        assert_eq!(at_work(ms(100), Some(AT_WORK), ZERO), ms(100));
        assert_eq!(at_work(ms(100), Some(AT_WORK - less), ZERO), AT_WORK - less);
        assert_eq!(at_work(WAITED, Some(ZERO), ZERO), WAITED);
        assert_eq!(at_work(WAITED - less, Some(ZERO), ZERO), ZERO);
        assert_eq!(at_work(ms(10), Some(ms(20)), ZERO), ms(10), "never more than there was");
    }

    #[test]
    fn a_process_that_nobody_runs_waits_for_nothing() {
        let ms = Duration::from_millis;
        assert_eq!(at_work(ms(900), Some(ms(2)), ms(651)), ms(2));
        assert_eq!(at_work(ms(900), Some(ms(2)), ms(650)), ms(900), "it waited besides");
        assert_eq!(at_work(ms(900), Some(ms(30)), ms(870)), ms(900), "it was at work");
        assert_eq!(at_work(ms(900), Some(ms(80)), ms(880)), ms(80), "before, and not meanwhile");
        assert_eq!(at_work(ms(900), None, ms(800)), ms(900), "nobody knows");
    }

    #[test]
    fn numbers_that_are_not_known_count_in_full() {
        assert_eq!(at_work_ms(90.0, f64::NAN, false), 90.0);
        assert_eq!(at_work_ms(f64::INFINITY, 3.0, true), 3.0);
        assert_eq!(at_work_ms(f64::INFINITY, 30.0, true), f64::INFINITY);
        assert_eq!(at_work_ms(f64::INFINITY, f64::NAN, true), f64::INFINITY);
    }

    #[test]
    fn who_was_never_kept_from_a_processor_waited() {
        assert_eq!(at_work_ms(250.0, 1.0, false), 250.0);
        assert_eq!(at_work_ms(249.0, 1.0, false), 1.0);
        assert_eq!(at_work_ms(900.0, 1.0, true), 1.0);
        assert_eq!(at_work_ms(900.0, 25.0, true), 900.0);
    }
}
