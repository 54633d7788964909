//! The one thread that stands at all doors of the process.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use seawall::Instant;

use super::client::{Client, Desk, Next};
use super::door::Door;
use super::waiter::Waiter;
use crate::native::{clock, threads};

/// How many connections there are at all doors.
const MOST_CLIENTS: usize = 1024;
/// How many are accepted at a door before the others have their turn.
const AT_ONCE: usize = 64;
/// How often a door that is shut is looked at: of a monitor that is gone nobody tells.
const RECHECK: Duration = Duration::from_millis(100);
/// How often it is looked whose time is up.
const SWEEP: Duration = Duration::from_millis(250);
/// How long nobody is accepted after the system had no room for another.
const NO_ROOM: Duration = Duration::from_millis(10);
/// How long somebody waits for a door to be taken away.
const CLOSING: Duration = Duration::from_secs(2);

enum Command {
    Add(u32, Arc<Door>),
    Remove(u32, Sender<()>),
}

/// The thread as the others see it.
struct Office {
    commands: Sender<Command>,
    /// A byte written here wakes it.
    bell: UnixStream,
    doors: BTreeMap<u32, Arc<Door>>,
}

static OFFICE: Mutex<Option<Office>> = Mutex::new(None);
/// How many doors there are.
static DOORS: AtomicUsize = AtomicUsize::new(0);

fn office() -> MutexGuard<'static, Option<Office>> {
    OFFICE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A monitor may have come to another answer.
pub(crate) fn look() {
    if DOORS.load(Ordering::Relaxed) == 0 {
        return;
    }
    let office = office();
    let Some(Office { bell, doors, .. }) = &*office else { return };
    let mut changed = false;
    for door in doors.values() {
        changed |= door.judge();
    }
    if changed {
        ring(bell);
    }
}

/// A door was found to be shut, or open, whoever found it.
pub(super) fn tell() {
    if let Some(Office { bell, .. }) = &*office() {
        ring(bell);
    }
}

fn ring(mut bell: &UnixStream) {
    // Where there is no room, it rings already.
    let _ = bell.write(&[1]);
}

/// Stands at a door, by a thread begun for it where there is none.
pub(super) fn add(number: u32, door: Arc<Door>) -> io::Result<()> {
    let mut office = office();
    let there = match office.take() {
        Some(there) => there,
        None => start()?,
    };
    let Office { commands, bell, doors } = office.insert(there);
    // Where the thread has died there is nobody to tell.
    let _ = commands.send(Command::Add(number, Arc::clone(&door)));
    doors.insert(number, door);
    DOORS.store(doors.len(), Ordering::Relaxed);
    ring(bell);
    drop(office);
    look();
    Ok(())
}

