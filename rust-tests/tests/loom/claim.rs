//! A balancer and workers that share the slot of an offer.

use std::sync::Arc;

use loom::thread;
use seawall::balance::claim::Slot;

use crate::every_order;

#[test]
fn an_offer_is_either_claimed_or_withdrawn() {
    every_order(|| {
        let slot = Arc::new(Slot::default());
        let ticket = slot.offer().unwrap();
        let worker = Arc::clone(&slot);
        let claimed = thread::spawn(move || worker.claim(ticket));
        let withdrawn = slot.withdraw(ticket);
        // The slot is used again at once; the late claim must not get the new offer.
        let again = withdrawn.then(|| slot.offer().unwrap());
        assert_ne!(claimed.join().unwrap(), withdrawn);
        match again {
            Some(again) => assert!(slot.claim(again)),
            None => {
                assert!(slot.is_claimed(ticket));
                slot.release(ticket);
                assert!(slot.offer().is_some());
            }
        }
    });
}

#[test]
fn of_two_workers_one_serves() {
    every_order(|| {
        let slots = Arc::new([Slot::default(), Slot::default()]);
        let first = slots[0].offer().unwrap();
        let late = Arc::clone(&slots);
        let stuck = thread::spawn(move || late[0].claim(first));
        let served = if slots[0].withdraw(first) {
            let second = slots[1].offer().unwrap();
            slots[1].claim(second)
        } else {
            false
        };
        assert_ne!(stuck.join().unwrap(), served);
    });
}
