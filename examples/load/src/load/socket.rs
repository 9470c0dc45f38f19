//! One connection of the load client.

use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;

use mio::net::TcpStream;

use super::message::user;
use crate::frame::{self, Inbox};

/// The key of RFC 6455's example, and the answer to it. Nothing is kept from anybody by a key that differs.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Connecting,
    /// The request is sent; the answer as far as it has come.
    Upgrading(Vec<u8>),
    Open,
}

#[derive(Debug)]
pub(super) struct Socket {
    pub(super) stream: TcpStream,
    pub(super) phase: Phase,
    pub(super) inbox: Inbox,
    /// What is to be sent and what the kernel did not take.
    pub(super) outgoing: Vec<u8>,
}

impl Socket {
    pub(super) fn connect(server: SocketAddr) -> io::Result<Self> {
        Ok(Self {
            stream: TcpStream::connect(server)?,
            phase: Phase::Connecting,
            inbox: Inbox::default(),
            outgoing: Vec::new(),
        })
    }

    /// Asks for the upgrade as soon as the connection is there.
    pub(super) fn request(&mut self, host: &str, path: &str) -> io::Result<()> {
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        match self.stream.peer_addr() {
            Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(()),
            other => other?,
        };
        self.stream.set_nodelay(true)?;
        self.phase = Phase::Upgrading(Vec::new());
        write!(
            self.outgoing,
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
        )
    }

    pub(super) fn queue(&mut self, message: &[u8]) {
        frame::encode_masked(&mut self.outgoing, frame::TEXT, message);
    }

    /// Writes as much of what is to be sent as the kernel takes.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while !self.outgoing.is_empty() {
            match self.stream.write(&self.outgoing) {
                Ok(taken) => drop(self.outgoing.drain(..taken)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The path of one client's address.
pub(super) fn path(template: &str, client: usize, lobby_size: usize) -> String {
    let lobby = format!("l{:06x}", client / lobby_size);
    template.replace("{lobby}", &lobby).replace("{user}", &user(client))
}

/// Reads the answer to an upgrade, or `None` while it is not complete: how long it is, or what it says instead.
pub(super) fn accepted(answer: &[u8]) -> Option<Result<usize, String>> {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&answer[..end]);
    let accepted = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .any(|(name, value)| name.eq_ignore_ascii_case("sec-websocket-accept") && value.trim() == ACCEPT);
    Some(if head.starts_with("HTTP/1.1 101 ") && accepted {
        Ok(end)
    } else {
        Err(String::from_utf8_lossy(answer).into_owned())
    })
}
