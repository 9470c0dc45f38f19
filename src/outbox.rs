//! What comes out: commands for the driver, notices for the application.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::iter;
use core::ops::Range;
use core::time::Duration;

use serde::Serialize;

use crate::ending::{Closing, Ending, Eviction, Lapse};
use crate::event::RateScope;
use crate::id::{ConnId, LobbyId, ReservationId};
use crate::payload::{Payload, Text};
use crate::receipt::Receipt;
use crate::refusal::CloseFrame;
use crate::time::nanos;

/// The caller's own buffer for what a [`Manager`](crate::Manager) writes.
///
/// Every mutating call appends to it; it may span many calls. Read it with `for output in &outbox`, or with
/// [`commands`](Self::commands) if the notices are of no interest, then [`clear`](Self::clear) it. It keeps its memory,
/// so that nothing is allocated once it is warm.
///
/// A driver holds two: while it reads one, its calls write the other; then clear, swap, and again until it is empty.
/// The front page has the loop.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    records: Vec<Record>,
    /// The recipients of all sends, run after run.
    ids: Vec<ConnId>,
    /// The names in all notices, end to end.
    names: String,
}

/// An output, with what it borrows replaced by where that lies.
#[derive(Clone, Debug)]
enum Record {
    Send {
        to: Range<usize>,
        payload: Payload,
    },
    Close {
        conn: ConnId,
        code: u16,
        reason: Text,
        cause: Closing,
        receipt: Receipt,
    },
    Evict {
        conn: ConnId,
        cause: Eviction,
        receipt: Receipt,
    },
    Presence {
        joined: bool,
        lobby: LobbyId,
        lobby_name: Range<usize>,
        user: Range<usize>,
        revision: u64,
    },
    Lobby {
        opened: bool,
        lobby: LobbyId,
        lobby_name: Range<usize>,
    },
    Ended {
        conn: ConnId,
        user: Range<usize>,
        ending: Ending,
    },
    Lapsed {
        reservation: ReservationId,
        lobby_name: Range<usize>,
        user: Range<usize>,
        why: Lapse,
    },
    /// A notice without names.
    Notice(Notice<'static>),
}

/// One thing that the manager wrote.
///
/// JSON form: `{"command":{...}}`, `{"notice":{...}}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Output<'a> {
    /// The driver is to do something.
    Command(Command<'a>),
    /// Something happened that the application may want to word, log or ignore.
    Notice(Notice<'a>),
}

/// What the driver is to do. Exhaustive on purpose: a driver must handle all of it.
///
/// JSON form: `{"send":{"to":["c0v1"],"payload":{"text":"hello"}}}`,
/// `{"close":{"conn":"c0v1","code":1001,"reason":"shutdown","cause":"requested","receipt":{...}}}`,
/// `{"evict":{"conn":"c0v1","cause":"stale","receipt":{...}}}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Command<'a> {
    /// Send one message to each of these connections. An id that the driver no longer knows is skipped: it ended later
    /// in the same outbox, or its end has been reported since.
    Send {
        /// The recipients, in order.
        to: &'a [ConnId],
        /// The message, shared.
        payload: &'a Payload,
    },
    /// Start the closing handshake (RFC 6455, section 7.1.2), and report [`closed`](crate::Manager::closed) when it is
    /// over. Nothing is sent to the connection afterwards, and what it still sends is stale.
    #[non_exhaustive]
    Close {
        /// Which connection.
        conn: ConnId,
        /// The close code.
        code: u16,
        /// The reason, at most 123 bytes.
        reason: &'a str,
        /// Why.
        cause: Closing,
        /// What that rests on.
        receipt: Receipt,
    },
    /// Drop the socket now, without a handshake. The id has ended; a later `closed` is a no-op.
    #[non_exhaustive]
    Evict {
        /// Which connection.
        conn: ConnId,
        /// Why.
        cause: Eviction,
        /// What that rests on.
        receipt: Receipt,
    },
}

/// What happened, in the application's terms. `Display` words it for logs.
///
/// JSON form: `{"joined":{"lobby":"l0v1","lobby_name":"den","user":"ann","revision":1}}` and so on, with durations as
/// whole nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Notice<'a> {
    /// A user's first connection entered a lobby.
    Joined {
        /// The lobby.
        lobby: LobbyId,
        /// Its name.
        lobby_name: &'a str,
        /// Who.
        user: &'a str,
        /// The number of this change to the lobby's roster: 1, 2, 3 and so on. A client that has the
        /// [roster](crate::Manager::lobby_users) of a revision drops the changes up to it.
        revision: u64,
    },
    /// A user's last connection left a lobby.
    Left {
        /// The lobby.
        lobby: LobbyId,
        /// Its name.
        lobby_name: &'a str,
        /// Who.
        user: &'a str,
        /// The number of this change to the lobby's roster.
        revision: u64,
    },
    /// A connection is gone; its id will never come back. Exactly once for each admitted connection.
    Ended {
        /// Which connection.
        conn: ConnId,
        /// Whose it was.
        user: &'a str,
        /// Why.
        ending: Ending,
    },
    /// A lobby opened; its first member follows.
    LobbyOpened {
        /// The lobby.
        lobby: LobbyId,
        /// Its name.
        lobby_name: &'a str,
    },
    /// A lobby's last member left.
    LobbyClosed {
        /// The lobby.
        lobby: LobbyId,
        /// Its name.
        lobby_name: &'a str,
    },
    /// A connection answered its outstanding ping.
    Pong {
        /// Which connection.
        conn: ConnId,
        /// The round-trip time.
        #[serde(with = "nanos")]
        rtt: Duration,
        /// Somebody had asked with [`ping_user`](crate::Manager::ping_user), and this is the answer.
        requested: bool,
    },
    /// A connection did not answer a [`ping_user`](crate::Manager::ping_user) in time, or went before it could.
    PingTimedOut {
        /// Which connection.
        conn: ConnId,
    },
    /// The server itself stood still, so nobody's silence of that time counts.
    Paused {
        /// For how long.
        #[serde(with = "nanos")]
        by: Duration,
    },
    /// So many connections are silent that the server's own network is suspect. Each is given one more ping.
    StaleWave {
        /// Connections with a missed ping.
        missed: u32,
        /// Open connections.
        open: u32,
    },
    /// Messages to a connection were dropped, as their [`Delivery`](crate::Delivery) allows, and now there is room again:
    /// its backlog has fallen to half of each of its caps or less. The application sends it its latest state.
    Writable {
        /// Which connection.
        conn: ConnId,
        /// How many messages were dropped since it was open or the last such notice.
        dropped: u32,
    },

