//! The one thread that stands at all doors of the process.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use seawall::Instant;

use super::client::{Client, Next};
use super::door::Door;
use crate::native::{clock, threads};

/// How many connections there are at all doors.
const MOST_CLIENTS: usize = 1024;
/// How many are accepted at a door before the others have their turn.
const AT_ONCE: usize = 64;
/// How often a door that is shut is looked at: of a monitor that is gone nobody tells.
const RECHECK: Duration = Duration::from_millis(100);
/// How long nobody is accepted after the system had no room for another.
const NO_ROOM: Duration = Duration::from_millis(10);
/// How long somebody waits for a door to be taken away.
const CLOSING: Duration = Duration::from_secs(2);

enum Command {
    Add(u32, Arc<Door>),
    Remove(u32, Sender<()>),
}

/// The thread as the others see it.
struct Desk {
    commands: Sender<Command>,
    /// A byte written here wakes it.
    bell: UnixStream,
    doors: BTreeMap<u32, Arc<Door>>,
}

static DESK: Mutex<Option<Desk>> = Mutex::new(None);
/// How many doors there are.
static DOORS: AtomicUsize = AtomicUsize::new(0);

fn desk() -> MutexGuard<'static, Option<Desk>> {
    DESK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A monitor may have come to another answer.
pub(crate) fn look() {
    if DOORS.load(Ordering::Relaxed) == 0 {
        return;
    }
    let desk = desk();
    let Some(Desk { bell, doors, .. }) = &*desk else { return };
    let mut changed = false;
    for door in doors.values() {
        let before = door.is_shut();
        changed |= door.judge() != before;
    }
    if changed {
        ring(bell);
    }
}

fn ring(mut bell: &UnixStream) {
    // Where there is no room, it rings already.
    let _ = bell.write(&[1]);
}

/// Stands at a door, by a thread begun for it where there is none.
pub(super) fn add(number: u32, door: Arc<Door>) -> io::Result<()> {
    let mut desk = desk();
    let there = match desk.take() {
        Some(there) => there,
        None => start()?,
    };
    let Desk { commands, bell, doors } = desk.insert(there);
    // Where the thread has died there is nobody to tell.
    let _ = commands.send(Command::Add(number, Arc::clone(&door)));
    doors.insert(number, door);
    DOORS.store(doors.len(), Ordering::Relaxed);
    ring(bell);
    drop(desk);
    look();
    Ok(())
}

/// Leaves a door, whose descriptor is closed when this returns.
pub(super) fn remove(number: u32) {
    let (done, over) = channel();
    {
        let mut desk = desk();
        let Some(Desk { commands, bell, doors }) = &mut *desk else { return };
        if doors.remove(&number).is_none() {
            return;
        }
        DOORS.store(doors.len(), Ordering::Relaxed);
        let _ = commands.send(Command::Remove(number, done));
        ring(bell);
    }
    // An error means that the thread has ended, and its doors with it.
    let _ = over.recv_timeout(CLOSING);
}

fn start() -> io::Result<Desk> {
    let (bell, ear) = UnixStream::pair()?;
    bell.set_nonblocking(true)?;
    ear.set_nonblocking(true)?;
    let (commands, inbox) = channel();
    let thread = std::thread::Builder::new().name("seawall-refusals".into());
    thread.stack_size(256 * 1024).spawn(move || {
        threads::ignore_signals();
        let (doors, clients) = (BTreeMap::new(), Vec::new());
        let (out, asked) = (String::new(), clock::now());
        Porter { inbox, ear, doors, clients, turn: 0, out, asked }.run();
    })?;
    Ok(Desk { commands, bell, doors: BTreeMap::new() })
}

/// The one who stands there.
struct Porter {
    inbox: Receiver<Command>,
    ear: UnixStream,
    doors: BTreeMap<u32, Arc<Door>>,
    clients: Vec<Client>,
    /// Numbers the answers.
    turn: usize,
    /// Where answers are written.
    out: String,
    /// When the monitors were last asked.
    asked: Instant,
}

impl Porter {
    fn run(mut self) {
        let mut places: Vec<libc::pollfd> = Vec::new();
        while places.first().is_some_and(|ear| ear.revents == 0) || self.obey() {
            self.let_in();
            self.wait(&mut places);
            let now = clock::now();
            if now.since(self.asked) >= RECHECK {
                self.asked = now;
                for door in self.doors.values() {
                    door.judge();
                }
            }
            self.go_on(&places, now);
            self.accept(&places, now);
        }
    }

