//! What the page shows.

use lobbykeeper::{Config, ConnId, LobbyId, Stats};
use serde::Serialize;

use crate::client::State;
use crate::receipts::clock;
use crate::time_line::Entry;
use crate::world::World;

/// All there is to be seen, as the page reads it.
#[derive(Debug, Serialize)]
pub struct View<'a> {
    now: String,
    paused: bool,
    /// When the next thing happens.
    next: Option<String>,
    digest: String,
    log_bytes: usize,
    log_lines: u64,
    config: &'a Config,
    stats: Stats,
    clients: Vec<Person<'a>>,
    lobbies: Vec<Lobby<'a>>,
    /// What has happened after the entry that the page knows.
    entries: Vec<&'a Entry>,
}

#[derive(Debug, Serialize)]
struct Person<'a> {
    number: u32,
    user: &'a str,
    conn: Option<ConnId>,
    /// Where it is, or wanted to be.
    lobby: &'a str,
    #[serde(flatten)]
    state: &'a State,
    cut: bool,
    asleep: bool,
    left: bool,
    latency: Option<String>,
}

#[derive(Debug, Serialize)]
struct Lobby<'a> {
    id: LobbyId,
    name: &'a str,
    taken: usize,
    users: Vec<&'a str>,
}

impl World {
    /// What there is to be seen, with what happened after entry `known` of the time line. O(clients, gone ones included).
    pub fn view(&self, known: u64) -> View<'_> {
        let manager = self.manager();
        View {
            now: clock(self.now()),
            paused: self.is_paused(),
            next: self.next_at().map(clock),
            digest: self.digest(),
            log_bytes: self.log.len(),
            log_lines: self.lines,
            config: manager.config(),
            stats: manager.stats(),
            clients: self
                .clients()
                .map(|client| Person {
                    number: client.number,
                    user: &client.user,
                    conn: client.conn,
                    lobby: client
                        .conn
                        .and_then(|conn| manager.lobbies_of(conn).next())
                        .and_then(|lobby| manager.lobby_name(lobby))
                        .unwrap_or(&client.lobby),
                    state: &client.state,
                    cut: client.cut,
                    asleep: client.asleep,
                    left: client.left,
                    latency: client
                        .conn
                        .and_then(|conn| manager.latency(conn))
                        .map(|latency| format!("{:?}", latency.last)),
                })
                .collect(),
            lobbies: manager
                .lobbies()
                .map(|id| Lobby {
                    id,
                    name: manager.lobby_name(id).unwrap_or_default(),
                    taken: manager.lobby_connections(id).count(),
                    users: manager
                        .lobby_users(id)
                        .into_iter()
                        .flat_map(|users| users.iter())
                        .collect(),
                })
                .collect(),
            entries: self.time_line.after(known).collect(),
        }
    }
}
