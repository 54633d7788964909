//! The worker's end of a front that relays: what it says of itself, and who its clients are.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use napi::bindgen_prelude::{ArrayBuffer, Buffer};
use napi::{Env, Result};
use napi_derive::napi;
use seawall::balance::claim::Ticket;
use seawall::http::proxy_protocol::{Header, Introduction, LONGEST, Read, extra, read, write};

use super::super::board::{Board, WORDS, Word};
use super::super::failed::failed;
use super::super::watch;

thread_local! {
    static JOINED: RefCell<Option<Arc<Board>>> = const { RefCell::new(None) };
}

/// The type of what names a slot and its use, of those that are free for anybody's own use.
const OFFER: u8 = 0xe5;

/// Writes the words for a worker of ours: who the client is, and what it is to claim.
pub(crate) fn introduce(
    introduction: Option<Introduction>,
    offer: Option<(u8, u64)>,
    to: &mut Vec<u8>,
) {
    let mut words = [0; 9];
    let extras = offer.map(|(slot, ticket)| {
        let [first, rest @ ..] = &mut words;
        (*first, *rest) = (slot, ticket.to_be_bytes());
        (OFFER, words.as_slice())
    });
    write(introduction, extras.as_slice(), to);
}

/// Makes the file at `path` that the front reads what this worker says of itself in; answers its
/// words.
#[napi]
pub fn relay_join(env: Env, path: String) -> Result<ArrayBuffer<'static>> {
    let board = Board::create_at(Path::new(&path)).map_err(|error| failed(&error))?;
    let board = Arc::new(board);
    let data = board.words();
    // SAFETY: the board given as the hint keeps the mapping, which never moves, for as long as the
    // buffer lives. The words are written by JavaScript whole and read by the primary.
    let memory = unsafe {
        ArrayBuffer::from_external(&env, data, WORDS * 8, Arc::clone(&board), |_env, board| {
            drop(board);
        })?
    };
    JOINED.replace(Some(board));
    Ok(memory)
}

/// As `back_watch`.
#[napi]
pub fn relay_watch() -> bool {
    let Some(board) = JOINED.with_borrow(Clone::clone) else { return false };
    watch::on_look(Box::new(move |age| board.set(Word::Block, age.as_secs_f64() * 1e3)))
}

/// What the first bytes of a connection say of the client: how many of them do, then the address and
/// port of the client and those it connected to, empty where that is not known. Nothing where they
/// have not all come. A list of nothing: this worker must not serve the connection, since another one
/// does, or it is not from the front.
#[napi]
pub fn relay_introduction(bytes: Buffer) -> Option<Vec<String>> {
    judge(&bytes).map(|found| found.map_or_else(Vec::new, |(length, who)| words(length, who)))
}

/// The same for a connection whose first bytes nobody has read yet, by its descriptor; they are read
/// if they are all there. Nothing also where that is not known.
#[napi]
pub fn relay_introduced(descriptor: i32) -> Option<Vec<String>> {
    let mut bytes = [0; 256];
    let count = receive(descriptor, &mut bytes, true)?;
    let found = judge(bytes.get(..count)?)?;
    let Some((length, who)) = found else { return Some(Vec::new()) };
    receive(descriptor, bytes.get_mut(..length)?, false)?;
    Some(words(length, who))
}

type Found = Option<(usize, Option<Introduction>)>;

fn judge(bytes: &[u8]) -> Option<Found> {
    match read(bytes) {
        Read::Partial if bytes.len() < LONGEST => None,
        Read::Whole(Header { introduction, extras, length }) => {
            Some(is_ours(extras).then_some((length, introduction)))
        }
        Read::Partial | Read::Invalid => Some(None),
    }
}

/// Whether nobody else serves it: only the front knows what there is to claim, and it takes back
/// what is not claimed in time.
fn is_ours(extras: &[u8]) -> bool {
    let claim = |words: &[u8]| {
        let (slot, ticket) = words.split_first()?;
        let ticket = Ticket::from_bits(u64::from_be_bytes(ticket.try_into().ok()?));
        JOINED.with_borrow(|board| Some(board.as_ref()?.slot((*slot).into())?.claim(ticket)))
    };
    extra(extras, OFFER).and_then(claim).unwrap_or(false)
}

fn words(length: usize, who: Option<Introduction>) -> Vec<String> {
    let mut words = vec![length.to_string()];
    let ends = who.map(|Introduction { source, destination }| [source, destination]);
    let end = |end: &SocketAddr| [end.ip().to_string(), end.port().to_string()];
    words.extend(ends.iter().flatten().flat_map(end));
    words
}

#[cfg(unix)]
fn receive(descriptor: i32, bytes: &mut [u8], peek: bool) -> Option<usize> {
    let flags = libc::MSG_DONTWAIT | if peek { libc::MSG_PEEK } else { 0 };
    // SAFETY: the pointer and the length are those of the list.
    let count = unsafe { libc::recv(descriptor, bytes.as_mut_ptr().cast(), bytes.len(), flags) };
    usize::try_from(count).ok()
}

#[cfg(not(unix))]
fn receive(_descriptor: i32, _bytes: &mut [u8], _peek: bool) -> Option<usize> {
    None
}

/// Leaves: what is offered from now on is another's.
#[napi]
pub fn relay_leave() {
    drop(JOINED.take());
}
