//! What the benchmarks share: many connections, and chance that is the same in each run.

#![allow(dead_code, reason = "each benchmark uses its own part")]

use std::time::Duration;

use lobbykeeper::{Command, Config, ConnId, Handshake, Manager, Outbox, Payload, Rate, Time};

/// The time on a driver's clock that counts from 1970, as most do: a ping's time stamp has 13 digits then.
pub(crate) const NOW: Time = Time::from_millis(1_700_000_000_000);

const MEMBERS_PER_LOBBY: u32 = 100;

pub(crate) fn user_name(number: u32) -> String {
    format!("user {number}")
}

/// The lobby of the user with this number.
pub(crate) fn lobby_name(number: u32) -> String {
    format!("lobby {}", number / MEMBERS_PER_LOBBY)
}

/// Connections of a user each, in lobbies of a hundred.
pub(crate) struct Crowd {
    pub(crate) manager: Manager,
    pub(crate) out: Outbox,
    pub(crate) conns: Vec<ConnId>,
}

impl Crowd {
    fn empty() -> Self {
        Self::with(Config::default())
    }

    fn with(config: Config) -> Self {
        let config = Config {
            // A tick that comes when many are due comes later than the first of them asked for.
            pause_tolerance: None,
            ..config
        };
        Self {
            manager: Manager::new(config).expect("the settings are valid"),
            out: Outbox::new(),
            conns: Vec::new(),
        }
    }

    pub(crate) fn new(count: u32) -> Self {
        let mut crowd = Self::empty();
        for number in 0..count {
            crowd.seat(&lobby_name(number), number);
        }
        crowd
    }

    /// Whose messages all limits are for, none of which is reached.
    pub(crate) fn limited(count: u32) -> Self {
        let rate = Some(Rate {
            events: 10,
            per: Duration::from_secs(1),
            burst: 20,
        });
        let mut crowd = Self::with(Config {
            message_rate: rate,
            user_message_rate: rate,
            max_violations: Some(10),
            max_message_bytes: Some(1 << 16),
            ..Config::default()
        });
        for number in 0..count {
            crowd.seat(&lobby_name(number), number);
        }
        crowd
    }

    /// One lobby.
    pub(crate) fn in_one(lobby: &str, count: u32) -> Self {
        Self::empty().seated(lobby, count)
    }

    /// One lobby, under limits on backlogs, of which that of all together is set here. Its driver reports.
    pub(crate) fn in_one_with_accounting(lobby: &str, count: u32, budget: Option<u64>) -> Self {
        let config = Config {
            max_backlog_bytes: Some(1 << 20),
            max_backlog_messages: Some(1 << 10),
            max_total_backlog_bytes: budget,
            ..Config::default()
        };
        let mut crowd = Self::with(config).seated(lobby, count);
        crowd.flush();
        crowd
    }

    fn seated(mut self, lobby: &str, count: u32) -> Self {
        for number in 0..count {
            self.seat(lobby, number);
        }
        self
    }

    /// The driver reports that it has handed everything to the system.
    pub(crate) fn flush(&mut self) {
        for &conn in &self.conns {
            self.manager.flushed(NOW, conn, u64::MAX, u32::MAX, &mut self.out);
        }
    }

    /// The user with this number connects for good.
    fn seat(&mut self, lobby: &str, number: u32) {
        let conn = self.connect(lobby, &user_name(number));
        self.conns.push(conn);
        self.out.clear();
    }

    pub(crate) fn connect(&mut self, lobby: &str, user: &str) -> ConnId {
        let conn = self.manager.connected(NOW, Handshake::new(lobby, user), &mut self.out);
        conn.expect("there is no limit")
    }

    /// Pings the user with this number, with a ping of its own. What the client answers.
    pub(crate) fn ping(&mut self, number: u32) -> String {
        self.manager.ping_user(NOW, &user_name(number), None, &mut self.out);
        let ping = self.out.commands().find_map(|command| match command {
            Command::Send {
                payload: Payload::Text(ping),
                ..
            } => Some(ping.as_str()),
            _ => None,
        });
        let answer = ping.expect("it was pinged").replace("ping", "pong");
        self.out.clear();
        answer
    }
}

/// Sebastiano Vigna's splitmix64, from a fixed seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new() -> Self {
        Self(0)
    }

    /// A number below this one, which is small enough that the bias does not matter.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        u32::try_from((u128::from(mixed) * u128::from(end)) >> 64).expect("it is below a u32")
    }

    /// All numbers below this one, each once.
    pub(crate) fn shuffled(&mut self, end: u32) -> Vec<u32> {
        let mut numbers: Vec<u32> = (0..end).collect();
        for at in (1..end).rev() {
            numbers.swap(at as usize, self.below(at + 1) as usize);
        }
        numbers
    }
}
