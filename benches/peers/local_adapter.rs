//! The in-memory adapter of socketioxide, a Socket.IO server: rooms are sets of socket ids. Its sockets are a stub, which
//! hands each recipient a clone of the payload where the real one looks the socket up and queues it.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::{FusedStream, Stream};
use serde::{Deserialize, Serialize};
use socketioxide_core::adapter::errors::SocketError;
use socketioxide_core::adapter::{
    BroadcastFlags, BroadcastIter, BroadcastOptions, CoreLocalAdapter, RemoteSocketData, Room, SocketEmitter,
};
use socketioxide_core::packet::{Packet, PacketData};
use socketioxide_core::parser::{Parse, ParseError, ParserError, ParserState};
use socketioxide_core::{Sid, Str, Uid, Value};

type Sink = fn(Sid, Value);

pub(crate) struct Adapter {
    local: CoreLocalAdapter<Sockets>,
    sender: Sid,
    payload: Str,
    addressed: &'static AtomicUsize,
}

impl Adapter {
    pub(crate) fn new(room: &'static str, members: u32, payload: String, sink: Sink) -> Self {
        // The adapter tells nobody how many it has addressed.
        let addressed: &'static AtomicUsize = Box::leak(Box::default());
        let local = CoreLocalAdapter::new(Sockets {
            path: Str::from("/"),
            sink,
            addressed,
        });
        let sids: Vec<Sid> = (0..members).map(|_| Sid::new()).collect();
        for &sid in &sids {
            local.add_all(sid, room);
        }
        Self {
            local,
            sender: sids[sids.len() / 2],
            payload: Str::from(payload),
            addressed,
        }
    }

    /// `socket.to(room).emit(..)`: to all in the room but the sender.
    pub(crate) fn broadcast(&self, room: &'static str) -> usize {
        let mut options = BroadcastOptions::new(self.sender);
        options.add_flag(BroadcastFlags::Broadcast);
        options.rooms.push(Room::Borrowed(room));
        let packet = Packet::event("/", Value::Str(self.payload.clone(), None));
        self.local.broadcast(packet, options).expect("no socket fails");
        self.addressed.load(Ordering::Relaxed)
    }
}

struct Sockets {
    path: Str,
    sink: Sink,
    addressed: &'static AtomicUsize,
}

impl SocketEmitter for Sockets {
    type AckError = NoAck;
    type AckStream = NoAck;

    fn send_many(&self, sids: BroadcastIter<'_>, data: Value) -> Result<(), Vec<SocketError>> {
        let mut addressed = 0;
        for sid in sids {
            (self.sink)(sid, data.clone());
            addressed += 1;
        }
        self.addressed.store(addressed, Ordering::Relaxed);
        Ok(())
    }

    fn parser(&self) -> impl Parse {
        PlainText
    }

    fn path(&self) -> &Str {
        &self.path
    }

    fn get_all_sids(&self, _: impl Fn(&Sid) -> bool) -> Vec<Sid> {
        unused()
    }

    fn get_remote_sockets(&self, _: BroadcastIter<'_>) -> Vec<RemoteSocketData> {
        unused()
    }

    fn send_many_with_ack(&self, _: BroadcastIter<'_>, _: Packet, _: Option<Duration>) -> (NoAck, u32) {
        unused()
    }

    fn disconnect_many(&self, _: Vec<Sid>) -> Result<(), Vec<SocketError>> {
        unused()
    }

    fn server_id(&self) -> Uid {
        unused()
    }

    fn ack_timeout(&self) -> Duration {
        unused()
    }
}

/// Sends the text as it is: the cost of wording a message is not the adapter's.
#[derive(Clone, Copy, Default)]
struct PlainText;

impl Parse for PlainText {
    fn encode(self, packet: Packet) -> Value {
        match packet.inner {
            PacketData::Event(data, _) => data,
            _ => unused(),
        }
    }

    fn decode_str(self, _: &ParserState, _: Str) -> Result<Packet, ParseError> {
        unused()
    }

    fn decode_bin(self, _: &ParserState, _: Bytes) -> Result<Packet, ParseError> {
        unused()
    }

    fn encode_value<T: ?Sized + Serialize>(self, _: &T, _: Option<&str>) -> Result<Value, ParserError> {
        unused()
    }

    fn decode_value<'de, T: Deserialize<'de>>(self, _: &'de mut Value, _: bool) -> Result<T, ParserError> {
        unused()
    }

    fn decode_default<'de, T: Deserialize<'de>>(self, _: Option<&'de Value>) -> Result<T, ParserError> {
        unused()
    }

    fn encode_default<T: ?Sized + Serialize>(self, _: &T) -> Result<Value, ParserError> {
        unused()
    }

    fn read_event(self, _: &Value) -> Result<&str, ParserError> {
        unused()
    }
}

/// Nobody is asked for an acknowledgement.
#[derive(Debug, Serialize, Deserialize)]
struct NoAck;

impl fmt::Display for NoAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no acknowledgement")
    }
}

impl std::error::Error for NoAck {}

impl Stream for NoAck {
    type Item = (Sid, Result<Value, Self>);

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(None)
    }
}

impl FusedStream for NoAck {
    fn is_terminated(&self) -> bool {
        true
    }
}

/// What the interface asks for beyond a broadcast.
fn unused() -> ! {
    unreachable!("a broadcast does not call this")
}
