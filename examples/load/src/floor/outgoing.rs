//! What a socket is to be sent and what of it the kernel has not taken yet.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Write};

use bytes::{Buf, Bytes};

/// How many slices one call may write; Linux takes 1,024.
const MAX_SLICES: usize = 64;

/// Bytes, then shared slices. A mode uses one of the two for its messages.
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
