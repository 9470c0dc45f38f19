//! Floors: servers that do for a chat what no server can do without (read, unmask, read and word the JSON, frame,
//! write) and nothing else. There is no manager, no limit, no health check and no backpressure, a member that does not
//! read makes the floor's memory grow without end, and a wrong request is just dropped. They are there to be compared
//! with, **not for use**.
//!
//! One thread, one epoll. What differs is how a message gets to its recipients: [`Mode`].

mod fan_out;
mod handshake;
mod outgoing;

use std::io::{self, ErrorKind, Read};
use std::net::TcpListener as StdListener;

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use crate::frame::{self, FrameError, Inbox};
use fan_out::Lobbies;
pub use fan_out::Mode;
use outgoing::Outgoing;

/// Of no connection.
const LISTENER: Token = Token(usize::MAX);

/// How much is read at once. What a socket holds beyond it is read in the same turn.
const BUFFER: usize = 256 * 1024;

/// Serves for ever.
///
/// # Errors
/// If the system refuses a poll or the listener fails.
pub fn serve(listener: StdListener, mode: Mode) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut listener = TcpListener::from_std(listener);
    let poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut floor = Floor {
        poll,
        listener,
        members: Slab::new(),
        lobbies: Lobbies::new(mode),
        buffer: vec![0; BUFFER],
    };
    let mut events = Events::with_capacity(1024);
    loop {
        match floor.poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        }
        floor.turn(&events)?;
    }
}

/// One connection.
struct Member {
    stream: TcpStream,
    /// `None` until the upgrade.
    seat: Option<Seat>,
    /// The request, as far as it has come.
    request: Vec<u8>,
    inbox: Inbox,
    outgoing: Outgoing,
}

struct Seat {
    user: String,
    lobby: usize,
}

struct Floor {
    poll: Poll,
    listener: TcpListener,
    members: Slab<Member>,
    lobbies: Lobbies,
    buffer: Vec<u8>,
}

/// This connection is over.
struct Over;

impl From<FrameError> for Over {
    fn from(_: FrameError) -> Self {
        Self
    }
}

impl From<io::Error> for Over {
    fn from(_: io::Error) -> Self {
        Self
    }
}

impl Floor {
    /// Reads everything that has come, then writes what this led to.
    fn turn(&mut self, events: &Events) -> io::Result<()> {
        for event in events {
            if event.token() == LISTENER {
                self.accept()?;
            } else {
                self.handle(event);
            }
        }
        let lost = self.lobbies.write(&mut self.members);
        for id in lost {
            self.drop_member(id);
        }
        Ok(())
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            stream.set_nodelay(true)?;
            let entry = self.members.vacant_entry();
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll
                .registry()
                .register(&mut stream, Token(entry.key()), interest)?;
            entry.insert(Member {
                stream,
                seat: None,
                request: Vec::new(),
                inbox: Inbox::default(),
                outgoing: Outgoing::default(),
            });
        }
    }

    fn handle(&mut self, event: &Event) {
        let Token(id) = event.token();
        let Some(member) = self.members.get_mut(id) else {
            return;
        };
        let written = if event.is_writable() {
            member.outgoing.resume(&mut member.stream)
        } else {
            Ok(())
        };
        let read = if event.is_readable() { self.read(id) } else { Ok(()) };
        if written.is_err() || read.is_err() {
            self.drop_member(id);
        }
    }

    fn read(&mut self, id: usize) -> Result<(), Over> {
        loop {
            let count = match self.members[id].stream.read(&mut self.buffer) {
                Ok(0) => return Err(Over),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            self.received(id, count)?;
            // Less than there was room for: the socket is empty, and the system tells of what comes next.
            if count < self.buffer.len() {
                return Ok(());
            }
        }
    }

    fn received(&mut self, id: usize, count: usize) -> Result<(), Over> {
        let Self {
            members,
            lobbies,
            buffer,
            ..
        } = self;
        let member = &mut members[id];
        let fresh = &mut buffer[..count];
        let Some(seat) = &member.seat else {
            member.request.extend_from_slice(fresh);
            if let Some(upgrade) = handshake::upgrade(&member.request)? {
                let lobby = lobbies.enter(&upgrade.lobby, id);
                let user = upgrade.user;
                member.request = Vec::new();
                member.seat = Some(Seat { user, lobby });
                member.outgoing.write(&mut member.stream, upgrade.answer.as_bytes())?;
            }
            return Ok(());
        };
        let (user, lobby) = (&seat.user, seat.lobby);
        let mut pongs = Vec::new();
        let mut said = Vec::new();
        member.inbox.feed(fresh, |opcode, payload| {
            match opcode {
                frame::TEXT => said.extend(lobby_chat::relayed(user, payload)),
                frame::PING => frame::encode(&mut pongs, frame::PONG, payload),
                frame::PONG => {}
                _ => return Err(Over),
            }
            Ok(())
        })?;
        if !pongs.is_empty() {
            member.outgoing.write(&mut member.stream, &pongs)?;
        }
        for text in said {
            lobbies.say(members, lobby, id, &text);
        }
        Ok(())
    }

    fn drop_member(&mut self, id: usize) {
        let Some(member) = self.members.try_remove(id) else {
            return;
        };
        if let Some(seat) = member.seat {
            self.lobbies.leave(seat.lobby, id);
        }
    }
}
