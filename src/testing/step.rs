//! Inputs as they are drawn: they name "the second open connection" or "the deadline", so that a shorter sequence of
//! them still means something.

use std::fmt;

use crate::{Cause, Limit, RateLimit};

/// One input, before it is known what there is.
#[derive(Clone, Debug)]
pub struct Step {
    /// The time of the call.
    pub when: When,
    /// The call.
    pub act: Act,
}

/// Many of them; a failure shows a line each.
#[derive(Clone)]
pub struct Steps(pub Vec<Step>);

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| write!(f, "\n    {step:?}"))
    }
}

/// When a call is made, on the driver's clock.
#[derive(Clone, Copy, Debug)]
pub enum When {
    /// So many nanoseconds after the last call.
    After(u64),
    /// At the next deadline.
    Deadline,
    /// So many nanoseconds before the next deadline.
    Before(u64),
    /// So many nanoseconds after the next deadline.
    Late(u64),
    /// So many nanoseconds before the last call.
    Back(u64),
    /// At the end of time, less so many nanoseconds.
    End(u64),
}

/// A connection.
#[derive(Clone, Copy, Debug)]
pub enum Who {
    /// Of the open ones, counted round and round.
    Open(u8),
    /// Of all that were seen lately, those included that are closing or gone.
    Seen(u8),
    /// The one with this word.
    Bits(u64),
}

/// A lobby or a user, by its place in a short list, so that names often meet.
#[derive(Clone, Copy, Debug)]
pub struct Name(pub u8);

/// A lobby, as a request names it.
#[derive(Clone, Copy, Debug)]
pub enum Where {
    /// By name.
    Name(Name),
    /// Of the lobbies that were seen lately.
    Id(u8),
    /// The first lobby of a connection.
    Of(Who),
}

/// Whom a broadcast leaves out.
#[derive(Clone, Copy, Debug)]
pub enum But {
    /// Nobody.
    Nobody,
    /// A connection.
    Conn(Who),
    /// A user.
    User(Name),
    /// The user of a connection.
    UserOf(Who),
}

/// What a client says.
#[derive(Clone, Copy, Debug)]
pub enum Said {
    /// One of a list of texts.
    Text(u8),
    /// Up to four bytes.
    Binary(u8),
    /// A ping frame.
    Ping(u8),
    /// A pong, in a frame or in JSON.
    Pong(Stamp, Style),
}

/// What a pong echoes.
#[derive(Clone, Copy, Debug)]
pub enum Stamp {
    /// The last ping's time stamp, whether it was answered or not.
    Last,
    /// So much more than that.
    Later(u8),
    /// So much less than that.
    Earlier(u8),
    /// Anything.
    Number(u64),
}

/// How a pong is written.
#[derive(Clone, Copy, Debug)]
pub enum Style {
    /// As the ping asks for it.
    Plain,
    /// With white space, another order of keys and keys that nobody asked for; in a frame with a leading zero.
    Odd,
    /// As the other ping format would ask for it.
    Foreign,
}

/// The calls of a [`Manager`](crate::Manager). Numbers choose payloads; from 128 on they may be dropped.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// A connection opened: its lobby, its user.
    Connect(Name, Name),
    /// A message came in.
    Message(Who, Said),
    /// A connection is gone.
    Closed(Who, Cause),
    /// Time passed.
    Tick,
    /// To the members of a lobby.
    Broadcast(Where, But, u8),
    /// To everyone.
    BroadcastAll(But, u8),
    /// To one connection.
    SendTo(Who, u8),
    /// To all connections of a user.
    SendToUser(Name, u8),
    /// With a time-out in nanoseconds.
    PingUser(Name, Option<u64>),
    /// Into one more lobby.
    Join(Who, Name),
    /// From one lobby to another.
    Switch(Who, Where, Name),
    /// Out of a lobby.
    Leave(Who, Where),
    /// Closes one connection.
    Kick(Who),
    /// Closes all connections.
    CloseAll,
    /// A connection opened that tells more: its lobby, its user, where it comes from, for how long it may stay.
    ConnectFrom(Name, Name, Option<u8>, Until),
    /// Closes all connections of a user.
    KickUser(Name),
    /// Closes all connections in a lobby.
    KickLobby(Where),
    /// Locks a lobby.
    Lock(Where),
    /// Unlocks a lobby.
    Unlock(Where),
    /// Changes a limit. That of a message's length is so much above the length of a control frame, less one; 0 stays 0.
    SetLimit(Limit, Option<u64>),
    /// Changes a rate; a number chooses its value.
    SetRate(RateLimit, u8),
    /// A connection may stay longer, or shorter.
    Extend(Who, Until),
    /// So many bytes and messages were flushed, or all that there is and more.
    Flushed(Who, Option<(u8, u8)>),
    /// A seat is to be held: its lobby, its user, where they come from.
    Reserve(Name, Name, Option<u8>),
    /// A connection opened that has a reservation, and perhaps not everything else that it needs.
    ConnectReserved(Ticket, Swap, Until),
    /// A reservation is given back.
    Release(Ticket),
    /// A seat is to be held for one who has a reservation.
    ReserveAgain(Ticket),
    /// Begins to empty the server: so many nanoseconds between two closes, and until when.
    Drain(u64, Until),
}

/// A reservation.
#[derive(Clone, Copy, Debug)]
pub enum Ticket {
    /// Of those that are held, counted round and round.
    Held(u8),
    /// Of all that were seen lately, those included that were used or given up.
    Seen(u8),
    /// The one with this word.
    Bits(u64),
}

/// What differs between a connection and its reservation.
#[derive(Clone, Copy, Debug)]
pub enum Swap {
    /// Nothing.
    Nothing,
    /// It wants to enter this lobby.
    Lobby(Name),
    /// It is this user's.
    User(Name),
    /// It comes from here.
    Source(Option<u8>),
}

/// Until when a connection may stay.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// For ever.
    Always,
    /// Until so many nanoseconds after the last call.
    After(u64),
    /// Until so many nanoseconds before the last call.
    Before(u64),
}
