//! A side table for drivers.

use alloc::vec::Vec;
use core::num::NonZeroU32;

use crate::id::{ConnId, Key};

/// Values by connection, a driver's sockets say. An id whose connection has ended finds nothing, even when its index
/// serves another.
///
/// A vector by [`ConnId::index`]: all operations are O(1) and hash nothing. Memory is O(highest index), which the
/// manager keeps below the greatest number of connections that were there at once.
///
/// ```
/// use lobbykeeper::{ConnId, ConnMap};
///
/// let (old, new): (ConnId, ConnId) = ("c0v1".parse().unwrap(), "c0v2".parse().unwrap());
/// let mut sockets = ConnMap::new();
/// sockets.insert(new, "socket");
/// assert_eq!(sockets.get(old), None);
/// assert_eq!(sockets.remove(new), Some("socket"));
/// ```
#[derive(Clone, Debug)]
pub struct ConnMap<T> {
    slots: Vec<Option<(NonZeroU32, T)>>,
    len: usize,
}

impl<T> Default for ConnMap<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> ConnMap<T> {
    /// An empty map. Allocates nothing.
    pub const fn new() -> Self {
        Self {
            slots: Vec::new(),
            len: 0,
        }
    }

    /// How many values there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts a value in and returns the one that lay there: this connection's, or one that an earlier connection with
    /// the same index left behind. A driver that handles many events before it reads the outbox drops such a socket as
    /// it would for `Evict`, since the `Evict` that still waits there will not find it any more.
    pub fn insert(&mut self, conn: ConnId, value: T) -> Option<T> {
        let index = conn.index() as usize;
        if index >= self.slots.len() {
            self.slots.resize_with(index + 1, || None);
        }
        let old = self.slots.get_mut(index)?.replace((conn.generation(), value));
        self.len += usize::from(old.is_none());
        old.map(|(_, value)| value)
    }

    /// The value of a connection.
    pub fn get(&self, conn: ConnId) -> Option<&T> {
        match self.slots.get(conn.index() as usize)? {
            Some((generation, value)) if *generation == conn.generation() => Some(value),
            _ => None,
        }
    }

    /// The value of a connection, to be changed.
    pub fn get_mut(&mut self, conn: ConnId) -> Option<&mut T> {
        match self.slots.get_mut(conn.index() as usize)? {
            Some((generation, value)) if *generation == conn.generation() => Some(value),
            _ => None,
        }
    }

    /// Takes the value of a connection out.
    pub fn remove(&mut self, conn: ConnId) -> Option<T> {
        let slot = self.slots.get_mut(conn.index() as usize)?;
        let (_, value) = slot.take_if(|(generation, _)| *generation == conn.generation())?;
        self.len -= 1;
        Some(value)
    }

    /// All values in the order of their indices. O(highest index).
    pub fn iter(&self) -> impl Iterator<Item = (ConnId, &T)> {
        self.slots.iter().zip(0..).filter_map(|(slot, index)| {
            let (generation, value) = slot.as_ref()?;
            Some((
                ConnId::new(Key {
                    index,
                    generation: *generation,
                }),
                value,
            ))
        })
    }

    /// All values in the order of their indices, to be changed. O(highest index).
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (ConnId, &mut T)> {
        self.slots.iter_mut().zip(0..).filter_map(|(slot, index)| {
            let (generation, value) = slot.as_mut()?;
            Some((
                ConnId::new(Key {
                    index,
                    generation: *generation,
                }),
                value,
            ))
        })
    }
}
