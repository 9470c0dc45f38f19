//! Makes a recorded run as short as it can be while something still comes of it.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::{ControlFlow, Range};

use crate::event::{Call, Event, Except, Input, LobbyRef, Reply, Request};
use crate::id::{ConnId, LobbyId, ReservationId};
use crate::outbox::{Notice, Outbox};

/// The inputs of a run, with what is to be known of it so that some of them can be left out.
///
/// The id of a connection or a reservation depends on all that was admitted before it, so inputs that are left out change
/// the ids of the others. A script knows which input made which id, and names it anew in each [`Excerpt`].
///
/// ```
/// use core::ops::ControlFlow;
/// use lobbykeeper::{Call, Config, Event, Handshake, Input, Manager, Outbox, Script, Time};
///
/// let connect = |secs, user| Input {
///     at: Time::from_secs(secs),
///     call: Call::Event(Event::Connected(Handshake::new("den", user))),
/// };
/// let config = Config { max_connections: Some(2), ..Config::default() };
///
/// // The run as it was.
/// let (mut manager, mut out) = (Manager::new(config.clone())?, Outbox::new());
/// let mut script = Script::new();
/// for (secs, user) in ["ann", "bob", "cid", "dan"].into_iter().enumerate() {
///     out.clear();
///     let input = connect(secs as u64, user);
///     let reply = manager.apply(input.clone(), &mut out);
///     script.push(input, Some(&reply), &out);
/// }
///
/// // How few of the inputs are enough for somebody to be refused?
/// let smallest = script.shrink(|excerpt| {
///     let (mut manager, mut out) = (Manager::new(config.clone()).unwrap(), Outbox::new());
///     excerpt.run(|input| {
///         ControlFlow::Continue(manager.apply(input, &mut out))
///     });
///     manager.stats().refusals.server_full > 0
/// });
/// assert_eq!(smallest.unwrap().len(), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Script<'a> {
    steps: Vec<Step<'a>>,
    /// All connections that were made, and by which step.
    conns: BTreeMap<ConnId, usize>,
    /// The same of reservations.
    seats: BTreeMap<ReservationId, usize>,
    lobby_names: BTreeMap<LobbyId, String>,
}

#[derive(Clone, Debug)]
struct Step<'a> {
    input: Input<'a>,
    /// The connection or the reservation that it made.
    made: Option<Made>,
}

/// What has an id.
#[derive(Clone, Copy, Debug)]
enum Made {
    Conn(ConnId),
    Seat(ReservationId),
}

impl Made {
    const fn by(reply: &Reply) -> Option<Self> {
        match reply {
            Reply::Connected(Ok(conn)) => Some(Self::Conn(*conn)),
            Reply::Reserved(Ok(seat)) => Some(Self::Seat(*seat)),
            _ => None,
        }
    }
}

/// Some of the inputs of a [`Script`], in their order.
#[derive(Clone, Debug)]
pub struct Excerpt<'s, 'a> {
    script: &'s Script<'a>,
    kept: Vec<usize>,
}

impl<'a> Script<'a> {
    /// An empty one.
    pub const fn new() -> Self {
        Self {
            steps: Vec::new(),
            conns: BTreeMap::new(),
            seats: BTreeMap::new(),
            lobby_names: BTreeMap::new(),
        }
    }

    /// Adds the next input, with the manager's reply (`None` if it never came: the call panicked, say) and an outbox
    /// that holds what the call wrote; what is in it from earlier calls does no harm. O(outputs x log lobbies).
    pub fn push(&mut self, mut input: Input<'a>, reply: Option<&Reply>, out: &Outbox) {
        for notice in out.notices() {
            if let Notice::LobbyOpened { lobby, lobby_name } = notice {
                self.lobby_names.insert(lobby, lobby_name.into());
            }
        }
        if let Some(lobby) = lobby_mut(&mut input.call)
            && let LobbyRef::Id(id) = lobby
            && let Some(name) = self.lobby_names.get(id)
        {
            // Who opens a lobby may be left out, and another one will then: its name stays the same.
            *lobby = LobbyRef::Name(Cow::Owned(name.clone()));
        }
        let (made, step) = (reply.and_then(Made::by), self.steps.len());
        match made {
            Some(Made::Conn(conn)) => _ = self.conns.insert(conn, step),
            // Who reserves once more with a reservation is told the same one.
            Some(Made::Seat(seat)) => _ = self.seats.entry(seat).or_insert(step),
            None => {}
        }
        self.steps.push(Step { input, made });
    }

    /// All of it.
    pub fn whole(&self) -> Excerpt<'_, 'a> {
        Excerpt {
            script: self,
            kept: (0..self.steps.len()).collect(),
        }
    }

    /// The smallest excerpt that is found to fail: none of its inputs can be left out alone. `None` if not even the
    /// whole fails.
    ///
    /// `fails` runs an excerpt with a new manager and looks for what it wants to keep. It is called O(n) times for n
    /// inputs if little has to be kept, and O(n^2) times at worst.
    pub fn shrink(&self, mut fails: impl FnMut(&Excerpt<'_, 'a>) -> bool) -> Option<Excerpt<'_, 'a>> {
        let mut smallest = self.whole();
        if !fails(&smallest) {
            return None;
        }
        let mut chunk = smallest.len();
        while chunk > 0 {
            let mut is_shorter = false;
            // From the end: what comes later needs what came before, not the other way round.
            let mut end = smallest.len();
            while end > 0 {
                let start = end.saturating_sub(chunk);
                let shorter = smallest.without(start..end);
                if fails(&shorter) {
                    smallest = shorter;
                    is_shorter = true;
                }
                end = start;
            }
            if chunk > 1 || !is_shorter {
                chunk /= 2;
            }
        }
        Some(smallest)
    }
}

