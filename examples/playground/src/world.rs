//! The world: its clock, its clients, and what is on its way to the server.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use lobby_replay::Narrator;
use lobbykeeper::{Call, Config, ConnMap, Event, Input, Manager, Outbox, Recorder, Reply, Time};

use crate::Trouble;
use crate::client::{Client, Outbound};
use crate::time_line::TimeLine;

/// How many clients may be connected at once.
pub(crate) const MOST_CLIENTS: usize = 200;
/// How many clients are remembered that have gone.
const MOST_GONE: usize = 50;
/// How long a recording may be, in bytes.
pub(crate) const MOST_LOG_BYTES: usize = 64 << 20;
/// How long an answer takes, there and back.
const ROUND_TRIP: Duration = Duration::from_millis(80);

/// Clients, links and a server, in virtual time.
///
/// Nothing happens by itself: [`act`](Self::act) is all that changes it. What the manager is told is recorded.
pub struct World {
    pub(crate) recorder: Recorder,
    /// Everything since the start: a recording that is whole after every call.
    pub(crate) log: Vec<u8>,
    /// Lines in it.
    pub(crate) lines: u64,
    out: Outbox,
    now: Time,
    paused: bool,
    pub(crate) clients: BTreeMap<u32, Client>,
    /// Which client a connection is.
    pub(crate) conns: ConnMap<u32>,
    next_number: u32,
    /// By when it arrives, and in the order of sending.
    on_the_way: BTreeMap<(Time, u64), (u32, Outbound)>,
    sent: u64,
    /// What has arrived at a server that stands still.
    waiting: VecDeque<(u32, Outbound)>,
    pub(crate) narrator: Narrator,
    pub(crate) time_line: TimeLine,
}

impl World {
    /// A world without clients, at the origin of time.
    ///
    /// # Errors
    /// If the settings contradict themselves.
    pub fn new(config: Config) -> Result<Self, Trouble> {
        let mut log = Vec::new();
        let recorder = Recorder::new(config, &mut log)?;
        Ok(Self::with(recorder, log, 1))
    }

    /// A world in which a recording goes on, `lines` long; nobody is known in it yet.
    pub(crate) fn with(recorder: Recorder, log: Vec<u8>, lines: u64) -> Self {
        Self {
            recorder,
            log,
            lines,
            out: Outbox::new(),
            now: Time::ZERO,
            paused: false,
            clients: BTreeMap::new(),
            conns: ConnMap::new(),
            next_number: 1,
            on_the_way: BTreeMap::new(),
            sent: 0,
            waiting: VecDeque::new(),
            narrator: Narrator::default(),
            time_line: TimeLine::default(),
        }
    }

    /// The virtual clock.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Whether the server stands still.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// The manager, to be asked.
    pub fn manager(&self) -> &Manager {
        &self.recorder
    }

    /// The recording so far: what `replay` reads.
    pub fn log(&self) -> &[u8] {
        &self.log
    }

    /// What the recording has come to so far, in hexadecimal digits.
    pub fn digest(&self) -> String {
        self.recorder.digest().to_string()
    }

    /// All clients that are remembered, in the order in which they came.
    pub fn clients(&self) -> impl Iterator<Item = &Client> {
        self.clients.values()
    }

    /// A client by its number.
    ///
    /// # Errors
    /// If there is none.
    pub fn client(&self, number: u32) -> Result<&Client, Trouble> {
        self.clients.get(&number).ok_or(Trouble::NoClient(number))
    }

    pub(crate) fn client_mut(&mut self, number: u32) -> Result<&mut Client, Trouble> {
        self.clients.get_mut(&number).ok_or(Trouble::NoClient(number))
    }

    /// The numbers of those that the server has, or will have.
    pub(crate) fn there(&self) -> Vec<u32> {
        let there = self.clients.values().filter(|client| client.is_there());
        there.map(|client| client.number).collect()
    }

    pub(crate) fn check_room(&self) -> Result<(), Trouble> {
        if self.log.len() < MOST_LOG_BYTES {
            Ok(())
        } else {
            Err(Trouble::LogFull)
        }
    }

    /// A new client connects. Returns its number, whether it was let in or not.
    pub(crate) fn add(&mut self, user: String, lobby: String) -> Result<u32, Trouble> {
        if self.there().len() >= MOST_CLIENTS {
            return Err(Trouble::TooManyClients);
        }
        let number = self.enrol(user.clone(), lobby.clone());
        self.arrive(number, Outbound::Connect { user, lobby });
        Ok(number)
    }

