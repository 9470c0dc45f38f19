//! The game server without its sockets: the manager, and a world for each of its lobbies.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use lobby_chat::whole_milliseconds;
use lobbykeeper::{
    Cause, CloseFrame, Config, ConfigError, ConnId, ConnMap, Except, Frame, Handshake, Inbound, LobbyId, Manager,
    Notice, Outbox, Refusal, Time,
};

use crate::room::Room;
use crate::wire::{self, Told};
use crate::world::Steering;

static NOT_STEERING: LazyLock<CloseFrame> =
    LazyLock::new(|| CloseFrame::new(1003, "not_steering").expect("this code and this reason may be sent"));

/// A part of a [frame](Arena::frame), which has just ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Newcomers were greeted, the worlds steered and moved.
    Game,
    /// Their states were put into bytes.
    Encoding,
    /// The manager was told to broadcast them.
    Broadcasts,
    /// The manager's tick.
    Tick,
}

/// Rooms in which it is played. What it has to say is in the outbox.
pub struct Arena {
    manager: Manager,
    seed: u64,
    rooms: BTreeMap<LobbyId, Room>,
    /// Where each connection's steering goes.
    players: ConnMap<(LobbyId, usize)>,
    /// Since the last frame.
    newcomers: Vec<ConnId>,
    steering: Vec<(ConnId, Steering)>,
    /// Whose steering came too soon, and when it would be followed again.
    throttled: Vec<(ConnId, Duration)>,
    is_drained: bool,
}

impl Arena {
    /// An arena with nobody in it. The seed decides what the worlds look like.
    ///
    /// # Errors
    /// If the settings contradict each other.
    pub fn new(config: Config, seed: u64) -> Result<Self, ConfigError> {
        Ok(Self {
            manager: Manager::new(config)?,
            seed,
            rooms: BTreeMap::new(),
            players: ConnMap::new(),
            newcomers: Vec::new(),
            steering: Vec::new(),
            throttled: Vec::new(),
            is_drained: false,
        })
    }

    /// For queries.
    pub fn manager(&self) -> &Manager {
        &self.manager
    }

    /// Somebody wants to play.
    ///
    /// # Errors
    /// If they may not.
    pub fn connected(&mut self, now: Time, handshake: Handshake<'_>, out: &mut Outbox) -> Result<ConnId, Refusal> {
        let conn = self.manager.connected(now, handshake, out)?;
        if self.manager.stats().backlog.is_none() {
            // The first of all: from now on the manager knows that it is told what is written.
            self.manager.flushed(now, conn, 0, 0, out);
        }
        self.newcomers.push(conn);
        Ok(conn)
    }

    /// A message came, or a control frame other than a close. Steering is followed from the next frame on.
    pub fn message(&mut self, now: Time, conn: ConnId, frame: Frame<'_>, out: &mut Outbox) {
        let steering = match &frame {
            Frame::Binary(bytes) => wire::steering(bytes),
            _ => None,
        };
        if self.manager.message(now, conn, frame, out) == Inbound::Deliver {
            match steering {
                Some(steering) => self.steering.push((conn, steering)),
                None => self.kick(now, conn, &NOT_STEERING, out),
            }
        }
    }

    /// So much of what was sent to a client has been handed to the system.
    pub fn flushed(&mut self, now: Time, conn: ConnId, bytes: u64, messages: u32, out: &mut Outbox) {
        self.manager.flushed(now, conn, bytes, messages, out);
    }

    /// A client is to be closed.
    pub fn kick(&mut self, now: Time, conn: ConnId, close: &CloseFrame, out: &mut Outbox) {
        self.manager.kick(now, conn, close, out);
    }

    /// A socket is gone.
    pub fn closed(&mut self, now: Time, conn: ConnId, cause: Cause, out: &mut Outbox) {
        self.manager.closed(now, conn, cause, out);
    }

    /// Everybody is sent away, one after the other, and nobody comes any more.
    pub fn drain(&mut self, now: Time, every: Duration, within: Duration, out: &mut Outbox) {
        self.manager.drain(now, every, now + within, out);
    }

