//! What is to happen: events in the order of their times, and of their making where those are equal.

use alloc::collections::{BTreeMap, BinaryHeap};
use alloc::vec::Vec;
use core::cmp::Ordering;

/// Nanoseconds of the world's own time, which no clock of the server knows.
pub(super) type Nanos = u64;

/// 2^28 ns, about a quarter of a second: the heap holds one such slice of time, and all later ones lie unsorted.
const SLICE_BITS: u32 = 28;

/// A queue in two parts. Most clients wait for their next visit, hours away; a heap of all of them would make each
/// packet, which arrives in milliseconds, sift through them.
#[derive(Clone, Debug)]
pub(super) struct Queue<T> {
    /// All events before `horizon`. Not empty unless the whole queue is.
    near: BinaryHeap<Entry<T>>,
    /// The others by slice.
    far: BTreeMap<u64, Vec<Entry<T>>>,
    /// The first slice that is not in `near`.
    horizon: u64,
    sequence: u64,
}

#[derive(Clone, Debug)]
struct Entry<T> {
    at: Nanos,
    sequence: u64,
    event: T,
}

impl<T> Queue<T> {
    pub(super) const fn new() -> Self {
        Self {
            near: BinaryHeap::new(),
            far: BTreeMap::new(),
            horizon: 0,
            sequence: 0,
        }
    }

    /// O(log n) in the number of events of this slice of time, or of slices with events.
    pub(super) fn push(&mut self, at: Nanos, event: T) {
        self.sequence += 1;
        let entry = Entry {
            at,
            sequence: self.sequence,
            event,
        };
        let slice = at >> SLICE_BITS;
        if slice < self.horizon {
            self.near.push(entry);
        } else {
            self.far.entry(slice).or_default().push(entry);
            self.refill();
        }
    }

    /// When the next event is due. O(1).
    pub(super) fn next_time(&self) -> Option<Nanos> {
        self.near.peek().map(|entry| entry.at)
    }

    /// The next event and its time.
    pub(super) fn pop(&mut self) -> Option<(Nanos, T)> {
        let Entry { at, event, .. } = self.near.pop()?;
        self.refill();
        Some((at, event))
    }

    /// Forgets events. O(n).
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.near.retain(|entry| keep(&entry.event));
        for entries in self.far.values_mut() {
            entries.retain(|entry| keep(&entry.event));
        }
        self.far.retain(|_, entries| !entries.is_empty());
        self.refill();
    }

    fn refill(&mut self) {
        if self.near.is_empty()
            && let Some((slice, entries)) = self.far.pop_first()
        {
            self.horizon = slice + 1;
            self.near.extend(entries);
        }
    }
}

impl<T> Ord for Entry<T> {
    /// The earliest is the greatest: the heap gives that first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.sequence).cmp(&(self.at, self.sequence))
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T> Eq for Entry<T> {}

#[cfg(test)]
mod tests {
    use super::super::rng::Rng;
    use super::*;

    #[test]
    fn events_come_by_time_and_then_in_the_order_of_their_making() {
        let mut rng = Rng::new(7, 0);
        let mut queue = Queue::new();
        let mut expected = Vec::new();
        let mut popped = Vec::new();
        let mut now = 0;
        for number in 0..4_000_u32 {
            // Few different times, in this second and in later ones; none before what has been popped already.
            let at = now + (rng.below(5) << rng.below(34));
            queue.push(at, number);
            expected.push((at, number));
            if rng.percent(40) {
                let next = queue.pop().unwrap();
                now = next.0;
                popped.push(next);
            }
        }
        while let Some(next) = queue.pop() {
            popped.push(next);
        }
        assert_eq!(queue.next_time(), None);
        // A stable sort by time is the order asked for.
        expected.sort_by_key(|&(at, _)| at);
        assert_eq!(popped, expected);
    }
}
