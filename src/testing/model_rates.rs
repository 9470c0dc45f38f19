//! The model's rates, by the law itself: every instant at which something was let through is remembered, and one more
//! is let through if no window of time would then have more than a burst and what the rate gives for its length.

use std::time::Duration;

use crate::{
    CloseFrame, Closing, ConfigError, ConnId, DropReason, Frame, Rate, RateLimit, RateScope, Receipt, RefusalRule, Time,
};

use super::model::{Conn, Model};
use super::model_clock::{LAST, nanos};
use super::model_entry::{Against, with_advice};
use super::told::Told;

/// When something was let through, on active time, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taken(Vec<u128>);

/// What stands against one more.
#[derive(Clone, Copy, Debug)]
pub(super) struct TooSoon {
    /// Nanoseconds until a whole burst may come.
    seen: u64,
    /// How many it may be for one more.
    threshold: u64,
}

impl TooSoon {
    fn wait(self) -> u64 {
        self.seen - self.threshold
    }
}

/// Whole nanoseconds between two events, rounded up.
fn interval(rate: Rate) -> u128 {
    nanos(rate.per).div_ceil(rate.events.into())
}

impl Taken {
    /// For each window from an instant at which something was let through until now: how long it is, and how many there
    /// were in it.
    fn windows(&self, now: u128) -> impl Iterator<Item = (u128, u128)> {
        let counts = (1..=self.0.len() as u128).rev();
        self.0
            .iter()
            .zip(counts)
            .map(move |(start, count)| (now - start, count))
    }

    /// Nanoseconds until a whole burst may come, as far as there is time.
    fn until_rested(&self, now: u128, rate: Rate) -> u128 {
        let until = |(length, count): (u128, u128)| (count * interval(rate)).saturating_sub(length);
        let until = self.windows(now).map(until).max().unwrap_or(0);
        until.min(LAST + 1 - now)
    }

    fn check(&self, now: u128, rate: Rate) -> Result<(), TooSoon> {
        let (interval, burst) = (interval(rate), u128::from(rate.burst));
        let seen = self.until_rested(now, rate);
        // Beyond the end of time nothing is counted: what would have to be is let through only if all are rested.
        let ends = seen > 0 && now + seen + interval > LAST + 1;
        let threshold = if ends { 0 } else { (burst - 1) * interval };
        let fits = self
            .windows(now)
            .all(|(length, count)| count < burst + length / interval);
        if fits && !ends {
            return Ok(());
        }
        let small = |number: u128| u64::try_from(number).unwrap();
        Err(TooSoon {
            seen: small(seen),
            threshold: small(threshold),
        })
    }
}

impl Model {
    /// What stands against one more connection, if nothing else does.
    pub(super) fn check_connect_rate(&self) -> Result<(), Against> {
        let Some(rate) = self.config.connect_rate else {
            return Ok(());
        };
        let checked = self.connects.check(self.clock.active(), rate);
        checked.map_err(|TooSoon { seen, threshold }| Against {
            rule: RefusalRule::ConnectRate,
            seen,
            threshold,
        })
    }

    /// One more connection was admitted, and is there.
    pub(super) fn count_connect(&mut self) {
        if self.config.connect_rate.is_some() {
            self.connects.0.push(self.clock.active());
        }
    }

    /// A rate that changes begins anew; where none limits messages, violations are forgotten.
    pub(super) fn set_rate(&mut self, limit: RateLimit, rate: Option<Rate>) -> Result<(), ConfigError> {
        if let Some(Rate { events, per, burst }) = rate {
            let zeros = [("events", events == 0), ("per", per.is_zero()), ("burst", burst == 0)];
            if let Some((field, _)) = zeros.into_iter().find(|(_, is_zero)| *is_zero) {
                let rate = limit.as_str();
                return Err(ConfigError::ZeroRate { rate, field });
            }
        }
        let changes = self.config.rate(limit) != rate;
        match limit {
            RateLimit::Messages => self.config.message_rate = rate,
            RateLimit::UserMessages => self.config.user_message_rate = rate,
            RateLimit::Connects => self.config.connect_rate = rate,
        }
        if changes {
            match limit {
                RateLimit::Messages => self.conns.iter_mut().for_each(|conn| conn.messages = Taken::default()),
                RateLimit::UserMessages => self.user_messages.clear(),
                RateLimit::Connects => self.connects = Taken::default(),
            }
        }
        if self.config.message_rate.is_none() && self.config.user_message_rate.is_none() {
            self.conns.iter_mut().for_each(|conn| conn.violations = 0);
        }
        Ok(())
    }

