//! The limits that can be changed while the server runs, and how high each of them has been.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::gcra::Rate;

/// A limit of [`Config`] that [`Manager::set_limit`](crate::Manager::set_limit) can change.
///
/// JSON form: `"connections"`, `"connections_per_lobby"` and so on. `Display` gives the name of the setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Limit {
    /// [`Config::max_connections`].
    Connections,
    /// [`Config::max_connections_per_lobby`].
    ConnectionsPerLobby,
    /// [`Config::max_connections_per_user`].
    ConnectionsPerUser,
    /// [`Config::max_lobbies_per_connection`].
    LobbiesPerConnection,
    /// [`Config::max_connections_per_source`].
    ConnectionsPerSource,
    /// [`Config::max_backlog_bytes`].
    BacklogBytes,
    /// [`Config::max_backlog_messages`].
    BacklogMessages,
    /// [`Config::max_total_backlog_bytes`].
    TotalBacklogBytes,
    /// [`Config::max_violations`].
    Violations,
    /// [`Config::max_message_bytes`].
    MessageBytes,
}

impl Limit {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Connections,
        Self::ConnectionsPerLobby,
        Self::ConnectionsPerUser,
        Self::LobbiesPerConnection,
        Self::ConnectionsPerSource,
        Self::BacklogBytes,
        Self::BacklogMessages,
        Self::TotalBacklogBytes,
        Self::Violations,
        Self::MessageBytes,
    ];

    /// The name of the setting.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connections => "max_connections",
            Self::ConnectionsPerLobby => "max_connections_per_lobby",
            Self::ConnectionsPerUser => "max_connections_per_user",
            Self::LobbiesPerConnection => "max_lobbies_per_connection",
            Self::ConnectionsPerSource => "max_connections_per_source",
            Self::BacklogBytes => "max_backlog_bytes",
            Self::BacklogMessages => "max_backlog_messages",
            Self::TotalBacklogBytes => "max_total_backlog_bytes",
            Self::Violations => "max_violations",
            Self::MessageBytes => "max_message_bytes",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A rate of [`Config`] that [`Manager::set_rate`](crate::Manager::set_rate) can change.
///
/// JSON form: `"messages"`, `"user_messages"`, `"connects"`. `Display` gives the name of the setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RateLimit {
    /// [`Config::message_rate`].
    Messages,
    /// [`Config::user_message_rate`].
    UserMessages,
    /// [`Config::connect_rate`].
    Connects,
}

impl RateLimit {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Messages, Self::UserMessages, Self::Connects];

    /// The name of the setting.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Messages => "message_rate",
            Self::UserMessages => "user_message_rate",
            Self::Connects => "connect_rate",
        }
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Config {
    /// The value of a limit; `None` if it is off.
    pub fn limit(&self, limit: Limit) -> Option<u64> {
        let max = match limit {
            Limit::Connections => self.max_connections,
            Limit::ConnectionsPerLobby => self.max_connections_per_lobby,
            Limit::ConnectionsPerUser => self.max_connections_per_user,
            Limit::LobbiesPerConnection => self.max_lobbies_per_connection,
            Limit::ConnectionsPerSource => self.max_connections_per_source,
            Limit::BacklogBytes => self.max_backlog_bytes,
            Limit::BacklogMessages => self.max_backlog_messages,
            Limit::TotalBacklogBytes => return self.max_total_backlog_bytes,
            Limit::Violations => self.max_violations,
            Limit::MessageBytes => self.max_message_bytes,
        };
        max.map(u64::from)
    }

    /// Gives a limit another value: the highest that the setting holds if this is higher, which limits nothing either.
    pub(crate) fn set_limit(&mut self, limit: Limit, max: Option<u64>) {
        let setting = match limit {
            Limit::Connections => &mut self.max_connections,
            Limit::ConnectionsPerLobby => &mut self.max_connections_per_lobby,
            Limit::ConnectionsPerUser => &mut self.max_connections_per_user,
            Limit::LobbiesPerConnection => &mut self.max_lobbies_per_connection,
            Limit::ConnectionsPerSource => &mut self.max_connections_per_source,
            Limit::BacklogBytes => &mut self.max_backlog_bytes,
            Limit::BacklogMessages => &mut self.max_backlog_messages,
            Limit::TotalBacklogBytes => {
                self.max_total_backlog_bytes = max;
                return;
            }
            Limit::Violations => &mut self.max_violations,
            Limit::MessageBytes => &mut self.max_message_bytes,
        };
        *setting = max.map(|max| u32::try_from(max).unwrap_or(u32::MAX));
    }

    /// The value of a rate; `None` if it is off.
    pub const fn rate(&self, limit: RateLimit) -> Option<Rate> {
        match limit {
            RateLimit::Messages => self.message_rate,
            RateLimit::UserMessages => self.user_message_rate,
            RateLimit::Connects => self.connect_rate,
        }
    }

    pub(crate) const fn rate_mut(&mut self, limit: RateLimit) -> &mut Option<Rate> {
        match limit {
            RateLimit::Messages => &mut self.message_rate,
            RateLimit::UserMessages => &mut self.user_message_rate,
            RateLimit::Connects => &mut self.connect_rate,
        }
    }
}

