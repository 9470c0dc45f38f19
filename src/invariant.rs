//! What always holds of a manager, and how it is said that something does not.

use alloc::string::String;
use core::fmt;

macro_rules! invariants {
    ($($(#[doc = $text:literal])+ $name:ident,)+) => {
        /// What holds of a manager after every call, whatever it was told.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Invariant {
            $($(#[doc = $text])+ $name,)+
        }

        impl Invariant {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The invariant in words.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($text),+).trim_ascii(),)+
                }
            }
        }
    };
}

invariants! {
    /// The settings are valid, and the times that the manager works with are theirs.
    Settings,
    /// Each table counts its live slots.
    SlotCount,
    /// Every free slot is in the list of those to be taken next, once.
    FreeSlots,
    /// Every name is found under its own hash, and nothing else is.
    NameTable,
    /// Names are neither empty nor longer than they may be.
    NameLength,
    /// Whatever is referred to is there.
    References,
    /// A user's record counts its connections, open and closing, and is kept as long as there are any.
    UserCount,
    /// A user's list, linked both ways, is of its open connections.
    UserList,
    /// The connection that a user's record calls replaced is its own and closing, and no other one is.
    Replaced,
    /// A closing connection is in no lobby, and nobody waits for its pong.
    ClosingAlone,
    /// A connection is in a lobby once.
    MembershipOnce,
    /// A lobby's roster has ascending tickets, and counts its holes, which are at most half of it.
    Roster,
    /// A lobby's members are the connections that hold its tickets.
    Members,
    /// A lobby has at least one member.
    LobbyOpen,
    /// Who is in which lobby is found under its own hash, and nothing else is.
    PresenceTable,
    /// A user's entry in a lobby counts its connections there, of which there are some.
    PresenceCount,
    /// A lobby's list of users, linked both ways, is of those who are in it.
    LobbyUsers,
    /// A lobby's revision counts at least all who are in it.
    Revision,
    /// The heap of check times is in order, so that the first is the next deadline.
    HeapOrder,
    /// The heap knows where everybody is, and nobody is in it twice.
    HeapPositions,
    /// An open connection is looked at when its pulse says so at the latest, a closing one within its time-out, nobody
    /// else ever.
    CheckTime,
    /// Nothing was heard or sent later than now.
    NotInTheFuture,
    /// No ping that a pong may answer is later than the last.
    TimeStamp,
    /// Who has missed a ping was not heard since the last one, and waits for its verdict.
    Silence,
    /// Who has missed as many pings as may be was given one more, and nobody else was.
    Held,
    /// The shortest round-trip time is not longer than the last or the smoothed one.
    Latency,
    /// The numbers of open, closing and replaced connections are what a recount finds.
    Population,
    /// The number of users with an open connection is what a recount finds.
    UsersPresent,
    /// The number of connections with a missed ping is what a recount finds.
    Silent,
    /// No more connections than the server may have, or might have before that was lowered.
    ServerLimit,
    /// No more members than a lobby may have, or might have before that was lowered.
    LobbyLimit,
    /// No more open connections than a user may have, or might have before that was lowered.
    UserLimit,
    /// No connection is in more lobbies than it may be, or might be before that was lowered.
    MembershipLimit,
    /// Everyone admitted is there, or was evicted, or was reported closed.
    Admissions,
    /// Everyone who is closing, or was evicted while it was, was told to close, and so was everyone who expired or was
    /// drained.
    Closes,
    /// No ping was both answered and missed, and all were written.
    Pings,
    /// Nothing was slept through that has not passed, and time was suspended as often as there were pauses.
    Clock,
    /// No limit is higher than the highest that it is known to have been.
    Peaks,
    /// Each source is found under its own hash, and nothing else is.
    SourceTable,
    /// A source counts the connections that are from it, all of them open, and is kept as long as there are any.
    SourceCount,
    /// No more open connections than a source may have, or might have before that was lowered.
    SourceLimit,
    /// Only open connections expire.
    Expiry,
    /// Only open connections have a backlog, and all of them can have one.
    BacklogOfOpen,
    /// The sum of all backlogs is what is counted.
    BacklogSum,
    /// No backlog is beyond its caps, or beyond what they were before they were lowered, but for the pings that there is
    /// room for beyond them.
    BacklogLimit,
    /// All backlogs together are within the budget, or within what it was before it was lowered.
    BacklogBudget,
    /// Under a budget, everybody with a backlog is listed as one of at least that size, and nobody else is.
    Heaviest,

    /// No bucket is further from full than its rate lets it be, and where a rate is off there are none.
    Buckets,
    /// An open connection has fewer violations than it would be closed for, and none if no rate limits its messages.
    Violations,
    /// No more was dropped than came, and nobody was closed for it who was not told to close.
    Drops,
    /// Each user and lobby counts the seats reserved there, lists them, and is kept as long as there are any.
    Seats,
    /// A reserved seat is shared at most with one open connection of its user, where both would sit, and not with two.
    Claims,
    /// Each reserved seat is given up after the time set for it at the latest.
    SeatTime,
    /// Each reservation that was made is held, was used, was released or has lapsed.
    Reservations,

    /// A drain has begun before now, and its slots come after that: the next return not before the next close.
    DrainSlots,
    /// In a drain exactly the open connections wait for their turn, each in the place that the seed gives it.
    DrainOrder,
    /// Nobody is refused or closed by a drain that has not begun.
    DrainBegun,
    /// No seat is reserved in a drain.
    DrainSeats,
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An invariant that does not hold. `Display` says which, and of whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    invariant: Invariant,
    details: String,
}

impl Violation {
    /// Which invariant.
    pub const fn invariant(&self) -> Invariant {
        self.invariant
    }

    /// Of whom, and what was found.
    pub fn details(&self) -> &str {
        &self.details
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { invariant, details } = self;
        write!(f, "{invariant:?} does not hold ({invariant}): {details}")
    }
}

impl core::error::Error for Violation {}

/// A violation of the invariant, unless it holds.
pub(crate) fn ensure(holds: bool, invariant: Invariant, details: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds {
        Ok(())
    } else {
        Err(Violation {
            invariant,
            details: details(),
        })
    }
}
