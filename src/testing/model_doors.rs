//! The model's locks, changes of limits, kicks, sources and expiries.

use crate::{CloseFrame, Closing, ConfigError, ConnId, Handshake, Limit, LobbyRef, RefusalRule, Source, Time};

use super::model::Model;
use super::model_entry::{Against, with_advice};

impl Model {
    /// What stands against a user who is not in a lobby that is locked.
    pub(super) fn shut_out(&self, lobby: &str, user: &str) -> Option<Against> {
        let locked = self.lobbies.get(lobby).filter(|lobby| lobby.locked)?;
        let is_seated = locked.users.iter().any(|seated| seated == user);
        (!is_seated).then_some(Against {
            rule: RefusalRule::LobbyLocked,
            seen: 0,
            threshold: 1,
        })
    }

    pub(super) fn set_lock(&mut self, lobby: &LobbyRef<'_>, locked: bool) -> bool {
        let name = self.lobby(lobby).map(|lobby| lobby.name.clone());
        let Some(lobby) = name.and_then(|name| self.lobbies.get_mut(&name)) else {
            return false;
        };
        let changes = lobby.locked != locked;
        lobby.locked = locked;
        changes
    }

    /// A limit of 0 is one, but a connection is in a lobby to begin with, and closed for something; and a message may be
    /// as long as a control frame.
    pub(super) fn set_limit(&mut self, limit: Limit, max: Option<u64>) -> Result<(), ConfigError> {
        let config = &mut self.config;
        let budget = max;
        let max = budget.map(|budget| u32::try_from(budget).unwrap_or(u32::MAX));
        match limit {
            Limit::Connections => config.max_connections = max,
            Limit::ConnectionsPerLobby => config.max_connections_per_lobby = max,
            Limit::ConnectionsPerUser => config.max_connections_per_user = max,
            Limit::LobbiesPerConnection if max == Some(0) => {
                return Err(ConfigError::Zero("max_lobbies_per_connection"));
            }
            Limit::LobbiesPerConnection => config.max_lobbies_per_connection = max,
            Limit::ConnectionsPerSource => config.max_connections_per_source = max,
            Limit::BacklogBytes => config.max_backlog_bytes = max,
            Limit::BacklogMessages => config.max_backlog_messages = max,
            Limit::TotalBacklogBytes => config.max_total_backlog_bytes = budget,
            Limit::Violations if max == Some(0) => return Err(ConfigError::Zero("max_violations")),
            Limit::Violations => config.max_violations = max,
            Limit::MessageBytes => match max {
                Some(few @ ..125) => return Err(ConfigError::MessageBytes(few)),
                _ => config.max_message_bytes = max,
            },
        }
        Ok(())
    }

    pub(super) fn kick_all(&mut self, conns: &[ConnId], close: &CloseFrame) -> usize {
        conns.iter().filter(|&&conn| self.kick(conn, close)).count()
    }

    /// How many open connections there are from a source.
    pub(crate) fn count_from(&self, source: Source) -> usize {
        let theirs = self.open_conns().filter(|conn| conn.source == Some(source));
        theirs.count()
    }

    pub(super) fn check_expiry(&self, handshake: &Handshake<'_>) -> Result<(), Against> {
        match handshake.expires.map(Time::as_nanos) {
            Some(expires) if expires <= self.clock.last => Err(Against {
                rule: RefusalRule::Expired,
                seen: self.clock.last,
                threshold: expires,
            }),
            _ => Ok(()),
        }
    }

    pub(super) fn extend(&mut self, conn: ConnId, expires: Option<Time>) -> bool {
        match self.open_mut(conn) {
            Some(conn) => {
                conn.expires = expires;
                true
            }
            None => false,
        }
    }

    /// Closes all who have expired, the earliest first and at one instant by index.
    pub(super) fn close_expired(&mut self) {
        let now = Time::from_nanos(self.clock.last);
        let expired = self.open_conns().filter_map(|conn| Some((conn.expires?, conn.id)));
        let mut expired: Vec<_> = expired.filter(|&(expires, _)| expires <= now).collect();
        expired.sort_by_key(|(expires, conn)| (*expires, conn.index()));
        for (expires, conn) in expired {
            let answer = &self.config.answers.expired;
            let reason = with_advice(answer.close.reason(), answer.retry);
            let close = CloseFrame::new(answer.close.code(), reason).unwrap();
            self.begin_close(conn, &close, Closing::Expired, (now.as_nanos(), expires.as_nanos()));
            self.counted.expired += 1;
        }
    }
}