    /// A message came too soon after others and was dropped. If it was one violation too many, `Close` follows.
    Throttled {
        /// Whose message.
        conn: ConnId,
        /// Which rate stood against it.
        by: RateScope,
        /// When a message would be taken, if no other is until then.
        #[serde(with = "nanos")]
        retry_after: Duration,
        /// The violations of this connection that are not forgotten, with this one.
        violations: u32,
        /// What that rests on.
        receipt: Receipt,
    },
    /// A reserved seat is given up, though nobody used or [released](crate::Manager::release) the reservation.
    ReservationLapsed {
        /// Which reservation.
        reservation: ReservationId,
        /// In which lobby the seat was.
        lobby_name: &'a str,
        /// For whom.
        user: &'a str,
        /// Why.
        why: Lapse,
    },
    /// The server is empty: a [drain](crate::Manager::drain) has come to its end. Once, and nothing follows.
    Drained {
        /// How long it took, on the driver's clock.
        #[serde(with = "nanos")]
        took: Duration,
    },
}

impl fmt::Display for Notice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Joined {
                lobby_name,
                user,
                revision,
                ..
            } => {
                write!(f, "{user:?} joined {lobby_name:?} (revision {revision})")
            }
            Self::Left {
                lobby_name,
                user,
                revision,
                ..
            } => {
                write!(f, "{user:?} left {lobby_name:?} (revision {revision})")
            }
            Self::Ended { conn, user, ending } => write!(f, "{conn} of {user:?} ended: {ending}"),
            Self::LobbyOpened { lobby, lobby_name } => write!(f, "{lobby} opened: {lobby_name:?}"),
            Self::LobbyClosed { lobby, lobby_name } => write!(f, "{lobby} closed: {lobby_name:?}"),
            Self::Pong { conn, rtt, .. } => write!(f, "{conn} answered in {rtt:?}"),
            Self::PingTimedOut { conn } => write!(f, "{conn} did not answer"),
            Self::Paused { by } => write!(f, "the server stood still for {by:?}"),
            Self::StaleWave { missed, open } => {
                write!(f, "{missed} of {open} connections are silent")
            }
            Self::Writable { conn, dropped } => write!(f, "{conn} has room again, after {dropped} dropped"),
            Self::Throttled {
                conn,
                by,
                retry_after,
                violations,
                ..
            } => {
                write!(
                    f,
                    "{conn} is throttled by the rate of its {by}: again after {retry_after:?} (violation {violations})"
                )
            }
            Self::ReservationLapsed {
                reservation,
                lobby_name,
                user,
                why,
            } => write!(f, "{reservation} of {user:?} in {lobby_name:?} lapsed: {why}"),
            Self::Drained { took } => write!(f, "drained within {took:?}: nobody is left"),
        }
    }
}

