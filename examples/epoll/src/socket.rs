//! One socket: what it says, and what waits to be written to it. It knows neither the chat nor the loop.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::mem;
use std::net::Shutdown;
use std::ops::Range;

use lobby_chat::failure;
use lobbykeeper::{CloseFrame, ConnId, Time};
use mio::event::Event;
use mio::net::TcpStream;
use tungstenite::Error;
use tungstenite::handshake::machine::TryParse;
use tungstenite::handshake::server::Request;
use tungstenite::protocol::{self, Message, Role, WebSocketConfig, WebSocketContext};

/// How many bytes of one socket are read in a turn of the loop. The rest waits for the next turn, and all others are
/// read before.
const CREDIT: usize = 32 * 1_024;
/// How long a request may be.
const MAX_REQUEST: usize = 8 * 1_024;
/// How much memory an empty backlog keeps.
const SPARE: usize = 1_024;

pub(crate) struct Socket {
    stream: Stream,
    phase: Phase,
    /// What is to be written of this turn's frames, after the backlog.
    run: Range<usize>,
    /// It is among those that have something to write in this turn.
    pub(crate) dirty: bool,
    /// It is to be read on in the next turn.
    pub(crate) waiting: bool,
    /// Once it is admitted, and until it has said goodbye.
    pub(crate) conn: Option<ConnId>,
    /// When it is dropped, unless it is admitted by then.
    pub(crate) deadline: Time,
}

enum Phase {
    /// The request, as much of it as has come.
    Handshake(Vec<u8>),
    Open(WebSocketContext),
    /// It broke the protocol, and is yet to be told so.
    Failed(WebSocketContext),
    /// All has been said. When that is written its stream is closed on this side, and what still comes is thrown away
    /// until the other side closes too: the system resets a stream that is dropped with unread input, and the peer
    /// might not see what it was told.
    Finished,
}

/// What a socket says.
pub(crate) enum Heard {
    Request(Request),
    /// It is no request, and this is the status to answer with.
    BadRequest(&'static str),
    Message(Message),
    /// It broke the protocol, and this is what to tell it.
    Failure(CloseFrame),
    /// The closing handshake is over.
    Goodbye,
    /// The stream has ended.
    End,
}

impl Socket {
    pub(crate) fn new(tcp: TcpStream, deadline: Time) -> Self {
        Self {
            stream: Stream {
                tcp,
                credit: 0,
                drained: true,
                ending: false,
                backlog: VecDeque::new(),
            },
            phase: Phase::Handshake(Vec::new()),
            run: 0..0,
            dirty: false,
            waiting: false,
            conn: None,
            deadline,
        }
    }

    /// The system says so.
    pub(crate) fn is_ready(&mut self, event: &Event) {
        self.stream.drained &= !event.is_readable();
        self.stream.ending |= event.is_read_closed();
    }

    /// It may be read again.
    pub(crate) fn begin_turn(&mut self) {
        self.stream.credit = CREDIT;
    }

    /// Whether its credit was used up before everything was read.
    pub(crate) fn is_unread(&self) -> bool {
        !self.stream.drained
    }

    /// Whether there is something to do for [`flush`](Self::flush) beside this turn's frames.
    pub(crate) fn wants_flush(&self) -> bool {
        !self.stream.backlog.is_empty() || matches!(self.phase, Phase::Finished)
    }

    /// The next thing it says.
    ///
    /// # Errors
    /// If the stream has failed; [`ErrorKind::WouldBlock`] if there is nothing more to be heard in this turn.
    pub(crate) fn hear(&mut self) -> io::Result<Heard> {
        let heard = match &mut self.phase {
            Phase::Handshake(request) => self.stream.hear_request(request)?,
            Phase::Open(context) => self.stream.hear_message(context)?,
            Phase::Failed(_) | Phase::Finished => self.stream.hear_nothing()?,
        };
        self.phase = match (&heard, mem::replace(&mut self.phase, Phase::Finished)) {
            (Heard::Failure(_), Phase::Open(context)) => Phase::Failed(context),
            (Heard::Goodbye, _) => Phase::Finished,
            (_, phase) => phase,
        };
        Ok(heard)
    }

