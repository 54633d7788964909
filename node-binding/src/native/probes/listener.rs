//! Where a server listens.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};

/// A port or a socket file.
#[derive(Debug)]
pub(super) enum Listener {
    Port(TcpListener),
    /// The file is deleted when it is closed.
    File(UnixListener, String),
}

/// One connection to it.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Listener {
    /// Listens on a port of `host`, which may be empty for all addresses, or on the file `host`.
    pub(super) fn open(host: &str, port: Option<u16>) -> io::Result<Self> {
        let listener = match port {
            None => Self::File(bind_file(host)?, host.to_owned()),
            Some(port) if host.is_empty() => Self::Port(bind_all(port)?),
            Some(port) => Self::Port(TcpListener::bind((host, port))?),
        };
        match &listener {
            Self::Port(listener) => {
                listener.set_nonblocking(true)?;
                // Rust's queue of 128 overflows when many come at once, and a probe among them would
                // be heard a second later, when its client asks again.
                socket2::SockRef::from(listener).listen(BACKLOG)?;
            }
            Self::File(listener, _) => listener.set_nonblocking(true)?,
        }
        Ok(listener)
    }

    /// `address:port`, or the path.
    pub(super) fn address(&self) -> io::Result<String> {
        match self {
            Self::Port(listener) => Ok(listener.local_addr()?.to_string()),
            Self::File(_, path) => Ok(path.clone()),
        }
    }

    /// The next connection.
    pub(super) fn accept(&self) -> io::Result<Stream> {
        let stream = match self {
            Self::Port(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                Stream::Tcp(stream)
            }
            Self::File(listener, _) => {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(true)?;
                Stream::Unix(stream)
            }
        };
        Ok(stream)
    }
}

/// How many connections the kernel keeps until they are accepted.
const BACKLOG: i32 = 1024;

/// All addresses of both families, or of the one there is.
fn bind_all(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind(("::", port)).or_else(|error| match error.kind() {
        ErrorKind::AddrInUse | ErrorKind::PermissionDenied => Err(error),
        _ => TcpListener::bind(("0.0.0.0", port)),
    })
}

/// A socket file that nobody listens on is left over from a process that was killed.
fn bind_file(path: &str) -> io::Result<UnixListener> {
    UnixListener::bind(path).or_else(|error| {
        let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
        let left_over = is_socket
            && UnixStream::connect(path)
                .is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused);
        if error.kind() != ErrorKind::AddrInUse || !left_over {
            return Err(error);
        }
        fs::remove_file(path)?;
        UnixListener::bind(path)
    })
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::File(_, path) = self {
            // Whoever deleted it before is content too.
            let _ = fs::remove_file(path);
        }
    }
}

impl AsRawFd for Listener {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Port(listener) => listener.as_raw_fd(),
            Self::File(listener, _) => listener.as_raw_fd(),
        }
    }
}

impl Stream {
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    /// Says that nothing more comes from here.
    pub(super) fn finish(&self) {
        // Whoever has gone need not be told.
        let _ = match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
        };
    }
}

impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Tcp(stream) => stream.as_raw_fd(),
            Self::Unix(stream) => stream.as_raw_fd(),
        }
    }
}

/// An error as `NAME: what the system says`.
pub(super) fn spell(error: &io::Error) -> String {
    let name = match error.raw_os_error() {
        Some(libc::EADDRINUSE) => "EADDRINUSE",
        Some(libc::EACCES) => "EACCES",
        Some(libc::EADDRNOTAVAIL) => "EADDRNOTAVAIL",
        Some(libc::ENOENT) => "ENOENT",
        Some(libc::EMFILE) => "EMFILE",
        Some(libc::ENAMETOOLONG) => "ENAMETOOLONG",
        Some(libc::ENOTDIR) => "ENOTDIR",
        Some(libc::EAFNOSUPPORT) => "EAFNOSUPPORT",
        _ => "EUNKNOWN",
    };
    format!("{name}: {error}")
}
