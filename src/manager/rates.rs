//! How much may come in: messages by rate and by length, connections by rate.

use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use super::Manager;
use crate::clock::{Active, Moment};
use crate::config::{Config, PingFormat};
use crate::ending::Closing;
use crate::event::{DropReason, RateScope};
use crate::gcra::{Bucket, Excess, Pace};
use crate::id::ConnId;
use crate::invariant::{Invariant, Violation, ensure};
use crate::limit::{Limit, Peaks, RateLimit};
use crate::outbox::{Notice, Outbox};
use crate::payload::Frame;
use crate::receipt::Receipt;
use crate::slots;
use crate::wire;

/// What rates there are, and what has been used of them. All of it runs on active time, so that a pause earns nothing.
///
/// It lies beside the connections and users, by their slots, so that they are no larger where the rates are off.
#[derive(Clone, Debug)]
pub(super) struct Rates {
    message: Option<Pace>,
    user_message: Option<Pace>,
    connect: Option<Pace>,
    /// Something limits messages, their length included.
    inbound: bool,
    /// Of connections, as far as any has sent something; empty if no rate limits messages.
    conns: Vec<Meter>,
    /// Of users, likewise; empty if no rate is theirs.
    users: Vec<Bucket>,
    /// The server's, for new connections.
    connects: Bucket,
}

/// What a connection has sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Meter {
    pub(super) bucket: Bucket,
    /// Those that are not forgotten.
    pub(super) violations: u32,
}

/// A message that comes too soon.
#[derive(Clone, Copy, Debug)]
struct TooSoon {
    by: RateScope,
    excess: Excess,
    /// Of its connection, with this one.
    violations: u32,
}

impl Rates {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            message: config.message_rate.map(Pace::new),
            user_message: config.user_message_rate.map(Pace::new),
            connect: config.connect_rate.map(Pace::new),
            inbound: limits_inbound(config),
            conns: Vec::new(),
            users: Vec::new(),
            connects: Bucket::FULL,
        }
    }

    /// The settings have changed.
    pub(super) fn follow(&mut self, config: &Config) {
        let Self {
            conns, users, connects, ..
        } = core::mem::replace(self, Self::new(config));
        self.connects = connects;
        // What is off keeps no table.
        if self.limit_messages() {
            self.conns = conns;
        }
        if self.user_message.is_some() {
            self.users = users;
        }
    }

    /// Everybody has the whole burst of a rate again.
    pub(super) fn begin_anew(&mut self, limit: RateLimit) {
        match limit {
            RateLimit::Messages => {
                for meter in &mut self.conns {
                    meter.bucket = Bucket::FULL;
                }
            }
            RateLimit::UserMessages => self.users.clear(),
            RateLimit::Connects => self.connects = Bucket::FULL,
        }
    }

    /// Whether anything limits messages, their length included.
    pub(super) const fn are_inbound(&self) -> bool {
        self.inbound
    }

    /// Whether a message has anything to pay.
    const fn limit_messages(&self) -> bool {
        self.message.is_some() || self.user_message.is_some()
    }

    /// Whether one more connection may come.
    pub(super) fn check_connect(&self, now: Active) -> Result<(), Excess> {
        match self.connect {
            Some(pace) => self.connects.check(now, pace),
            None => Ok(()),
        }
    }

    /// A newcomer is admitted, or has a seat reserved, and so pays.
    pub(super) fn charge_connect(&mut self, now: Active) {
        if let Some(pace) = self.connect {
            self.connects.take(now, pace);
        }
    }

    /// One more connection has come, of a user who was there or was not.
    pub(super) fn admitted(&mut self, slot: u32, user: u32, is_new: bool) {
        self.set_meter(slot, Meter::default());
        if is_new {
            self.set_user(user, Bucket::FULL);
        }
    }

    /// Sets what a connection has sent, if anything limits that.
    pub(super) fn set_meter(&mut self, slot: u32, meter: Meter) {
        if self.limit_messages() {
            set(&mut self.conns, slot, meter);
        }
    }

    /// Sets what a user has sent, if anything limits that.
    pub(super) fn set_user(&mut self, user: u32, bucket: Bucket) {
        if self.user_message.is_some() {
            set(&mut self.users, user, bucket);
        }
    }

    pub(super) fn set_connects(&mut self, bucket: Bucket) {
        self.connects = bucket;
    }

    /// What a connection has sent; nothing if nothing limits that.
    pub(super) fn meter(&self, slot: u32) -> Meter {
        self.conns.get(slot as usize).copied().unwrap_or_default()
    }

    /// As [`meter`](Self::meter), of a user.
    pub(super) fn user(&self, user: u32) -> Bucket {
        self.users.get(user as usize).copied().unwrap_or_default()
    }

    pub(super) const fn connects(&self) -> Bucket {
        self.connects
    }

    /// A message came: both buckets pay for it, or neither does and it is a violation.
    fn pay(&mut self, now: Active, slot: u32, user: u32) -> Result<(), TooSoon> {
        let mut meter = self.meter(slot);
        let mut shared = self.user(user);
        let own_excess = self.message.and_then(|pace| meter.bucket.check(now, pace).err());
        let shared_excess = self.user_message.and_then(|pace| shared.check(now, pace).err());
        let against = match (own_excess, shared_excess) {
            (Some(own), Some(shared)) if shared.wait() > own.wait() => Some((RateScope::User, shared)),
            (Some(own), _) => Some((RateScope::Connection, own)),
            (None, Some(shared)) => Some((RateScope::User, shared)),
            (None, None) => None,
        };
        if let Some((by, excess)) = against {
            meter.violations = meter.violations.saturating_add(1);
            self.set_meter(slot, meter);
            return Err(TooSoon {
                by,
                excess,
                violations: meter.violations,
            });
        }
        let rested = if self.message.is_some() { meter.bucket } else { shared };
        if rested.is_full(now) {
            meter.violations = 0;
        }
        if let Some(pace) = self.message {
            meter.bucket.take(now, pace);
        }
        self.set_meter(slot, meter);
        if let Some(pace) = self.user_message {
            shared.take(now, pace);
            self.set_user(user, shared);
        }
        Ok(())
    }
}