    /// Accepts the upgrade with this answer. What came after the request are frames.
    pub(crate) fn upgrade(&mut self, answer: &[u8], max_message_bytes: usize) {
        let config = WebSocketConfig::default()
            .read_buffer_size(4 * 1_024)
            .write_buffer_size(0)
            .max_message_size(Some(max_message_bytes))
            .max_frame_size(Some(max_message_bytes));
        if let Phase::Handshake(rest) = &mut self.phase {
            let context = WebSocketContext::from_partially_read(mem::take(rest), Role::Server, Some(config));
            self.phase = Phase::Open(context);
        }
        self.stream.backlog.extend(answer);
    }

    /// Starts the closing handshake, after all that it is to be told so far.
    pub(crate) fn close(&mut self, code: u16, reason: &str, frames: &[u8]) {
        self.settle(frames);
        if let Phase::Open(context) | Phase::Failed(context) = &mut self.phase {
            let (code, reason) = (code.into(), reason.into());
            // It goes to the backlog, which takes everything.
            let _ = context.close(&mut self.stream, Some(protocol::CloseFrame { code, reason }));
        }
        if matches!(self.phase, Phase::Failed(_)) {
            self.phase = Phase::Finished;
        }
    }

    /// Tells it the last thing.
    pub(crate) fn finish(&mut self, last: &[u8]) {
        self.stream.backlog.extend(last);
        self.phase = Phase::Finished;
    }

    /// Adds one of this turn's frames. Those that follow each other are one run, and nothing is copied.
    pub(crate) fn push(&mut self, frame: Range<usize>, frames: &[u8]) {
        if self.run.end == frame.start {
            self.run.end = frame.end;
        } else {
            self.settle(frames);
            self.run = frame;
        }
    }

    fn settle(&mut self, frames: &[u8]) {
        self.stream.backlog.extend(&frames[mem::take(&mut self.run)]);
    }

    /// Writes, in one call, as much as the system takes, and keeps the rest.
    ///
    /// # Errors
    /// If the stream has failed, or if more than `max_backlog` bytes are left.
    pub(crate) fn flush(&mut self, frames: &[u8], max_backlog: usize) -> io::Result<()> {
        let run = &frames[mem::take(&mut self.run)];
        let Stream { tcp, backlog, .. } = &mut self.stream;
        let written = if backlog.is_empty() {
            tcp.write(run)
        } else {
            let (first, second) = backlog.as_slices();
            tcp.write_vectored(&[first, second, run].map(IoSlice::new))
        };
        let written = match written {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => 0,
            written => written?,
        };
        let old = written.min(backlog.len());
        backlog.drain(..old);
        backlog.extend(&run[written - old..]);
        if backlog.len() > max_backlog {
            return Err(ErrorKind::OutOfMemory.into());
        }
        if backlog.is_empty() {
            backlog.shrink_to(SPARE);
            if matches!(self.phase, Phase::Finished) {
                tcp.shutdown(Shutdown::Write)?;
            }
        }
        Ok(())
    }
}

/// Reads from the system within its credit, and writes to the backlog.
struct Stream {
    tcp: TcpStream,
    credit: usize,
    /// The system has nothing more to read. It will say when that changes.
    drained: bool,
    /// The peer has closed its side. The system has said so and will not say it again.
    ending: bool,
    backlog: VecDeque<u8>,
}

impl Stream {
    fn hear_request(&mut self, request: &mut Vec<u8>) -> io::Result<Heard> {
        let mut chunk = [0; 1_024];
        while request.len() < MAX_REQUEST {
            match self.read(&mut chunk)? {
                0 => return Ok(Heard::End),
                length => request.extend_from_slice(&chunk[..length]),
            }
            match Request::try_parse(request) {
                Ok(Some((length, parsed))) => {
                    request.drain(..length);
                    return Ok(Heard::Request(parsed));
                }
                Ok(None) => {}
                Err(_) => return Ok(Heard::BadRequest("400 Bad Request")),
            }
        }
        Ok(Heard::BadRequest("431 Request Header Fields Too Large"))
    }

    fn hear_message(&mut self, context: &mut WebSocketContext) -> io::Result<Heard> {
        loop {
            return match context.read(self) {
                // The next read answers it.
                Ok(Message::Close(_)) => continue,
                Ok(message) => Ok(Heard::Message(message)),
                Err(Error::ConnectionClosed) => Ok(Heard::Goodbye),
                Err(Error::Io(error)) => Err(error),
                Err(error) => Ok(failure(&error).map_or(Heard::End, Heard::Failure)),
            };
        }
    }

    fn hear_nothing(&mut self) -> io::Result<Heard> {
        let mut chunk = [0; 1_024];
        while self.read(&mut chunk)? > 0 {}
        Ok(Heard::End)
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

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.backlog.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
