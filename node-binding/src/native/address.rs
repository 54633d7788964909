//! The address clients connect to.

use std::io;
use std::net::ToSocketAddrs;

use socket2::{Domain, Protocol, Socket, Type};

/// The longest queue of connections the kernel keeps, in which those wait that no worker can take yet.
/// The system has a bound of its own.
pub(super) const BACKLOG: i32 = 4096;

/// A socket with the first address of `host` that can be had. Bound, but not listening: a port that
/// is taken is found before any worker is started, and nobody connects before one is ready.
pub(super) fn bind(host: &str, port: u16) -> io::Result<Socket> {
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in (host, port).to_socket_addrs()? {
        let bound = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))
            .and_then(|socket| {
                // On Windows this would let others take the port as well.
                #[cfg(unix)]
                socket.set_reuse_address(true)?;
                socket.set_nonblocking(true)?;
                socket.bind(&address.into())?;
                Ok(socket)
            });
        match bound {
            Ok(socket) => return Ok(socket),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}
