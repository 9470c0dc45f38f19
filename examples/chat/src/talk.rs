//! What a message means, and how notices are worded.

use lobbykeeper::{ConnId, Except, Manager, Notice, Outbox, Reply, Request, Time};

use crate::machine::Machine;
use crate::messages::{self, ClientMessage, ErrorCode, Person, Roster, ServerMessage};

/// Greets a new connection, and asks for its latency so that the others need not wait for its first routine ping to see
/// it. The routine then runs from this ping on, so that `Config::seed`, which spreads the first ones, has nothing to do
/// here and no flag.
pub(crate) fn welcome(manager: &mut Machine, now: Time, conn: ConnId, out: &mut Outbox) {
    let lobby = manager.lobbies_of(conn).next().and_then(|id| manager.lobby_name(id));
    let (Some(lobby), Some(you), Some(users)) = (lobby, manager.user_of(conn), manager.lobby_users(conn)) else {
        return;
    };
    let person = |user| Person {
        user,
        milliseconds: latency(manager, user),
    };
    let roster = Roster {
        revision: users.revision(),
        users: users.iter().map(person).collect(),
    };
    let user = you.to_owned();
    let payload = ServerMessage::Welcome { lobby, you, roster }.payload().into();
    manager.request(now, Request::SendTo { conn, payload }, out);
    let ping = Request::PingUser {
        user: user.into(),
        timeout: None,
    };
    manager.request(now, ping, out);
}

/// Acts on a text message.
pub(crate) fn text_received(manager: &mut Machine, now: Time, conn: ConnId, text: &str, out: &mut Outbox) {
    let Some(from) = manager.user_of(conn) else {
        return;
    };
    match serde_json::from_str(text) {
        Ok(ClientMessage::Chat { text }) => {
            let payload = ServerMessage::Chat { from, text: &text }.payload().into();
            let broadcast = Request::Broadcast {
                lobby: conn.into(),
                payload,
                except: Except::UserOf(conn),
            };
            manager.request(now, broadcast, out);
        }
        Ok(ClientMessage::Direct { to, text }) => {
            let message = ServerMessage::Direct {
                from,
                to: &to,
                text: &text,
            };
            let send = Request::SendToUser {
                user: to.as_str().into(),
                payload: message.payload().into(),
            };
            if manager.request(now, send, out) == Reply::Addressed(0) {
                let message = format!("{to} is not here");
                complain(manager, now, conn, ErrorCode::NotHere, &message, out);
            }
        }
        Ok(ClientMessage::Unknown) => {
            let message = "the types are \"chat\" and \"direct\"";
            complain(manager, now, conn, ErrorCode::UnknownType, message, out);
        }
        Err(error) => complain(manager, now, conn, ErrorCode::Malformed, &error.to_string(), out),
    }
}

/// Answers a binary message, which has no meaning here.
pub(crate) fn binary_received(manager: &mut Machine, now: Time, conn: ConnId, out: &mut Outbox) {
    complain(manager, now, conn, ErrorCode::Binary, "messages are JSON text", out);
}

/// Tells a lobby what happened in it.
pub(crate) fn noticed(manager: &mut Machine, now: Time, notice: Notice<'_>, out: &mut Outbox) {
    let (lobby, payload) = match notice {
        Notice::Joined {
            lobby, user, revision, ..
        } => (lobby, ServerMessage::Joined { user, revision }.payload()),
        Notice::Left {
            lobby, user, revision, ..
        } => (lobby, ServerMessage::Left { user, revision }.payload()),
        Notice::Pong { conn, .. } => {
            let lobby = manager.lobbies_of(conn).next();
            let user = manager.user_of(conn);
            let (Some(lobby), Some(user)) = (lobby, user) else {
                return;
            };
            let Some(milliseconds) = latency(manager, user) else {
                return;
            };
            (lobby, ServerMessage::Latency { user, milliseconds }.payload())
        }
        _ => return,
    };
    let broadcast = Request::Broadcast {
        lobby: lobby.into(),
        payload: payload.into(),
        except: Except::Nobody,
    };
    manager.request(now, broadcast, out);
}

fn complain(manager: &mut Machine, now: Time, conn: ConnId, code: ErrorCode, message: &str, out: &mut Outbox) {
    let payload = ServerMessage::Error { code, message }.payload().into();
    manager.request(now, Request::SendTo { conn, payload }, out);
}

/// The latency of a user: the best of their connections, since any of them will do.
fn latency(manager: &Manager, user: &str) -> Option<f64> {
    manager
        .user_connections(user)
        .filter_map(|conn| manager.latency(conn))
        .map(messages::milliseconds)
        .min_by(f64::total_cmp)
}
