//! The owner of the manager: one task that takes events from the sockets and carries out what the manager commands.

use std::mem;
use std::pin::pin;
use std::sync::Arc;

use axum::extract::ws::{Message, Utf8Bytes};
use lobby_chat::{Chat, log_command};
use lobbykeeper::{Cause, CloseFrame, Command, ConnId, ConnMap, Frame, Outbox, Output, Payload, Stats, Time};
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

use crate::socket::{Outlet, close_message};

/// How many events wait for the hub; a socket that finds no room waits with its next. Also how many are handled in one
/// turn, so that all that had come before a deadline are heard before it is judged, and a flood does not put the
/// judgement off. Many, so that what is said at the same time is written in one go; but far fewer than messages fit into a
/// socket's queue, or one turn could fill it before the socket's task comes to write any.
pub(crate) const MAX_EVENTS: usize = 256;

/// What the sockets and the HTTP side tell the hub.
#[derive(Debug)]
pub(crate) enum Event {
    /// A client has come through the upgrade.
    Connected {
        lobby: String,
        user: String,
        outlet: Outlet,
        answer: oneshot::Sender<Result<ConnId, CloseFrame>>,
    },
    Message {
        conn: ConnId,
        message: Message,
    },
    /// The client broke the protocol, so nothing more can be read from it.
    Failed {
        conn: ConnId,
        close: CloseFrame,
    },
    Closed {
        conn: ConnId,
        cause: Cause,
    },
    Stats(oneshot::Sender<Stats>),
}

#[derive(Debug)]
pub(crate) struct Hub {
    chat: Chat,
    sockets: ConnMap<Outlet>,
    /// Read while the calls that this leads to write `next`.
    out: Outbox,
    next: Outbox,
    origin: Instant,
    /// When the shutdown began.
    stopping_since: Option<Instant>,
}

impl Hub {
    pub(crate) fn new(chat: Chat) -> Self {
        Self {
            chat,
            sockets: ConnMap::new(),
            out: Outbox::new(),
            next: Outbox::new(),
            origin: Instant::now(),
            stopping_since: None,
        }
    }

    /// Runs until nobody is left who could send an event, or after `shutdown` until all sockets are gone and their time
    /// is up.
    pub(crate) async fn run(mut self, mut events: mpsc::Receiver<Event>, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        let mut batch = Vec::with_capacity(MAX_EVENTS);
        loop {
            let wake = self.wake();
            tokio::select! {
                biased;
                () = &mut shutdown, if self.stopping_since.is_none() => self.begin_shutdown(),
                received = events.recv_many(&mut batch, MAX_EVENTS) => if received == 0 {
                    return;
                },
                () = sleep_until(wake.unwrap_or(self.origin)), if wake.is_some() => {}
            }
            let now = self.now();
            self.turn(now, batch.drain(..));
            // The sockets' tasks come first now, to write what that was.
            yield_now().await;
            // No client is left then but those who were refused and have not said goodbye.
            let time_is_up = |since: Instant| since.elapsed() >= self.chat.config().close_timeout;
            if self.sockets.is_empty() && self.stopping_since.is_some_and(time_is_up) {
                return;
            }
        }
    }

    /// Handles what has come. Then the clock ticks, however much that was: before the deadline this does nothing.
    fn turn(&mut self, now: Time, events: impl Iterator<Item = Event>) {
        for event in events {
            self.handle(now, event);
        }
        self.chat.tick(now, &mut self.out);
        self.carry_out(now);
        self.chat.end_turn();
    }

    /// The driver's clock, read anew for each turn.
    fn now(&self) -> Time {
        Time::since(self.origin.into_std(), Instant::now().into_std())
    }

    /// When it must wake though nothing comes.
    fn wake(&self) -> Option<Instant> {
        match self.chat.next_deadline() {
            Some(deadline) => deadline.to_instant(self.origin.into_std()).map(Instant::from_std),
            // Those who were refused still have the time to say goodbye.
            None => self.stopping_since?.checked_add(self.chat.config().close_timeout),
        }
    }

    fn begin_shutdown(&mut self) {
        let now = self.now();
        self.chat.shut_down(now, &mut self.out);
        self.carry_out(now);
        self.stopping_since = Some(Instant::now());
    }

