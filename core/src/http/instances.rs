//! Several instances of one service: which to ask next.

use alloc::vec::Vec;

/// Whose turn it is among the instances of a service.
///
/// Round robin over all of them, whoever asks: the calls that a broken instance sheds are spread
/// over the others. Whether an instance takes a call is its breaker's business, so the answer is
/// an order to try them in.
///
/// ```
/// use seawall::http::Instances;
///
/// let mut three = Instances::new(3);
/// assert_eq!(three.order(&[]), [0, 1, 2]);
/// assert_eq!(three.order(&[]), [1, 2, 0]);
/// // A call that has failed at 1 asks it last.
/// three.failed(1);
/// assert_eq!(three.order(&[1]), [2, 0, 1]);
/// ```
#[derive(Debug, Clone)]
pub struct Instances {
    next: u32,
    /// For each the number of its last failure, 0 for none.
    failures: Vec<u64>,
    count: u64,
}

impl Instances {
    /// `count` instances, none of which has failed.
    #[must_use]
    pub fn new(count: u32) -> Self {
        Self { next: 0, failures: alloc::vec![0; count as usize], count: 0 }
    }

    /// The instances in the order in which to try them, each once.
    ///
    /// First those not in `tried`, from whose turn it is, then those that this call has tried, the
    /// one that failed longest ago first.
    pub fn order(&mut self, tried: &[u32]) -> Vec<u32> {
        let count = self.failures.len() as u32;
        let mut order = Vec::with_capacity(self.failures.len());
        for index in (self.next..count).chain(0..self.next) {
            let rank = |index: &u32| if tried.contains(index) { self.last(*index) } else { 0 };
            // By hand: a sort of the standard library is more code than all of this file.
            let place = order.iter().position(|other| rank(other) > rank(&index));
            order.insert(place.unwrap_or(order.len()), index);
        }
        // The next call begins behind the one that this call asks first.
        let first = order.first().copied().unwrap_or(0);
        self.next = first.wrapping_add(1);
        if self.next >= count {
            self.next = 0;
        }
        order
    }

    /// Notes that an instance has failed; one that is not there is ignored.
    pub fn failed(&mut self, index: u32) {
        self.count = self.count.saturating_add(1);
        if let Some(failure) = self.failures.get_mut(index as usize) {
            *failure = self.count;
        }
    }

    /// What orders those that were tried: above zero, larger the later it failed.
    fn last(&self, index: u32) -> u64 {
        self.failures.get(index as usize).map_or(1, |failure| failure.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_is_an_empty_order() {
        let mut none = Instances::new(0);
        assert_eq!(none.order(&[0]), []);
        none.failed(0);
        assert_eq!(none.order(&[]), []);
    }

    #[test]
    fn those_that_were_tried_come_last_by_age_of_their_failure() {
        let mut four = Instances::new(4);
        for index in [2, 0, 9, 3] {
            four.failed(index);
        }
        assert_eq!(four.order(&[0, 2, 3]), [1, 2, 0, 3]);
    }

    #[test]
    fn the_load_of_a_broken_one_is_spread() {
        let mut three = Instances::new(3);
        let mut asked = [0_i32; 3];
        for _ in 0..300 {
            let mut tried = Vec::new();
            while let Some(index) = three.order(&tried).into_iter().next() {
                asked[index as usize] += 1;
                if index != 0 {
                    break;
                }
                three.failed(index);
                tried.push(index);
            }
        }
        assert_eq!(asked[1] + asked[2], 300);
        assert!((asked[1] - asked[2]).abs() < 120, "{asked:?}");
    }
}