impl Outbox {
    /// An empty outbox. Allocates nothing.
    pub const fn new() -> Self {
        Self {
            records: Vec::new(),
            ids: Vec::new(),
            names: String::new(),
        }
    }

    /// Whether there is nothing to be done.
    pub const fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Forgets everything and keeps the memory. O(outputs).
    pub fn clear(&mut self) {
        self.records.clear();
        self.ids.clear();
        self.names.clear();
    }

    /// All outputs in causal order.
    pub fn iter(&self) -> Outputs<'_> {
        Outputs {
            records: self.records.iter(),
            outbox: self,
        }
    }

    /// The commands alone, in order.
    pub fn commands(&self) -> impl Iterator<Item = Command<'_>> {
        self.iter().filter_map(|output| match output {
            Output::Command(command) => Some(command),
            Output::Notice(_) => None,
        })
    }

    /// The notices alone, in order.
    pub fn notices(&self) -> impl Iterator<Item = Notice<'_>> {
        self.iter().filter_map(|output| match output {
            Output::Command(_) => None,
            Output::Notice(notice) => Some(notice),
        })
    }

    /// Where the recipients of the next send start. They are appended with [`recipients`](Self::recipients) and sealed
    /// with [`send`](Self::send).
    pub(crate) const fn mark(&self) -> usize {
        self.ids.len()
    }

    pub(crate) const fn recipients(&mut self) -> &mut Vec<ConnId> {
        &mut self.ids
    }

    /// Of the recipients since the mark, leaves those for whom this holds.
    pub(crate) fn retain_recipients(&mut self, mark: usize, stays: impl Fn(ConnId) -> bool) {
        let mut kept = mark;
        for at in mark..self.ids.len() {
            if stays(self.ids[at]) {
                self.ids.swap(kept, at);
                kept += 1;
            }
        }
        self.ids.truncate(kept);
    }

    /// Sends to all recipients since the mark, if there are any. Returns how many.
    pub(crate) fn send(&mut self, mark: usize, payload: Payload) -> usize {
        let to = mark..self.ids.len();
        let addressed = to.len();
        if addressed > 0 {
            self.write(|| Record::Send { to, payload });
        }
        addressed
    }

    pub(crate) fn close(&mut self, conn: ConnId, frame: &CloseFrame, cause: Closing, receipt: Receipt) {
        self.write(|| Record::Close {
            conn,
            code: frame.code(),
            reason: frame.reason_text().clone(),
            cause,
            receipt,
        });
    }

    pub(crate) fn evict(&mut self, conn: ConnId, cause: Eviction, receipt: Receipt) {
        self.write(|| Record::Evict { conn, cause, receipt });
    }

    pub(crate) fn presence(&mut self, joined: bool, lobby: LobbyId, lobby_name: &str, user: &str, revision: u64) {
        let (lobby_name, user) = (self.name(lobby_name), self.name(user));
        self.write(|| Record::Presence {
            joined,
            lobby,
            lobby_name,
            user,
            revision,
        });
    }

    pub(crate) fn lobby(&mut self, opened: bool, lobby: LobbyId, lobby_name: &str) {
        let lobby_name = self.name(lobby_name);
        self.write(|| Record::Lobby {
            opened,
            lobby,
            lobby_name,
        });
    }

    pub(crate) fn ended(&mut self, conn: ConnId, user: &str, ending: Ending) {
        let user = self.name(user);
        self.write(|| Record::Ended { conn, user, ending });
    }

    pub(crate) fn lapsed(&mut self, reservation: ReservationId, lobby_name: &str, user: &str, why: Lapse) {
        let (lobby_name, user) = (self.name(lobby_name), self.name(user));
        self.write(|| Record::Lapsed {
            reservation,
            lobby_name,
            user,
            why,
        });
    }

    pub(crate) fn notice(&mut self, notice: Notice<'static>) {
        self.write(|| Record::Notice(notice));
    }

    /// Puts a record together where it is to lie. A `push` would do that elsewhere, field by field, and copy it at once in
    /// larger pieces, which the processor has to wait for: a fifth of what a small broadcast takes.
    fn write(&mut self, record: impl FnOnce() -> Record) {
        self.records.extend(iter::once_with(record));
    }

    fn name(&mut self, name: &str) -> Range<usize> {
        let start = self.names.len();
        self.names.push_str(name);
        start..self.names.len()
    }

    fn output<'a>(&'a self, record: &'a Record) -> Output<'a> {
        let name = |range: &Range<usize>| self.names.get(range.clone()).unwrap_or_default();
        match record {
            Record::Send { to, payload } => Output::Command(Command::Send {
                to: self.ids.get(to.clone()).unwrap_or_default(),
                payload,
            }),
            Record::Close {
                conn,
                code,
                reason,
                cause,
                receipt,
            } => Output::Command(Command::Close {
                conn: *conn,
                code: *code,
                reason: reason.as_str(),
                cause: *cause,
                receipt: *receipt,
            }),
            Record::Evict { conn, cause, receipt } => Output::Command(Command::Evict {
                conn: *conn,
                cause: *cause,
                receipt: *receipt,
            }),
            Record::Presence {
                joined,
                lobby,
                lobby_name,
                user,
                revision,
            } => {
                let (lobby, lobby_name, user, revision) = (*lobby, name(lobby_name), name(user), *revision);
                Output::Notice(if *joined {
                    Notice::Joined {
                        lobby,
                        lobby_name,
                        user,
                        revision,
                    }
                } else {
                    Notice::Left {
                        lobby,
                        lobby_name,
                        user,
                        revision,
                    }
                })
            }
            Record::Lobby {
                opened,
                lobby,
                lobby_name,
            } => {
                let (lobby, lobby_name) = (*lobby, name(lobby_name));
                Output::Notice(if *opened {
                    Notice::LobbyOpened { lobby, lobby_name }
                } else {
                    Notice::LobbyClosed { lobby, lobby_name }
                })
            }
            Record::Ended { conn, user, ending } => Output::Notice(Notice::Ended {
                conn: *conn,
                user: name(user),
                ending: *ending,
            }),
            Record::Lapsed {
                reservation,
                lobby_name,
                user,
                why,
            } => Output::Notice(Notice::ReservationLapsed {
                reservation: *reservation,
                lobby_name: name(lobby_name),
                user: name(user),
                why: *why,
            }),
            Record::Notice(notice) => Output::Notice(*notice),
        }
    }
}

impl<'a> IntoIterator for &'a Outbox {
    type Item = Output<'a>;
    type IntoIter = Outputs<'a>;

    fn into_iter(self) -> Outputs<'a> {
        self.iter()
    }
}

/// The outputs in an [`Outbox`], in causal order.
#[derive(Clone, Debug)]
pub struct Outputs<'a> {
    records: core::slice::Iter<'a, Record>,
    outbox: &'a Outbox,
}

impl<'a> Iterator for Outputs<'a> {
    type Item = Output<'a>;

    fn next(&mut self) -> Option<Output<'a>> {
        self.records.next().map(|record| self.outbox.output(record))
    }

    /// O(1).
    fn nth(&mut self, index: usize) -> Option<Output<'a>> {
        self.records.nth(index).map(|record| self.outbox.output(record))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.records.size_hint()
    }
}

impl ExactSizeIterator for Outputs<'_> {}