    /// What a user has sent is forgotten with the last connection.
    pub(super) fn forget_messages_of(&mut self, user: &str) {
        if !self.conns.iter().any(|conn| conn.user == user) {
            self.user_messages.remove(user);
        }
    }

    /// Whether one more message of this user would be too soon, for the user.
    pub(crate) fn is_user_throttled(&self, user: &str) -> bool {
        let sent = self.user_messages.get(user);
        let rate = self.config.user_message_rate;
        sent.zip(rate)
            .is_some_and(|(sent, rate)| sent.check(self.clock.active(), rate).is_err())
    }

    /// Whether a message of this connection that is not free would be too soon, by what was sent so far.
    pub(crate) fn would_be_throttled(&self, conn: &Conn) -> bool {
        self.is_conn_throttled(conn) || self.is_user_throttled(&conn.user)
    }

    /// Whether one rate stands against it and another does not.
    pub(crate) fn would_be_throttled_by_one(&self, conn: &Conn) -> bool {
        let both = self.config.message_rate.is_some() && self.config.user_message_rate.is_some();
        both && self.is_conn_throttled(conn) != self.is_user_throttled(&conn.user)
    }

    fn is_conn_throttled(&self, conn: &Conn) -> bool {
        let rate = self.config.message_rate;
        rate.is_some_and(|rate| conn.messages.check(self.clock.active(), rate).is_err())
    }

    /// Drops a message that is too long, and closes its connection.
    pub(super) fn drop_too_big(&mut self, id: ConnId, frame: &Frame<'_>) -> Option<DropReason> {
        let max = self.config.max_message_bytes?;
        let bytes = length(frame);
        if bytes <= u64::from(max) {
            return None;
        }
        self.counted.too_big += 1;
        let close = self.config.answers.message_too_big.clone();
        self.begin_close(id, &close, Closing::MessageTooBig, (bytes, max.into()));
        Some(DropReason::TooBig)
    }

    /// A message that is not free: it is paid for, or dropped.
    pub(super) fn pay(&mut self, id: ConnId) -> Option<DropReason> {
        let now = self.clock.active();
        let conn = self.open(id).unwrap();
        let (own, user) = (self.config.message_rate, self.config.user_message_rate);
        let nothing = Taken::default();
        let of_user = self.user_messages.get(&conn.user).unwrap_or(&nothing);
        let against_own = own.and_then(|rate| conn.messages.check(now, rate).err());
        let against_user = user.and_then(|rate| of_user.check(now, rate).err());
        let rested = match (own, user) {
            (Some(rate), _) => conn.messages.until_rested(now, rate) == 0,
            (None, Some(rate)) => of_user.until_rested(now, rate) == 0,
            (None, None) => return None,
        };
        let worst = against_own.map(|own| (RateScope::Connection, own));
        let worst = match against_user {
            Some(user) if worst.is_none_or(|(_, own)| own.wait() < user.wait()) => Some((RateScope::User, user)),
            _ => worst,
        };
        if let Some((by, too_soon)) = worst {
            return Some(self.violate(id, by, too_soon));
        }
        let conn = self.open_mut(id).unwrap();
        conn.messages.0.push(now);
        if rested {
            conn.violations = 0;
        }
        let user = conn.user.clone();
        self.user_messages.entry(user).or_default().0.push(now);
        None
    }

    fn violate(&mut self, id: ConnId, by: RateScope, too_soon: TooSoon) -> DropReason {
        match by {
            RateScope::Connection => self.counted.too_soon_of_connection += 1,
            RateScope::User => self.counted.too_soon_of_user += 1,
        }
        let conn = self.open_mut(id).unwrap();
        conn.violations += 1;
        let violations = conn.violations;
        self.told.push(Told::Throttled {
            conn: id,
            by,
            retry_after: Duration::from_nanos(too_soon.wait()),
            violations,
            receipt: Receipt::of_count(too_soon.seen, too_soon.threshold, Time::from_nanos(self.clock.last)),
        });
        let max = self.config.max_violations.filter(|&max| violations >= max);
        if let Some(max) = max {
            self.counted.closes_rate_limited += 1;
            let answer = &self.config.answers.rate_limited;
            let reason = with_advice(answer.close.reason(), answer.retry);
            let close = CloseFrame::new(answer.close.code(), reason).unwrap();
            self.begin_close(id, &close, Closing::RateLimited, (violations.into(), max.into()));
        }
        DropReason::Throttled { by }
    }
}

pub(super) fn length(frame: &Frame<'_>) -> u64 {
    let bytes = match frame {
        Frame::Text(text) => text.len(),
        Frame::Binary(data) | Frame::Ping(data) | Frame::Pong(data) => data.len(),
    };
    bytes as u64
}
