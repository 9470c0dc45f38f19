//! What a socket is to be sent and what of it the kernel has not taken yet.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Write};

use bytes::{Buf, Bytes};

/// How many slices one call may write; Linux takes 1,024.
const MAX_SLICES: usize = 64;

/// Bytes, then shared slices. A mode uses one of the two for its messages; what else is to be sent goes behind them.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    bytes: Vec<u8>,
    slices: VecDeque<Bytes>,
    /// The kernel took less than there was, and says when it takes more.
    blocked: bool,
}

impl Outgoing {
    /// Adds bytes without writing.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Adds a slice without writing or copying it.
    pub(super) fn share(&mut self, slice: Bytes) {
        self.slices.push_back(slice);
    }

    /// Writes bytes straight from where they are, or behind those that wait. What the kernel does not take is kept.
    pub(super) fn write(&mut self, stream: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
        if !self.slices.is_empty() {
            self.share(Bytes::copy_from_slice(bytes));
            return Ok(());
        }
        if self.blocked || !self.bytes.is_empty() {
            self.append(bytes);
            return Ok(());
        }
        let taken = match stream.write(bytes) {
            Ok(taken) => taken,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        if taken < bytes.len() {
            self.append(&bytes[taken..]);
            self.blocked = true;
        }
        Ok(())
    }

    /// Writes what waits, unless the kernel is to be waited for.
    pub(super) fn flush(&mut self, stream: &mut impl Write) -> io::Result<()> {
        if self.blocked { Ok(()) } else { self.resume(stream) }
    }

    /// The kernel takes more again: writes what waits.
    pub(super) fn resume(&mut self, stream: &mut impl Write) -> io::Result<()> {
        self.blocked = false;
        while !self.blocked && !self.bytes.is_empty() {
            let taken = self.noted(stream.write(&self.bytes))?;
            if taken == self.bytes.len() {
                self.bytes.clear();
            } else {
                self.bytes.drain(..taken);
            }
        }
        while !self.blocked && !self.slices.is_empty() {
            let mut parts = [IoSlice::new(&[]); MAX_SLICES];
            for (part, slice) in parts.iter_mut().zip(&self.slices) {
                *part = IoSlice::new(slice);
            }
            let parts = &parts[..self.slices.len().min(MAX_SLICES)];
            let taken = stream.write_vectored(parts);
            let mut taken = self.noted(taken)?;
            while let Some(first) = self.slices.front_mut() {
                if taken < first.len() {
                    first.advance(taken);
                    break;
                }
                taken -= first.len();
                self.slices.pop_front();
            }
        }
        Ok(())
    }

    fn noted(&mut self, outcome: io::Result<usize>) -> io::Result<usize> {
        match outcome {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.blocked = true;
                Ok(0)
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes as much as there is room for.
    #[derive(Default)]
    struct Narrow {
        room: usize,
        taken: Vec<u8>,
    }

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.room);
            if count == 0 {
                return Err(ErrorKind::WouldBlock.into());
            }
            self.room -= count;
            self.taken.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_comes_later_never_overtakes_what_waits() {
        let mut narrow = Narrow::default();
        let mut outgoing = Outgoing::default();
        narrow.room = 3;
        outgoing.write(&mut narrow, b"01234").unwrap();
        // There is room again, but the system has not said so yet.
        narrow.room = 100;
        outgoing.write(&mut narrow, b"567").unwrap();
        outgoing.append(b"89");
        outgoing.flush(&mut narrow).unwrap();
        assert_eq!(narrow.taken, b"012");
        outgoing.resume(&mut narrow).unwrap();
        assert_eq!(narrow.taken, b"0123456789");
    }

    #[test]
    fn shared_slices_are_taken_in_parts_and_nothing_gets_between() {
        let mut narrow = Narrow::default();
        let mut outgoing = Outgoing::default();
        for slice in [&b"01"[..], b"234", b"5"] {
            outgoing.share(Bytes::from_static(slice));
        }
        narrow.room = 3;
        outgoing.flush(&mut narrow).unwrap();
        outgoing.write(&mut narrow, b"67").unwrap();
        narrow.room = 2;
        outgoing.resume(&mut narrow).unwrap();
        assert_eq!(narrow.taken, b"01234");
        narrow.room = 100;
        outgoing.resume(&mut narrow).unwrap();
        assert_eq!(narrow.taken, b"01234567");
    }
}
