//! What has been written for each connection and not yet been handed to the system.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;
use core::cmp::Reverse;

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::id::ConnId;
use crate::invariant::{Invariant, Violation, ensure};
use crate::limit::{Limit, Peaks};
use crate::outgoing::Delivery;
use crate::slot_heap::SlotHeap;
use crate::slots;
use crate::wire::PING_BYTES;

/// What was written and is not yet [flushed](crate::Manager::flushed).
///
/// JSON form: `{"bytes":128,"messages":1}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct Backlog {
    /// Payload bytes.
    pub bytes: u64,
    /// Messages, one per recipient, pings included.
    pub messages: u64,
}

/// Whose message it is: it decides how much room there is for it, and what follows if there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The application's.
    Message(Delivery),
    /// The manager's own.
    Ping,
}

/// One who is too slow for the next message: what it would have come to, and the cap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TooSlow {
    pub(crate) slot: u32,
    pub(crate) seen: u64,
    pub(crate) threshold: u64,
}

/// What came of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flush {
    /// More was reported than had been written.
    pub(crate) excess: bool,
    /// So many messages were dropped, and there is room again.
    pub(crate) writable: Option<u32>,
}

/// The most of one connection.
#[derive(Clone, Copy, Debug)]
struct Caps {
    bytes: u32,
    messages: u32,
}

impl Caps {
    fn of(limit: impl Fn(Limit) -> Option<u64>) -> Self {
        let cap = |which| limit(which).and_then(|max| u32::try_from(max).ok()).unwrap_or(u32::MAX);
        Self {
            bytes: cap(Limit::BacklogBytes),
            messages: cap(Limit::BacklogMessages),
        }
    }

    /// A connection at its caps has room for as many pings as it may miss, and for the one that a stale wave adds.
    fn of_pings(config: &Config) -> Self {
        let pings = u32::from(config.max_missed) + 1;
        #[expect(clippy::cast_possible_truncation, reason = "it is 64")]
        let bytes = pings * PING_BYTES as u32;
        Self { bytes, messages: pings }
    }

    const fn and(self, more: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(more.bytes),
            messages: self.messages.saturating_add(more.messages),
        }
    }
}

/// The backlog of one connection, in 16 bytes, so that none lies across two cache lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(align(16))]
struct Row {
    bytes: u32,
    messages: u32,
    /// Since the application was last told that there is room.
    dropped: u32,
    /// Up to so many bytes it need not be moved in the heap: 2^n - 1 for a place among those of n bits, 0 for none.
    ceiling: u32,
}

impl Row {
    /// The least ceiling that its bytes are below.
    const fn least_ceiling(self) -> u32 {
        match self.bytes {
            0 => 0,
            bytes => u32::MAX >> bytes.leading_zeros(),
        }
    }

    /// One more message, if there is room for it.
    #[inline]
    fn add(&mut self, slot: u32, size: Size, heaviest: &mut SlotHeap<Reverse<u32>>) -> bool {
        if self.bytes > size.most_bytes || self.messages > size.most_messages {
            return false;
        }
        self.bytes += size.bytes;
        self.messages += 1;
        if self.bytes > self.ceiling {
            self.move_up(slot, heaviest);
        }
        true
    }

    #[cold]
    fn move_up(&mut self, slot: u32, heaviest: &mut SlotHeap<Reverse<u32>>) {
        self.ceiling = self.least_ceiling();
        heaviest.set(slot, Some(Reverse(self.ceiling)));
    }
}

/// A message on its way into the rows: what a row may hold at most before it.
#[derive(Clone, Copy)]
struct Size {
    bytes: u32,
    most_bytes: u32,
    most_messages: u32,
}

impl Size {
    /// `None` if it is too big for anybody.
    fn of(bytes: u32, caps: Caps) -> Option<Self> {
        Some(Self {
            bytes,
            most_bytes: caps.bytes.checked_sub(bytes)?,
            most_messages: caps.messages.checked_sub(1)?,
        })
    }
}

