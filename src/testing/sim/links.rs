//! The links between clients and the server, whole and broken.

use alloc::vec::Vec;

use super::queue::Nanos;
use super::rng::Rng;
use crate::id::{ConnId, ReservationId};
use crate::refusal::Retry;
use crate::time::duration_nanos;

/// A link; an id of one that is over finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LinkId {
    index: u32,
    generation: u32,
}

/// What a client sends, or does to the driver otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Up {
    Connect,
    Text,
    Pong(u64),
    /// A close frame and the end of the stream.
    Close,
    /// The end of the stream without a word.
    Reset,
    /// Nothing, but its socket has taken all that waited.
    Taken,
    /// Nothing, but the service that looks at its token says whether that is good.
    Verified(bool),
}

/// What the server sends, as far as it makes a client do something; texts are only counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Down {
    Open,
    Ping(u64),
    Close(Advice),
    Reset,
}

/// What a close frame says about coming again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Advice {
    Nothing,
    Never,
    After(Nanos),
}

impl From<Retry> for Advice {
    fn from(retry: Retry) -> Self {
        match retry {
            Retry::Never => Self::Never,
            Retry::After(delay) => Self::After(duration_nanos(delay)),
            Retry::Now => Self::After(0),
        }
    }
}

/// What the server owes to a connection, by the commands that it gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not admitted, or over.
    Outside,
    /// Not admitted yet: a seat is held.
    Reserved,
    Open,
    Closing {
        /// Its seat is another's by now.
        replaced: bool,
    },
}

/// On the open connection that is to give way to the holder of a reserved seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) by: LinkId,
    /// The seat is in the lobby of the connection.
    pub(super) in_lobby: bool,
}

#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and all go together"
)]
pub(super) struct Link {
    pub(super) id: LinkId,
    /// How long each packet takes, and what else chance decides on the link.
    pub(super) rng: Rng,
    pub(super) client: u32,
    pub(super) lobby: u32,
    /// What it waits with for a word about its token.
    pub(super) reservation: Option<ReservationId>,
    pub(super) conn: Option<ConnId>,
    pub(super) phase: Phase,
    /// Who will take its place, and ...
    pub(super) claimed: Option<Claim>,
    /// ... whose place it will take.
    pub(super) claims: Option<LinkId>,
    /// The client holds its end.
    pub(super) client_end: bool,
    /// The server holds its end, or has not yet been reached.
    pub(super) server_end: bool,
    /// Nothing goes through any more, and nobody was told.
    pub(super) cut: bool,
    /// The client does not read.
    pub(super) stalled: bool,
    /// The referee counts it among those who cannot be heard.
    pub(super) mute: bool,
    /// What was sent during an outage is under way again: a `Drain` will come.
    pub(super) draining: bool,
    /// Packets do not overtake: when the last one in each direction arrives.
    pub(super) last_up: Nanos,
    pub(super) last_down: Nanos,
    /// Until when an outage holds up what the client sent.
    pub(super) held_up_until: Nanos,
    /// Messages that wait at the server's end, ...
    pub(super) queued: u32,
    /// ... those among them that matter to the client, ...
    pub(super) queue: Vec<Down>,
    /// ... and those that it has been given and has not read.
    pub(super) unread: Vec<Down>,
    /// Of the manager's messages, those in bytes and number that were given to the link and not reported as flushed.
    pub(super) unflushed: (u64, u32),
    /// When the server last heard something or reserved a seat, by the world's time, ...
    pub(super) heard: Nanos,
    /// ... by active time, ...
    pub(super) heard_active: Nanos,
    /// ... by the server's clock, ...
    pub(super) heard_clock: Nanos,
    /// ... and how many pauses and steps there had been.
    pub(super) heard_disruptions: u32,
    /// Until when the client's own slowness excuses silence.
    pub(super) stalled_until: Nanos,
    /// The last ping that was sent, and when.
    pub(super) pinged: (u64, Nanos),
    /// Its answer has come.
    pub(super) answered: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Links {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

#[derive(Clone, Debug)]
struct Slot {
    generation: u32,
    link: Option<Link>,
}

impl Links {
    pub(super) fn open(&mut self, rng: Rng, client: u32, lobby: u32) -> LinkId {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                generation: 0,
                link: None,
            });
            u32::try_from(self.slots.len() - 1).expect("there are at most as many links as clients and ghosts")
        });
        let slot = &mut self.slots[index as usize];
        let id = LinkId {
            index,
            generation: slot.generation,
        };
        slot.link = Some(Link {
            id,
            rng,
            client,
            lobby,
            reservation: None,
            conn: None,
            phase: Phase::Outside,
            claimed: None,
            claims: None,
            client_end: true,
            server_end: true,
            cut: false,
            stalled: false,
            mute: false,
            draining: false,
            last_up: 0,
            last_down: 0,
            held_up_until: 0,
            queued: 0,
            queue: Vec::new(),
            unread: Vec::new(),
            unflushed: (0, 0),
            heard: 0,
            heard_active: 0,
            heard_clock: 0,
            heard_disruptions: 0,
            stalled_until: 0,
            pinged: (0, 0),
            answered: false,
        });
        id
    }

    pub(super) fn get(&self, id: LinkId) -> Option<&Link> {
        let slot = &self.slots[id.index as usize];
        slot.link.as_ref().filter(|_| slot.generation == id.generation)
    }

    pub(super) fn get_mut(&mut self, id: LinkId) -> Option<&mut Link> {
        let slot = &mut self.slots[id.index as usize];
        if slot.generation != id.generation {
            return None;
        }
        slot.link.as_mut()
    }

    /// Forgets the link if nobody holds an end of it.
    pub(super) fn settle(&mut self, id: LinkId) {
        if self
            .get_mut(id)
            .is_some_and(|link| !link.client_end && !link.server_end)
        {
            let slot = &mut self.slots[id.index as usize];
            slot.generation += 1;
            slot.link = None;
            self.free.push(id.index);
        }
    }

    /// All links that a client holds an end of, in the order of their slots.
    pub(super) fn held_by_clients(&self) -> Vec<LinkId> {
        let ids = (0..).zip(&self.slots);
        ids.filter(|(_, slot)| slot.link.as_ref().is_some_and(|link| link.client_end))
            .map(|(index, slot)| LinkId {
                index,
                generation: slot.generation,
            })
            .collect()
    }
}
