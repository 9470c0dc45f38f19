//! One client, from its request to its goodbye.

use std::io::{self, ErrorKind, Read};
use std::mem;
use std::net::{IpAddr, Shutdown};
use std::ops::Range;

use mio::event::Event;
use mio::net::TcpStream;
use tungstenite::Error;
use tungstenite::handshake::machine::TryParse;
use tungstenite::handshake::server::{Request, create_response, write_response};
use tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig, WebSocketContext};

use crate::flushed::Pushed;
use crate::stream::Stream;
use crate::{Encoded, Flushed, Frames};

/// How long a request may be.
const MAX_REQUEST: usize = 8 * 1_024;

/// A client of a WebSocket server, on a socket that does not block.
pub struct Socket {
    stream: Stream,
    phase: Phase,
    /// What is to be written of this turn's frames, after the backlog.
    run: Range<usize>,
    pushed: Pushed,
    peer: IpAddr,
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

/// What a client says.
#[derive(Debug)]
pub enum Heard {
    /// It asks for something over HTTP, to be answered with [`Socket::upgrade`] or [`Socket::respond`].
    Request(Request),
    /// That is no request, or too long for one, and this is the status to answer with.
    BadRequest(&'static str),
    /// A whole message. A ping among them has been answered.
    Message(Message),
    /// It broke the protocol, and is to be told so with [`Socket::close`]; nothing more can be heard from it.
    Failure(Error),
    /// The closing handshake is over.
    Goodbye,
    /// The stream has ended.
    End,
}

impl Socket {
    /// A client that has just connected and is registered for reading and writing.
    pub fn new(tcp: TcpStream, peer: IpAddr) -> Self {
        Self {
            stream: Stream::new(tcp),
            phase: Phase::Handshake(Vec::new()),
            run: 0..0,
            pushed: Pushed::default(),
            peer,
        }
    }

    /// Where it comes from.
    pub fn peer(&self) -> IpAddr {
        self.peer
    }

    /// Takes note of what the system says of it.
    pub fn is_ready(&mut self, event: &Event) {
        self.stream.is_ready(event);
    }

    /// Lets [`hear`](Self::hear) read 32 KiB from now on.
    pub fn begin_turn(&mut self) {
        self.stream.begin_turn();
    }

    /// Whether there is more to hear, now or in the next turn. The system does not say so again.
    pub fn is_unread(&self) -> bool {
        self.stream.is_unread()
    }

    /// Whether there is something to do for [`flush`](Self::flush) beside this turn's frames.
    pub fn wants_flush(&self) -> bool {
        !self.stream.backlog.is_empty() || matches!(self.phase, Phase::Finished)
    }

    /// The next thing it says.
    ///
    /// # Errors
    /// If the stream has failed; [`ErrorKind::WouldBlock`] if there is nothing more to be heard in this turn.
    pub fn hear(&mut self) -> io::Result<Heard> {
        let heard = match &mut self.phase {
            Phase::Handshake(request) => hear_request(&mut self.stream, request)?,
            Phase::Open(context) => hear_message(&mut self.stream, context)?,
            Phase::Failed(_) | Phase::Finished => hear_nothing(&mut self.stream)?,
        };
        self.phase = match (&heard, mem::replace(&mut self.phase, Phase::Finished)) {
            (Heard::Failure(_), Phase::Open(context)) => Phase::Failed(context),
            (Heard::Goodbye, _) => Phase::Finished,
            (_, phase) => phase,
        };
        Ok(heard)
    }

    /// Grants a request for an upgrade. What came after the request are frames. Messages of more than
    /// `max_message_bytes` are a failure.
    ///
    /// # Errors
    /// If the request asks for no upgrade, or for none that RFC 6455, section 4.2.1, allows: nothing has happened then.
    pub fn upgrade(&mut self, request: &Request, max_message_bytes: usize) -> Result<(), Error> {
        let response = create_response(request)?;
        write_response(&mut self.stream, &response)?;
        let config = WebSocketConfig::default()
            .read_buffer_size(4 * 1_024)
            .write_buffer_size(0)
            .max_message_size(Some(max_message_bytes))
            .max_frame_size(Some(max_message_bytes));
        if let Phase::Handshake(rest) = &mut self.phase {
            let context = WebSocketContext::from_partially_read(mem::take(rest), Role::Server, Some(config));
            self.phase = Phase::Open(context);
        }
        Ok(())
    }

