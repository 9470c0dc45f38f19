//! A simulated world around a manager: its clients, their links, a driver, and what fails.

mod authentication;
mod clients;
mod digest;
mod handover;
mod limits;
mod links;
mod network;
mod operator;
mod queue;
mod referee;
mod report;
mod rng;
mod round_trips;
mod scenario;
mod server;
mod server_clock;

use alloc::vec::Vec;
use core::time::Duration;

pub use handover::{Goodbye, Handover, HandoverReport};
pub use report::{Orders, Report, StaleTruth};
pub use round_trips::RoundTrips;
pub use scenario::{
    Authentication, Departure, Fault, Network, Operator, Reconnect, Scenario, ScenarioError, Stalls, WakeOrder,
};

use self::clients::Client;
use self::digest::Digest;
use self::links::{Down, LinkId, Links, Up};
use self::queue::{Nanos, Queue};
use self::referee::Referee;
use self::rng::Rng;
use self::round_trips::Histogram;
use self::server::Server;
use self::server_clock::ServerClock;
use crate::manager::Manager;
use crate::stats::{Evictions, Refusals, Reservations};
use crate::time::duration_nanos;

/// A simulated world around a [`Manager`]: clients that come, talk, answer pings, stall, leave and vanish; links with
/// latency that break without a word; a driver; a token service that takes its time; an operator who kicks and locks; and
/// what befalls them all, from a pause of the server to a clock that steps.
///
/// It is a discrete-event simulation: nothing is waited for, time jumps to the next packet or to
/// [`next_deadline`](Manager::next_deadline), whichever comes first, and there to the nanosecond. What the world knows,
/// who is really there say, is compared with what the manager does; the [`Report`] has the verdict. The same
/// [`Scenario`] gives the same run, to the byte, on every machine.
///
/// Try your own settings on it:
///
/// ```
/// use std::time::Duration;
/// use lobbykeeper::Config;
/// use lobbykeeper::testing::{Fault, Network, Scenario, Sim, WakeOrder};
///
/// let scenario = Scenario {
///     // These are what you want to know about: does a mobile client survive them? How long do ghosts hold a seat?
///     config: Config {
///         max_connections: Some(80),
///         ping_interval: Some(Duration::from_secs(10)),
///         ping_timeout: Duration::from_secs(5),
///         ..Config::default()
///     },
///     clients: 100,
///     network: Network {
///         latency: Duration::from_millis(80),
///         jitter: Duration::from_millis(400),
///         cut_after: Some(Duration::from_secs(120)),
///         ..Network::default()
///     },
///     faults: vec![Fault::Pause {
///         at: Duration::from_secs(200),
///         lasts: Duration::from_secs(30),
///         wake: WakeOrder::TickFirst,
///         mid_turn: false,
///     }],
///     ..Scenario::default()
/// };
///
/// let mut sim = Sim::new(scenario)?;
/// // Look at the manager whenever you like ...
/// while sim.now() < Duration::from_secs(60) && sim.step() {
///     assert!(sim.manager().stats().total_connections <= 80);
/// }
/// // ... and let it run to its end.
/// let report = sim.run();
/// assert_eq!((report.stale.innocent, report.ghosts_over_bound, report.limits_overrun), (0, 0, 0), "{report}");
/// assert!(report.refusals.server_full > 0, "a hundred clients want eighty seats");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Under settings that limit backlogs the driver reports as [flushed](Manager::flushed) what a client's link takes.
///
/// What it does not model: bandwidth, the handshake's own round trips, and the hours after which TCP itself gives up on
/// a peer that is gone.
#[derive(Clone, Debug)]
pub struct Sim {
    scenario: Scenario,
    times: Times,
    now: Nanos,
    queue: Queue<Event>,
    clients: Vec<Client>,
    /// No more visits begin.
    closing_time: bool,

    links: Links,
    /// Until when the uplink is dead, ...
    outage_until: Nanos,
    /// ... and how long after that TCP's next try may come.
    catch_up: Nanos,

    server: Server,
    server_clock: ServerClock,
    /// What an operator chooses by.
    operator: Rng,

    referee: Referee,
    counts: Counts,
    round_trips: Histogram,
    digest: Digest,
}

/// The stream of chance that the operator draws from; clients have those below.
const OPERATOR: u64 = 1 << 32;

/// What happens in the world.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// A client's visit begins.
    Arrive(u32),
    /// A client's visit, the one with this number, ends.
    Leave(u32, u32),
    /// A client tries again in the midst of that visit.
    Reconnect(u32, u32),
    Talk(LinkId),
    Stall(LinkId),
    Resume(LinkId),
    Cut(LinkId),
    ToServer(LinkId, Up),
    /// The token service says whether it is a good one.
    Answer(LinkId, bool),
    ToClient(LinkId, Down),
    /// What an outage held back goes to the client.
    Drain(LinkId),
    /// The fault with this number.
    Fault(usize),
    /// The operator gives an order.
    Order,
    /// A pause is over.
    WakeUp,
    /// The scenario's time is over.
    CloseDoors,
}

