//! The books: what was sent, what has arrived, and whether that is right.
//!
//! A member who gets everything once and in order expects of each other member of its lobby one message, the next.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use super::message::Token;

/// A broadcast that not everybody has yet.
#[derive(Debug)]
struct InFlight {
    token: Token,
    missing: usize,
}

#[derive(Debug, Default)]
struct Lobby {
    /// Whose turn it is to say something, counted within the lobby.
    turn: usize,
    /// How many broadcasts were begun.
    begun: u32,
    /// Those that are begun, from the oldest that is not complete on.
    in_flight: VecDeque<InFlight>,
}

/// Everybody in lobbies of one size: member `i` sits in lobby `i / size`.
#[derive(Debug)]
pub(super) struct Ledger {
    size: usize,
    lobbies: Vec<Lobby>,
    /// For each member, a row: the next sequence number that each member of its lobby expects of it. Members get a
    /// broadcast one after the other, so that neighbours are needed one after the other.
    expected: Vec<u32>,
    /// How many messages each member has sent.
    said: Vec<u32>,
    delivered: u64,
}

/// A message that should not have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misdelivery {
    /// Its recipient is not in the sender's lobby.
    Stranger,
    /// Its recipient is its sender.
    Echoed,
    /// It had come before.
    Doubled,
    /// An earlier message of the same sender has not come: it is lost or out of order.
    Missing {
        /// The earlier message.
        sequence: u32,
    },
    /// Nobody sent this.
    Invented,
}

impl fmt::Display for Misdelivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stranger => f.write_str("its recipient is in another lobby"),
            Self::Echoed => f.write_str("its recipient is its sender"),
            Self::Doubled => f.write_str("it is doubled"),
            Self::Missing { sequence } => {
                write!(
                    f,
                    "message {sequence} of this sender was to come before it: lost or out of order"
                )
            }
            Self::Invented => f.write_str("nobody sent it"),
        }
    }
}

/// What was not delivered in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overdue {
    pub(super) lobby: usize,
    pub(super) missing: usize,
    pub(super) age: Duration,
}

impl Ledger {
    /// Lobbies of `size` members each, none of which has said anything.
    pub(super) fn new(lobbies: usize, size: usize) -> Self {
        Self {
            size,
            lobbies: (0..lobbies).map(|_| Lobby::default()).collect(),
            expected: vec![0; lobbies * size * size],
            said: vec![0; lobbies * size],
            delivered: 0,
        }
    }

    pub(super) fn lobbies(&self) -> usize {
        self.lobbies.len()
    }

    /// Notes a broadcast by the member whose turn it is.
    pub(super) fn begin(&mut self, lobby: usize, sent: u64) -> Token {
        let Lobby { turn, begun, in_flight } = &mut self.lobbies[lobby];
        let sender = lobby * self.size + *turn;
        let token = Token {
            sender: u32::try_from(sender).expect("the settings allow no more clients"),
            sequence: self.said[sender],
            number: *begun,
            sent,
        };
        self.said[sender] += 1;
        *begun += 1;
        let missing = self.size - 1;
        in_flight.push_back(InFlight { token, missing });
        token
    }

    /// The turn of the lobby's next member.
    pub(super) fn pass(&mut self, lobby: usize) {
        let turn = &mut self.lobbies[lobby].turn;
        *turn = (*turn + 1) % self.size;
    }

    /// Notes an arrival. If it was the last of its broadcast, returns the lobby.
    pub(super) fn deliver(&mut self, recipient: usize, token: Token) -> Result<Option<usize>, Misdelivery> {
        let lobby = recipient / self.size;
        let first = lobby * self.size;
        let rank = (token.sender as usize).wrapping_sub(first);
        if rank >= self.size {
            return Err(Misdelivery::Stranger);
        }
        if token.sender as usize == recipient {
            return Err(Misdelivery::Echoed);
        }
        let expected = &mut self.expected[token.sender as usize * self.size + (recipient - first)];
        if token.sequence < *expected {
            return Err(Misdelivery::Doubled);
        }
        if token.sequence > *expected {
            return Err(Misdelivery::Missing { sequence: *expected });
        }
        let Lobby { begun, in_flight, .. } = &mut self.lobbies[lobby];
        let broadcast = begun
            .checked_sub(token.number)
            .and_then(|back| in_flight.len().checked_sub(back as usize))
            .and_then(|place| in_flight.get_mut(place))
            .filter(|broadcast| broadcast.token == token)
            .ok_or(Misdelivery::Invented)?;
        *expected += 1;
        self.delivered += 1;
        broadcast.missing -= 1;
        if broadcast.missing > 0 {
            return Ok(None);
        }
        while in_flight.front().is_some_and(|oldest| oldest.missing == 0) {
            in_flight.pop_front();
        }
        Ok(Some(lobby))
    }

    /// How many arrivals there were.
    pub(super) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Whether everybody has everything.
    pub(super) fn is_settled(&self) -> bool {
        self.lobbies.iter().all(|lobby| lobby.in_flight.is_empty())
    }

    /// A broadcast that is older than `patience` and not complete, if there is one. O(lobbies).
    pub(super) fn overdue(&self, now: u64, patience: Duration) -> Option<Overdue> {
        self.lobbies
            .iter()
            .enumerate()
            .find_map(|(lobby, Lobby { in_flight, .. })| {
                let oldest = in_flight.front()?;
                let age = Duration::from_nanos(now.saturating_sub(oldest.token.sent));
                (age > patience).then_some(Overdue {
                    lobby,
                    missing: oldest.missing,
                    age,
                })
            })
    }
}