/// The highest value that each limit has had; `None` if it was off.
///
/// Lowering a limit sends nobody away, so more may be there than it allows, but never more than it ever allowed: an
/// admission, or a message, is within the limit of its time. And whatever is within that can have come about, since the limit may have
/// been lowered just now. So this is all that can be asked of a manager of which only its present is known.
///
/// JSON form: an array in the order of [`Limit::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Peaks([Option<u64>; Limit::ALL.len()]);

impl Peaks {
    pub(crate) fn of(config: &Config) -> Self {
        Self(Limit::ALL.map(|limit| config.limit(limit)))
    }

    pub(crate) fn get(&self, limit: Limit) -> Option<u64> {
        self.0[limit as usize]
    }

    /// A limit has this value from now on.
    pub(crate) fn raise(&mut self, limit: Limit, max: Option<u64>) {
        let peak = &mut self.0[limit as usize];
        *peak = peak.zip(max).map(|(peak, max)| peak.max(max));
    }

    /// Whether so many can be there.
    pub(crate) fn allows(&self, limit: Limit, count: usize) -> bool {
        self.get(limit).is_none_or(|peak| count as u64 <= peak)
    }

    /// A limit that is higher than it can have been.
    pub(crate) fn exceeded_by(&self, config: &Config) -> Option<Limit> {
        let is_beyond = |&limit: &Limit| match (config.limit(limit), self.get(limit)) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(max), Some(peak)) => max > peak,
        };
        Limit::ALL.into_iter().find(is_beyond)
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[test]
    fn the_peak_is_the_highest_that_a_limit_has_been_and_off_is_higher_than_any() {
        let mut config = Config {
            max_connections: Some(5),
            ..Config::default()
        };
        let mut peaks = Peaks::of(&config);
        for (max, peak) in [(3, 5), (7, 7), (1, 7)] {
            peaks.raise(Limit::Connections, Some(max));
            assert_eq!(peaks.get(Limit::Connections), Some(peak));
        }
        assert!(peaks.allows(Limit::Connections, 7) && !peaks.allows(Limit::Connections, 8));
        assert_eq!(peaks.exceeded_by(&config), None);
        for beyond in [Some(8), None] {
            config.max_connections = beyond;
            assert_eq!(peaks.exceeded_by(&config), Some(Limit::Connections));
        }
        peaks.raise(Limit::Connections, None);
        peaks.raise(Limit::Connections, Some(1));
        assert_eq!(peaks.get(Limit::Connections), None);
        assert!(peaks.allows(Limit::Connections, usize::MAX));
        assert_eq!(peaks.exceeded_by(&config), None);
    }

    #[test]
    fn each_limit_is_the_setting_that_it_names() {
        for limit in Limit::ALL {
            let mut config = Config::default();
            config.set_limit(limit, Some(77));
            assert_eq!(config.limit(limit), Some(77));
            let json = serde_json::to_value(&config).unwrap();
            assert_eq!(json[limit.as_str()], 77);
            config.set_limit(limit, Some(u64::MAX));
            let highest = match limit {
                Limit::TotalBacklogBytes => u64::MAX,
                _ => u32::MAX.into(),
            };
            assert_eq!(config.limit(limit), Some(highest));
        }
    }

    #[test]
    fn each_rate_is_the_setting_that_it_names() {
        let rate = Some(Rate {
            events: 7,
            per: Duration::from_nanos(7),
            burst: 7,
        });
        for limit in RateLimit::ALL {
            let mut config = Config::default();
            *config.rate_mut(limit) = rate;
            assert_eq!(config.rate(limit), rate);
            let json = serde_json::to_value(&config).unwrap();
            assert_eq!(json[limit.as_str()]["burst"], 7);
        }
    }
}
