//! Who was served how much, for the users seen lately.

use alloc::vec;
use alloc::vec::Vec;

use super::tally::Tally;
use super::{REMEMBERED, TALLY_BITS};

/// Nobody: the end of a chain, and a call without a user.
pub(super) const NOBODY: u16 = u16::MAX;

/// Lists that users are spread over; a power of two.
const HEADS: usize = 1024;

/// Users by the hash of their name, each with the calls remembered: no more users than calls.
/// Nothing is held before the first user comes.
#[derive(Debug, Clone, Default)]
pub(super) struct Users {
    heads: Vec<u16>,
    users: Vec<User>,
    /// The first unused entry; those behind it by `next`.
    free: u16,
    /// The calls of users by how many of theirs were let in.
    weights: Option<Tally>,
    len: u32,
    calls: u16,
}

#[derive(Debug, Clone)]
struct User {
    hash: u64,
    /// The calls remembered; 0 for an unused entry.
    calls: u16,
    /// Those of them that were let in.
    served: u16,
    next: u16,
}

/// Where a user stands among all who called, the most served first. A user counts by its calls.
pub(super) struct Standing {
    /// Calls of users who were served more.
    pub(super) above: u16,
    /// Calls of users who were served as much, the one itself included.
    pub(super) equal: u16,
    /// Calls of all users, at least 1.
    pub(super) all: u16,
}

impl Users {
    pub(super) fn standing(&self, hash: u64) -> Standing {
        let served = self.find(hash).map_or(0, |(_, user)| user.served);
        let (mut up_to, mut below) = (0, 0);
        if let Some(weights) = &self.weights {
            up_to = weights.below(served.saturating_add(1)) as u16;
            below = weights.below(served) as u16;
        }
        Standing {
            above: self.calls.saturating_sub(up_to),
            equal: up_to.saturating_sub(below),
            all: self.calls.max(1),
        }
    }

    /// Remembers a call, and answers the user's number.
    pub(super) fn add(&mut self, hash: u64, served: bool) -> u16 {
        let number = match self.find(hash) {
            Some((number, _)) => number,
            None => self.insert(hash),
        };
        self.change(number, 1, u16::from(served));
        number
    }

    /// Forgets a call of the user of that number, and the user with the last one.
    pub(super) fn take(&mut self, number: u16, served: bool) {
        self.change(number, u16::MAX, u16::from(served).wrapping_neg());
    }

    fn change(&mut self, number: u16, calls: u16, served: u16) {
        let weights = self.weights.get_or_insert_with(|| Tally::new(TALLY_BITS));
        let Some(user) = self.users.get_mut(usize::from(number)) else { return };
        weights.take(user.served, user.calls);
        user.calls = user.calls.wrapping_add(calls);
        user.served = user.served.wrapping_add(served);
        weights.add(user.served, user.calls);
        self.calls = self.calls.wrapping_add(calls);
        if user.calls == 0 {
            let hash = user.hash;
            self.remove(number, hash);
        }
    }

    fn find(&self, hash: u64) -> Option<(u16, &User)> {
        let mut number = *self.heads.get(head(hash))?;
        while let Some(user) = self.users.get(usize::from(number)) {
            if user.hash == hash {
                return Some((number, user));
            }
            number = user.next;
        }
        None
    }

    fn insert(&mut self, hash: u64) -> u16 {
        if self.heads.is_empty() {
            self.heads = vec![NOBODY; HEADS];
            self.free = NOBODY;
        }
        let Some(first) = self.heads.get_mut(head(hash)) else { return NOBODY };
        let user = User { hash, calls: 0, served: 0, next: *first };
        let number = if let Some(place) = self.users.get_mut(usize::from(self.free)) {
            let number = self.free;
            self.free = place.next;
            *place = user;
            number
        } else {
            self.users.push(user);
            u16::try_from(self.users.len().saturating_sub(1)).unwrap_or(NOBODY)
        };
        *first = number;
        self.len = self.len.saturating_add(1);
        number
    }

    fn remove(&mut self, number: u16, hash: u64) {
        let next = self.users.get(usize::from(number)).map_or(NOBODY, |user| user.next);
        let Some(first) = self.heads.get_mut(head(hash)) else { return };
        if *first == number {
            *first = next;
        } else {
            let mut before = *first;
            while let Some(user) = self.users.get_mut(usize::from(before)) {
                if user.next == number {
                    user.next = next;
                    break;
                }
                before = user.next;
            }
        }
        if let Some(user) = self.users.get_mut(usize::from(number)) {
            user.next = self.free;
            self.free = number;
        }
        self.len = self.len.saturating_sub(1);
    }

    pub(super) const fn len(&self) -> u32 {
        self.len
    }
}

const _: () = assert!(REMEMBERED < NOBODY && (REMEMBERED as u32) < 1 << TALLY_BITS);

fn head(hash: u64) -> usize {
    (hash ^ (hash >> 32)) as usize & HEADS.wrapping_sub(1)
}

/// The hash of a user's name (FNV-1a in 64 bits): users whose hashes are equal count as one.
pub(super) fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;
    use alloc::collections::{BTreeMap, VecDeque};

    #[test]
    fn agrees_with_a_map() {
        let mut rng = Rng::new(9);
        let mut users = Users::default();
        let mut map: BTreeMap<u64, (u16, u16)> = BTreeMap::new();
        let mut queue = VecDeque::new();
        for round in 0..20_000 {
            if queue.len() == usize::from(REMEMBERED) {
                let (gone, number, served): (u64, u16, bool) = queue.pop_front().unwrap();
                users.take(number, served);
                let (calls, all_served) = map.get_mut(&gone).unwrap();
                *calls -= 1;
                *all_served -= u16::from(served);
                map.retain(|_, (calls, _)| *calls > 0);
            }
            // Few heads for many users, so that chains are long.
            let spread = if round % 2 == 0 { 40.0 } else { 3_000.0 };
            let hash = (rng.between(0.0, spread) as u64) << 8;
            let standing = users.standing(hash);
            let (_, served) = map.get(&hash).copied().unwrap_or_default();
            let sum = |keep: &dyn Fn(u16) -> bool| -> u16 {
                map.values().filter(|(_, other)| keep(*other)).map(|(calls, _)| calls).sum()
            };
            assert_eq!(standing.above, sum(&|other| other > served));
            assert_eq!(standing.equal, sum(&|other| other == served));
            assert_eq!(standing.all, sum(&|_| true).max(1));
            let admitted = rng.unit() < 0.5;
            queue.push_back((hash, users.add(hash, admitted), admitted));
            let (calls, all_served) = map.entry(hash).or_default();
            *calls += 1;
            *all_served += u16::from(admitted);
            assert_eq!(users.len() as usize, map.len());
        }
        assert!(users.users.len() <= usize::from(REMEMBERED));
    }

    #[test]
    fn names_keep_their_hash() {
        assert_eq!((hash(""), hash("a")), (0xcbf2_9ce4_8422_2325, 0xaf63_dc4c_8601_ec8c));
    }
}
