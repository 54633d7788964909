//! A wait that is multiplied by an equal factor.

/// `base * factor^(attempt - 1)`, by repeated squaring: exact for powers of two
/// and equal on every platform, which a library's `pow` is not.
pub(super) fn delay(base: u64, factor: f64, attempt: u32) -> u64 {
    if base == 0 {
        return 0;
    }
    let (mut power, mut square) = (1.0, factor);
    let mut exponent = attempt.saturating_sub(1);
    while exponent > 0 {
        if exponent & 1 == 1 {
            power *= square;
        }
        square *= square;
        exponent >>= 1;
    }
    // Past the range the product is infinite, and `as` saturates.
    (base as f64 * power) as u64
}

#[cfg(test)]
mod tests {
    use super::delay;

    #[test]
    fn multiplies_and_saturates() {
        assert_eq!([1, 2, 3, 4].map(|n| delay(100, 3.0, n)), [100, 300, 900, 2700]);
        assert_eq!(delay(7, 1.0, u32::MAX), 7);
        assert_eq!(delay(1, 2.0, u32::MAX), u64::MAX);
        assert_eq!(delay(0, 2.0, u32::MAX), 0);
    }
}