/// What can be, of rates that were read from somewhere or are looked at.
impl Rates {
    /// Whether these rates are the settings'.
    pub(super) fn are_of(&self, config: &Config) -> bool {
        self.message == config.message_rate.map(Pace::new)
            && self.user_message == config.user_message_rate.map(Pace::new)
            && self.connect == config.connect_rate.map(Pace::new)
            && self.inbound == limits_inbound(config)
    }

    pub(super) fn may_have_sent(&self, now: Active, meter: Meter) -> bool {
        meter.bucket.is_possible(now, self.message)
    }

    /// Of an open connection: one more would be no more than have ever closed one.
    pub(super) fn may_have_violated(&self, peaks: &Peaks, meter: Meter) -> bool {
        let is_open = |violations| {
            peaks
                .get(Limit::Violations)
                .is_none_or(|most| u64::from(violations) < most)
        };
        meter.violations == 0 || (self.limit_messages() && is_open(meter.violations))
    }

    pub(super) fn user_may_have_sent(&self, now: Active, bucket: Bucket) -> bool {
        bucket.is_possible(now, self.user_message)
    }

    pub(super) fn may_have_connected(&self, now: Active) -> bool {
        self.connects.is_possible(now, self.connect)
    }

    /// Whether the tables are empty where the rates are off.
    fn keep_nothing_that_is_off(&self) -> bool {
        (self.limit_messages() || self.conns.is_empty()) && (self.user_message.is_some() || self.users.is_empty())
    }
}

fn limits_inbound(config: &Config) -> bool {
    config.message_rate.is_some() || config.user_message_rate.is_some() || config.max_message_bytes.is_some()
}

/// Sets the entry of a slot, for which room is made.
fn set<T: Clone + Default>(table: &mut Vec<T>, slot: u32, value: T) {
    *slots::entry(table, slot, T::default()) = value;
}

impl Manager {
    /// A message of an open connection where something limits messages: whether it is dropped, and why. It stands
    /// apart, so that it costs nothing where nothing does but to know that.
    #[inline(never)]
    pub(super) fn limit_message(
        &mut self,
        moment: Moment,
        slot: u32,
        frame: &Frame<'_>,
        out: &mut Outbox,
    ) -> Option<DropReason> {
        if let Some(max) = self.config.max_message_bytes
            && frame.len() > max as usize
        {
            return Some(self.drop_oversize(moment, slot, frame.len(), max, out));
        }
        if !self.rates.limit_messages() || self.is_answer(slot, frame) {
            return None;
        }
        self.pay_for_message(moment, slot, out).err()
    }

