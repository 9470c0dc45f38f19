//! One task per socket: it carries messages between the socket and the hub, and decides nothing.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::ws::{self, Message, WebSocket};
use futures_util::stream::{self, SplitSink, SplitStream};
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use lobby_chat::failure;
use lobbykeeper::{Cause, CloseFrame, ConnId};
use tokio::sync::mpsc::error::SendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::accept::Line;
use crate::hub::Event;

/// Bytes that are gathered for a socket before they are written, flush or no flush. The buffer never shrinks again, so
/// this bounds what a burst leaves behind. Smaller ones cost bursts of 16 messages of 1 KiB too many writes.
pub(crate) const WRITE_BUFFER: usize = 16 * 1_024;

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

/// Whom a client says that it is, and where it wants to go.
#[derive(Debug)]
pub(crate) struct Knock {
    pub(crate) lobby: String,
    pub(crate) token: String,
    pub(crate) address: IpAddr,
}

/// What each socket's task needs.
#[derive(Clone, Debug)]
pub(crate) struct Port {
    pub(crate) events: mpsc::Sender<Event>,
    /// Whose outlet has news of what was written; each is there at most once.
    pub(crate) flushes: mpsc::UnboundedSender<ConnId>,
    pub(crate) close_timeout: Duration,
    /// How many have come.
    pub(crate) visitors: Arc<AtomicUsize>,
}

impl Port {
    /// Asks the hub for admission and serves the socket until it ends, in a task of its own: that of the upgrade, which
    /// is several times as large, ends.
    pub(crate) fn serve(self, socket: WebSocket, line: Line, knock: Knock) {
        let (sink, mut stream) = socket.split();
        tokio::spawn(async move {
            let (outlet, inlet) = outlet();
            match self.enter(knock, outlet, &mut stream).await {
                Entry::Admitted { conn, early } => {
                    let stream = stream::iter(early).chain(stream);
                    self.carry(sink, stream, &line, conn, inlet).await;
                }
                Entry::Refused(close) => say_goodbye(sink, stream, &close, self.close_timeout).await,
                Entry::Left => {}
            }
        });
    }

    /// Asks the hub whether a client may come in, which may take as long as its token is looked at. One that leaves
    /// meanwhile frees its seat.
    async fn enter(&self, knock: Knock, outlet: Outlet, stream: &mut SplitStream<WebSocket>) -> Entry {
        let visitor = self.visitors.fetch_add(1, Ordering::Relaxed);
        let (answer, mut admission) = oneshot::channel();
        let event = Event::Knocked {
            visitor,
            knock,
            outlet,
            answer,
        };
        // This and what is awaited later fail only when the hub is gone.
        let _ = self.events.send(event).await;
        let mut early = None;
        let decided = loop {
            tokio::select! {
                biased;
                admission = &mut admission => break admission,
                // With more of what it says the client waits.
                heard = stream.next(), if early.is_none() => early = heard.filter(|heard| !is_end(heard)),
            }
            if early.is_none() {
                // Whatever the hub says from now on is answered as if it had been said to one who has left.
                admission.close();
                let event = match admission.try_recv() {
                    Ok(Ok(conn)) => Event::Closed {
                        conn,
                        cause: Cause::Peer,
                    },
                    _ => Event::GaveUp { visitor },
                };
                let _ = self.events.send(event).await;
                // That sends the answer to a goodbye.
                let _ = timeout(self.close_timeout, stream.next()).await;
                return Entry::Left;
            }
        };
        match decided.unwrap_or_else(|_| Err(lobby_chat::going_away())) {
            Ok(conn) => Entry::Admitted { conn, early },
            Err(close) => Entry::Refused(close),
        }
    }

