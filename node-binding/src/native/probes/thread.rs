//! The one thread that serves all probe servers of the process.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::connection::Connection;
use super::listener::Listener;
use super::lock;
use super::service::{Service, clock};
use crate::native::threads;

/// How many connections all servers have together.
const MOST_CONNECTIONS: usize = 256;

/// How many connections a server accepts before the others have their turn.
const AT_ONCE: usize = 64;

/// How long nobody is accepted after the system had no room for another.
const NO_ROOM: Duration = Duration::from_millis(100);

/// How long somebody waits for a server to be closed.
const CLOSING: Duration = Duration::from_secs(2);

enum Command {
    Add(u32, Listener, Arc<Service>),
    Remove(u32, Sender<()>),
}

/// The thread as the others see it.
struct Desk {
    commands: Sender<Command>,
    /// A byte written here wakes it.
    bell: UnixStream,
}

static DESK: Mutex<Option<Desk>> = Mutex::new(None);

/// Has a server served, by a thread begun for it where there is none.
pub(super) fn add(handle: u32, listener: Listener, service: Arc<Service>) -> io::Result<()> {
    let mut desk = lock(&DESK);
    if desk.is_none() {
        *desk = Some(start()?);
    }
    tell(&desk, Command::Add(handle, listener, service));
    Ok(())
}

/// Ends a server; with `wait` its sockets are closed when this returns.
pub(super) fn remove(handle: u32, wait: bool) {
    let (done, over) = channel();
    tell(&lock(&DESK), Command::Remove(handle, done));
    if wait {
        // An error means that the thread has ended, and its servers with it.
        let _ = over.recv_timeout(CLOSING);
    }
}

fn tell(desk: &Option<Desk>, command: Command) {
    if let Some(desk) = desk {
        // Where the thread has died there is nobody to tell.
        let _ = desk.commands.send(command);
        let _ = (&desk.bell).write(&[1]);
    }
}

fn start() -> io::Result<Desk> {
    let (bell, door) = UnixStream::pair()?;
    bell.set_nonblocking(true)?;
    door.set_nonblocking(true)?;
    let (commands, inbox) = channel();
    thread::Builder::new().name("seawall-probes".into()).stack_size(256 * 1024).spawn(
        move || {
            threads::ignore_signals();
            threads::be_prompt();
            Server { inbox, door, listeners: BTreeMap::new(), clients: Vec::new(), rest: None }
                .run();
        },
    )?;
    Ok(Desk { commands, bell })
}

struct Server {
    inbox: Receiver<Command>,
    door: UnixStream,
    listeners: BTreeMap<u32, (Listener, Arc<Service>)>,
    clients: Vec<Connection>,
    /// Until then nobody is accepted.
    rest: Option<Instant>,
}

impl Server {
    fn run(mut self) {
        let mut places = Vec::new();
        loop {
            if !self.obey() {
                return;
            }
            let now = clock();
            if self.rest.is_some_and(|until| now >= until) {
                self.rest = None;
            }
            self.wait(&mut places, now);
            self.serve(&places);
        }
    }

    /// Does what was asked for; whether there is still something to serve.
    fn obey(&mut self) -> bool {
        let mut bytes = [0; 64];
        while self.door.read(&mut bytes).is_ok_and(|count| count == bytes.len()) {}
        while let Ok(command) = self.inbox.try_recv() {
            self.follow(command);
        }
        if !self.listeners.is_empty() {
            return true;
        }
        // Nobody can ask for anything while the desk is held, so nothing is lost.
        let mut desk = lock(&DESK);
        while let Ok(command) = self.inbox.try_recv() {
            self.follow(command);
        }
        if self.listeners.is_empty() {
            *desk = None;
        }
        desk.is_some()
    }

    fn follow(&mut self, command: Command) {
        match command {
            Command::Add(handle, listener, service) => {
                self.listeners.insert(handle, (listener, service));
            }
            Command::Remove(handle, done) => {
                self.listeners.remove(&handle);
                self.clients.retain(|client| client.server != handle);
                // Whoever asked need not have waited.
                let _ = done.send(());
            }
        }
    }

    /// Waits until somebody wants something or the time of a connection is up.
    fn wait(&self, places: &mut Vec<libc::pollfd>, now: Instant) {
        places.clear();
        let place = |fd, events| libc::pollfd { fd, events, revents: 0 };
        places.push(place(self.door.as_raw_fd(), libc::POLLIN));
        for (listener, _) in self.listeners.values() {
            // A negative descriptor is passed over.
            let fd = if self.rest.is_some() { -1 } else { listener.as_raw_fd() };
            places.push(place(fd, libc::POLLIN));
        }
        for client in &self.clients {
            places.push(place(client.as_raw_fd(), client.events()));
        }
        let times = self.clients.iter().map(|client| client.deadline).chain(self.rest);
        let left = times.min().map(|time| time.saturating_duration_since(now));
        threads::wait(places, left);
    }

    fn serve(&mut self, places: &[libc::pollfd]) {
        let now = clock();
        let mut clients = places.iter().skip(1 + self.listeners.len()).map(|place| place.revents);
        self.clients.retain_mut(|client| {
            let ready = clients.next().unwrap_or(0) != 0;
            (!ready || client.step(now)) && now < client.deadline
        });
        let listeners: Vec<u32> = self
            .listeners
            .keys()
            .zip(places.iter().skip(1))
            .filter(|(_, place)| place.revents != 0)
            .map(|(handle, _)| *handle)
            .collect();
        for handle in listeners {
            self.accept(handle, now);
        }
    }

    fn accept(&mut self, handle: u32, now: Instant) {
        for _ in 0..AT_ONCE {
            let Some((listener, service)) = self.listeners.get(&handle) else { return };
            let stream = match listener.accept() {
                Ok(stream) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if threads::has_gone(&error) => continue,
                Err(_) => {
                    self.rest = Some(now + NO_ROOM);
                    return;
                }
            };
            let mut client = Connection::new(stream, handle, Arc::clone(service), now);
            if !client.step(now) {
                continue;
            }
            if self.clients.len() >= MOST_CONNECTIONS {
                self.make_room();
            }
            self.clients.push(client);
        }
    }

    /// Closes the connection that has waited longest: who means well has said by then what it wants.
    fn make_room(&mut self) {
        let oldest = self
            .clients
            .iter()
            .enumerate()
            .min_by_key(|(_, client)| (!client.is_idle(), client.deadline))
            .map(|(index, _)| index);
        if let Some(index) = oldest {
            self.clients.swap_remove(index).displace();
        }
    }
}
