//! Outputs and replies as owned values, so that the model can make them and a failure shows them side by side.

use std::time::Duration;

use crate::{
    Closing, Command, ConfigError, ConnId, Ending, Eviction, Inbound, JoinError, Lapse, LobbyId, Notice, Outbox,
    Output, Payload, RateScope, Receipt, Refusal, RefusalRule, Reply, ReservationId, Retry,
};

/// A payload; the model cannot make a `Payload::Ping`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Words {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A ping frame.
    Ping(String),
}

impl From<&Payload> for Words {
    fn from(payload: &Payload) -> Self {
        match payload {
            Payload::Text(text) => Self::Text(text.as_str().into()),
            Payload::Binary(bytes) => Self::Binary(bytes.to_vec()),
            Payload::Ping(data) => Self::Ping(String::from_utf8_lossy(data.as_bytes()).into()),
        }
    }
}

/// One output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Send {
        to: Vec<ConnId>,
        payload: Words,
    },
    Close {
        conn: ConnId,
        code: u16,
        reason: String,
        cause: Closing,
        receipt: Receipt,
    },
    Evict {
        conn: ConnId,
        cause: Eviction,
        receipt: Receipt,
    },
    LobbyOpened {
        lobby: LobbyId,
        name: String,
    },
    LobbyClosed {
        lobby: LobbyId,
        name: String,
    },
    Joined {
        lobby: LobbyId,
        name: String,
        user: String,
        revision: u64,
    },
    Left {
        lobby: LobbyId,
        name: String,
        user: String,
        revision: u64,
    },
    Ended {
        conn: ConnId,
        user: String,
        ending: Ending,
    },
    Pong {
        conn: ConnId,
        rtt: Duration,
        requested: bool,
    },
    PingTimedOut {
        conn: ConnId,
    },
    Paused {
        by: Duration,
    },
    StaleWave {
        missed: u32,
        open: u32,
    },
    Writable {
        conn: ConnId,
        dropped: u32,
    },
    Throttled {
        conn: ConnId,
        by: RateScope,
        retry_after: Duration,
        violations: u32,
        receipt: Receipt,
    },
    Lapsed {
        reservation: ReservationId,
        lobby: String,
        user: String,
        why: Lapse,
    },
    Drained {
        took: Duration,
    },
}

/// All that came of one call: what it returned and what it wrote, as owned values that can be compared and printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub(super) answered: Answered,
    pub(super) told: Vec<Told>,
}

impl Outcome {
    /// What a call returned and wrote. The outbox holds nothing else.
    pub fn of(reply: &Reply, out: &Outbox) -> Self {
        Self {
            answered: reply.into(),
            told: out.iter().map(Told::from).collect(),
        }
    }

    /// Whether nothing was written.
    pub fn is_silent(&self) -> bool {
        self.told.is_empty()
    }
}

impl From<Output<'_>> for Told {
    fn from(output: Output<'_>) -> Self {
        match output {
            Output::Command(Command::Send { to, payload }) => Self::Send {
                to: to.to_vec(),
                payload: payload.into(),
            },
            Output::Command(Command::Close {
                conn,
                code,
                reason,
                cause,
                receipt,
            }) => Self::Close {
                conn,
                code,
                reason: reason.into(),
                cause,
                receipt,
            },
            Output::Command(Command::Evict { conn, cause, receipt }) => Self::Evict { conn, cause, receipt },
            Output::Notice(notice) => notice.into(),
        }
    }
}

impl From<Notice<'_>> for Told {
    fn from(notice: Notice<'_>) -> Self {
        match notice {
            Notice::LobbyOpened { lobby, lobby_name } => Self::LobbyOpened {
                lobby,
                name: lobby_name.into(),
            },
            Notice::LobbyClosed { lobby, lobby_name } => Self::LobbyClosed {
                lobby,
                name: lobby_name.into(),
            },
            Notice::Joined {
                lobby,
                lobby_name,
                user,
                revision,
            } => Self::Joined {
                lobby,
                name: lobby_name.into(),
                user: user.into(),
                revision,
            },
            Notice::Left {
                lobby,
                lobby_name,
                user,
                revision,
            } => Self::Left {
                lobby,
                name: lobby_name.into(),
                user: user.into(),
                revision,
            },
            Notice::Ended { conn, user, ending } => Self::Ended {
                conn,
                user: user.into(),
                ending,
            },
            Notice::Pong { conn, rtt, requested } => Self::Pong { conn, rtt, requested },
            Notice::PingTimedOut { conn } => Self::PingTimedOut { conn },
            Notice::Paused { by } => Self::Paused { by },
            Notice::StaleWave { missed, open } => Self::StaleWave { missed, open },
            Notice::Writable { conn, dropped } => Self::Writable { conn, dropped },
            Notice::Throttled {
                conn,
                by,
                retry_after,
                violations,
                receipt,
            } => Self::Throttled {
                conn,
                by,
                retry_after,
                violations,
                receipt,
            },
            Notice::ReservationLapsed {
                reservation,
                lobby_name,
                user,
                why,
            } => Self::Lapsed {
                reservation,
                lobby: lobby_name.into(),
                user: user.into(),
                why,
            },
            Notice::Drained { took } => Self::Drained { took },
        }
    }
}

/// What a call returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    Connected(Result<ConnId, TurnedAway>),
    Message(Inbound),
    Ticked,
    Changed(bool),
    Addressed(usize),
    Entered(Result<LobbyId, NotEntered>),
    LimitSet(Result<(), ConfigError>),
    Reserved(Result<ReservationId, TurnedAway>),
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TurnedAway {
    pub(crate) rule: RefusalRule,
    pub(crate) code: u16,
    pub(crate) reason: String,
    pub(crate) retry: Retry,
    /// The reason in the close frame, with its advice.
    pub(crate) on_the_wire: String,
    pub(crate) receipt: Receipt,
}

/// A lobby that could not be entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotEntered {
    UnknownConnection,
    NotMember,
    TooManyLobbies(Receipt),
    Refused(TurnedAway),
}

impl From<&Refusal> for TurnedAway {
    fn from(refusal: &Refusal) -> Self {
        Self {
            rule: refusal.rule(),
            code: refusal.code(),
            reason: refusal.reason().into(),
            retry: refusal.retry(),
            on_the_wire: refusal.close_frame().reason().into(),
            receipt: refusal.receipt(),
        }
    }
}

impl From<&JoinError> for NotEntered {
    fn from(error: &JoinError) -> Self {
        match error {
            JoinError::UnknownConnection => Self::UnknownConnection,
            JoinError::NotMember => Self::NotMember,
            JoinError::TooManyLobbies(receipt) => Self::TooManyLobbies(*receipt),
            JoinError::Refused(refusal) => Self::Refused(refusal.into()),
        }
    }
}

impl From<&Reply> for Answered {
    fn from(reply: &Reply) -> Self {
        match reply {
            Reply::Connected(result) => Self::Connected(result.as_ref().map(|&conn| conn).map_err(Into::into)),
            Reply::Message(inbound) => Self::Message(*inbound),
            Reply::Ticked => Self::Ticked,
            Reply::Changed(changed) => Self::Changed(*changed),
            Reply::Addressed(addressed) => Self::Addressed(*addressed),
            Reply::Entered(result) => Self::Entered(result.as_ref().map(|&lobby| lobby).map_err(Into::into)),
            Reply::LimitSet(result) => Self::LimitSet(*result),
            Reply::Reserved(result) => Self::Reserved(result.as_ref().map(|&id| id).map_err(Into::into)),
        }
    }
}
