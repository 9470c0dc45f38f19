//! The connection manager of most Python tutorials, in Rust: a dict from a lobby to the set of its connections, and one
//! from a connection to its user.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;

use crate::crowd::user_name;

pub(crate) struct UsualManager {
    lobbies: HashMap<String, HashSet<u32>>,
    users: HashMap<u32, String>,
}

impl UsualManager {
    pub(crate) fn new(lobby: &str, members: u32) -> Self {
        Self {
            lobbies: HashMap::from([(lobby.to_owned(), (0..members).collect())]),
            users: (0..members).map(|id| (id, user_name(id))).collect(),
        }
    }

    pub(crate) fn broadcast(&self, lobby: &str, payload: &Bytes, except: &str, sink: impl Fn(u32, Bytes)) -> usize {
        let mut addressed = 0;
        for id in self.lobbies.get(lobby).into_iter().flatten() {
            if self.users.get(id).is_some_and(|user| user != except) {
                sink(*id, payload.clone());
                addressed += 1;
            }
        }
        addressed
    }
}