    /// Reads and writes, each at its own pace, until one of them fails, the closing handshake is over or the hub drops
    /// the socket.
    async fn carry(
        &self,
        sink: SplitSink<WebSocket, Message>,
        stream: impl Stream<Item = Result<Message, axum::Error>> + Unpin,
        line: &Line,
        conn: ConnId,
        inlet: Inlet,
    ) {
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
            cause = self.read(stream, line, conn) => cause,
            Err(_) = write(sink, queue, flushed) => Cause::SendFailed,
        };
        // Fails only when the hub is gone.
        let _ = self.events.send(Event::Closed { conn, cause }).await;
    }

    /// Hands on what comes in. While the hub is behind it does not read, so that the client is slowed down and nobody
    /// else.
    async fn read(
        &self,
        mut stream: impl Stream<Item = Result<Message, axum::Error>> + Unpin,
        line: &Line,
        conn: ConnId,
    ) -> Cause {
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
                    // manager sets the time, unless the client is gone before.
                    line.broken().await;
                    return Cause::Error;
                }
            };
            if self.events.send(event).await.is_err() {
                break;
            }
        }
        Cause::Peer
    }
}

/// What became of somebody who wanted to come in.
enum Entry {
    Admitted {
        conn: ConnId,
        /// What the client said without having been welcomed.
        early: Option<Result<Message, axum::Error>>,
    },
    Refused(CloseFrame),
    Left,
}

/// Whether nothing more comes from a client.
fn is_end(heard: &Result<Message, axum::Error>) -> bool {
    match heard {
        Ok(message) => matches!(message, Message::Close(_)),
        Err(error) => tungstenite_error(error).and_then(failure).is_none(),
    }
}

async fn say_goodbye(
    mut sink: SplitSink<WebSocket, Message>,
    mut stream: SplitStream<WebSocket>,
    close: &CloseFrame,
    patience: Duration,
) {
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
    mut sink: impl Sink<Message, Error = axum::Error> + Unpin,
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

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::pin::Pin;
    use std::rc::Rc;
    use std::task::{Context, Poll};

    use super::*;

    /// A socket that takes all messages, and hands them to the system when it may.
    #[derive(Clone, Default)]
    struct Dam {
        open: Rc<Cell<bool>>,
        held: Rc<Cell<u32>>,
        handed_on: Rc<Cell<u32>>,
    }

    impl Sink<Message> for Dam {
        type Error = axum::Error;

        fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), axum::Error>> {
            Poll::Ready(Ok(()))
        }

        fn start_send(self: Pin<&mut Self>, _: Message) -> Result<(), axum::Error> {
            self.held.set(self.held.get() + 1);
            Ok(())
        }

        fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), axum::Error>> {
            if !self.open.get() {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.handed_on.set(self.handed_on.get() + self.held.take());
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), axum::Error>> {
            self.poll_flush(cx)
        }
    }

    fn text(text: &'static str) -> Arc<Message> {
        Arc::new(Message::Text(text.into()))
    }

    #[tokio::test]
    async fn what_is_said_to_be_flushed_has_been_handed_to_the_system() {
        let dam = Dam::default();
        let (queue, messages) = mpsc::unbounded_channel();
        for message in [text("one"), text("four"), Arc::new(close_message(1000, "that is all"))] {
            queue.send(message).expect("the queue is open");
        }
        let reports = RefCell::new(Vec::new());
        let report = |bytes, messages| reports.borrow_mut().push((bytes, messages, dam.handed_on.get()));
        let writing = write(dam.clone(), messages, report);
        tokio::select! {
            biased;
            _ = writing => panic!("the queue is open"),
            () = async {
                tokio::task::yield_now().await;
                assert_eq!((dam.held.get(), &*reports.borrow()), (3, &vec![]), "nothing is flushed");
                dam.open.set(true);
                while reports.borrow().is_empty() {
                    tokio::task::yield_now().await;
                }
                queue.send(text("seventeen")).expect("the queue is open");
                while reports.borrow().len() < 2 {
                    tokio::task::yield_now().await;
                }
            } => {}
        }
        // Payload bytes, messages without the close frame, and what the system had been handed by then.
        assert_eq!(*reports.borrow(), [(7, 2, 3), (9, 1, 4)]);
    }
}