    /// Does what was asked for; whether there is a door.
    fn obey(&mut self) -> bool {
        let mut bytes = [0; 64];
        while self.ear.read(&mut bytes).is_ok_and(|count| count == bytes.len()) {}
        while let Ok(command) = self.inbox.try_recv() {
            self.follow(command);
        }
        if !self.doors.is_empty() {
            return true;
        }
        // Nobody can ask for anything while the desk is held, so nothing is lost.
        let mut desk = desk();
        while let Ok(command) = self.inbox.try_recv() {
            self.follow(command);
        }
        if self.doors.is_empty() {
            *desk = None;
        }
        desk.is_some()
    }

    fn follow(&mut self, command: Command) {
        match command {
            Command::Add(number, door) => {
                self.doors.insert(number, door);
            }
            Command::Remove(number, done) => {
                if let Some(door) = self.doors.remove(&number) {
                    self.hand_over(|client| Arc::ptr_eq(&client.door, &door));
                }
                // Whoever asked need not have waited.
                let _ = done.send(());
            }
        }
    }

    /// Gives to JavaScript who has not been refused at doors that are open again.
    fn let_in(&mut self) {
        if self.clients.iter().any(|client| !client.door.is_shut()) {
            self.hand_over(|client| !client.door.is_shut());
        }
    }

    fn hand_over(&mut self, which: impl Fn(&Client) -> bool) {
        for client in self.clients.extract_if(.., |client| which(client)) {
            // The rest has its answer.
            if !client.is_answered() {
                client.pass();
            }
        }
    }

    /// Waits until somebody wants something or the time of a connection is up.
    fn wait(&self, places: &mut Vec<libc::pollfd>) {
        places.clear();
        let place = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        places.push(place(self.ear.as_raw_fd()));
        let now = clock::now();
        let mut left = None;
        for door in self.doors.values() {
            let shut = door.is_shut();
            // A negative descriptor is passed over.
            places.push(place(if shut { door.as_raw_fd() } else { -1 }));
            left = left.max(shut.then_some(RECHECK));
        }
        for client in &self.clients {
            places.push(place(client.as_raw_fd()));
            let until = client.deadline.since(now);
            left = Some(left.map_or(until, |left| left.min(until)));
        }
        threads::wait(places, left);
    }

    fn go_on(&mut self, places: &[libc::pollfd], now: Instant) {
        let mut ready = places.iter().skip(1 + self.doors.len()).map(|place| place.revents != 0);
        for mut client in std::mem::take(&mut self.clients) {
            let next = if ready.next().unwrap_or(false) {
                self.step(&mut client, now)
            } else {
                Next::Wait
            };
            match next {
                Next::Wait if now < client.deadline => self.clients.push(client),
                Next::Pass => client.pass(),
                Next::Wait | Next::Close => {
                    if !client.is_answered() {
                        client.door.counts().given_up.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        }
    }

    fn step(&mut self, client: &mut Client, now: Instant) -> Next {
        let before = client.is_answered();
        let next = client.step(now, self.turn, &mut self.out);
        if client.is_answered() && !before {
            self.turn = self.turn.wrapping_add(1);
            client.door.refused(1);
        }
        next
    }

    fn accept(&mut self, places: &[libc::pollfd], now: Instant) {
        let ready = places.iter().skip(1).map(|place| place.revents != 0);
        // One that was opened while it was waited at is JavaScript's.
        let doors: Vec<_> = self
            .doors
            .values()
            .zip(ready)
            .filter(|(door, ready)| *ready && door.is_shut())
            .map(|(door, _)| Arc::clone(door))
            .collect();
        for door in doors {
            for _ in 0..AT_ONCE {
                match door.accept() {
                    Ok(descriptor) => {
                        self.admit(Client::new(descriptor, Arc::clone(&door), now), now)
                    }
                    Err(error) if threads::has_gone(&error) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    // The system has no room for another.
                    Err(_) => {
                        std::thread::sleep(NO_ROOM);
                        break;
                    }
                }
            }
        }
    }

    fn admit(&mut self, mut client: Client, now: Instant) {
        client.door.counts().accepted.fetch_add(1, Ordering::Relaxed);
        match self.step(&mut client, now) {
            Next::Pass => client.pass(),
            Next::Close => {}
            Next::Wait => {
                if self.clients.len() >= MOST_CLIENTS {
                    // The one that has waited longest: who means well has said what it wants by then.
                    let oldest = self.clients.remove(0);
                    oldest.door.counts().given_up.fetch_add(1, Ordering::Relaxed);
                }
                self.clients.push(client);
            }
        }
    }
}