impl Excerpt<'_, '_> {
    /// How many inputs it has.
    pub const fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether it has none.
    pub const fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Hands the inputs to `apply` one by one, until there are no more or it breaks. It passes them to a manager, or to
    /// a recorder, and returns the reply.
    ///
    /// Connections, reservations and lobbies have the names that they have in this run. An input about a connection whose
    /// admission is left out, or was refused this time, is left out too, and so is the release of such a reservation. Who
    /// would come with one comes without.
    pub fn run(&self, mut apply: impl FnMut(Input<'_>) -> ControlFlow<(), Reply>) {
        let (mut conns, mut seats) = (BTreeMap::new(), BTreeMap::new());
        for &index in &self.kept {
            let Some(step) = self.script.steps.get(index) else {
                continue;
            };
            let mut input = step.input.clone();
            let conn = |conn| name(conn, index, &conns, &self.script.conns);
            let seat = |seat| name(seat, index, &seats, &self.script.seats);
            if !rename(&mut input.call, conn, seat) {
                continue;
            }
            let ControlFlow::Continue(reply) = apply(input) else {
                return;
            };
            match (step.made, Made::by(&reply)) {
                (Some(Made::Conn(then)), Some(Made::Conn(now))) => _ = conns.insert(then, now),
                (Some(Made::Seat(then)), Some(Made::Seat(now))) => _ = seats.insert(then, now),
                _ => {}
            }
        }
    }

    fn without(&self, range: Range<usize>) -> Self {
        let (head, tail) = (self.kept.get(..range.start), self.kept.get(range.end..));
        Self {
            script: self.script,
            kept: [head.unwrap_or_default(), tail.unwrap_or_default()].concat(),
        }
    }
}

/// The name in this run of what had this id in the whole run, when step `index` comes. `None` if it was there then and is
/// not now.
fn name<I: Copy + Ord>(id: I, index: usize, names: &BTreeMap<I, I>, made: &BTreeMap<I, usize>) -> Option<I> {
    match names.get(&id) {
        None if made.get(&id).is_some_and(|&made| made < index) => None,
        // An id that nothing before it made was a stranger in the whole run as well.
        name => Some(name.copied().unwrap_or(id)),
    }
}

/// The lobby that a request refers to.
const fn lobby_mut<'c, 'a>(call: &'c mut Call<'a>) -> Option<&'c mut LobbyRef<'a>> {
    match call {
        Call::Request(
            Request::Broadcast { lobby, .. }
            | Request::SwitchLobby { from: lobby, .. }
            | Request::Leave { lobby, .. }
            | Request::KickLobby { lobby, .. }
            | Request::LockLobby { lobby }
            | Request::UnlockLobby { lobby },
        ) => Some(lobby),
        _ => None,
    }
}

/// Gives every connection and reservation in it its new name. False if it is about one that has none.
fn rename(
    call: &mut Call<'_>,
    name: impl Fn(ConnId) -> Option<ConnId>,
    seat: impl Fn(ReservationId) -> Option<ReservationId>,
) -> bool {
    let named = |conn: &mut ConnId| name(*conn).map(|name| *conn = name).is_some();
    if let Some(LobbyRef::Of(conn)) = lobby_mut(call)
        && !named(conn)
    {
        return false;
    }
    match call {
        Call::Event(event) => match event {
            Event::Connected(handshake) => {
                handshake.reservation = handshake.reservation.and_then(seat);
                true
            }
            Event::Tick => true,
            Event::Message { conn, .. } | Event::Closed { conn, .. } | Event::Flushed { conn, .. } => named(conn),
        },
        Call::Request(request) => match request {
            Request::Broadcast { except, .. } | Request::BroadcastAll { except, .. } => {
                // One who is not there leaves nobody out.
                if let Except::Conn(conn) | Except::UserOf(conn) = except
                    && !named(conn)
                {
                    *except = Except::Nobody;
                }
                true
            }
            Request::SendTo { conn, .. }
            | Request::Join { conn, .. }
            | Request::SwitchLobby { conn, .. }
            | Request::Leave { conn, .. }
            | Request::Kick { conn, .. }
            | Request::Extend { conn, .. } => named(conn),
            Request::Reserve(handshake) => {
                handshake.reservation = handshake.reservation.and_then(seat);
                true
            }
            Request::Release { reservation } => seat(*reservation).map(|name| *reservation = name).is_some(),
            Request::SendToUser { .. }
            | Request::PingUser { .. }
            | Request::CloseAll { .. }
            | Request::KickUser { .. }
            | Request::KickLobby { .. }
            | Request::LockLobby { .. }
            | Request::UnlockLobby { .. }
            | Request::SetLimit { .. }
            | Request::SetRate { .. }
            | Request::Drain { .. } => true,
        },
    }
}
