//! One task per socket: it carries messages between the socket and the hub, and decides nothing.

use std::convert::Infallible;
use std::future::pending;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::ws::{self, Message, WebSocket};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use lobby_chat::failure;
use lobbykeeper::{Cause, CloseFrame, ConnId};
use tokio::sync::mpsc::error::SendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::hub::Event;

/// Bytes that are gathered for a socket before they are written, flush or no flush. The buffer never shrinks again, so
/// this bounds what a burst leaves behind. Smaller ones cost bursts of 16 messages of 1 KiB too many writes.
pub(crate) const WRITE_BUFFER: usize = 16 * 1_024;

type Sink = SplitSink<WebSocket, Message>;

/// The hub's end of a socket. Dropping it ends the socket's task at once, whatever that is waiting for.
#[derive(Debug)]
pub(crate) struct Outlet {
    /// Of pointers, since a channel keeps room for 32 of what it carries even while nothing waits in it. The manager
    /// limits what waits.
    queue: mpsc::UnboundedSender<Arc<Message>>,
    written: Arc<Written>,
    _kept: oneshot::Sender<Infallible>,
}

impl Outlet {
    /// Puts a message into the socket's queue; it never waits.
    ///
    /// # Errors
    /// If the task has ended: this socket is lost.
    pub(crate) fn send(&self, message: Arc<Message>) -> Result<(), SendError<Arc<Message>>> {
        self.queue.send(message)
    }

    /// How much was written since the last time, in payload bytes and messages.
    pub(crate) fn flushed(&self) -> (u64, u32) {
        let messages = self.written.messages.swap(0, Ordering::Acquire);
        (self.written.bytes.swap(0, Ordering::Relaxed), messages)
    }
}

/// What was handed to the system and the hub has not heard of. Who sees the messages sees their bytes.
#[derive(Debug, Default)]
struct Written {
    bytes: AtomicU64,
    messages: AtomicU32,
}

/// The socket's end.
pub(crate) struct Inlet {
    queue: mpsc::UnboundedReceiver<Arc<Message>>,
    written: Arc<Written>,
    dropped: oneshot::Receiver<Infallible>,
}

pub(crate) fn outlet() -> (Outlet, Inlet) {
    let (sender, queue) = mpsc::unbounded_channel();
    let (kept, dropped) = oneshot::channel();
    let written = Arc::<Written>::default();
    let outlet = Outlet {
        queue: sender,
        written: Arc::clone(&written),
        _kept: kept,
    };
    let inlet = Inlet {
        queue,
        written,
        dropped,
    };
    (outlet, inlet)
}

/// What each socket's task needs.
#[derive(Clone, Debug)]
pub(crate) struct Port {
    pub(crate) events: mpsc::Sender<Event>,
    /// Whose outlet has news of what was written; each is there at most once.
    pub(crate) flushes: mpsc::UnboundedSender<ConnId>,
    pub(crate) close_timeout: Duration,
}

impl Port {
    /// Asks the hub for admission and serves the socket until it ends, in a task of its own: that of the upgrade, which
    /// is several times as large, ends.
    pub(crate) fn serve(self, socket: WebSocket, lobby: String, user: String, peer: IpAddr) {
        let (sink, stream) = socket.split();
        tokio::spawn(async move {
            let (outlet, inlet) = outlet();
            let (answer, admission) = oneshot::channel();
            let event = Event::Connected {
                lobby,
                user,
                peer,
                outlet,
                answer,
            };
            // Either fails only when the hub is gone.
            let admission = match self.events.send(event).await {
                Ok(()) => admission.await.ok(),
                Err(_) => None,
            };
            match admission.unwrap_or_else(|| Err(lobby_chat::going_away())) {
                Ok(conn) => self.carry(sink, stream, conn, inlet).await,
                Err(close) => say_goodbye(sink, stream, &close, self.close_timeout).await,
            }
        });
    }

    /// Tells a client why it may not come in, and waits for its goodbye, but not for ever.
    pub(crate) fn refuse(self, socket: WebSocket, close: CloseFrame) {
        let (sink, stream) = socket.split();
        tokio::spawn(async move { say_goodbye(sink, stream, &close, self.close_timeout).await });
    }

