//! What the decisions against connections rest on, told before they are carried out.

use core::time::Duration;

use super::Manager;
use crate::clock::Moment;
use crate::receipt::Receipt;
use crate::time::Time;

/// Of a `Close` that was asked for.
pub(super) const fn request_receipt(moment: Moment) -> Receipt {
    Receipt::of_count(0, 0, moment.time)
}

impl Manager {
    /// Of a `Close` for an open connection that is replaced, whose successor has been registered.
    pub(super) fn replacement_receipt(&self, moment: Moment, slot: u32) -> Receipt {
        let open = self.users.at(self.conns.at(slot).user).open_count;
        let limit = self.config.max_connections_per_user.unwrap_or(open);
        Receipt::of_count(open.saturating_sub(1).into(), limit.into(), moment.time)
    }

    /// Of a `Close` for an open connection that has expired.
    pub(super) fn expiry_receipt(&self, moment: Moment, slot: u32) -> Receipt {
        let expired = self.expiries.get(slot).map_or(0, Time::as_nanos);
        Receipt::of_count(moment.time.as_nanos(), expired, moment.time)
    }

    /// Of an [`Eviction::Stale`](crate::Eviction::Stale).
    pub(super) fn stale_receipt(&self, moment: Moment, slot: u32) -> Receipt {
        let pulse = &self.conns.at(slot).pulse;
        let waited = moment.active.since(pulse.last_heard());
        Receipt {
            waited: Duration::from_nanos(waited),
            ..Receipt::of_count(pulse.missed().into(), self.patience.max_missed.into(), moment.time)
        }
    }

    /// Of an [`Eviction::CloseTimeout`](crate::Eviction::CloseTimeout).
    pub(super) fn close_timeout_receipt(&self, moment: Moment, slot: u32) -> Receipt {
        let waited = self.closing_for(moment, slot);
        Receipt {
            waited: Duration::from_nanos(waited),
            ..Receipt::of_count(waited, self.close_timeout, moment.time)
        }
    }

    /// Of an [`Eviction::Replaced`](crate::Eviction::Replaced).
    pub(super) fn replaced_receipt(&self, moment: Moment, slot: u32) -> Receipt {
        Receipt {
            waited: Duration::from_nanos(self.closing_for(moment, slot)),
            ..Receipt::of_count(2, 1, moment.time)
        }
    }

    /// For how many nanoseconds of active time a connection has been closing; 0 if its time-out lies beyond the end of
    /// time.
    fn closing_for(&self, moment: Moment, slot: u32) -> u64 {
        self.deadlines.get(slot).map_or(0, |due| {
            let (left, over) = (due.since(moment.active), moment.active.since(due));
            self.close_timeout.saturating_sub(left).saturating_add(over)
        })
    }
}
