//! How much may be on its way to whom: what was written, less what the driver has reported as handed to the system.

use super::Manager;
use crate::backlog::{Backlog, Kind, TooSlow};
use crate::ending::Eviction;
use crate::id::ConnId;
use crate::outbox::{Notice, Outbox};
use crate::outgoing::Delivery;
use crate::receipt::Receipt;
use crate::time::Time;

impl Manager {
    /// The driver has handed so many payload bytes and messages to the system, of what was written as
    /// [`Send`](crate::Command::Send) for this connection: pings count, close frames do not. It may report message by
    /// message or several at once. False, with nothing changed, if the connection is not open: one that is closing or gone
    /// has no backlog. Of one that is closing there is always something to report, as what was written before the close
    /// frame is flushed before it, so only a report of one that is gone, or never was, counts as [a stale
    /// id](crate::Stats::stale_ids). O(1).
    ///
    /// A driver that never reports has no limits on backlogs: [`Stats::backlog`](crate::Stats::backlog) is `None` then.
    /// From the first report on, whosever it is and however small, what is written is counted, and
    /// [`Config::max_backlog_bytes`](crate::Config::max_backlog_bytes) and its neighbours hold. What was written before
    /// that is not counted, so that the reports of it are of too much: a report of more than there is is taken for what
    /// there is, and [counted](crate::Stats::excess_flushes). To have everything counted, report 0 bytes and 0 messages
    /// of the first connection when it opens.
    ///
    /// Writes [`Writable`](Notice::Writable) if messages to the connection were dropped and it has room again, that is at
    /// most half of each of its caps in its backlog.
    ///
    /// ```
    /// use lobbykeeper::{Config, Handshake, Manager, Notice, Outbox, Payload, Time};
    ///
    /// let config = Config { max_backlog_messages: Some(2), ..Config::default() };
    /// let mut manager = Manager::new(config).unwrap();
    /// let (now, mut out) = (Time::ZERO, Outbox::new());
    /// let ann = manager.connected(now, Handshake::new("den", "ann"), &mut out).unwrap();
    /// manager.flushed(now, ann, 0, 0, &mut out); // this driver reports
    ///
    /// for number in 0..5 {
    ///     manager.send_to(now, ann, Payload::text(format!("frame {number}")).droppable(), &mut out);
    /// }
    /// assert_eq!(manager.backlog(ann).unwrap().messages, 2);
    /// out.clear();
    ///
    /// manager.flushed(now, ann, 7, 1, &mut out);
    /// assert_eq!(out.notices().next(), Some(Notice::Writable { conn: ann, dropped: 3 }));
    /// ```
    pub fn flushed(&mut self, now: Time, conn: ConnId, bytes: u64, messages: u32, out: &mut Outbox) -> bool {
        self.enter_call(now, out);
        if !self.backlogs.is_on() {
            let open = self.conns.iter().filter(|(_, conn)| conn.is_open());
            self.backlogs.turn_on(open.map(|(key, _)| key.index));
        }
        let Some(slot) = self.open_slot(conn) else {
            self.counters.stale_ids += u64::from(self.conns.get(conn.key()).is_none());
            return false;
        };
        let flush = self.backlogs.flush(slot, bytes, messages);
        self.counters.excess_flushes += u64::from(flush.excess);
        if let Some(dropped) = flush.writable {
            out.notice(Notice::Writable { conn, dropped });
        }
        true
    }

    /// What was written for an open connection and is not yet [flushed](Self::flushed). `None` if it is not open, or if
    /// nothing was ever reported. O(1).
    pub fn backlog(&self, conn: ConnId) -> Option<Backlog> {
        let slot = self.open_slot(conn).filter(|_| self.backlogs.is_on())?;
        Some(self.backlogs.of(slot))
    }

    /// Counts a message that is about to be written for the recipients since the mark, and leaves of them those who get
    /// it. Whoever has to go for it is evicted here, so that in no place of the outbox there is more than may be.
    #[inline(never)]
    pub(super) fn charge(&mut self, mark: usize, bytes: usize, kind: Kind, out: &mut Outbox) {
        // What is written to nobody evicts nobody, whatever a lowered budget may say.
        if out.recipients().len() == mark {
            return;
        }
        let without = self.backlogs.charge(out.recipients(), mark, bytes, kind);
        if kind == Kind::Message(Delivery::Droppable) {
            self.counters.dropped_messages += without as u64;
            return;
        }
        if without > 0 {
            let too_slow = self.backlogs.take_too_slow();
            for &reason in &too_slow {
                self.evict_for_backlog(Eviction::SlowConsumer, reason, out);
            }
            self.backlogs.return_list(too_slow);
        }
        let mut evicted = false;
        while let Some(reason) = self.backlogs.beyond_budget() {
            self.evict_for_backlog(Eviction::OverBudget, reason, out);
            evicted = true;
        }
        if evicted {
            out.retain_recipients(mark, |conn| self.open_slot(conn).is_some());
        }
    }

    fn evict_for_backlog(&mut self, cause: Eviction, reason: TooSlow, out: &mut Outbox) {
        let TooSlow { slot, seen, threshold } = reason;
        let receipt = Receipt::of_count(seen, threshold, self.clock.time());
        self.evict(slot, cause, receipt, out);
    }
}