    /// Nobody is left after a drain.
    pub fn is_drained(&self) -> bool {
        self.is_drained
    }

    /// The manager wrote a notice. What that comes to is in `next`, since the notice still lies in the outbox that is
    /// being read.
    pub fn noticed(&mut self, now: Time, notice: Notice<'_>, next: &mut Outbox) {
        match notice {
            Notice::LobbyOpened { lobby, .. } => {
                self.seed = self.seed.wrapping_add(1);
                self.rooms.insert(lobby, Room::new(self.seed));
            }
            Notice::LobbyClosed { lobby, .. } => drop(self.rooms.remove(&lobby)),
            Notice::Joined { lobby, user, .. } => {
                if let Some(room) = self.rooms.get_mut(&lobby) {
                    room.enter(user);
                }
            }
            Notice::Left { lobby, user, .. } => {
                if let Some(room) = self.rooms.get_mut(&lobby) {
                    room.leave(user);
                }
            }
            Notice::Ended { conn, .. } => drop(self.players.remove(conn)),
            // It has missed states, which the one of this frame makes up for, and perhaps who came and went.
            Notice::Writable { conn, .. } => {
                let lobby = self.players.get(conn).map(|&(lobby, _)| lobby);
                if let Some(room) = lobby.and_then(|lobby| self.rooms.get(&lobby)) {
                    self.manager.send_to(now, conn, room.players().droppable(), next);
                }
            }
            Notice::Throttled { conn, retry_after, .. } => match self.throttled.last_mut() {
                // Told once a frame: an answer to each message would be a flood, too. One's messages come in a row.
                Some((last, after)) if *last == conn => *after = retry_after,
                _ => self.throttled.push((conn, retry_after)),
            },
            Notice::Drained { .. } => self.is_drained = true,
            _ => {}
        }
    }

    /// A frame: the worlds move by so many steps, everybody is sent the state of their room, and the manager's time
    /// passes. Before it all that clients have said is to be told, and the outbox carried out, so that all notices are
    /// known. `ended` is called at the end of each part.
    pub fn frame(&mut self, now: Time, steps: u32, out: &mut Outbox, mut ended: impl FnMut(Part)) {
        for conn in std::mem::take(&mut self.newcomers) {
            self.greet(now, conn, out);
        }
        for (conn, retry_after) in self.throttled.drain(..) {
            let milliseconds = whole_milliseconds(retry_after);
            let told = Told::Throttled { milliseconds }.payload();
            self.manager.send_to(now, conn, told.droppable(), out);
        }
        for (conn, steering) in self.steering.drain(..) {
            if let Some((lobby, seat)) = self.players.get(conn)
                && let Some(room) = self.rooms.get_mut(lobby)
            {
                room.steer(*seat, steering);
            }
        }
        self.rooms.values_mut().for_each(|room| room.step(steps));
        ended(Part::Game);
        self.rooms.values_mut().for_each(Room::encode);
        ended(Part::Encoding);
        for (&lobby, room) in &mut self.rooms {
            // Who is too slow does without either, and has both as they are then once there is room again.
            if let Some(players) = room.news() {
                self.manager
                    .broadcast(now, lobby, players.droppable(), Except::Nobody, out);
            }
            self.manager
                .broadcast(now, lobby, room.state().droppable(), Except::Nobody, out);
        }
        ended(Part::Broadcasts);
        self.manager.tick(now, out);
        ended(Part::Tick);
    }

    /// Tells a newcomer where it is, unless it has gone again.
    fn greet(&mut self, now: Time, conn: ConnId, out: &mut Outbox) {
        let (Some(name), Some(lobby)) = (self.manager.user_of(conn), self.manager.lobbies_of(conn).next()) else {
            return;
        };
        let (Some(room), Some(room_name)) = (self.rooms.get_mut(&lobby), self.manager.lobby_name(lobby)) else {
            return;
        };
        let Some(seat) = room.seat_of(name) else {
            return;
        };
        room.greet(seat);
        self.players.insert(conn, (lobby, seat));
        let welcome = Told::welcome(room_name, name, seat).payload();
        self.manager.send_to(now, conn, welcome, out);
    }
}
