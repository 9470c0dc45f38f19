//! Where clients come in.

use std::io::{self, ErrorKind};
use std::net;
use std::time::Duration;

use lobbykeeper::Time;
use mio::net::TcpListener;
use mio::{Interest, Registry, Token};
use tracing::warn;

use crate::Socket;

/// How soon it is tried again to accept a client when there are no descriptors left.
const PAUSE: Duration = Duration::from_millis(100);

/// A listening socket that does not block.
#[derive(Debug)]
pub struct Listener {
    /// `None` once it is closed.
    tcp: Option<TcpListener>,
    again: Option<Time>,
}

impl Listener {
    /// Registers it under this token, for when there is somebody to accept.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn new(tcp: net::TcpListener, registry: &Registry, token: Token) -> io::Result<Self> {
        tcp.set_nonblocking(true)?;
        let mut tcp = TcpListener::from_std(tcp);
        registry.register(&mut tcp, token, Interest::READABLE)?;
        Ok(Self {
            tcp: Some(tcp),
            again: None,
        })
    }

    /// The next client, registered under this token; `None` if there is none, or for a while if it cannot be accepted.
    pub fn accept(&mut self, now: Time, registry: &Registry, token: Token) -> Option<Socket> {
        self.again = None;
        let accepted = self.tcp.as_ref()?.accept().and_then(|(mut tcp, peer)| {
            // Without it a message waits in the system until the one before has been acknowledged, up to 40 ms.
            tcp.set_nodelay(true)?;
            registry.register(&mut tcp, token, Interest::READABLE | Interest::WRITABLE)?;
            Ok(Socket::new(tcp, peer.ip()))
        });
        match accepted {
            Ok(socket) => Some(socket),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => {
                warn!(%error, "accepting");
                self.again = Some(now + PAUSE);
                None
            }
        }
    }

    /// When to accept again though the system does not say that there is somebody: after a client could not be accepted.
    pub fn again(&self) -> Option<Time> {
        self.again
    }

    /// Nobody comes in any more.
    pub fn close(&mut self) {
        *self = Self { tcp: None, again: None };
    }
}
