//! A wait that is the sum of the two before it.

/// `base` times the `attempt`-th Fibonacci number (1, 1, 2, 3, 5), or `cap` as
/// soon as that is passed, so that a high attempt number costs no more than a
/// low one: 94 sums at most.
pub(super) fn delay(base: u64, attempt: u32, cap: u64) -> u64 {
    let (mut wait, mut next) = (base, base);
    for _ in 1..attempt {
        if wait >= cap || wait == 0 {
            break;
        }
        (wait, next) = (next, wait.saturating_add(next));
    }
    wait.min(cap)
}

#[cfg(test)]
mod tests {
    use super::delay;

    #[test]
    fn sums_and_stops_at_the_cap() {
        assert_eq!(
            [1, 2, 3, 4, 5, 6, 7].map(|n| delay(10, n, 1000)),
            [10, 10, 20, 30, 50, 80, 130]
        );
        assert_eq!(delay(10, u32::MAX, 1000), 1000);
        assert_eq!(delay(1, u32::MAX, u64::MAX), u64::MAX);
        assert_eq!(delay(0, u32::MAX, 1000), 0);
    }
}