impl Event {
    /// It is to happen even after all clients have left.
    const fn outlasts_the_clients(&self) -> bool {
        matches!(
            self,
            Self::ToServer(..) | Self::ToClient(..) | Self::Drain(_) | Self::Fault(_) | Self::WakeUp | Self::Answer(..)
        )
    }
}

/// The scenario's times.
#[derive(Clone, Copy, Debug)]
struct Times {
    duration: Nanos,
    stay: Nanos,
    away: Nanos,
    talk_every: Option<Nanos>,
    latency: Nanos,
    jitter: Nanos,
    cut_after: Option<Nanos>,
    cut_noticed_after: Nanos,
    stall_every: Option<Nanos>,
    stall_lasts: Option<Nanos>,
    order_every: Option<Nanos>,
}

#[derive(Clone, Debug, Default)]
struct Counts {
    events: u64,
    ticks: u64,
    visits: u64,
    admissions: u64,
    refusals: Refusals,
    left: u64,
    crashed: u64,
    send_failed: u64,
    evictions: Evictions,
    messages_in: u64,
    messages_out: u64,
    pings: u64,
    false_round_trips: u64,
    pauses_noticed: u64,
    waves_noticed: u64,
    reservations: Reservations,
    orders: Orders,
}

impl Sim {
    /// A world in which nothing has happened yet. O(clients).
    ///
    /// # Errors
    /// What is wrong with the scenario or with the manager's settings in it.
    pub fn new(scenario: Scenario) -> Result<Self, ScenarioError> {
        let server = Server::new(scenario.config.clone()).map_err(ScenarioError::Config)?;
        scenario.check()?;
        let times = Times::of(&scenario);
        let mut queue = Queue::new();
        queue.push(times.duration, Event::CloseDoors);
        for (number, fault) in scenario.faults.iter().enumerate() {
            queue.push(duration_nanos(fault.at()), Event::Fault(number));
        }
        let arrivals = duration_nanos(scenario.arrivals);
        let clients = (0..scenario.clients)
            .map(|number| {
                let mut rng = Rng::new(scenario.seed, u64::from(number));
                queue.push(rng.below(arrivals), Event::Arrive(number));
                Client::new(rng)
            })
            .collect();
        let mut operator = Rng::new(scenario.seed, OPERATOR);
        if let Some(every) = times.order_every {
            queue.push(operator.around(every), Event::Order);
        }
        Ok(Self {
            times,
            now: 0,
            queue,
            clients,
            closing_time: false,
            links: Links::default(),
            outage_until: 0,
            catch_up: 0,
            server,
            server_clock: ServerClock::new(),
            operator,
            referee: Referee::new(&scenario),
            counts: Counts::default(),
            round_trips: Histogram::new(),
            digest: Digest::new(),
            scenario,
        })
    }

    /// Goes on to what happens next, a packet or a client's doing or the manager's deadline, and lets it happen with all
    /// that follows at once. False if nothing is left to happen.
    ///
    /// # Panics
    /// If the manager names a deadline after a tick that the tick should have dealt with: time would stand still.
    pub fn step(&mut self) -> bool {
        let deadline = self.next_tick();
        match self.queue.next_time() {
            Some(event) if deadline.is_none_or(|deadline| event <= deadline) => self.next_event(),
            _ => {
                let Some(deadline) = deadline else {
                    return false;
                };
                self.now = deadline;
                self.tick();
            }
        }
        true
    }

    /// Goes on until so much time has passed since the beginning. False if nothing is left to happen before.
    ///
    /// # Panics
    /// As [`step`](Self::step) does.
    pub fn run_until(&mut self, time: Duration) -> bool {
        let until = duration_nanos(time);
        loop {
            let next = self.queue.next_time().into_iter().chain(self.next_tick()).min();
            match next {
                None => return false,
                Some(next) if next > until => {
                    self.now = self.now.max(until);
                    return true;
                }
                Some(_) => self.step(),
            };
        }
    }

    /// Goes on to the end, when all have left and nothing is left to happen, and says what came of it.
    ///
    /// # Panics
    /// As [`step`](Self::step) does.
    pub fn run(mut self) -> Report {
        while self.step() {}
        self.report()
    }

    /// How much time has passed since the beginning. The server's clock is another one, and may step.
    pub const fn now(&self) -> Duration {
        Duration::from_nanos(self.now)
    }

    /// The manager that is looked at.
    pub const fn manager(&self) -> &Manager {
        &self.server.manager
    }

