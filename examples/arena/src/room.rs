//! A world and who is in it by name.

use lobbykeeper::Payload;

use crate::wire::{self, Named, Told};
use crate::world::{SEATS, Steering, World};

/// What a lobby plays.
#[derive(Debug)]
pub(crate) struct Room {
    world: World,
    names: [Option<String>; SEATS],
    /// The players are to be told who is there.
    has_changed: bool,
    /// The latest state.
    state: Payload,
}

impl Room {
    pub(crate) fn new(seed: u64) -> Self {
        let world = World::new(seed);
        Self {
            state: wire::state(&world),
            world,
            names: [const { None }; SEATS],
            has_changed: false,
        }
    }

    pub(crate) fn enter(&mut self, name: &str) {
        // The limit of a room is at most the number of seats, so there is one.
        if let Some(seat) = self.world.enter() {
            self.names[seat] = Some(name.to_owned());
            self.has_changed = true;
        }
    }

    pub(crate) fn leave(&mut self, name: &str) {
        if let Some(seat) = self.seat_of(name) {
            self.world.leave(seat);
            self.names[seat] = None;
            self.has_changed = true;
        }
    }

    pub(crate) fn seat_of(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|other| other.as_deref() == Some(name))
    }

    /// Somebody plays from here on who may have played from elsewhere: they stand still until they steer, and are told who
    /// is there with everybody else.
    pub(crate) fn greet(&mut self, seat: usize) {
        self.world.steer(seat, Steering::default());
        self.has_changed = true;
    }

    pub(crate) fn steer(&mut self, seat: usize, steering: Steering) {
        self.world.steer(seat, steering);
    }

    pub(crate) fn step(&mut self, steps: u32) {
        for _ in 0..steps {
            self.world.step();
        }
    }

    pub(crate) fn encode(&mut self) {
        self.state = wire::state(&self.world);
    }

    /// As of the last [`encode`](Self::encode).
    pub(crate) fn state(&self) -> Payload {
        self.state.clone()
    }

    /// Who is there.
    pub(crate) fn players(&self) -> Payload {
        let named = self.names.iter().enumerate();
        let players = named.filter_map(|(seat, name)| {
            Some(Named {
                seat,
                name: name.as_deref()?,
            })
        });
        Told::Players {
            players: players.collect(),
        }
        .payload()
    }

    /// The same, if it has changed since this was last asked.
    pub(crate) fn news(&mut self) -> Option<Payload> {
        std::mem::take(&mut self.has_changed).then(|| self.players())
    }
}