    /// Answers a request with a page, and has nothing more to say.
    pub fn respond(&mut self, status: &str, content_type: &str, body: &[u8]) {
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n");
        self.stream.backlog.extend(head.as_bytes());
        self.stream.backlog.extend(b"connection: close\r\n\r\n");
        self.stream.backlog.extend(body);
        self.phase = Phase::Finished;
    }

    /// Answers a request with a status alone.
    pub fn refuse(&mut self, status: &str) {
        self.respond(status, "text/plain", status.as_bytes());
    }

    /// Starts the closing handshake, after all that it is to be told so far.
    pub fn close(&mut self, code: u16, reason: &str, frames: &Frames) {
        self.settle(frames);
        if let Phase::Open(context) | Phase::Failed(context) = &mut self.phase {
            let (code, reason) = (code.into(), reason.into());
            // It goes to the backlog, which takes everything.
            let _ = context.close(&mut self.stream, Some(CloseFrame { code, reason }));
        }
        if matches!(self.phase, Phase::Failed(_)) {
            self.phase = Phase::Finished;
        }
    }

    /// Adds one of this turn's frames. Those that follow each other are one run, and nothing is copied.
    pub fn push(&mut self, encoded: &Encoded, frames: &Frames) {
        let frame = encoded.frame.clone();
        self.pushed.push(encoded.payload);
        if self.run.end == frame.start {
            self.run.end = frame.end;
        } else {
            self.settle(frames);
            self.run = frame;
        }
    }

    fn settle(&mut self, frames: &Frames) {
        self.stream.backlog.extend(&frames.bytes[mem::take(&mut self.run)]);
    }

    /// Writes, in one call, as much as the system takes, and keeps the rest: what has been written since the last time.
    ///
    /// # Errors
    /// If the stream has failed, or if more than `max_backlog` bytes are left, frames and answers to pings included.
    pub fn flush(&mut self, frames: &Frames, max_backlog: usize) -> io::Result<Flushed> {
        self.stream.write_out(&frames.bytes[mem::take(&mut self.run)])?;
        let waiting = self.stream.backlog.len();
        if waiting > max_backlog {
            return Err(ErrorKind::OutOfMemory.into());
        }
        if waiting == 0 && matches!(self.phase, Phase::Finished) {
            self.stream.tcp.shutdown(Shutdown::Write)?;
        }
        Ok(self.pushed.end_turn(self.stream.written, waiting))
    }

    /// How many bytes were read since [`begin_turn`](Self::begin_turn).
    pub fn heard_bytes(&self) -> usize {
        self.stream.read_in_turn()
    }
}

fn hear_request(stream: &mut Stream, request: &mut Vec<u8>) -> io::Result<Heard> {
    let mut chunk = [0; 1_024];
    while request.len() < MAX_REQUEST {
        match stream.read(&mut chunk)? {
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

fn hear_message(stream: &mut Stream, context: &mut WebSocketContext) -> io::Result<Heard> {
    loop {
        return match context.read(stream) {
            // The next read answers it.
            Ok(Message::Close(_)) => continue,
            Ok(message) => Ok(Heard::Message(message)),
            Err(Error::ConnectionClosed) => Ok(Heard::Goodbye),
            Err(Error::Io(error)) => Err(error),
            Err(error) => Ok(Heard::Failure(error)),
        };
    }
}

fn hear_nothing(stream: &mut Stream) -> io::Result<Heard> {
    let mut chunk = [0; 1_024];
    while stream.read(&mut chunk)? > 0 {}
    Ok(Heard::End)
}