    /// Whether this is the pong to the outstanding ping. While there is one, a text is searched for it here, and once more
    /// where it is taken in: that costs less than what all others would pay for handing on what was found.
    fn is_answer(&self, slot: u32, frame: &Frame<'_>) -> bool {
        let Some(outstanding) = self.conns.at(slot).pulse.outstanding() else {
            return false;
        };
        let echoed = match (frame, self.config.ping_format) {
            (Frame::Text(text), PingFormat::Json) => wire::read_json_pong(text).and_then(|pong| pong.timestamp),
            (Frame::Pong(data), PingFormat::WebSocket) => wire::read_frame_pong(data),
            _ => None,
        };
        echoed == Some(outstanding)
    }

    /// A message that is not free: it is paid for, or it is dropped, and its connection closed if that was one violation
    /// too many.
    fn pay_for_message(&mut self, moment: Moment, slot: u32, out: &mut Outbox) -> Result<(), DropReason> {
        let user = self.conns.at(slot).user;
        let Err(too_soon) = self.rates.pay(moment.active, slot, user) else {
            return Ok(());
        };
        let TooSoon { by, excess, violations } = too_soon;
        match by {
            RateScope::Connection => self.counters.drops.connection_rate += 1,
            RateScope::User => self.counters.drops.user_rate += 1,
        }
        out.notice(Notice::Throttled {
            conn: ConnId::new(self.conns.key_at(slot)),
            by,
            retry_after: Duration::from_nanos(excess.wait()),
            violations,
            receipt: Receipt::of_count(excess.seen, excess.threshold, moment.time),
        });
        if let Some(max) = self.config.max_violations.filter(|&max| violations >= max) {
            self.counters.closes_rate_limited += 1;
            let frame = self.config.answers.rate_limited_frame();
            let receipt = Receipt::of_count(violations.into(), max.into(), moment.time);
            self.begin_close(moment, slot, &frame, Closing::RateLimited, receipt, out);
        }
        Err(DropReason::Throttled { by })
    }

    /// A message that is longer than it may be: it is dropped, and its connection closed.
    fn drop_oversize(&mut self, moment: Moment, slot: u32, bytes: usize, max: u32, out: &mut Outbox) -> DropReason {
        self.counters.drops.too_big += 1;
        let frame = self.config.answers.message_too_big.clone();
        let receipt = Receipt::of_count(bytes as u64, max.into(), moment.time);
        self.begin_close(moment, slot, &frame, Closing::MessageTooBig, receipt, out);
        DropReason::TooBig
    }

    pub(super) fn check_rates(&self) -> Result<(), Violation> {
        let now = self.clock.active();
        let open = || self.conns.iter().filter(|(_, conn)| conn.is_open());
        ensure(self.rates.keep_nothing_that_is_off(), Invariant::Buckets, || {
            format!(
                "{} of connections, {} of users, of rates that are off",
                self.rates.conns.len(),
                self.rates.users.len()
            )
        })?;
        for (key, _) in open() {
            let (id, meter) = (ConnId::new(key), self.rates.meter(key.index));
            let details = || format!("{id} has {meter:?} at {now:?}");
            ensure(self.rates.may_have_sent(now, meter), Invariant::Buckets, details)?;
            ensure(
                self.rates.may_have_violated(&self.peaks, meter),
                Invariant::Violations,
                details,
            )?;
        }
        for (key, name, _) in self.users.iter() {
            let bucket = self.rates.user(key.index);
            ensure(self.rates.user_may_have_sent(now, bucket), Invariant::Buckets, || {
                format!("{name:?} has {bucket:?} at {now:?}")
            })?;
        }
        ensure(self.rates.may_have_connected(now), Invariant::Buckets, || {
            format!("the server has {:?} at {now:?}", self.rates.connects)
        })
    }
}

#[cfg(test)]
impl Rates {
    pub(super) fn spoil_inbound(&mut self) {
        self.inbound = !self.inbound;
    }

    pub(super) fn spoil_bucket(&mut self, slot: u32) {
        self.conns[slot as usize].bucket.spoil();
    }

    pub(super) fn spoil_violations(&mut self, slot: u32) {
        self.conns[slot as usize].violations = u32::MAX;
    }

    pub(super) fn spoil_user(&mut self, user: u32) {
        self.users[user as usize].spoil();
    }

    pub(super) fn spoil_tables(&mut self) {
        self.conns.push(Meter::default());
    }

    pub(super) fn spoil_user_table(&mut self) {
        self.users.push(Bucket::FULL);
    }

    pub(super) fn spoil_connects(&mut self) {
        self.connects.spoil();
    }
}