/// Leaves a door, whose descriptor is closed when this returns.
pub(super) fn remove(number: u32) {
    let (done, over) = channel();
    {
        let mut office = office();
        let Some(Office { commands, bell, doors }) = &mut *office else { return };
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

fn start() -> io::Result<Office> {
    let (bell, ear) = UnixStream::pair()?;
    bell.set_nonblocking(true)?;
    ear.set_nonblocking(true)?;
    let (commands, inbox) = channel();
    let mut waiter = Waiter::new()?;
    waiter.add(ear.as_raw_fd(), EAR)?;
    let thread = std::thread::Builder::new().name("seawall-refusals".into());
    thread.stack_size(256 * 1024).spawn(move || {
        threads::ignore_signals();
        threads::be_prompt();
        let now = clock::now();
        Porter {
            inbox,
            ear,
            waiter,
            doors: BTreeMap::new(),
            shut: BTreeSet::new(),
            clients: BTreeMap::new(),
            next: FIRST_CLIENT,
            desk: Desk::default(),
            asked: now,
            swept: now,
        }
        .run();
    })?;
    Ok(Office { commands, bell, doors: BTreeMap::new() })
}

/// How what is waited for is told apart: the ear, doors by their numbers, and clients.
const EAR: u64 = 0;
const FIRST_CLIENT: u64 = 1 << 32;

/// The one who stands there.
struct Porter {
    inbox: Receiver<Command>,
    ear: UnixStream,
    waiter: Waiter,
    doors: BTreeMap<u32, Arc<Door>>,
    /// The doors at which is waited.
    shut: BTreeSet<u32>,
    /// By the order in which they came.
    clients: BTreeMap<u64, Client>,
    next: u64,
    desk: Desk,
    /// When the monitors were last asked.
    asked: Instant,
    /// When it was last looked whose time is up.
    swept: Instant,
}

impl Porter {
    fn run(mut self) {
        let mut ready = Vec::new();
        while self.obey(ready.contains(&EAR)) {
            self.look_at_doors();
            self.waiter.wait(self.patience(), &mut ready);
            let now = clock::now();
            if now.since(self.asked) >= RECHECK {
                self.asked = now;
                for door in self.doors.values() {
                    door.judge();
                }
            }
            for key in &ready {
                match u32::try_from(*key) {
                    Ok(0) => {}
                    Ok(number) => self.accept(number, now),
                    Err(_) => self.go_on(*key, now),
                }
            }
            if now.since(self.swept) >= SWEEP {
                self.swept = now;
                self.sweep(now);
            }
        }
    }

    /// Does what was asked for; whether there is a door.
    fn obey(&mut self, rung: bool) -> bool {
        let mut bytes = [0; 64];
        while rung && self.ear.read(&mut bytes).is_ok_and(|count| count == bytes.len()) {}
        while rung && let Ok(command) = self.inbox.try_recv() {
            self.follow(command);
        }
        if !self.doors.is_empty() {
            return true;
        }
        // Nobody can ask for anything while the office is held, so nothing is lost.
        let mut office = office();
        while let Ok(command) = self.inbox.try_recv() {
            self.follow(command);
        }
        if self.doors.is_empty() {
            *office = None;
        }
        office.is_some()
    }

    fn follow(&mut self, command: Command) {
        match command {
            Command::Add(number, door) => {
                self.doors.insert(number, door);
            }
            Command::Remove(number, done) => {
                if let Some(door) = self.doors.remove(&number) {
                    if self.shut.remove(&number) {
                        self.waiter.remove(door.as_raw_fd());
                    }
                    self.hand_over(&door);
                    for client in self.take(|client| Arc::ptr_eq(&client.door, &door)) {
                        self.waiter.closed(client.as_raw_fd());
                    }
                }
                // Whoever asked need not have waited.
                let _ = done.send(());
            }
        }
    }

    /// Waits at the doors that are shut alone.
    fn look_at_doors(&mut self) {
        let mut opened = Vec::new();
        for (number, door) in &self.doors {
            let shut = door.is_shut();
            if shut == self.shut.contains(number) {
                continue;
            }
            if !shut {
                self.waiter.remove(door.as_raw_fd());
                self.shut.remove(number);
                opened.push(Arc::clone(door));
            } else if self.waiter.add(door.as_raw_fd(), u64::from(*number)).is_ok() {
                self.shut.insert(*number);
            }
        }
        for door in opened {
            self.hand_over(&door);
        }
    }

    /// Gives to JavaScript who wants something at a door. Whoever was refused and has not asked again
    /// is asked for nothing: until then it costs JavaScript nothing.
    fn hand_over(&mut self, door: &Arc<Door>) {
        let asks = |client: &Client| Arc::ptr_eq(&client.door, door) && client.is_asking();
        for client in self.take(asks) {
            self.waiter.remove(client.as_raw_fd());
            client.pass();
        }
    }

    /// The clients of a kind, who are nobody's here from now on.
    fn take(&mut self, which: impl Fn(&Client) -> bool) -> Vec<Client> {
        let found = self.clients.iter().filter(|(_, client)| which(client));
        let keys: Vec<_> = found.map(|(key, _)| *key).collect();
        keys.iter().filter_map(|key| self.clients.remove(key)).collect()
    }

    /// How long to wait for something to happen; without an end where nothing has to be looked at.
    fn patience(&self) -> Option<Duration> {
        match (self.shut.is_empty(), self.clients.is_empty()) {
            (false, _) => Some(RECHECK),
            (true, false) => Some(SWEEP),
            (true, true) => None,
        }
    }

    fn go_on(&mut self, key: u64, now: Instant) {
        self.desk.full = self.clients.len() > MOST_CLIENTS;
        let Some(client) = self.clients.get_mut(&key) else { return };
        let next = client.step(now, &mut self.desk);
        if next == Next::Wait {
            return;
        }
        let Some(client) = self.clients.remove(&key) else { return };
        if next == Next::Pass {
            self.waiter.remove(client.as_raw_fd());
            client.pass();
        } else {
            self.close(client);
        }
    }

    fn close(&mut self, client: Client) {
        self.waiter.closed(client.as_raw_fd());
        give_up(&client);
    }

    /// Closes whose time is up.
    fn sweep(&mut self, now: Instant) {
        for client in self.take(|client| now >= client.deadline) {
            self.close(client);
        }
    }

    fn accept(&mut self, number: u32, now: Instant) {
        let Some(door) = self.doors.get(&number).map(Arc::clone) else { return };
        for _ in 0..AT_ONCE {
            // One that was opened meanwhile is JavaScript's.
            if !door.is_shut() {
                return;
            }
            match door.accept() {
                Ok(descriptor) => self.admit(Client::new(descriptor, Arc::clone(&door), now), now),
                Err(error) if threads::has_gone(&error) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // The system has no room for another.
                Err(_) => {
                    std::thread::sleep(NO_ROOM);
                    return;
                }
            }
        }
    }

    fn admit(&mut self, mut client: Client, now: Instant) {
        client.door.counts().accepted.fetch_add(1, Ordering::Relaxed);
        self.desk.full = self.clients.len() >= MOST_CLIENTS;
        match client.step(now, &mut self.desk) {
            Next::Pass => client.pass(),
            Next::Close => give_up(&client),
            Next::Wait => {
                self.make_room();
                let key = self.next;
                if self.waiter.add(client.as_raw_fd(), key).is_err() {
                    give_up(&client);
                    return;
                }
                self.next = self.next.wrapping_add(1).max(FIRST_CLIENT);
                self.clients.insert(key, client);
            }
        }
    }

    /// Closes the connection of which nothing was heard for longest, where there are too many: who
    /// means well has said what it wants by then. One that was told it is kept goes last.
    fn make_room(&mut self) {
        if self.clients.len() < MOST_CLIENTS {
            return;
        }
        let oldest =
            self.clients.iter().min_by_key(|(_, client)| (client.is_answered(), client.deadline));
        let key = oldest.map(|(key, _)| *key);
        if let Some(client) = key.and_then(|key| self.clients.remove(&key)) {
            self.close(client);
        }
    }
}

/// Counts one that ends without an answer.
fn give_up(client: &Client) {
    if !client.is_answered() {
        client.door.counts().given_up.fetch_add(1, Ordering::Relaxed);
    }
}