    /// Gives a client a number, and forgets those who have long gone.
    pub(crate) fn enrol(&mut self, user: String, lobby: String) -> u32 {
        let number = self.next_number;
        self.next_number += 1;
        self.clients.insert(number, Client::new(number, user, lobby));
        let gone = self.clients.values().filter(|client| !client.is_there());
        let gone: Vec<_> = gone.map(|client| client.number).collect();
        for number in &gone[..gone.len().saturating_sub(MOST_GONE)] {
            self.clients.remove(number);
        }
        number
    }

    /// A client sends something of its own, which arrives at once or is held where the link is cut.
    pub(crate) fn send(&mut self, number: u32, outbound: Outbound) {
        let passed = self.clients.get_mut(&number).and_then(|client| client.pass(outbound));
        if let Some(outbound) = passed {
            self.arrive(number, outbound);
        }
    }

    /// A client answers something: that takes its time.
    pub(crate) fn answer(&mut self, number: u32, outbound: Outbound) {
        self.on_the_way
            .insert((self.now + ROUND_TRIP, self.sent), (number, outbound));
        self.sent += 1;
    }

    /// A client that can, answers what has come meanwhile.
    pub(crate) fn catch_up(&mut self, number: u32) -> Result<(), Trouble> {
        for outbound in self.client_mut(number)?.catch_up() {
            self.answer(number, outbound);
        }
        Ok(())
    }

    /// Something is at the server, which takes it unless it stands still.
    fn arrive(&mut self, number: u32, outbound: Outbound) {
        if self.paused {
            self.waiting.push_back((number, outbound));
        } else {
            self.deliver(number, outbound);
        }
    }

    pub(crate) fn pause(&mut self) {
        self.paused = true;
    }

    /// As a driver does after a pause: first all that has come meanwhile, and only then the time that has passed.
    pub(crate) fn resume(&mut self) {
        self.paused = false;
        while let Some((number, outbound)) = self.waiting.pop_front() {
            self.deliver(number, outbound);
        }
        self.tick_if_due();
    }

    /// Tells the manager, writes that down, and carries out what it says.
    pub(crate) fn tell(&mut self, call: Call<'_>) -> Reply {
        let input = Input { at: self.now, call };
        let mut out = std::mem::take(&mut self.out);
        out.clear();
        let reply = self.recorder.apply(input.clone(), &mut out, &mut self.log);
        self.lines += 1;
        let told = self.narrator.tell(self.lines, &input, &reply, &out, &self.recorder);
        self.time_line.call(self.lines, &input, &reply, &out, told);
        self.carry_out(&out);
        self.out = out;
        reply
    }

    /// Writes something that the manager knows nothing of into the time line.
    pub(crate) fn note(&mut self, words: String) {
        self.time_line.note(self.now, words);
    }

    /// Time goes on to the next thing that happens, and that happens.
    pub(crate) fn step(&mut self) -> Result<(), Trouble> {
        match self.next_at() {
            Some(at) => {
                self.happen(at);
                Ok(())
            }
            None if self.paused => Err(Trouble::Paused),
            None => Err(Trouble::NothingToCome),
        }
    }

    /// Time goes on by so much, and all that comes meanwhile happens.
    pub(crate) fn advance(&mut self, by: Duration) -> Result<(), Trouble> {
        let until = self.now + by;
        while let Some(at) = self.next_at()
            && at <= until
        {
            self.check_room()?;
            self.happen(at);
        }
        self.now = until;
        Ok(())
    }

    /// When the next thing happens: something arrives, or the manager's deadline comes.
    pub fn next_at(&self) -> Option<Time> {
        let arrival = self.on_the_way.keys().next().map(|(at, _)| *at);
        let deadline = self.recorder.next_deadline().filter(|_| !self.paused);
        [arrival, deadline]
            .into_iter()
            .flatten()
            .min()
            .map(|at| at.max(self.now))
    }

    /// At the same instant, all that arrives comes before the tick.
    fn happen(&mut self, at: Time) {
        self.now = at;
        while let Some(first) = self.on_the_way.first_entry()
            && first.key().0 <= at
        {
            let (number, outbound) = first.remove();
            self.send(number, outbound);
        }
        self.tick_if_due();
    }

    fn tick_if_due(&mut self) {
        if !self.paused && self.recorder.next_deadline().is_some_and(|due| due <= self.now) {
            self.tell(Call::Event(Event::Tick));
        }
    }

    pub(crate) fn set_now(&mut self, now: Time) {
        self.now = now;
    }
}
