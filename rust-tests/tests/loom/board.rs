//! The words of a pressure monitor, read by JavaScript while a thread writes them.

use std::sync::Arc;

use loom::thread;
use seawall::pressure::board::{Board, IN_FLIGHT, QUEUE, SIGNALS_AT};

use crate::every_order;

#[test]
fn who_sees_the_last_word_of_an_observation_sees_those_before_it() {
    every_order(|| {
        let board = Arc::new(Board::default());
        let other = Arc::clone(&board);
        let writing = thread::spawn(move || {
            other.set(SIGNALS_AT, 1.0);
            other.set(QUEUE, 2.0);
            other.set(IN_FLIGHT, 3.0);
        });
        if board.get(IN_FLIGHT) == 3.0 {
            assert_eq!((board.get(SIGNALS_AT), board.get(QUEUE)), (1.0, 2.0));
        }
        writing.join().unwrap();
        assert_eq!(board.get(SIGNALS_AT), 1.0);
    });
}