/// The backlogs of all open connections by slot, once the driver has reported that it flushed something; until then
/// nothing is known, nothing is kept, and nobody is too slow.
///
/// Who has the most is known by the bit length of its bytes, in a heap that nobody is moved down in before that is asked
/// for: a queue that fills and empties again and again costs nothing there, and each move down was paid for by a move up.
#[derive(Clone, Debug)]
pub(crate) struct Backlogs {
    is_on: bool,
    rows: Vec<Row>,
    bytes: u64,
    messages: u64,
    caps: Caps,
    /// Beyond the caps.
    room_for_pings: Caps,
    budget: Option<u64>,
    /// The greatest ceiling first, of those the lowest slot; empty without a budget.
    heaviest: SlotHeap<Reverse<u32>>,
    too_slow: Vec<TooSlow>,
}

impl Backlogs {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            is_on: false,
            rows: Vec::new(),
            bytes: 0,
            messages: 0,
            caps: Caps::of(|limit| config.limit(limit)),
            room_for_pings: Caps::of_pings(config),
            budget: config.max_total_backlog_bytes,
            heaviest: SlotHeap::new(),
            too_slow: Vec::new(),
        }
    }

    pub(crate) const fn is_on(&self) -> bool {
        self.is_on
    }

    /// These are the limits from now on. O(1), but O(n log n) if there is a budget now and there was none, or the other
    /// way round.
    pub(crate) fn set_limits(&mut self, config: &Config) {
        self.caps = Caps::of(|limit| config.limit(limit));
        let had_budget = self.budget.is_some();
        self.budget = config.max_total_backlog_bytes;
        if self.budget.is_some() == had_budget {
            return;
        }
        self.heaviest = SlotHeap::new();
        let Row { ceiling, .. } = self.empty_row();
        for (slot, row) in (0..).zip(&mut self.rows) {
            row.ceiling = ceiling;
            if row.bytes > ceiling {
                row.move_up(slot, &mut self.heaviest);
            }
        }
    }

    /// The driver reports, so from now on there is something to know about these slots.
    pub(crate) fn turn_on(&mut self, open: impl Iterator<Item = u32>) {
        self.is_on = true;
        open.for_each(|slot| self.admit(slot));
    }

    /// A connection opens in this slot.
    pub(crate) fn admit(&mut self, slot: u32) {
        let empty = self.empty_row();
        if self.is_on {
            slots::entry(&mut self.rows, slot, empty);
        }
    }

    /// A connection is open no longer, and its backlog is nobody's.
    pub(crate) fn forget(&mut self, slot: u32) {
        let empty = self.empty_row();
        if let Some(row) = self.rows.get_mut(slot as usize) {
            self.bytes -= u64::from(row.bytes);
            self.messages -= u64::from(row.messages);
            *row = empty;
            self.heaviest.set(slot, None);
        }
    }

    /// Without a budget nobody is ever moved in the heap.
    const fn empty_row(&self) -> Row {
        Row {
            bytes: 0,
            messages: 0,
            dropped: 0,
            ceiling: if self.budget.is_some() { 0 } else { u32::MAX },
        }
    }

    pub(crate) fn of(&self, slot: u32) -> Backlog {
        let row = self.row(slot);
        Backlog {
            bytes: row.bytes.into(),
            messages: row.messages.into(),
        }
    }

    /// All together; `None` until something was reported.
    pub(crate) fn total(&self) -> Option<Backlog> {
        self.is_on.then_some(Backlog {
            bytes: self.bytes,
            messages: self.messages,
        })
    }

    fn row(&self, slot: u32) -> Row {
        self.rows.get(slot as usize).copied().unwrap_or_default()
    }

    /// Writes a message for all who are listed since the mark, and takes those out who do not get it, for want of room in
    /// their own backlogs or, if it may be dropped, in the budget. Returns how many those are. One pass.
    ///
    /// Those for whom it must not be dropped are [too slow](Self::take_too_slow) then. They are to be evicted, and after
    /// them whoever is [beyond the budget](Self::beyond_budget).
    pub(crate) fn charge(&mut self, recipients: &mut Vec<ConnId>, mark: usize, bytes: usize, kind: Kind) -> usize {
        let run = recipients.get_mut(mark..).unwrap_or_default();
        let all = run.len();
        let caps = match kind {
            Kind::Message(_) => self.caps,
            Kind::Ping => self.caps.and(self.room_for_pings),
        };
        let size = u32::try_from(bytes).ok().and_then(|bytes| Size::of(bytes, caps));
        let room = match kind {
            Kind::Message(Delivery::Droppable) => self.room_for(bytes),
            _ => usize::MAX,
        };
        let fitting = size.map_or(0, |size| {
            self.charge_first(run.get(..all.min(room)).unwrap_or_default(), size)
        });
        let mut kept = fitting;
        for at in fitting..all {
            let conn = run[at];
            if kept < room && size.is_some_and(|size| self.add(conn.index(), size)) {
                run[kept] = conn;
                kept += 1;
            } else {
                self.turn_away(conn.index(), bytes, kind, caps);
            }
        }
        recipients.truncate(mark + kept);
        self.messages += kept as u64;
        // The bytes of somebody fit 32 bits, and somebody's index does.
        self.bytes += kept as u64 * bytes as u64;
        all - kept
    }

    /// How many messages of so many bytes the budget has room for.
    fn room_for(&self, bytes: usize) -> usize {
        let Some(budget) = self.budget else {
            return usize::MAX;
        };
        let Some(room) = budget.checked_sub(self.bytes) else {
            return 0;
        };
        let room = room.checked_div(bytes as u64);
        room.and_then(|room| usize::try_from(room).ok()).unwrap_or(usize::MAX)
    }

    /// How many of these, up to the first who has no room.
    fn charge_first(&mut self, run: &[ConnId], size: Size) -> usize {
        let (rows, heaviest) = (self.rows.as_mut_slice(), &mut self.heaviest);
        let first_without = run.iter().position(|conn| {
            let slot = conn.index();
            !rows
                .get_mut(slot as usize)
                .is_some_and(|row| row.add(slot, size, heaviest))
        });
        first_without.unwrap_or(run.len())
    }

    /// One more message for somebody, if there is room for it.
    fn add(&mut self, slot: u32, size: Size) -> bool {
        self.rows[slot as usize].add(slot, size, &mut self.heaviest)
    }

    /// Somebody does not get a message.
    fn turn_away(&mut self, slot: u32, bytes: usize, kind: Kind, caps: Caps) {
        let row = &mut self.rows[slot as usize];
        if kind == Kind::Message(Delivery::Droppable) {
            row.dropped = row.dropped.saturating_add(1);
            return;
        }
        let (bytes, messages) = (u64::from(row.bytes) + bytes as u64, u64::from(row.messages) + 1);
        let (seen, threshold) = if bytes > caps.bytes.into() {
            (bytes, caps.bytes)
        } else {
            (messages, caps.messages)
        };
        self.too_slow.push(TooSlow {
            slot,
            seen,
            threshold: threshold.into(),
        });
    }

    /// Those who must be evicted since the last message did not fit into their backlogs, in the order of the run. The
    /// list is to be [returned](Self::return_list) for its memory.
    pub(crate) fn take_too_slow(&mut self) -> Vec<TooSlow> {
        core::mem::take(&mut self.too_slow)
    }

    pub(crate) fn return_list(&mut self, mut too_slow: Vec<TooSlow>) {
        too_slow.clear();
        self.too_slow = too_slow;
    }

    /// If there is more than the budget allows, who has to go: of those whose bytes have the most bits, the one in the
    /// lowest slot.
    pub(crate) fn beyond_budget(&mut self) -> Option<TooSlow> {
        let budget = self.budget.filter(|&budget| self.bytes > budget)?;
        while let Some((Reverse(ceiling), slot)) = self.heaviest.peek() {
            let row = &mut self.rows[slot as usize];
            let least = row.least_ceiling();
            if least == ceiling {
                return Some(TooSlow {
                    slot,
                    seen: self.bytes,
                    threshold: budget,
                });
            }
            // It has become less since it was moved up to there.
            row.ceiling = least;
            self.heaviest.set(slot, (least > 0).then_some(Reverse(least)));
        }
        None
    }

    /// So much of somebody's backlog was handed to the system.
    pub(crate) fn flush(&mut self, slot: u32, bytes: u64, messages: u32) -> Flush {
        let caps = self.caps;
        let row = &mut self.rows[slot as usize];
        let excess = bytes > row.bytes.into() || messages > row.messages;
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).min(row.bytes);
        let messages = messages.min(row.messages);
        row.bytes -= bytes;
        row.messages -= messages;
        let has_room = row.bytes <= caps.bytes / 2 && row.messages <= caps.messages / 2;
        let dropped = if has_room { core::mem::take(&mut row.dropped) } else { 0 };
        self.bytes -= u64::from(bytes);
        self.messages -= u64::from(messages);
        Flush {
            excess,
            writable: (dropped > 0).then_some(dropped),
        }
    }
}

