//! The reified door.

use super::Manager;
use crate::event::{Call, Event, Input, Reply, Request};
use crate::outbox::Outbox;

impl Manager {
    /// Calls the method that the input names, with the arguments in it, and returns what it returned. Nothing else:
    /// logs, replays, fuzzers and FFI drive the same machine as the typed methods do.
    ///
    /// ```
    /// use lobbykeeper::{Config, Input, Manager, Outbox};
    ///
    /// let mut manager = Manager::new(Config::default()).unwrap();
    /// let mut out = Outbox::new();
    /// let log = r#"{"at":0,"call":{"event":{"connected":{"lobby":"den","user":"ann"}}}}"#;
    /// let input: Input = serde_json::from_str(log).unwrap();
    /// let reply = manager.apply(input, &mut out);
    /// assert_eq!(serde_json::to_string(&reply).unwrap(), r#"{"connected":{"Ok":"c0v1"}}"#);
    /// ```
    pub fn apply(&mut self, input: Input<'_>, out: &mut Outbox) -> Reply {
        let Input { at: now, call } = input;
        match call {
            Call::Event(event) => match event {
                Event::Connected(handshake) => Reply::Connected(self.connected(now, handshake, out)),
                Event::Message { conn, frame } => Reply::Message(self.message(now, conn, frame, out)),
                Event::Closed { conn, cause } => Reply::Changed(self.closed(now, conn, cause, out)),
                Event::Tick => {
                    self.tick(now, out);
                    Reply::Ticked
                }
                Event::Flushed { conn, bytes, messages } => {
                    Reply::Changed(self.flushed(now, conn, bytes, messages, out))
                }
            },
            Call::Request(request) => match request {
                Request::Broadcast { lobby, payload, except } => {
                    Reply::Addressed(self.broadcast(now, lobby, payload, except, out))
                }
                Request::BroadcastAll { payload, except } => {
                    Reply::Addressed(self.broadcast_all(now, payload, except, out))
                }
                Request::SendTo { conn, payload } => Reply::Addressed(self.send_to(now, conn, payload, out)),
                Request::SendToUser { user, payload } => Reply::Addressed(self.send_to_user(now, &user, payload, out)),
                Request::PingUser { user, timeout } => Reply::Addressed(self.ping_user(now, &user, timeout, out)),
                Request::Join { conn, lobby } => Reply::Entered(self.join(now, conn, &lobby, out)),
                Request::SwitchLobby { conn, from, to } => Reply::Entered(self.switch_lobby(now, conn, from, &to, out)),
                Request::Leave { conn, lobby } => Reply::Changed(self.leave(now, conn, lobby, out)),
                Request::Kick { conn, close } => Reply::Changed(self.kick(now, conn, &close, out)),
                Request::CloseAll { close } => Reply::Addressed(self.close_all(now, &close, out)),
                Request::KickUser { user, close } => Reply::Addressed(self.kick_user(now, &user, &close, out)),
                Request::KickLobby { lobby, close } => Reply::Addressed(self.kick_lobby(now, lobby, &close, out)),
                Request::LockLobby { lobby } => Reply::Changed(self.lock_lobby(now, lobby, out)),
                Request::UnlockLobby { lobby } => Reply::Changed(self.unlock_lobby(now, lobby, out)),
                Request::SetLimit { limit, max } => Reply::LimitSet(self.set_limit(now, limit, max, out)),
                Request::SetRate { limit, rate } => Reply::LimitSet(self.set_rate(now, limit, rate, out)),
                Request::Extend { conn, expires } => Reply::Changed(self.extend(now, conn, expires, out)),
                Request::Reserve(handshake) => Reply::Reserved(self.reserve(now, handshake, out)),
                Request::Release { reservation } => Reply::Changed(self.release(now, reservation, out)),
                Request::Drain { every, deadline } => Reply::Changed(self.drain(now, every, deadline, out)),
            },
        }
    }
}
