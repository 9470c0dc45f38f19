//! A manager at a desk: its outputs as short lines of text, so that a test shows what is written and in which order.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::time::Duration;

use lobbykeeper::{
    Cause, CloseFrame, Command, Config, ConnId, DropReason, Except, Frame, Handshake, Inbound, Limit, Manager, Notice,
    Outbox, Output, Payload, Rate, RateLimit, RateScope, Refusal, RefusalRule, ReservationId, Time,
};

/// So many seconds after the origin.
pub(crate) fn at(seconds: u64) -> Time {
    Time::from_secs(seconds)
}

/// Settings under which nobody is ever pinged.
pub(crate) fn without_pings() -> Config {
    Config {
        ping_interval: None,
        ..Config::default()
    }
}

/// A manager, its outbox and its clock.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) manager: Manager,
    pub(crate) now: Time,
    pub(crate) out: Outbox,
}

impl Desk {
    /// With the default settings.
    pub(crate) fn open() -> Self {
        Self::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> Self {
        Self {
            manager: Manager::new(config).unwrap(),
            now: Time::ZERO,
            out: Outbox::new(),
        }
    }

    pub(crate) fn wait(&mut self, duration: Duration) {
        self.now = self.now + duration;
    }

    /// Calls the manager.
    pub(crate) fn call<R>(&mut self, call: impl FnOnce(&mut Manager, Time, &mut Outbox) -> R) -> R {
        call(&mut self.manager, self.now, &mut self.out)
    }

    /// A connection that is admitted; what is written about it is forgotten.
    pub(crate) fn connect(&mut self, lobby: &str, user: &str) -> ConnId {
        let conn = self.try_connect(lobby, user).unwrap();
        self.out.clear();
        conn
    }

    pub(crate) fn try_connect(&mut self, lobby: &str, user: &str) -> Result<ConnId, Refusal> {
        self.admit(Handshake::new(lobby, user))
    }

    pub(crate) fn admit(&mut self, handshake: Handshake<'_>) -> Result<ConnId, Refusal> {
        self.call(|manager, now, out| manager.connected(now, handshake, out))
    }

    pub(crate) fn reserve(&mut self, handshake: Handshake<'_>) -> Result<ReservationId, Refusal> {
        self.call(|manager, now, out| manager.reserve(now, handshake, out))
    }

    pub(crate) fn release(&mut self, reservation: ReservationId) -> bool {
        self.call(|manager, now, out| manager.release(now, reservation, out))
    }

    pub(crate) fn set_limit(&mut self, limit: Limit, max: impl Into<Option<u32>>) {
        self.call(|manager, now, out| manager.set_limit(now, limit, max.into().map(u64::from), out))
            .unwrap();
    }

    pub(crate) fn set_rate(&mut self, limit: RateLimit, rate: impl Into<Option<Rate>>) {
        self.call(|manager, now, out| manager.set_rate(now, limit, rate.into(), out))
            .unwrap();
    }

    pub(crate) fn lock(&mut self, lobby: &str) -> bool {
        self.call(|manager, now, out| manager.lock_lobby(now, lobby, out))
    }

    pub(crate) fn unlock(&mut self, lobby: &str) -> bool {
        self.call(|manager, now, out| manager.unlock_lobby(now, lobby, out))
    }

    /// By which rule a newcomer is refused.
    pub(crate) fn refused(&mut self, lobby: &str, user: &str) -> Option<RefusalRule> {
        self.try_connect(lobby, user).err().map(|refusal| refusal.rule())
    }

    pub(crate) fn closed(&mut self, conn: ConnId) -> bool {
        self.call(|manager, now, out| manager.closed(now, conn, Cause::Peer, out))
    }

    pub(crate) fn kick(&mut self, conn: ConnId) -> bool {
        self.call(|manager, now, out| manager.kick(now, conn, &frame(4000, "bye"), out))
    }

    pub(crate) fn say(&mut self, conn: ConnId, text: &str) -> Inbound {
        self.call(|manager, now, out| manager.message(now, conn, Frame::text(text), out))
    }

    /// Says what comes too soon: the rate that stands against it, and when it would be taken, which its notice tells.
    pub(crate) fn say_too_soon(&mut self, conn: ConnId, text: &str) -> (RateScope, Duration) {
        let inbound = self.say(conn, text);
        let throttled = self.out.notices().filter_map(|notice| match notice {
            Notice::Throttled { by, retry_after, .. } => Some((by, retry_after)),
            _ => None,
        });
        let (by, retry_after) = throttled.last().expect("nobody was throttled");
        assert_eq!(inbound, Inbound::Dropped(DropReason::Throttled { by }));
        (by, retry_after)
    }

    pub(crate) fn tick(&mut self) {
        self.call(Manager::tick);
    }

    /// Broadcasts `hi` to a lobby. Returns how many are addressed.
    pub(crate) fn hail(&mut self, lobby: &str, except: Except<'_>) -> usize {
        self.call(|manager, now, out| manager.broadcast(now, lobby, hi(), except, out))
    }

    /// The members of a lobby in the order of joining.
    pub(crate) fn members(&self, lobby: &str) -> Vec<ConnId> {
        self.manager.lobby_connections(lobby).collect()
    }

    /// The users of a lobby in the order of arrival, and the revision; nobody at revision 0 if it is not open.
    pub(crate) fn roster(&self, lobby: &str) -> (Vec<&str>, u64) {
        let users = self.manager.lobby_users(lobby);
        users.map_or_else(Default::default, |users| (users.iter().collect(), users.revision()))
    }

    /// All that was written since the last call, a line each.
    pub(crate) fn said(&mut self) -> Vec<String> {
        let said = self.out.iter().map(line).collect();
        self.out.clear();
        said
    }

    /// As `said`, but the recipients of all sends.
    pub(crate) fn recipients(&mut self) -> Vec<ConnId> {
        let to = self.out.commands().flat_map(|command| match command {
            Command::Send { to, .. } => to.to_vec(),
            _ => Vec::new(),
        });
        let to = to.collect();
        self.out.clear();
        to
    }
}

/// `send c0v1 c1v1: hi`, `close c0v1 4005 replaced`, `evict c0v1 stale`, `joined den ann 1`, `left den ann 2`, `opened
/// den`, `closed den`, `ended c0v1 ann: closed by the peer`; other notices as they word themselves.
fn line(output: Output<'_>) -> String {
    match output {
        Output::Command(Command::Send { to, payload }) => {
            let to: Vec<_> = to.iter().map(ConnId::to_string).collect();
            let payload = String::from_utf8_lossy(payload.as_bytes());
            format!("send {}: {payload}", to.join(" "))
        }
        Output::Command(Command::Close { conn, code, reason, .. }) => format!("close {conn} {code} {reason}"),
        Output::Command(Command::Evict { conn, cause, .. }) => format!("evict {conn} {cause}"),
        Output::Notice(notice) => match notice {
            Notice::Joined {
                lobby_name,
                user,
                revision,
                ..
            } => format!("joined {lobby_name} {user} {revision}"),
            Notice::Left {
                lobby_name,
                user,
                revision,
                ..
            } => format!("left {lobby_name} {user} {revision}"),
            Notice::LobbyOpened { lobby_name, .. } => format!("opened {lobby_name}"),
            Notice::LobbyClosed { lobby_name, .. } => format!("closed {lobby_name}"),
            Notice::Ended { conn, user, ending } => format!("ended {conn} {user}: {ending}"),
            other => other.to_string(),
        },
    }
}

pub(crate) fn hi() -> Payload {
    Payload::text("hi")
}

pub(crate) fn frame(code: u16, reason: &str) -> CloseFrame {
    CloseFrame::new(code, reason).unwrap()
}

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}