/// A backlog in a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SavedBacklog {
    pub(crate) conn: ConnId,
    bytes: u32,
    messages: u32,
    dropped: u32,
}

impl Backlogs {
    /// The backlog of a connection if it has one, or something to be told when it has none.
    pub(crate) fn save(&self, conn: ConnId) -> Option<SavedBacklog> {
        let Row {
            bytes,
            messages,
            dropped,
            ..
        } = self.row(conn.index());
        (bytes > 0 || messages > 0 || dropped > 0).then_some(SavedBacklog {
            conn,
            bytes,
            messages,
            dropped,
        })
    }

    /// Gives an open connection its backlog back. What is wrong with it, if something is.
    pub(crate) fn restore(&mut self, saved: SavedBacklog, peaks: &Peaks) -> Result<(), &'static str> {
        let SavedBacklog {
            conn,
            bytes,
            messages,
            dropped,
        } = saved;
        if bytes == 0 && messages == 0 && dropped == 0 {
            return Err("a backlog of nothing");
        }
        let most = self.most_ever(peaks);
        if bytes > most.bytes || messages > most.messages {
            return Err("a backlog beyond what its caps ever were");
        }
        let row = &mut self.rows[conn.index() as usize];
        (row.bytes, row.messages, row.dropped) = (bytes, messages, dropped);
        self.bytes += u64::from(bytes);
        self.messages += u64::from(messages);
        if bytes > row.ceiling {
            row.move_up(conn.index(), &mut self.heaviest);
        }
        Ok(())
    }

    /// What a connection can have, since the caps may have been lowered just now.
    fn most_ever(&self, peaks: &Peaks) -> Caps {
        Caps::of(|limit| peaks.get(limit)).and(self.room_for_pings)
    }

    /// Whether there can be so much, since the budget may have been lowered just now.
    pub(crate) fn is_within_budget(&self, peaks: &Peaks) -> bool {
        peaks
            .get(Limit::TotalBacklogBytes)
            .is_none_or(|peak| self.bytes <= peak)
    }

    /// `open` are the slots that can have a backlog.
    pub(crate) fn check(&self, open: &BTreeSet<u32>, peaks: &Peaks) -> Result<(), Violation> {
        let rows = || (0..).zip(&self.rows);
        let reach = open.last().filter(|_| self.is_on).map_or(0, |&last| last as usize + 1);
        ensure(self.rows.len() >= reach, Invariant::BacklogOfOpen, || {
            format!("{} rows for {reach} slots", self.rows.len())
        })?;
        for (slot, row) in rows().filter(|(slot, _)| !self.is_on || !open.contains(slot)) {
            ensure(*row == self.empty_row(), Invariant::BacklogOfOpen, || {
                format!("slot {slot} has {row:?}")
            })?;
        }
        let sum = |part: fn(&Row) -> u32| self.rows.iter().map(|row| u64::from(part(row))).sum::<u64>();
        let found = (sum(|row| row.bytes), sum(|row| row.messages));
        ensure((self.bytes, self.messages) == found, Invariant::BacklogSum, || {
            format!("{} and {} counted, {found:?} found", self.bytes, self.messages)
        })?;
        let most = self.most_ever(peaks);
        for (slot, row) in rows() {
            let within = row.bytes <= most.bytes && row.messages <= most.messages;
            ensure(within, Invariant::BacklogLimit, || format!("slot {slot} has {row:?}"))?;
        }
        ensure(self.is_within_budget(peaks), Invariant::BacklogBudget, || {
            format!("{} are there", self.bytes)
        })?;
        self.heaviest.check()?;
        for (slot, row) in rows() {
            let place = self.heaviest.get(slot).map_or(0, |Reverse(ceiling)| ceiling);
            let known = self.budget.is_none() || (place == row.ceiling && row.least_ceiling() <= place);
            ensure(known, Invariant::Heaviest, || {
                format!("slot {slot} has {row:?}, and is at {place}")
            })?;
        }
        let has_place = |&(slot, _): &(u32, &Row)| self.heaviest.get(slot).is_some();
        let listed = rows().filter(has_place).count();
        let alone = self.heaviest.len() == listed && (self.budget.is_some() || listed == 0);
        ensure(alone, Invariant::Heaviest, || {
            format!("{} listed, {listed} of them are there", self.heaviest.len())
        })
    }
}

