//! The cells a breaker has, and what it has taken from each.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::cell::{Block, Cell};
use crate::lists::swap_out;

/// A cell and what has been taken from it.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) block: Arc<Block>,
    pub(super) index: u32,
    pub(super) successes: u32,
    pub(super) refused: u32,
    /// What to add to the owner's clock to get the breaker's, in nanoseconds.
    pub(super) shift: i64,
}

impl Member {
    pub(super) fn cell(&self) -> Option<&Cell> {
        self.block.cells().get(self.index as usize)
    }
}

/// The members of a breaker: nearly always one, and then without a list's memory.
#[derive(Debug, Default)]
pub(super) enum Members {
    #[default]
    None,
    One(Member),
    Many(Vec<Member>),
}

impl Members {
    pub(super) fn push(&mut self, member: Member) {
        *self = match core::mem::take(self) {
            Self::None => Self::One(member),
            Self::One(first) => Self::Many(vec![first, member]),
            Self::Many(mut members) => {
                members.push(member);
                Self::Many(members)
            }
        };
    }

    pub(super) fn remove(&mut self, block: &Arc<Block>, index: u32) -> Option<Member> {
        let is_it = |member: &Member| member.index == index && Arc::ptr_eq(&member.block, block);
        if let Self::Many(members) = self {
            let place = members.iter().position(is_it)?;
            return swap_out(members, place);
        }
        match core::mem::take(self) {
            Self::One(member) if is_it(&member) => Some(member),
            other => {
                *self = other;
                None
            }
        }
    }

    pub(super) fn as_slice(&self) -> &[Member] {
        match self {
            Self::None => &[],
            Self::One(member) => core::slice::from_ref(member),
            Self::Many(members) => members,
        }
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [Member] {
        match self {
            Self::None => &mut [],
            Self::One(member) => core::slice::from_mut(member),
            Self::Many(members) => members,
        }
    }
}
