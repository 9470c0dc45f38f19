//! Runs that show one thing each.

use std::time::Duration;

use lobbykeeper::{Config, UserOverflow};
use serde::{Deserialize, Serialize};

use crate::{Action, Trouble, World};

/// A run that shows one thing. JSON form: `"full_lobby"` and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scenario {
    /// A fourth in a lobby of three.
    FullLobby,
    /// A half-open link.
    DeadLink,
    /// The server sleeps for an hour.
    LaptopSleep,
    /// A user opens a second tab while the link of the first is dead.
    NewerTab,
    /// All links of the server fail at once.
    StaleWave,
    /// The server is emptied.
    Drain,
}

/// Time enough for everything that a scenario waits for.
const PATIENCE: Duration = Duration::from_secs(600);

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::FullLobby,
        Self::DeadLink,
        Self::LaptopSleep,
        Self::NewerTab,
        Self::StaleWave,
        Self::Drain,
    ];

    /// What the page calls it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::FullLobby => "A full lobby",
            Self::DeadLink => "A dead link",
            Self::LaptopSleep => "An hour of sleep",
            Self::NewerTab => "A newer tab",
            Self::StaleWave => "A stale wave",
            Self::Drain => "A drain",
        }
    }

    /// What there is to be seen.
    pub const fn story(self) -> &'static str {
        match self {
            Self::FullLobby => {
                "A lobby holds three. The fourth is refused and told when to come again; when one has left, there is room."
            }
            Self::DeadLink => {
                "Bob's link is cut, and no close ever comes. He misses two pings and is evicted; Ann, who answers, stays."
            }
            Self::LaptopSleep => {
                "The server sleeps for an hour, as a laptop does. Nobody could answer in that time, so nobody is evicted."
            }
            Self::NewerTab => {
                "A user may have one connection, and the lobby is full. Ann's link is dead; her new tab takes the seat of \
                 the old one, which is told to close, does not, and is evicted."
            }
            Self::StaleWave => {
                "All links fail at once, so the server's own network is suspect: everybody is given one more ping. The \
                 links come back in time, and nobody is lost."
            }
            Self::Drain => {
                "The server is emptied, one client in each half second, each with its own time to return. A newcomer is \
                 refused."
            }
        }
    }

    /// Plays it, from an empty world to where there is something to be seen.
    ///
    /// # Errors
    /// None, as long as the settings in here are valid and the clients are there.
    pub fn play(self) -> Result<World, Trouble> {
        match self {
            Self::FullLobby => full_lobby(),
            Self::DeadLink => dead_link(),
            Self::LaptopSleep => laptop_sleep(),
            Self::NewerTab => newer_tab(),
            Self::StaleWave => stale_wave(),
            Self::Drain => drain(),
        }
    }
}

fn full_lobby() -> Result<World, Trouble> {
    let mut world = World::new(Config {
        max_connections_per_lobby: Some(3),
        ..Config::default()
    })?;
    let guests = world.guests(&["ann", "bob", "cat", "dan"], "den")?;
    world.wait(1)?;
    world.act(Action::Leave { client: guests[2] })?;
    world.wait(1)?;
    world.guests(&["dan"], "den")?;
    Ok(world)
}

fn dead_link() -> Result<World, Trouble> {
    let mut world = World::new(Config::default())?;
    let guests = world.guests(&["ann", "bob"], "den")?;
    world.wait(5)?;
    world.act(Action::Say {
        client: guests[1],
        text: "hello".into(),
    })?;
    world.act(Action::Cut { client: guests[1] })?;
    world.until(|world| world.manager().stats().evictions.stale > 0)?;
    Ok(world)
}

fn laptop_sleep() -> Result<World, Trouble> {
    let mut world = World::new(Config::default())?;
    world.guests(&["ann", "bob", "cat"], "den")?;
    world.guests(&["dan", "eve"], "hall")?;
    world.wait(30)?;
    world.act(Action::Pause)?;
    world.wait(60 * 60)?;
    world.act(Action::Resume)?;
    world.wait(60)?;
    Ok(world)
}

fn newer_tab() -> Result<World, Trouble> {
    let mut world = World::new(Config {
        max_connections_per_lobby: Some(2),
        max_connections_per_user: Some(1),
        user_overflow: UserOverflow::ReplaceOldest,
        ..Config::default()
    })?;
    let guests = world.guests(&["ann", "bob"], "den")?;
    world.wait(5)?;
    world.act(Action::Cut { client: guests[0] })?;
    world.wait(3)?;
    world.guests(&["ann"], "den")?;
    world.until(|world| world.manager().stats().closing_connections == 0)?;
    Ok(world)
}

fn stale_wave() -> Result<World, Trouble> {
    let mut world = World::new(Config {
        stale_wave_floor: Some(3),
        ..Config::default()
    })?;
    world.guests(&["ann", "bob", "cat", "dan"], "den")?;
    world.guests(&["eve", "fay", "gus", "hal"], "hall")?;
    world.wait(25)?;
    world.act(Action::CutAll)?;
    world.until(World::has_stale_wave)?;
    world.act(Action::MendAll)?;
    world.wait(60)?;
    Ok(world)
}

fn drain() -> Result<World, Trouble> {
    let mut world = World::new(Config::default())?;
    world.guests(&["ann", "bob", "cat"], "den")?;
    world.guests(&["dan", "eve"], "hall")?;
    world.wait(5)?;
    world.act(Action::Drain {
        every: 500,
        within: 10_000,
    })?;
    world.wait(1)?;
    world.guests(&["fay"], "den")?;
    world.until(|world| world.manager().stats().total_connections == 0)?;
    Ok(world)
}

impl World {
    /// Some users connect. Returns their numbers.
    fn guests(&mut self, users: &[&str], lobby: &str) -> Result<Vec<u32>, Trouble> {
        let added = users.iter().map(|user| self.add((*user).into(), lobby.into()));
        added.collect()
    }

    fn wait(&mut self, seconds: u64) -> Result<(), Trouble> {
        self.act(Action::Advance { by: seconds * 1_000 })
    }

    /// Goes on step by step until this holds, or patience is at its end.
    fn until(&mut self, done: impl Fn(&Self) -> bool) -> Result<(), Trouble> {
        let end = self.now() + PATIENCE;
        while !done(self) && self.now() < end {
            self.act(Action::Step)?;
        }
        Ok(())
    }

    /// Whether the manager has just told of a stale wave.
    fn has_stale_wave(&self) -> bool {
        self.time_line.last().is_some_and(|entry| {
            let mut outputs = entry.outputs.iter();
            outputs.any(|line| line.kind == crate::Kind::Notice && line.text.ends_with("are silent"))
        })
    }
}
