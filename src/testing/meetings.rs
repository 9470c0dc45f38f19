//! Where two rules meet: which of these places an input has come to.

use std::collections::BTreeMap;
use std::fmt;

use super::model::{Conn, Lobby, Model, Phase};
use super::model_drain::Drain;
use super::model_entry::at_limit;
use super::told::{Answered, NotEntered, Outcome, Told};
use crate::{
    Call, Closing, ConnId, Event, Eviction, Except, Handshake, Inbound, Input, LobbyRef, RefusalRule, Request, Time,
    UserOverflow,
};

macro_rules! meetings {
    ($($(#[doc = $text:literal])+ $name:ident $($ahead:ident)?,)+) => {
        /// A place where two rules meet, and which of them holds there. A row of the design's table that says several
        /// things is several of these.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Meeting {
            $($(#[doc = $text])+ $name,)+
        }

        impl Meeting {
            /// All of them, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The rules and what holds, in words.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($text),+).trim_ascii(),)+
                }
            }

            /// Whether one of the rules is of a later version, so that they cannot meet yet.
            pub const fn is_ahead(self) -> bool {
                match self {
                    $(Self::$name => meetings!(@ $($ahead)?),)+
                }
            }
        }
    };
    (@ ahead) => { true };
    (@) => { false };
}

meetings! {
    /// replace, locked lobby: a user already seated there may return
    ReplaceLocked,
    /// replace, locked lobby: a lock stops new users, whatever they would replace
    ReplaceShutOut,
    /// replace, user limit: the oldest open one goes, closing ones do not count
    ReplaceUserLimit,
    /// closing, server limit: counts
    ClosingServerLimit,
    /// closing, user limit: does not count
    ClosingUserLimit,
    /// closing, source limit: does not count
    ClosingSourceLimit,
    /// replace, source limit: the seat of one from the same source is set aside
    ReplaceSourceLimit,
    /// closing, message: stale, proves nothing
    ClosingMessage,
    /// closing, kick: no-op, false
    ClosingKick,
    /// closing, backlog: leaves the budget at close; a later flush is ignored
    ClosingBacklog,
    /// reservation, replace: replacement happens when it is consumed
    ReservationReplace,
    /// reservation, kick of the user: void at once
    ReservationKick,
    /// reservation, drain: void at once
    ReservationDrain,
    /// reservation, lock: honoured
    ReservationLock,
    /// reservation, lowered limit: honoured
    ReservationLoweredLimit,
    /// reservation, empty lobby: occupies a seat
    ReservationEmptyLobby,
    /// reservation, empty lobby: opening waits for the first member
    ReservationOpens,
    /// pause, breaker: pings that a pause voided are no misses, and make no wave
    PauseBreaker,
    /// breaker, close time-out: evictions of closing ones are never held
    BreakerCloseTimeout,
    /// drain, second drain: may only tighten
    DrainDrain,
    /// drain, switch or broadcast: open connections keep all rights
    DrainSwitch,
    /// drain, reconnect slot: the k-th close gets slot k, however it left
    DrainSlot,
    /// switch, full target: refused, source untouched
    SwitchFull,
    /// switch, locked target: refused, source untouched
    SwitchLocked,
    /// switch, own lobby: ok, place kept
    SwitchOwn,
    /// switch, last member: opened, joined, left, closed
    SwitchLastMember,
    /// exclude, absent connection: everyone is addressed
    ExcludeAbsentConn,
    /// exclude, absent user: everyone is addressed
    ExcludeAbsentUser,
    /// broadcast, sender not a member: allowed
    BroadcastStranger,
    /// broadcast, sender without a lobby: addresses nobody
    BroadcastOfNone,
    /// broadcast, sender in several lobbies: the first joined
    BroadcastOfSeveral,
    /// takeover, dead id or another user: ordinary admission
    TakesOver ahead,
    /// user's bucket, last close: dies with it
    UserBucket,
    /// evict, broadcast in the same outbox: the run of ids stays as written
    EvictSend,
    /// lowered limit, those beyond it: stay, and nobody new is admitted
    LoweredLimit,
    /// pause, expiry: it is not postponed
    PauseExpiry,
    /// closing, expiry: what is closing does not expire
    ClosingExpiry,
    /// evict for a backlog, broadcast that it is for: the evicted one does not get it
    EvictWithinSend,
    /// lowered budget, backlogs beyond it: stay until the next message, which evicts
    LoweredBudget,
    /// pause, rates: suspended time earns no tokens
    PauseRates,
    /// rates, pong: the one that answers the outstanding ping is free
    RatesPong,
    /// rates, silence: what is dropped proves life
    RatesSilence,
    /// rates, two of them: what the one drops the other is not charged for
    RatesBoth,
    /// message size, rates: too long closes, whatever the buckets say
    SizeRates,
    /// connect rate, replace: the newcomer pays; who is refused replaces nobody
    ConnectRateReplace,
    /// connect rate, another limit: whom that refuses pays nothing
    ConnectRateLimit,
    /// reservation, full server: its seat is that of the connection that it is to replace
    ReservationFull,
    /// reservation, close of the one that it is to replace: does not count for the server, as if it were replaced
    ReservationClosing,
    /// reservation, kick of the lobby: stays
    ReservationKickLobby,
    /// pause, reservation: its time stands still
    PauseReservation,
    /// pause, drain: it is not postponed
    PauseDrain,
    /// drain, expiry: goes with its own words, and uses up a slot
    DrainExpiry,
}

impl fmt::Display for Meeting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How often an input has come to each [`Meeting`]. `Display` prints a line each.
#[derive(Clone, Debug, Default)]
pub struct Meetings {
    counts: BTreeMap<Meeting, u64>,
    /// Whom the call before addressed, if it was a message.
    addressed: Vec<ConnId>,
}

impl Meetings {
    /// Recognises what an input has come to, from the model before it, what came of it, and the model after it.
    pub fn observe(&mut self, before: &Model, input: &Input<'_>, outcome: &Outcome, after: &Model) {
        let scene = Scene { before, outcome, after };
        for (meeting, met) in scene.meetings(&input.call, &self.addressed) {
            *self.counts.entry(meeting).or_default() += u64::from(met);
        }
        self.addressed.clear();
        if let Call::Request(_) = input.call {
            for told in &outcome.told {
                if let Told::Send { to, .. } = told {
                    self.addressed.extend(to);
                }
            }
        }
    }

    /// How often.
    pub fn count(&self, meeting: Meeting) -> u64 {
        self.counts.get(&meeting).copied().unwrap_or_default()
    }
}

impl fmt::Display for Meetings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &meeting in Meeting::ALL {
            if meeting.is_ahead() {
                writeln!(f, "{:>8}  {meeting}", "later")?;
            } else {
                writeln!(f, "{:>8}  {meeting}", self.count(meeting))?;
            }
        }
        Ok(())
    }
}

