//! Connections that may stay until an instant: what they are let in for does not hold for ever.

use super::Manager;
use crate::clock::Moment;
use crate::ending::Closing;
use crate::id::ConnId;
use crate::outbox::Outbox;
use crate::refusal::{Breach, RefusalRule};
use crate::time::Time;

impl Manager {
    /// Sets anew until when an open connection may stay, `None` for ever: its client has authenticated again. False if
    /// it is not open.
    ///
    /// It is closed by the first [`tick`](Self::tick) from that instant on, so if the instant has passed, by the next
    /// one. Writes nothing. O(log n).
    pub fn extend(&mut self, now: Time, conn: ConnId, expires: Option<Time>, out: &mut Outbox) -> bool {
        self.enter_call(now, out);
        let Some(slot) = self.open_slot(conn) else {
            return false;
        };
        self.expiries.set(slot, expires);
        true
    }

    /// Until when an open connection may stay; `None` if that is for ever, or if it is not open. O(1).
    pub fn expires(&self, conn: ConnId) -> Option<Time> {
        self.open_slot(conn).and_then(|slot| self.expiries.get(slot))
    }

    /// Whether what is good until an instant is good now.
    pub(super) fn check_expiry(&self, expires: Time) -> Result<(), Breach> {
        let now = self.clock.time();
        if now < expires {
            return Ok(());
        }
        Err(Breach {
            rule: RefusalRule::Expired,
            seen: now.as_nanos(),
            threshold: expires.as_nanos(),
        })
    }

    /// Closes all whose time is up, the earliest first.
    pub(super) fn close_expired(&mut self, moment: Moment, out: &mut Outbox) {
        while let Some((expires, slot)) = self.expiries.peek()
            && expires <= moment.time
        {
            let frame = self.config.answers.close_frame(RefusalRule::Expired);
            let receipt = self.expiry_receipt(moment, slot);
            self.begin_close(moment, slot, &frame, Closing::Expired, receipt, out);
            self.counters.expired += 1;
        }
    }
}
