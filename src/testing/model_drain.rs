//! The model's drain.

use std::hash::Hasher as _;
use std::time::Duration;

use siphasher::sip::SipHasher13;

use crate::{CloseFrame, Closing, ConnId, Lapse, RefusalRule, Retry, Time};

use super::model::Model;
use super::model_clock::nanos;
use super::model_entry::{Against, with_advice};
use super::told::Told;

/// The end of time: what would be later is then.
const LAST: u128 = u64::MAX as u128;

/// All instants are nanoseconds on the driver's clock.
#[derive(Clone, Debug)]
pub(crate) struct Drain {
    since: u64,
    every: u128,
    deadline: u64,
    /// Of all that have gone: when each was to be closed, and when it might return.
    pub(crate) gone: Vec<(u128, u128)>,
    /// What was changed then does not reach back.
    not_before: u128,
}

impl Drain {
    /// When the next connection is to be closed if the deadline is later.
    fn next_close(&self) -> u128 {
        let next = self
            .gone
            .last()
            .map_or(self.since.into(), |(close, _)| close + self.every);
        next.max(self.not_before).min(LAST)
    }

    fn due(&self) -> u64 {
        u64::try_from(self.next_close()).unwrap().min(self.deadline)
    }

    /// Whether another would be slower or end later.
    pub(super) fn is_tighter_than(&self, every: Duration, deadline: Time) -> bool {
        self.every < nanos(every) || self.deadline < deadline.as_nanos()
    }

    /// When the next one that goes may return.
    fn next_return(&self, now: u64) -> u128 {
        let next = self.gone.last().map_or(0, |(_, back)| back + self.every);
        next.max(now.into()).min(LAST)
    }
}

impl Model {
    pub(super) fn drain(&mut self, every: Duration, deadline: Time) -> bool {
        let (now, every, deadline) = (self.clock.last, nanos(every), deadline.as_nanos());
        let Some(drain) = &mut self.drain else {
            self.drain = Some(Drain {
                since: now,
                every,
                deadline,
                gone: Vec::new(),
                not_before: 0,
            });
            self.void_all_seats(Lapse::Draining);
            self.tell_if_drained();
            return true;
        };
        let (faster, earlier) = (every < drain.every, deadline < drain.deadline);
        if faster {
            drain.not_before = drain.next_close().min(now.into());
            drain.every = every;
        }
        drain.deadline = drain.deadline.min(deadline);
        faster || earlier
    }

    pub(super) fn check_drain(&self) -> Result<(), Against> {
        match &self.drain {
            None => Ok(()),
            Some(drain) => Err(Against {
                rule: RefusalRule::Draining,
                seen: self.clock.last,
                threshold: drain.since,
            }),
        }
    }

    /// When the drain closes the next one, if anybody is left.
    pub(super) fn next_drain(&self) -> Option<Time> {
        let drain = self.drain.as_ref().filter(|_| self.open_conns().next().is_some())?;
        Some(Time::from_nanos(drain.due()))
    }

    /// Closes all whose turn has come, in the order of a hash.
    pub(super) fn close_draining(&mut self) {
        let now = self.clock.last;
        while self.next_drain().is_some_and(|due| due.as_nanos() <= now) {
            let place = |conn: ConnId| {
                let mut hasher = SipHasher13::new_with_keys(self.config.seed, 1);
                hasher.write(&conn.to_bits().to_le_bytes());
                (hasher.finish() >> 32, conn.index())
            };
            let first = self.open_conns().map(|conn| conn.id).min_by_key(|&conn| place(conn));
            let back = self.drain.as_ref().unwrap().next_return(now);
            let millis = (back - u128::from(now)).div_ceil(1_000_000);
            let delay = Duration::from_millis(u64::try_from(millis).unwrap());
            let close = &self.config.answers.draining.close;
            let reason = with_advice(close.reason(), Retry::After(delay));
            let frame = CloseFrame::new(close.code(), reason).unwrap();
            let due = self.next_drain().unwrap().as_nanos();
            self.begin_close(first.unwrap(), &frame, Closing::Draining, (now, due));
            self.counted.drained += 1;
        }
    }

    /// An open connection has gone.
    pub(super) fn use_slot(&mut self) {
        let now = self.clock.last;
        if let Some(drain) = &mut self.drain {
            let slots = (drain.next_close(), drain.next_return(now));
            drain.gone.push(slots);
        }
    }

    pub(super) fn tell_if_drained(&mut self) {
        if let Some(drain) = &self.drain
            && self.conns.is_empty()
        {
            let took = Duration::from_nanos(self.clock.last - drain.since);
            self.told.push(Told::Drained { took });
        }
    }
}