/// One input's before and after.
pub(super) struct Scene<'a> {
    pub(super) before: &'a Model,
    pub(super) outcome: &'a Outcome,
    pub(super) after: &'a Model,
}

impl Scene<'_> {
    fn meetings(&self, call: &Call<'_>, addressed_before: &[ConnId]) -> Vec<(Meeting, bool)> {
        let over_budget = self.evicts(|_, cause| cause == Eviction::OverBudget);
        let mut met = vec![
            (
                Meeting::EvictSend,
                self.evicts(|conn, _| addressed_before.contains(&conn)),
            ),
            (Meeting::LoweredBudget, over_budget && self.before.is_over_budget()),
            (Meeting::UserBucket, self.forgets_a_throttled_user()),
        ];
        met.extend(self.seats(call));
        match call {
            Call::Event(Event::Connected(handshake)) if handshake.reservation.is_none() => {
                met.extend(self.connect(&handshake.user));
                met.extend(self.doors(handshake));
                met.extend(self.connect_rate(handshake));
            }
            Call::Event(Event::Message { conn, .. }) => {
                let stale = self.outcome.answered == Answered::Message(Inbound::Stale);
                met.push((Meeting::ClosingMessage, stale && self.was_closing(*conn)));
                met.extend(self.message(*conn));
            }
            Call::Event(Event::Flushed { conn, .. }) => {
                let ignored = self.outcome.answered == Answered::Changed(false) && self.outcome.told.is_empty();
                let told = self.before.queued() == self.after.queued() && self.before.reported;
                met.push((Meeting::ClosingBacklog, ignored && told && self.was_closing(*conn)));
            }
            Call::Event(Event::Tick) => {
                met.extend(self.tick());
                met.extend(self.drain_tick());
            }
            Call::Request(Request::Kick { conn, .. }) => {
                let refused = self.outcome.answered == Answered::Changed(false);
                met.push((Meeting::ClosingKick, refused && self.was_closing(*conn)));
            }
            Call::Request(Request::SwitchLobby { conn, from, to }) => met.extend(self.switch(*conn, from, to)),
            Call::Request(Request::Broadcast { lobby, except, .. }) => {
                met.extend(self.broadcast(lobby, except));
                met.push((Meeting::EvictWithinSend, self.evicts_within_send()));
            }
            Call::Request(Request::Drain { every, deadline }) => {
                let looser = |drain: &Drain| drain.is_tighter_than(*every, *deadline);
                let asked = self.before.drain.as_ref().is_some_and(looser);
                let (before, after) = (self.before.next_drain(), self.after.next_drain());
                met.push((Meeting::DrainDrain, asked && before.is_some() && after <= before));
            }
            _ => {}
        }
        met.push((Meeting::DrainSwitch, self.has_rights_in_a_drain(call)));
        met
    }

    fn connect(&self, user: &str) -> [(Meeting, bool); 3] {
        let Model { config, conns, .. } = self.before;
        let open = self.before.conns_of(user);
        let theirs = conns.iter().filter(|conn| conn.user == user).count();
        let (admitted, server_full) = match &self.outcome.answered {
            Answered::Connected(Ok(_)) => (true, false),
            Answered::Connected(Err(refusal)) => (false, refusal.rule == RefusalRule::ServerFull),
            _ => (false, false),
        };
        let replaces = config.user_overflow == UserOverflow::ReplaceOldest;
        let closed = |conn: &ConnId| {
            let mut told = self.outcome.told.iter();
            told.any(|told| matches!(told, Told::Close { conn: closed, .. } if closed == conn))
        };
        let below = |limit: Option<u32>, count: usize| limit.is_some_and(|limit| count < limit as usize);
        let beyond = |limit: Option<u32>, count: usize| at_limit(limit, count).is_some();
        let with_closing = theirs > open.len();
        [
            (
                Meeting::ReplaceUserLimit,
                admitted && replaces && with_closing && open.len() > 1 && closed(&open[0]),
            ),
            (
                Meeting::ClosingServerLimit,
                server_full && below(config.max_connections, self.before.open_conns().count()),
            ),
            (
                Meeting::ClosingUserLimit,
                admitted
                    && below(config.max_connections_per_user, open.len())
                    && beyond(config.max_connections_per_user, theirs),
            ),
        ]
    }

    /// Locks, sources, and limits that were lowered.
    fn doors(&self, handshake: &Handshake<'_>) -> [(Meeting, bool); 5] {
        let Self { before, outcome, .. } = *self;
        let config = &before.config;
        let refusal = match &outcome.answered {
            Answered::Connected(Err(refusal)) => Some((refusal.rule, refusal.receipt)),
            _ => None,
        };
        let admitted = refusal.is_none();
        let locked = before.lobbies.get(&*handshake.lobby).is_some_and(|lobby| lobby.locked);
        let theirs = before.conns_of(&handshake.user);
        let may_replace = config.user_overflow == UserOverflow::ReplaceOldest
            && at_limit(config.max_connections_per_user, theirs.len()).is_some();
        let victim = theirs
            .first()
            .filter(|_| may_replace)
            .and_then(|&conn| before.open(conn));
        let there = |conn: &&Conn| conn.source.is_some() && conn.source == handshake.source;
        let (all, open) = (before.conns.iter().filter(there), before.open_conns().filter(there));
        let (all, open) = (all.count(), open.count());
        let at_limit = |count| at_limit(config.max_connections_per_source, count).is_some();
        let shut_out = refusal.is_some_and(|(rule, _)| rule == RefusalRule::LobbyLocked);
        let is_full = |rule| {
            use RefusalRule::{ConnectRate, Expired, InvalidName};
            !matches!(rule, InvalidName | Expired | ConnectRate)
        };
        let beyond = refusal.is_some_and(|(rule, receipt)| is_full(rule) && receipt.seen > receipt.threshold);
        [
            (Meeting::ReplaceLocked, admitted && locked && victim.is_some()),
            (Meeting::ReplaceShutOut, shut_out && victim.is_some()),
            (
                Meeting::ClosingSourceLimit,
                admitted && !at_limit(open) && at_limit(all),
            ),
            (
                Meeting::ReplaceSourceLimit,
                admitted && at_limit(open) && victim.is_some(),
            ),
            (Meeting::LoweredLimit, beyond),
        ]
    }

    fn tick(&self) -> [(Meeting, bool); 4] {
        let Self { before, after, .. } = *self;
        let waves = self
            .outcome
            .told
            .iter()
            .any(|told| matches!(told, Told::StaleWave { .. }));
        let closing = self.evicts(|_, cause| cause == Eviction::CloseTimeout);
        let mut told = self.outcome.told.iter();
        let paused = told.any(|told| matches!(told, Told::Paused { .. }));
        let expired = told.any(|told| matches!(told, Told::Close { .. }));
        let now = Time::from_nanos(after.clock.last);
        let closing_expired = |conn: &Conn| {
            let stays = after.conns.iter().any(|other| other.id == conn.id);
            conn.phase != Phase::Open && conn.expires.is_some_and(|expires| expires <= now) && stays
        };
        let voided = before.open_conns().filter(|conn| {
            let then = after.open(conn.id).map(|conn| &conn.health);
            then.is_some_and(|then| {
                conn.health.was_voided(after.clock.active(), after.clock.pauses) && then.missed == 0
            })
        });
        let with_voided = before.silent() + voided.count();
        let would_wave = before.would_be_too_many(with_voided) && !before.too_many_are_silent();
        [
            (Meeting::PauseExpiry, paused && expired),
            (Meeting::ClosingExpiry, before.conns.iter().any(closing_expired)),
            (Meeting::PauseBreaker, would_wave && !waves),
            (Meeting::BreakerCloseTimeout, closing && before.too_many_are_silent()),
        ]
    }

    fn drain_tick(&self) -> [(Meeting, bool); 3] {
        let Self { before, outcome, .. } = *self;
        let closes = |wanted: Closing| {
            let mut told = outcome.told.iter();
            told.any(|told| matches!(told, Told::Close { cause, .. } if *cause == wanted))
        };
        let paused = outcome.told.iter().any(|told| matches!(told, Told::Paused { .. }));
        let drains = closes(Closing::Draining);
        let gone = before.drain.as_ref().map_or(0, |drain| drain.gone.len());
        let otherwise = gone as u64 > before.counted.drained;
        [
            (Meeting::DrainSlot, drains && otherwise),
            (Meeting::PauseDrain, drains && paused),
            (Meeting::DrainExpiry, before.drain.is_some() && closes(Closing::Expired)),
        ]
    }

    fn has_rights_in_a_drain(&self, call: &Call<'_>) -> bool {
        let got_it = match (call, &self.outcome.answered) {
            (Call::Request(Request::SwitchLobby { .. } | Request::Join { .. }), Answered::Entered(Ok(_))) => true,
            (Call::Request(Request::Broadcast { .. }), Answered::Addressed(addressed)) => *addressed > 0,
            _ => false,
        };
        got_it && self.before.drain.is_some()
    }

    fn switch(&self, conn: ConnId, from: &LobbyRef<'_>, to: &str) -> [(Meeting, bool); 4] {
        let Self { before, outcome, after } = *self;
        let refused = |rule| match &outcome.answered {
            Answered::Entered(Err(NotEntered::Refused(refusal))) => refusal.rule == rule,
            _ => false,
        };
        let lobbies = |model: &Model| model.open(conn).map(|conn| conn.lobbies.clone());
        let stays = || lobbies(before) == lobbies(after);
        let moved = matches!(outcome.answered, Answered::Entered(Ok(_)));
        let own = before.lobby(from).filter(|lobby| moved && lobby.name == to);
        let kept = |own: &Lobby| after.lobby(from).is_some_and(|lobby| lobby.members == own.members);
        let through = matches!(
            outcome.told[..],
            [
                ..,
                Told::LobbyOpened { .. },
                Told::Joined { .. },
                Told::Left { .. },
                Told::LobbyClosed { .. }
            ]
        );
        [
            (Meeting::SwitchFull, refused(RefusalRule::LobbyFull) && stays()),
            (Meeting::SwitchLocked, refused(RefusalRule::LobbyLocked) && stays()),
            (Meeting::SwitchOwn, own.is_some_and(kept)),
            (Meeting::SwitchLastMember, moved && through),
        ]
    }

    fn broadcast(&self, lobby: &LobbyRef<'_>, except: &Except<'_>) -> Vec<(Meeting, bool)> {
        let members = self.before.lobby(lobby).map_or(&[][..], |lobby| &lobby.members);
        let Answered::Addressed(addressed) = self.outcome.answered else {
            return Vec::new();
        };
        let all = !members.is_empty() && addressed == members.len();
        let is_member = |conn: &ConnId| members.contains(conn);
        let stranger = |conn: &ConnId| !is_member(conn) && self.before.open(*conn).is_some();
        let mut met = Vec::new();
        match except {
            Except::Nobody => {}
            Except::Conn(conn) => {
                met.push((Meeting::ExcludeAbsentConn, all && !is_member(conn)));
                met.push((Meeting::BroadcastStranger, all && stranger(conn)));
            }
            Except::User(user) => {
                let absent = !self.before.conns_of(user).iter().any(is_member);
                met.push((Meeting::ExcludeAbsentUser, all && absent));
            }
            Except::UserOf(conn) => met.push((Meeting::BroadcastStranger, all && stranger(conn))),
        }
        if let LobbyRef::Of(conn) = lobby
            && let Some(conn) = self.before.open(*conn)
        {
            let lobbies = conn.lobbies.len();
            met.push((Meeting::BroadcastOfNone, lobbies == 0 && addressed == 0));
            met.push((Meeting::BroadcastOfSeveral, lobbies > 1 && all));
        }
        met
    }

    /// Somebody goes for its backlog, and others get the message.
    fn evicts_within_send(&self) -> bool {
        let goes = |conn| {
            self.evicts(|evicted, cause| {
                evicted == conn && matches!(cause, Eviction::SlowConsumer | Eviction::OverBudget)
            })
        };
        let sends = self.outcome.told.iter().any(|told| match told {
            Told::Send { to, .. } => !to.iter().any(|&conn| goes(conn)),
            _ => false,
        });
        sends && self.before.open_conns().any(|conn| goes(conn.id))
    }

    fn was_closing(&self, conn: ConnId) -> bool {
        let mut conns = self.before.conns.iter();
        conns.any(|other| other.id == conn && other.phase != Phase::Open)
    }

    fn evicts(&self, wanted: impl Fn(ConnId, Eviction) -> bool) -> bool {
        let mut told = self.outcome.told.iter();
        told.any(|told| matches!(told, Told::Evict { conn, cause, .. } if wanted(*conn, *cause)))
    }
}