    fn handle(&mut self, now: Time, event: Event) {
        match event {
            Event::Connected {
                lobby,
                user,
                outlet,
                answer,
            } => {
                let admission = self.admit(now, &lobby, &user, outlet);
                if let Err(Ok(conn)) = answer.send(admission) {
                    self.ended(now, conn, Cause::Error);
                }
            }
            Event::Message { conn, message } => self.receive(now, conn, &message),
            Event::Failed { conn, close } => self.chat.kick(now, conn, close, &mut self.out),
            Event::Closed { conn, cause } => self.ended(now, conn, cause),
            // Whoever asked may have left.
            Event::Stats(answer) => drop(answer.send(self.chat.stats())),
        }
        self.carry_out(now);
    }

    fn admit(&mut self, now: Time, lobby: &str, user: &str, outlet: Outlet) -> Result<ConnId, CloseFrame> {
        let conn = self.chat.connected(now, lobby, user, &mut self.out)?;
        self.sockets.insert(conn, outlet);
        Ok(conn)
    }

    fn receive(&mut self, now: Time, conn: ConnId, message: &Message) {
        let frame = match message {
            Message::Text(text) => Frame::text(text),
            Message::Binary(bytes) => Frame::binary(bytes),
            Message::Ping(data) => Frame::ping(data),
            Message::Pong(data) => Frame::pong(data),
            // The socket's task keeps it to itself and reports the end.
            Message::Close(_) => return,
        };
        self.chat.message(now, conn, frame, &mut self.out);
    }

    fn ended(&mut self, now: Time, conn: ConnId, cause: Cause) {
        self.sockets.remove(conn);
        self.chat.closed(now, conn, cause, &mut self.out);
    }

    /// Does what the manager says until it says nothing more. What follows from doing it, a send that fails or a notice
    /// that is put into words, is written to the other outbox.
    fn carry_out(&mut self, now: Time) {
        while !self.out.is_empty() {
            let Self {
                chat,
                sockets,
                out,
                next,
                ..
            } = self;
            for output in &*out {
                if let Output::Command(command) = &output {
                    log_command(command);
                }
                match output {
                    Output::Command(Command::Send { to, payload }) => {
                        let message = Arc::new(shared_message(payload));
                        for &conn in to {
                            send(chat, sockets, now, conn, Arc::clone(&message), next);
                        }
                    }
                    Output::Command(Command::Close { conn, code, reason, .. }) => {
                        send(chat, sockets, now, conn, Arc::new(close_message(code, reason)), next);
                    }
                    Output::Command(Command::Evict { conn, .. }) => drop(sockets.remove(conn)),
                    Output::Notice(notice) => chat.noticed(now, notice, next),
                }
            }
            self.out.clear();
            mem::swap(&mut self.out, &mut self.next);
        }
    }
}

/// Queues a message for a socket. One whose queue is full, or whose task has ended, is reported as closed and
/// forgotten, which ends its task.
fn send(
    chat: &mut Chat,
    sockets: &mut ConnMap<Outlet>,
    now: Time,
    conn: ConnId,
    message: Arc<Message>,
    next: &mut Outbox,
) {
    // One that is not in the map has ended since the command was written.
    if let Some(outlet) = sockets.get(conn)
        && outlet.send(message).is_err()
    {
        sockets.remove(conn);
        chat.closed(now, conn, Cause::SendFailed, next);
    }
}

/// The payload as a message whose clones share its bytes. A text is checked here, once for all recipients; it is always
/// UTF-8.
fn shared_message(payload: &Payload) -> Message {
    match payload {
        Payload::Text(text) => Message::Text(Utf8Bytes::try_from(text.as_bytes().clone()).unwrap_or_default()),
        Payload::Binary(bytes) => Message::Binary(bytes.clone()),
        Payload::Ping(data) => Message::Ping(data.as_bytes().clone()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lobby_chat::Settings;
    use lobbykeeper::Config;

    use super::*;
    use crate::socket::outlet;

    #[test]
    fn a_turn_full_of_messages_keeps_the_deadline() {
        let settings = Settings {
            config: Config::default(),
            max_message_bytes: 65_536,
            handshake_timeout: Duration::from_secs(10),
            record: None,
            echo: false,
        };
        let mut hub = Hub::new(Chat::new(&settings).expect("the defaults are valid"));
        let (outlet, _inlet) = outlet(8);
        hub.admit(Time::ZERO, "den", "ann", outlet).expect("there is room");
        hub.carry_out(Time::ZERO);
        let deadline = hub.chat.next_deadline().expect("the newcomer has been pinged");
        let message = |()| Event::Message {
            conn: "c9v9".parse().expect("an id"),
            message: Message::Text("of somebody else".into()),
        };
        hub.turn(deadline, [(); MAX_EVENTS].map(message).into_iter());
        assert!(hub.chat.next_deadline() > Some(deadline));
    }
}
