//! The first bytes of a client, read before it is known who gets them.

use std::io;
use std::time::Duration;

use seawall::http::is_whole;
use seawall::http::proxy_protocol::{self, Introduction, Read};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Within what time a balancer in front says who the client is; it is the first it sends.
const HEADER_WITHIN: Duration = Duration::from_secs(5);

/// What has been read, and whether the client had no more to say.
#[derive(Default)]
pub(super) struct First {
    pub(super) bytes: Vec<u8>,
    pub(super) ended: bool,
}

impl First {
    async fn more(&mut self, stream: &mut TcpStream, most: usize) -> io::Result<()> {
        let mut bytes = vec![0; most.min(16 * 1024)];
        let count = stream.read(&mut bytes).await?;
        self.ended = count == 0;
        self.bytes.extend_from_slice(bytes.get(..count).unwrap_or_default());
        Ok(())
    }

    /// The words of the balancer in front, which are no longer among the bytes then. Nothing where
    /// they make no sense, are late or the connection failed.
    pub(super) async fn header(&mut self, stream: &mut TcpStream) -> Option<Option<Introduction>> {
        let hear = async {
            loop {
                match proxy_protocol::read(&self.bytes) {
                    Read::Whole(header) => {
                        let (who, length) = (header.introduction, header.length);
                        self.bytes.drain(..length);
                        return Some(who);
                    }
                    Read::Partial if !self.ended => self.more(stream, 1024).await.ok()?,
                    Read::Partial | Read::Invalid => return None,
                }
            }
        };
        timeout(HEADER_WITHIN, hear).await.ok()?
    }

    /// Reads until there is a whole head, at most `most` bytes and for as long as `within`.
    pub(super) async fn head(
        &mut self,
        stream: &mut TcpStream,
        most: usize,
        within: Duration,
    ) -> io::Result<()> {
        let read = async {
            while !self.ended && self.bytes.len() < most && !is_whole(&self.bytes) {
                let left = most.saturating_sub(self.bytes.len());
                self.more(stream, left).await?;
            }
            Ok(())
        };
        // What has come by then has to do.
        timeout(within, read).await.unwrap_or(Ok(()))
    }
}
