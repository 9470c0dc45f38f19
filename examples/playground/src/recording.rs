//! Recordings that are loaded.

use lobby_replay::{About, Narrator, explain};
use lobbykeeper::{ConnId, Outbox, Replay, Time};

use crate::client::State;
use crate::time_line::TimeLine;
use crate::world::MOST_LOG_BYTES;
use crate::{Trouble, World};

impl World {
    /// The world at the end of a recording, which goes on from there. Whoever is connected there has a client that
    /// answers; what was on its way is lost.
    ///
    /// # Errors
    /// If a line of the recording is damaged, or if it is too long.
    pub fn load(log: Vec<u8>) -> Result<Self, Trouble> {
        Self::load_until(log, u64::MAX)
    }

    /// The same for no more than so many lines of a recording: how it was then. The rest is not looked at.
    ///
    /// # Errors
    /// If one of these lines is damaged, or if the recording is too long.
    pub fn load_until(mut log: Vec<u8>, lines: u64) -> Result<Self, Trouble> {
        if log.len() >= MOST_LOG_BYTES {
            return Err(Trouble::LogFull);
        }
        let lines = usize::try_from(lines).unwrap_or(usize::MAX);
        let length = log
            .split_inclusive(|&byte| byte == b'\n')
            .take(lines)
            .map(<[u8]>::len)
            .sum();
        log.truncate(length);
        let mut lines = log.split_inclusive(|&byte| byte == b'\n');
        let mut replay = Replay::new(lines.next().unwrap_or_default(), [0, 0])?;
        let (mut out, mut now) = (Outbox::new(), Time::ZERO);
        let (mut narrator, mut time_line) = (Narrator::default(), TimeLine::default());
        for line in lines {
            out.clear();
            let entry = replay.apply(line, &mut out)?;
            now = now.max(entry.input.at);
            let told = narrator.tell(replay.line(), &entry.input, &entry.reply, &out, &replay);
            time_line.call(replay.line(), &entry.input, &entry.reply, &out, told);
        }
        let lines = replay.line();
        let mut world = Self::with(replay.into_recorder(), log, lines);
        world.set_now(now);
        world.narrator = narrator;
        world.time_line = time_line;
        world.populate();
        Ok(world)
    }

    /// A client for each connection of the recording.
    fn populate(&mut self) {
        let there: Vec<_> = self
            .narrator
            .connections()
            .map(|(conn, user)| (conn, user.to_owned()))
            .collect();
        for (conn, user) in there {
            let is_open = self.manager().is_open(conn);
            let number = self.enrol(user, String::new());
            self.conns.insert(conn, number);
            if let Some(client) = self.clients.get_mut(&number) {
                client.conn = Some(conn);
                client.state = if is_open {
                    State::Open
                } else {
                    State::Closing("it was told so in the recording".into())
                };
            }
        }
        self.note("here the recording ends; what happens next is added to it".into());
    }

    /// How a connection came, why it ended, and what led there, in words. O(length of the recording).
    pub fn explain(&self, conn: ConnId) -> String {
        let mut answer = Vec::new();
        match explain(&*self.log, About::Conn(conn), &mut answer) {
            Ok(()) => String::from_utf8_lossy(&answer).into_owned(),
            Err(error) => error.to_string(),
        }
    }
}
