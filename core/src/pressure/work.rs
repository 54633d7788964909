//! For how long an event loop is to be blamed: a thread that others keep from the processor looks
//! blocked from outside, and does nothing.

use core::time::Duration;

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
/// ```
/// use core::time::Duration;
/// use seawall::pressure::at_work;
///
/// let ms = Duration::from_millis;
/// assert_eq!(at_work(ms(90), Some(ms(60))), ms(90), "it worked");
/// assert_eq!(at_work(ms(90), Some(ms(1))), ms(1), "others had the processor");
/// assert_eq!(at_work(ms(300), Some(ms(1))), ms(300), "it waits for a disk");
/// assert_eq!(at_work(ms(90), None), ms(90));
/// ```
#[must_use]
pub fn at_work(wall: Duration, cpu: Option<Duration>) -> Duration {
    match cpu {
        Some(cpu) if cpu < AT_WORK && wall < WAITED => wall.min(cpu),
        _ => wall,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edges_count_as_work() {
        let ms = Duration::from_millis;
        let less = Duration::from_nanos(1);
        assert_eq!(at_work(ms(100), Some(AT_WORK)), ms(100));
        assert_eq!(at_work(ms(100), Some(AT_WORK - less)), AT_WORK - less);
        assert_eq!(at_work(WAITED, Some(Duration::ZERO)), WAITED);
        assert_eq!(at_work(WAITED - less, Some(Duration::ZERO)), Duration::ZERO);
        assert_eq!(at_work(ms(10), Some(ms(20))), ms(10), "never more than there was");
    }
}
