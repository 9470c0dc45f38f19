//! What a game needs of the manager.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use lobbykeeper::{Config, Rate, UserOverflow};

use crate::world::{SEATS, STEPS_PER_SECOND};

/// The longest message of a client: a health pong. It is the least that a manager may be told.
pub(crate) const MAX_MESSAGE_BYTES: u32 = 125;
/// For how many frames a client may be behind before states are left out for it: half a second.
const MAX_BACKLOG_MESSAGES: u32 = STEPS_PER_SECOND / 2;

/// The settings for a game of so many players, and so many in a room, 16 at most.
pub fn config(max_players: u32, max_per_room: u32) -> Config {
    Config {
        max_connections: Some(max_players),
        max_connections_per_lobby: Some(max_per_room.min(u32::try_from(SEATS).unwrap_or(u32::MAX))),
        // Whoever returns while their old connection still looks open has their seat and score again.
        max_connections_per_user: Some(1),
        user_overflow: UserOverflow::ReplaceOldest,
        max_name_bytes: 32,
        // A page steers when something changes, and at most once a frame.
        message_rate: Some(Rate {
            events: 2 * STEPS_PER_SECOND,
            per: Duration::from_secs(1),
            burst: 2 * STEPS_PER_SECOND,
        }),
        max_violations: Some(20 * STEPS_PER_SECOND),
        max_message_bytes: Some(MAX_MESSAGE_BYTES),
        max_backlog_messages: Some(MAX_BACKLOG_MESSAGES),
        max_backlog_bytes: Some(32 * 1_024),
        connect_rate: Some(Rate {
            events: 100,
            per: Duration::from_secs(1),
            burst: 500,
        }),
        // Games want to know sooner than chats who is gone.
        ping_interval: Some(Duration::from_secs(10)),
        ping_timeout: Duration::from_secs(5),
        // Names come from strangers, so nobody may know the key that they are hashed with.
        hash_key: [0, 1].map(|word| RandomState::new().hash_one(word)),
        ..Config::default()
    }
}
