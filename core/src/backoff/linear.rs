//! A wait that grows by an equal step.

pub(super) fn delay(base: u64, step: u64, attempt: u32) -> u64 {
    let steps = u64::from(attempt.saturating_sub(1));
    base.saturating_add(step.saturating_mul(steps))
}

#[cfg(test)]
mod tests {
    use super::delay;

    #[test]
    fn grows_evenly_and_saturates() {
        assert_eq!([1, 2, 3].map(|n| delay(10, 5, n)), [10, 15, 20]);
        assert_eq!(delay(10, 5, 0), 10);
        assert_eq!(delay(1, u64::MAX, u32::MAX), u64::MAX);
    }
}
