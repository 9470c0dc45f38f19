//! Limits and rates that change while the server runs.

use super::Manager;
use crate::config::ConfigError;
use crate::gcra::Rate;
use crate::limit::{Limit, RateLimit};
use crate::outbox::Outbox;
use crate::time::Time;

impl Manager {
    /// Changes a limit; [`config`](Self::config) has its new value from then on. `None` takes it off.
    ///
    /// Raising it lets more in from now on. Lowering it sends nobody away: as long as there are as many as it allows or
    /// more, nobody new is admitted who counts for it, not even in the place of one that would be
    /// [replaced](crate::UserOverflow::ReplaceOldest) if the others still are as many. A connection that has as many
    /// violations as a lowered [`Limit::Violations`] closes for, or more, is closed for the next.
    ///
    /// Nor does a lowered limit on backlogs. But the next message or ping finds no room where it would have found none in
    /// a backlog that has grown so far under the new limit, and drops or evicts as it does then: so whoever is to stay
    /// has until then to catch up.
    ///
    /// Settings of 32 bits take a higher value as 2^32 - 1, which is more than there can ever be. Writes nothing. O(1),
    /// but for [`TotalBacklogBytes`](Limit::TotalBacklogBytes) O(n log n) when it is switched on or off.
    ///
    /// # Errors
    /// What [`Config::validate`](crate::Config::validate) would say of the new settings. Nothing has changed.
    ///
    /// ```
    /// use lobbykeeper::{Config, ConfigError, Limit, Manager, Outbox, Time};
    ///
    /// let mut manager = Manager::new(Config::default()).unwrap();
    /// let (now, mut out) = (Time::ZERO, Outbox::new());
    /// assert_eq!(manager.set_limit(now, Limit::Connections, Some(500), &mut out), Ok(()));
    /// assert_eq!(manager.config().max_connections, Some(500));
    /// let refused = manager.set_limit(now, Limit::LobbiesPerConnection, Some(0), &mut out);
    /// assert_eq!(refused, Err(ConfigError::Zero("max_lobbies_per_connection")));
    /// ```
    pub fn set_limit(
        &mut self,
        now: Time,
        limit: Limit,
        max: Option<u64>,
        out: &mut Outbox,
    ) -> Result<(), ConfigError> {
        self.enter_call(now, out);
        let before = self.config.limit(limit);
        self.config.set_limit(limit, max);
        if let Err(error) = self.config.validate() {
            self.config.set_limit(limit, before);
            return Err(error);
        }
        self.peaks.raise(limit, self.config.limit(limit));
        self.backlogs.set_limits(&self.config);
        self.rates.follow(&self.config);
        Ok(())
    }

    /// Changes a rate; [`config`](Self::config) has its new value from then on. `None` takes it off.
    ///
    /// The changed rate begins anew, with its whole burst to give to everybody; so it is not to be changed often. The
    /// value that it has already changes nothing. Violations are forgotten when no rate limits messages any more. Writes
    /// nothing. O(1) for [`RateLimit::Connects`], else O(n).
    ///
    /// # Errors
    /// What [`Config::validate`](crate::Config::validate) would say of the new settings. Nothing has changed.
    ///
    /// ```
    /// use core::time::Duration;
    /// use lobbykeeper::{Config, Manager, Outbox, Rate, RateLimit, Time};
    ///
    /// let mut manager = Manager::new(Config::default()).unwrap();
    /// let slow = Some(Rate { events: 1, per: Duration::from_secs(1), burst: 5 });
    /// assert_eq!(manager.set_rate(Time::ZERO, RateLimit::Messages, slow, &mut Outbox::new()), Ok(()));
    /// assert_eq!(manager.config().message_rate, slow);
    /// ```
    pub fn set_rate(
        &mut self,
        now: Time,
        limit: RateLimit,
        rate: Option<Rate>,
        out: &mut Outbox,
    ) -> Result<(), ConfigError> {
        self.enter_call(now, out);
        let before = core::mem::replace(self.config.rate_mut(limit), rate);
        if let Err(error) = self.config.validate() {
            *self.config.rate_mut(limit) = before;
            return Err(error);
        }
        if rate != before {
            self.rates.begin_anew(limit);
            self.rates.follow(&self.config);
        }
        Ok(())
    }
}
