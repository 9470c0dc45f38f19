//! The bytes: reads from the system within a credit, and keeps what it has not taken yet.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};

use mio::event::Event;
use mio::net::TcpStream;

/// How many bytes are read in a turn of the loop. The rest waits for the next turn, and all other sockets are read
/// before.
const CREDIT: usize = 32 * 1_024;
/// How much memory an empty backlog keeps.
const SPARE: usize = 1_024;

pub(crate) struct Stream {
    pub(crate) tcp: TcpStream,
    credit: usize,
    /// The system has nothing more to read. It will say when that changes.
    drained: bool,
    /// The peer has closed its side. The system has said so and will not say it again.
    ending: bool,
    pub(crate) backlog: VecDeque<u8>,
    /// How many bytes the system has taken so far.
    pub(crate) written: u64,
}

impl Stream {
    pub(crate) fn new(tcp: TcpStream) -> Self {
        Self {
            tcp,
            credit: 0,
            drained: true,
            ending: false,
            backlog: VecDeque::new(),
            written: 0,
        }
    }

    pub(crate) fn is_ready(&mut self, event: &Event) {
        self.drained &= !event.is_readable();
        self.ending |= event.is_read_closed();
    }

    pub(crate) fn begin_turn(&mut self) {
        self.credit = CREDIT;
    }

    pub(crate) fn read_in_turn(&self) -> usize {
        CREDIT.saturating_sub(self.credit)
    }

    /// Whether the credit was used up before everything was read.
    pub(crate) fn is_unread(&self) -> bool {
        !self.drained
    }

    /// Writes the backlog and then `run`, in one call, as much of it as the system takes. The rest is the backlog.
    pub(crate) fn write_out(&mut self, run: &[u8]) -> io::Result<()> {
        let written = if self.backlog.is_empty() {
            self.tcp.write(run)
        } else {
            let (first, second) = self.backlog.as_slices();
            self.tcp.write_vectored(&[first, second, run].map(IoSlice::new))
        };
        let written = match written {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => 0,
            written => written?,
        };
        self.written += written as u64;
        let old = written.min(self.backlog.len());
        self.backlog.drain(..old);
        self.backlog.extend(&run[written - old..]);
        if self.backlog.is_empty() {
            self.backlog.shrink_to(SPARE);
        }
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(self.credit);
        if self.drained || wanted == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let read = self.tcp.read(&mut buffer[..wanted]);
        // Less than was asked for is all there was, which saves a call; but for the end, which is read after it.
        self.drained = !self.ending && read.as_ref().map_or(true, |&read| read < wanted);
        self.credit -= read.as_ref().map_or(0, |&read| read);
        read
    }
}

/// To the backlog, which takes everything.
impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.backlog.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
