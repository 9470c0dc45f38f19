//! The model's backlogs.

use std::cmp::Reverse;

use crate::{ConnId, Delivery, Eviction, Receipt, Time};

use super::model::{Conn, Model};
use super::told::Told;

/// What was written for a connection and is not yet flushed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Queue {
    pub(crate) bytes: u64,
    pub(crate) messages: u64,
    /// Messages that it did without, since that was last told.
    pub(crate) dropped: u32,
}

/// Whose message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Application(Delivery),
    Ping,
}

/// How many bits a number has.
fn bits(number: u64) -> u32 {
    u64::BITS - number.leading_zeros()
}

impl Model {
    /// All open connections' backlogs together, in bytes and messages.
    pub(crate) fn queued(&self) -> (u64, u64) {
        let queues = || self.open_conns().map(|conn| conn.queue);
        (
            queues().map(|queue| queue.bytes).sum(),
            queues().map(|queue| queue.messages).sum(),
        )
    }

    fn caps(&self) -> (u64, u64) {
        let cap = |cap: Option<u32>| u64::from(cap.unwrap_or(u32::MAX));
        (
            cap(self.config.max_backlog_bytes),
            cap(self.config.max_backlog_messages),
        )
    }

    pub(super) fn is_over_budget(&self) -> bool {
        let budget = self.config.max_total_backlog_bytes;
        budget.is_some_and(|budget| self.queued().0 > budget)
    }

    /// Who of these gets a message of so many bytes. The others do without, or go.
    pub(super) fn make_room(&mut self, to: Vec<ConnId>, bytes: usize, class: Class) -> Vec<ConnId> {
        if !self.reported || to.is_empty() {
            return to;
        }
        let bytes = bytes as u64;
        let (mut most_bytes, mut most_messages) = self.caps();
        if class == Class::Ping {
            let pings = u64::from(self.config.max_missed) + 1;
            most_bytes = (most_bytes + 64 * pings).min(u32::MAX.into());
            most_messages = (most_messages + pings).min(u32::MAX.into());
        }
        let may_be_dropped = class == Class::Application(Delivery::Droppable);
        let (mut served, mut too_slow) = (Vec::new(), Vec::new());
        for id in to {
            let before = self.open(id).unwrap().queue;
            let (then_bytes, then_messages) = (before.bytes + bytes, before.messages + 1);
            let queue = &mut self.open_mut(id).unwrap().queue;
            queue.bytes = then_bytes;
            queue.messages = then_messages;
            let fits = then_bytes <= most_bytes && then_messages <= most_messages;
            if fits && !(may_be_dropped && self.is_over_budget()) {
                served.push(id);
                continue;
            }
            let queue = &mut self.open_mut(id).unwrap().queue;
            *queue = before;
            if may_be_dropped {
                queue.dropped += 1;
                self.counted.dropped_messages += 1;
            } else if then_bytes > most_bytes {
                too_slow.push((id, then_bytes, most_bytes));
            } else {
                too_slow.push((id, then_messages, most_messages));
            }
        }
        for (id, seen, threshold) in too_slow {
            self.evict_for_backlog(id, Eviction::SlowConsumer, seen, threshold);
        }
        while !may_be_dropped && self.is_over_budget() {
            let weight = |conn: &&Conn| (bits(conn.queue.bytes), Reverse(conn.id.index()));
            let heaviest = self.open_conns().max_by_key(weight).unwrap().id;
            let (seen, budget) = (self.queued().0, self.config.max_total_backlog_bytes.unwrap());
            self.evict_for_backlog(heaviest, Eviction::OverBudget, seen, budget);
        }
        served.retain(|&id| self.open(id).is_some());
        served
    }

    fn evict_for_backlog(&mut self, id: ConnId, cause: Eviction, seen: u64, threshold: u64) {
        let now = Time::from_nanos(self.clock.last);
        self.evict_by(id, cause, Receipt::of_count(seen, threshold, now));
    }

    pub(super) fn flushed(&mut self, id: ConnId, bytes: u64, messages: u32) -> bool {
        self.reported = true;
        let (most_bytes, most_messages) = self.caps();
        let Some(conn) = self.open_mut(id) else {
            let is_gone = self.conns.iter().all(|conn| conn.id != id);
            self.counted.stale_ids += u64::from(is_gone);
            return false;
        };
        let queue = &mut conn.queue;
        let excess = bytes > queue.bytes || u64::from(messages) > queue.messages;
        queue.bytes = queue.bytes.saturating_sub(bytes);
        queue.messages = queue.messages.saturating_sub(messages.into());
        let dropped = queue.dropped;
        if dropped > 0 && queue.bytes <= most_bytes / 2 && queue.messages <= most_messages / 2 {
            queue.dropped = 0;
            self.told.push(Told::Writable { conn: id, dropped });
        }
        self.counted.excess_flushes += u64::from(excess);
        true
    }
}
