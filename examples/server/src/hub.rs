//! The owner of the manager: one task that takes events from the sockets and carries out what the manager commands.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::pending;
use std::mem;
use std::pin::pin;
use std::sync::Arc;

use axum::extract::ws::{Message, Utf8Bytes};
use lobby_chat::{Admission, Chat, Visitor, log_command};
use lobby_operator::{Order, Orders};
use lobbykeeper::{Cause, CloseFrame, Command, ConnId, ConnMap, Frame, Outbox, Output, Payload, Stats, Time};
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

use crate::metrics::{Observer, Question};
use crate::socket::{Knock, Outlet, close_message};

/// How many events wait for the hub; a socket that finds no room waits with its next. Also how many are handled in one
/// turn, so that all that had come before a deadline are heard before it is judged, and a flood does not put the
/// judgement off. Many, so that what is said at the same time is written in one go; but far fewer than messages fit into a
/// socket's queue, or one turn could fill it before the socket's task comes to write any.
pub(crate) const MAX_EVENTS: usize = 256;

/// What the sockets and the HTTP side tell the hub.
#[derive(Debug)]
pub(crate) enum Event {
    /// A client has come through the upgrade.
    Knocked {
        /// No two have the same.
        visitor: usize,
        knock: Knock,
        outlet: Outlet,
        answer: oneshot::Sender<Admission>,
    },
    /// It has left, and has had no answer.
    GaveUp {
        visitor: usize,
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

impl Event {
    /// How much a client has said.
    fn bytes(&self) -> usize {
        match self {
            Self::Message {
                message: Message::Text(text),
                ..
            } => text.len(),
            Self::Message {
                message: Message::Binary(data),
                ..
            } => data.len(),
            _ => 0,
        }
    }
}

/// After how many bytes of messages the sockets' tasks come first, to write what those have led to: so much a client
/// always has room for.
const MAX_HEARD: usize = 128 * 1_024;

#[derive(Debug)]
pub(crate) struct Hub {
    chat: Chat,
    /// `None` if no operator can come in.
    orders: Option<Orders>,
    /// `None` if nobody can watch: then nothing is counted for them.
    observer: Option<Observer>,
    /// Those who have no answer yet.
    visitors: BTreeMap<usize, (Outlet, oneshot::Sender<Admission>)>,
    sockets: ConnMap<Outlet>,
    /// Whose outlet has news of what was written.
    flushes: mpsc::UnboundedReceiver<ConnId>,
    /// Read while the calls that this leads to write `next`.
    out: Outbox,
    next: Outbox,
    origin: Instant,
    /// Whether it was told to stop.
    stopping: bool,
    /// Held until nobody may come in any more.
    open: Option<oneshot::Sender<Infallible>>,
    /// When nobody was left.
    drained_since: Option<Instant>,
}

impl Hub {
    /// A hub that holds `open` until nobody may come in any more.
    pub(crate) fn new(
        chat: Chat,
        orders: Option<Orders>,
        observer: Option<Observer>,
        flushes: mpsc::UnboundedReceiver<ConnId>,
        open: oneshot::Sender<Infallible>,
    ) -> Self {
        Self {
            chat,
            orders,
            observer,
            visitors: BTreeMap::new(),
            sockets: ConnMap::new(),
            flushes,
            out: Outbox::new(),
            next: Outbox::new(),
            origin: Instant::now(),
            stopping: false,
            open: Some(open),
            drained_since: None,
        }
    }

    /// Runs until nobody is left who could send an event, or until it is drained, which `shutdown` begins, and the time of
    /// those is up who were refused.
    pub(crate) async fn run(mut self, mut events: mpsc::Receiver<Event>, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        let mut batch = Vec::with_capacity(MAX_EVENTS);
        loop {
            let wake = self.wake();
            tokio::select! {
                biased;
                () = &mut shutdown, if !self.stopping => self.stop(),
                order = next_order(&mut self.orders) => self.obey(order),
                question = next_question(&mut self.observer) => self.report(question),
                received = events.recv_many(&mut batch, MAX_EVENTS) => if received == 0 {
                    return;
                },
                Some(conn) = self.flushes.recv() => self.flushed(self.now(), conn),
                () = sleep_until(wake.unwrap_or(self.origin)), if wake.is_some() => {}
            }
            let began = self.observer.as_ref().map(|_| Instant::now());
            self.turn(self.now(), batch.drain(..)).await;
            if let (Some(observer), Some(began)) = (&mut self.observer, began) {
                observer.meters().end_turn(began.elapsed());
            }
            // The sockets' tasks come first now, to write what that was.
            yield_now().await;
            if self.chat.is_drained() && self.open.take().is_some() {
                self.drained_since = Some(Instant::now());
            }
            let time_is_up = |since: Instant| since.elapsed() >= self.chat.config().close_timeout;
            if self.drained_since.is_some_and(time_is_up) {
                return;
            }
        }
    }

    /// Handles what has come. Then the clock ticks, however much that was: before the deadline this does nothing.
    async fn turn(&mut self, now: Time, events: impl Iterator<Item = Event>) {
        self.hear_what_is_flushed(now);
        let mut heard = 0;
        for event in events {
            heard += event.bytes();
            self.handle(now, event);
            if heard > MAX_HEARD {
                heard = 0;
                yield_now().await;
                self.hear_what_is_flushed(now);
            }
        }
        self.chat.tick(now, &mut self.out);
        while let Some((visitor, admission)) = self.chat.decided(now, &mut self.out) {
            self.answer(now, visitor, admission);
        }
        self.carry_out(now);
        self.chat.end_turn();
    }

    /// All of it, before anybody is judged by what waits.
    fn hear_what_is_flushed(&mut self, now: Time) {
        while let Ok(conn) = self.flushes.try_recv() {
            self.flushed(now, conn);
        }
    }

    fn flushed(&mut self, now: Time, conn: ConnId) {
        if let Some(outlet) = self.sockets.get(conn) {
            let (bytes, messages) = outlet.flushed();
            self.chat.flushed(now, conn, bytes, messages, &mut self.out);
        }
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
            None => self.drained_since?.checked_add(self.chat.config().close_timeout),
        }
    }

    fn stop(&mut self) {
        self.stopping = true;
        let now = self.now();
        self.chat.drain(now, &mut self.out);
        self.carry_out(now);
    }

    fn obey(&mut self, order: Option<Order>) {
        let Some(order) = order else {
            self.orders = None;
            return;
        };
        let now = self.now();
        order.carry_out(now, &mut self.chat, &mut self.out);
        self.carry_out(now);
    }

    fn report(&mut self, question: Option<Question>) {
        let Some(question) = question else {
            self.observer = None;
            return;
        };
        if let Some(observer) = &self.observer {
            let conns = self.sockets.iter().map(|(conn, _)| conn);
            observer.answer(question, &self.chat, conns);
        }
    }

    fn handle(&mut self, now: Time, event: Event) {
        match event {
            Event::Knocked {
                visitor,
                knock,
                outlet,
                answer,
            } => {
                self.visitors.insert(visitor, (outlet, answer));
                let Knock { lobby, token, address } = &knock;
                let knock = Visitor {
                    key: visitor,
                    lobby,
                    token,
                    address: *address,
                };
                if let Some(admission) = self.chat.knock(now, knock, &mut self.out) {
                    self.answer(now, visitor, admission);
                }
            }
            Event::GaveUp { visitor } => {
                self.visitors.remove(&visitor);
                self.chat.gave_up(now, visitor, &mut self.out);
            }
            Event::Message { conn, message } => self.receive(now, conn, &message),
            Event::Failed { conn, close } => self.chat.kick(now, conn, close, &mut self.out),
            Event::Closed { conn, cause } => self.ended(now, conn, cause),
            // Whoever asked may have left.
            Event::Stats(answer) => drop(answer.send(self.chat.stats())),
        }
        self.carry_out(now);
    }

    /// Tells a client whether it is in. One that did not wait for that has left.
    fn answer(&mut self, now: Time, visitor: usize, admission: Admission) {
        let Some((outlet, answer)) = self.visitors.remove(&visitor) else {
            return;
        };
        if let Ok(conn) = admission {
            self.sockets.insert(conn, outlet);
        }
        if let Err(Ok(conn)) = answer.send(admission) {
            self.ended(now, conn, Cause::Error);
        }
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
                observer,
                sockets,
                out,
                next,
                ..
            } = self;
            let mut meters = observer.as_mut().map(Observer::meters);
            for output in &*out {
                if let Output::Command(command) = &output {
                    log_command(command);
                }
                if let Some(meters) = &mut meters {
                    meters.see(&output);
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

/// What an operator wants. That nobody will want anything any more is told once.
async fn next_order(orders: &mut Option<Orders>) -> Option<Order> {
    match orders {
        Some(orders) => orders.next().await,
        None => pending().await,
    }
}

/// What somebody who watches wants to know. That nobody will ask any more is told once.
async fn next_question(observer: &mut Option<Observer>) -> Option<Question> {
    match observer {
        Some(observer) => observer.next().await,
        None => pending().await,
    }
}

/// Queues a message for a socket. One whose task has ended is reported as closed and forgotten.
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
pub(crate) mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use lobby_chat::{Proxies, Settings, SlowClient};
    use lobbykeeper::Config;

    use super::*;
    use crate::socket::outlet;

    /// A chat with nobody in it.
    pub(crate) fn chat() -> Chat {
        let settings = Settings {
            config: Config::default(),
            max_message_bytes: 65_536,
            slow_client: SlowClient::Evict,
            handshake_timeout: Duration::from_secs(10),
            auth_delay: Duration::ZERO,
            proxies: Proxies::none(),
            drain_every: Duration::ZERO,
            drain_within: Duration::ZERO,
            record: None,
            echo: false,
        };
        Chat::new(&settings).expect("the defaults are valid")
    }

    #[tokio::test]
    async fn a_turn_full_of_messages_keeps_the_deadline() {
        let (_flushes, reports) = mpsc::unbounded_channel();
        let (open, _) = oneshot::channel();
        let mut hub = Hub::new(chat(), None, None, reports, open);
        let (outlet, _inlet) = outlet();
        let (answer, mut admission) = oneshot::channel();
        let knock = Knock {
            lobby: "den".into(),
            token: "ann".into(),
            address: Ipv4Addr::LOCALHOST.into(),
        };
        let knocked = Event::Knocked {
            visitor: 0,
            knock,
            outlet,
            answer,
        };
        hub.handle(Time::ZERO, knocked);
        assert!(admission.try_recv().expect("an answer").is_ok());
        let deadline = hub.chat.next_deadline().expect("the newcomer has been pinged");
        let message = |_| Event::Message {
            conn: "c9v9".parse().expect("an id"),
            message: Message::Text("of somebody else".into()),
        };
        hub.turn(deadline, (0..MAX_EVENTS).map(message)).await;
        assert!(hub.chat.next_deadline() > Some(deadline));
    }
}