#[cfg(test)]
impl Backlogs {
    pub(crate) fn spoil_bytes(&mut self, slot: u32, more: u32) {
        self.rows[slot as usize].bytes += more;
    }

    pub(crate) fn spoil_last_row(&mut self) {
        self.rows.pop();
    }

    pub(crate) fn spoil_messages(&mut self, slot: u32, more: u32) {
        self.rows[slot as usize].messages += more;
        self.messages += u64::from(more);
    }

    pub(crate) fn spoil_heap_order(&mut self) {
        self.heaviest.set(90, Some(Reverse(1)));
        self.heaviest.spoil_order(Reverse(0));
    }

    pub(crate) fn spoil_ceiling(&mut self, slot: u32, ceiling: u32) {
        self.rows[slot as usize].ceiling = ceiling;
    }

    pub(crate) fn spoil_place(&mut self, slot: u32) {
        self.rows[slot as usize].ceiling = 1;
        self.heaviest.set(slot, Some(Reverse(1)));
    }

    pub(crate) fn spoil_stranger(&mut self) {
        self.heaviest.set(90, Some(Reverse(1)));
    }
}

#[cfg(test)]
mod tests {
    use core::num::NonZeroU32;

    use alloc::vec;

    use proptest::prelude::*;

    use super::*;
    use crate::id::Key;