    /// Reads and writes, each at its own pace, until one of them fails, the closing handshake is over or the hub drops
    /// the socket.
    async fn carry(&self, sink: Sink, stream: SplitStream<WebSocket>, conn: ConnId, inlet: Inlet) {
        let Inlet {
            queue,
            written,
            dropped,
        } = inlet;
        let flushed = |bytes, messages| {
            written.bytes.fetch_add(bytes, Ordering::Relaxed);
            if written.messages.fetch_add(messages, Ordering::Release) == 0 {
                // Fails only when the hub is gone.
                let _ = self.flushes.send(conn);
            }
        };
        let cause = tokio::select! {
            biased;
            // The hub has forgotten it already and wants no report.
            _ = dropped => return,
            cause = self.read(stream, conn) => cause,
            Err(_) = write(sink, queue, flushed) => Cause::SendFailed,
        };
        // Fails only when the hub is gone.
        let _ = self.events.send(Event::Closed { conn, cause }).await;
    }

    /// Hands on what comes in. While the hub is behind it does not read, so that the client is slowed down and nobody
    /// else.
    async fn read(&self, mut stream: SplitStream<WebSocket>, conn: ConnId) -> Cause {
        while let Some(message) = stream.next().await {
            let event = match message {
                Ok(Message::Close(_)) => {
                    // The next read sends the answer and sees the end.
                    let _ = timeout(self.close_timeout, stream.next()).await;
                    return Cause::Peer;
                }
                Ok(message) => Event::Message { conn, message },
                Err(error) => {
                    let Some(close) = tungstenite_error(&error).and_then(failure) else {
                        return Cause::Error;
                    };
                    let _ = self.events.send(Event::Failed { conn, close }).await;
                    // Nothing can be read after it, not even the client's goodbye. Had the socket to go now, what lies
                    // unread in it would make the system reset the stream, and the client might not see why. The
                    // manager sets the time.
                    return pending().await;
                }
            };
            if self.events.send(event).await.is_err() {
                break;
            }
        }
        Cause::Peer
    }
}

async fn say_goodbye(mut sink: Sink, mut stream: SplitStream<WebSocket>, close: &CloseFrame, patience: Duration) {
    let goodbye = async {
        sink.send(close_message(close.code(), close.reason())).await?;
        while let Some(message) = stream.next().await {
            message?;
        }
        Ok::<_, axum::Error>(())
    };
    // A client that will not listen has been refused all the same.
    let _ = timeout(patience, goodbye).await;
}

/// Writes the queue out, as much of it in one go as there is and fits the buffer, and says how much that was. Ends with an
/// error, or when the hub drops the socket.
async fn write(
    mut sink: Sink,
    mut queue: mpsc::UnboundedReceiver<Arc<Message>>,
    flushed: impl Fn(u64, u32),
) -> Result<(), axum::Error> {
    while let Some(message) = queue.recv().await {
        let (mut bytes, mut messages) = (0, 0);
        let mut next = Some(message);
        while let Some(message) = next {
            if let Some(payload) = payload_bytes(&message) {
                bytes += payload;
                messages += 1;
            }
            sink.feed(Arc::unwrap_or_clone(message)).await?;
            next = (bytes < WRITE_BUFFER as u64).then(|| queue.try_recv().ok()).flatten();
        }
        sink.flush().await?;
        if messages > 0 {
            flushed(bytes, messages);
        }
    }
    Ok(())
}

/// What the manager counts of a message: nothing of a close.
fn payload_bytes(message: &Message) -> Option<u64> {
    let length = match message {
        Message::Text(text) => text.len(),
        Message::Binary(data) | Message::Ping(data) | Message::Pong(data) => data.len(),
        Message::Close(_) => return None,
    };
    Some(length as u64)
}

pub(crate) fn close_message(code: u16, reason: &str) -> Message {
    Message::Close(Some(ws::CloseFrame {
        code,
        reason: reason.into(),
    }))
}

/// What is inside an error of axum: that boxes the errors of the `tungstenite` that it uses; a test of bad input sees to it that ours
/// is of the same version.
fn tungstenite_error(error: &axum::Error) -> Option<&tungstenite::Error> {
    std::error::Error::source(error)?.downcast_ref()
}