    /// The figures so far. O(connections).
    pub fn report(&self) -> Report {
        let mut referee = self.referee.clone();
        let at = self.instant();
        for (_, &id) in self.server.sockets.iter() {
            if let Some(link) = self.links.get(id) {
                referee.still_open(at, link);
            }
        }
        let end = self.now.min(self.times.duration);
        referee.count_until(end);
        let counts = self.counts.clone();
        let round_trips = self.round_trips.summary();
        Report {
            simulated: self.now(),
            events: counts.events,
            ticks: counts.ticks,
            visits: counts.visits,
            admissions: counts.admissions,
            refusals: counts.refusals,
            peak_connections: referee.peak,
            average_connections: referee.average(end),
            left: counts.left,
            crashed: counts.crashed,
            send_failed: counts.send_failed,
            evictions: counts.evictions,
            stale: referee.stale,
            ghost_bound: referee.bound(),
            oldest_ghost: Duration::from_nanos(referee.oldest_ghost),
            oldest_undisturbed_ghost: Duration::from_nanos(referee.oldest_undisturbed_ghost),
            ghosts_over_bound: referee.ghosts_over_bound,
            evicted_early: referee.evicted_early,
            limits_overrun: referee.overruns,
            peak_backlog: referee.peak_backlog,
            false_round_trips: counts.false_round_trips,
            messages_in: counts.messages_in,
            messages_out: counts.messages_out,
            pings: counts.pings,
            pongs: round_trips.samples,
            round_trips,
            pauses_noticed: counts.pauses_noticed,
            waves_noticed: counts.waves_noticed,
            left_over: self.server.sockets.len() as u64,
            reservations: counts.reservations,
            seats_mistimed: referee.seats_mistimed,
            seats_left_over: referee.limits.reserved,
            orders: counts.orders,
            orders_defied: referee.orders_defied,
            digest: self.digest.value(),
        }
    }

    /// When the driver will wake up by itself, by the world's time.
    fn next_tick(&self) -> Option<Nanos> {
        if self.server.asleep.is_some() {
            return None;
        }
        let deadline = self.server.manager.next_deadline()?;
        Some(self.server_clock.when(deadline).max(self.now))
    }

    fn next_event(&mut self) {
        let Some((at, event)) = self.queue.pop() else {
            return;
        };
        self.now = at;
        self.counts.events += 1;
        match event {
            Event::Arrive(client) => self.arrive(client),
            Event::Leave(client, visit) => self.leave(client, visit),
            Event::Reconnect(client, visit) => self.reconnect(client, visit),
            Event::Talk(link) => self.talk(link),
            Event::Stall(link) => self.stall(link),
            Event::Resume(link) => self.resume(link),
            Event::Cut(link) => self.break_link(link),
            Event::ToServer(link, up) => self.come_in(link, up),
            Event::Answer(link, good) => self.turn(link, Up::Verified(good)),
            Event::ToClient(link, down) => self.receive(link, down),
            Event::Drain(link) => self.drain(link),
            Event::Fault(number) => self.befall(number),
            Event::Order => self.give_order(),
            Event::WakeUp => self.wake_up(),
            Event::CloseDoors => self.close_doors(),
        }
    }

    fn befall(&mut self, number: usize) {
        match self.scenario.faults[number] {
            Fault::Pause {
                lasts, wake, mid_turn, ..
            } => self.pause(duration_nanos(lasts), wake, mid_turn),
            Fault::ClockStep { forward, by, .. } => {
                if forward {
                    self.referee.disrupted(self.now);
                }
                self.server_clock.step(self.now, forward, by);
            }
            Fault::Outage { lasts, catch_up, .. } => {
                self.outage_until = self.outage_until.max(self.now.saturating_add(duration_nanos(lasts)));
                self.catch_up = self.catch_up.max(duration_nanos(catch_up));
                let answered = self.catch_up.saturating_add(self.longest_round_trip());
                let excused_until = self.outage_until.saturating_add(answered);
                self.referee.outage(excused_until);
            }
            Fault::Storm { silent, .. } => self.storm(silent),
        }
    }
}

impl Times {
    /// When a packet arrives that is sent now, unless another one is before it.
    fn arrival(&self, now: Nanos, rng: &mut Rng) -> Nanos {
        now.saturating_add(self.latency).saturating_add(rng.below(self.jitter))
    }

    fn of(scenario: &Scenario) -> Self {
        let Network {
            latency,
            jitter,
            cut_after,
            cut_noticed_after,
            ..
        } = scenario.network;
        Self {
            duration: duration_nanos(scenario.duration),
            stay: duration_nanos(scenario.stay),
            away: duration_nanos(scenario.away),
            talk_every: scenario.talk_every.map(duration_nanos),
            latency: duration_nanos(latency),
            jitter: duration_nanos(jitter),
            cut_after: cut_after.map(duration_nanos),
            cut_noticed_after: duration_nanos(cut_noticed_after),
            stall_every: scenario.stalls.map(|stalls| duration_nanos(stalls.every)),
            stall_lasts: scenario.stalls.map(|stalls| duration_nanos(stalls.last)),
            order_every: scenario.operator.map(|operator| duration_nanos(operator.every)),
        }
    }
}