    const SLOTS: u32 = 6;

    fn conn(index: u32) -> ConnId {
        ConnId::new(Key {
            index,
            generation: NonZeroU32::MIN,
        })
    }

    fn step() -> impl Strategy<Value = (u32, u8, u16, u32)> {
        (0..SLOTS, 0_u8..4, 0_u16..1_000, 0_u32..4)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 256 }, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn who_goes_is_the_lowest_of_those_with_the_most_bits_whatever_came_before(steps in prop::collection::vec(step(), 0..200)) {
            let mut backlogs = Backlogs::new(&Config { max_total_backlog_bytes: Some(0), ..Config::default() });
            backlogs.turn_on(0..SLOTS);
            for (slot, kind, bytes, messages) in steps {
                match kind {
                    0 => _ = backlogs.flush(slot, bytes.into(), messages),
                    1 => backlogs.forget(slot),
                    _ => _ = backlogs.charge(&mut vec![conn(slot)], 0, bytes.into(), Kind::Ping),
                }
                let weight = |slot: &u32| (u32::BITS - backlogs.row(*slot).bytes.leading_zeros(), Reverse(*slot));
                let expected = (0..SLOTS).max_by_key(weight).filter(|&slot| backlogs.of(slot).bytes > 0);
                // On a copy, so that the heap is put in order rarely.
                prop_assert_eq!(backlogs.clone().beyond_budget().map(|reason| reason.slot), expected);
                if kind == 3 {
                    backlogs.beyond_budget();
                }
            }
        }
    }
}
