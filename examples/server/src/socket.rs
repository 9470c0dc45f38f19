//! One task per socket: it carries messages between the socket and the hub, and decides nothing.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{self, Message, WebSocket};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use lobby_chat::failure;
use lobbykeeper::{Cause, CloseFrame, ConnId};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::hub::Event;

type Sink = SplitSink<WebSocket, Message>;

/// The hub's end of a socket. Dropping it ends the socket's task at once, whatever that is waiting for.
#[derive(Debug)]
pub(crate) struct Outlet {
    /// Of pointers, since a channel keeps room for 32 of what it carries even while nothing waits in it.
    queue: mpsc::Sender<Arc<Message>>,
    _kept: oneshot::Sender<Infallible>,
}

impl Outlet {
    /// Puts a message into the socket's queue; it never waits.
    ///
    /// # Errors
    /// If the queue is full or the task has ended: this socket is lost.
    pub(crate) fn send(&self, message: Arc<Message>) -> Result<(), TrySendError<Arc<Message>>> {
        self.queue.try_send(message)
    }
}

/// The socket's end.
pub(crate) struct Inlet {
    queue: mpsc::Receiver<Arc<Message>>,
    dropped: oneshot::Receiver<Infallible>,
}

pub(crate) fn outlet(queue_length: usize) -> (Outlet, Inlet) {
    let (sender, queue) = mpsc::channel(queue_length);
    let (kept, dropped) = oneshot::channel();
    let outlet = Outlet {
        queue: sender,
        _kept: kept,
    };
    (outlet, Inlet { queue, dropped })
}

/// What each socket's task needs.
#[derive(Clone, Debug)]
pub(crate) struct Port {
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) queue_length: usize,
    pub(crate) close_timeout: Duration,
}

impl Port {
    /// Asks the hub for admission and serves the socket until it ends, in a task of its own: that of the upgrade, which
    /// is several times as large, ends.
    pub(crate) fn serve(self, socket: WebSocket, lobby: String, user: String) {
        let (sink, stream) = socket.split();
        tokio::spawn(async move {
            let (outlet, inlet) = outlet(self.queue_length);
            let (answer, admission) = oneshot::channel();
            let event = Event::Connected {
                lobby,
                user,
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
        let Inlet { queue, dropped } = inlet;
        let cause = tokio::select! {
            biased;
            // The hub has forgotten it already and wants no report.
            _ = dropped => return,
            cause = self.read(stream, conn) => cause,
            Err(_) = write(sink, queue) => Cause::SendFailed,
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

/// Writes the queue out, as much of it in one go as there is. Ends with an error, or when the hub drops the socket.
async fn write(mut sink: Sink, mut queue: mpsc::Receiver<Arc<Message>>) -> Result<(), axum::Error> {
    while let Some(message) = queue.recv().await {
        sink.feed(Arc::unwrap_or_clone(message)).await?;
        while let Ok(message) = queue.try_recv() {
            sink.feed(Arc::unwrap_or_clone(message)).await?;
        }
        sink.flush().await?;
    }
    Ok(())
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
