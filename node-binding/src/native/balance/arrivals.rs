//! Workers that come, say something and go.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use super::super::board::Board;
use super::clock;
use super::front::locked;
use super::peer::{Peer, Settled};
use super::run::{Run, instant};
use super::wire::{self, Answer};

/// Places for workers; a number beyond is no worker of ours.
const MOST_WORKERS: usize = 1024;

impl Run {
    /// Lets workers connect.
    pub(super) fn meet(&mut self) {
        while let Ok((stream, _)) = self.control.accept() {
            if stream.set_nonblocking(true).is_ok() {
                self.newcomers.push(stream);
            }
        }
    }

    /// Reads who it is: its index, its process, and the descriptor of its board.
    pub(super) fn introduce(&mut self, place: usize) {
        let Some(stream) = self.newcomers.get(place) else { return };
        let mut descriptors = Vec::new();
        let greeting: io::Result<Answer> = wire::receive(stream.as_fd(), &mut descriptors);
        if matches!(&greeting, Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
            return;
        }
        let stream = self.newcomers.swap_remove(place);
        let (Ok([index, _pid]), Some(board)) = (greeting, descriptors.pop()) else { return };
        let Ok(index) = usize::try_from(index) else { return };
        if index >= MOST_WORKERS {
            return;
        }
        let Ok(board) = Board::map(&File::from(board)) else { return };
        if let Some(old) = self.peers.iter().position(|peer| peer.index == index) {
            self.gone(old);
        }
        let board = Arc::new(board);
        locked(&self.shared.boards).push((index, Arc::clone(&board)));
        self.peers.push(Peer::new(index, stream, board));
    }

    /// Hears what a worker says.
    pub(super) fn listen(&mut self, place: usize) {
        let Some(peer) = self.peers.get_mut(place) else { return };
        let (index, is_there) = (peer.index, peer.listen());
        let mut settled = Settled::default();
        let untaken = peer.give_back(&mut settled);
        self.settled(settled);
        self.answered_at = clock::now();
        let now = instant(self.answered_at);
        for _ in 0..untaken {
            self.balancer.failed(index, now);
        }
        if !is_there {
            self.gone(place);
        }
    }

    fn gone(&mut self, place: usize) {
        let mut settled = Settled::default();
        let peer = self.peers.swap_remove(place);
        locked(&self.shared.boards).retain(|(index, _)| *index != peer.index);
        peer.leave(&mut settled);
        self.settled(settled);
    }
}
