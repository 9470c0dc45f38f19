//! What happens in a simulated world, as plain data.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::config::{Config, ConfigError};

/// A world to simulate: who is in it, how they behave, what fails and when.
///
/// The fields are plain, as those of [`Config`] are; start from the default, a small and quiet world, and change what
/// matters. A time that is called a mean is drawn anew each time, evenly between nothing and twice as much.
///
/// ```
/// use std::time::Duration;
/// use lobbykeeper::Config;
/// use lobbykeeper::testing::{Fault, Scenario, WakeOrder};
///
/// let scenario = Scenario {
///     config: Config { max_connections_per_lobby: Some(10), ..Config::default() },
///     clients: 500,
///     lobbies: 60,
///     seed: 7,
///     faults: vec![Fault::Pause {
///         at: Duration::from_secs(300),
///         lasts: Duration::from_secs(60),
///         wake: WakeOrder::TickFirst,
///         mid_turn: false,
///     }],
///     ..Scenario::default()
/// };
/// # let _ = scenario;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// The settings of the manager: your own.
    pub config: Config,
    /// What chance is made of. The same scenario and seed give the same run to the byte.
    pub seed: u64,
    /// After this time nobody comes any more and all who are there leave; the world goes on until nothing is left to
    /// happen. Default: 10 minutes.
    pub duration: Duration,
    /// How many clients there are; each has at most one connection that it knows of. Default: 100.
    pub clients: u32,
    /// How many clients are devices of one user; at least 1. Default: 1.
    pub devices_per_user: u32,
    /// How many lobbies there are to choose from; at least 1. A client chooses one for each visit. Default: 10.
    pub lobbies: u32,
    /// The first visits begin at even chance within this time; zero: all at once. Default: 30 s.
    pub arrivals: Duration,
    /// How long a visit is, as a mean. Default: 10 minutes.
    pub stay: Duration,
    /// How long it is between two visits of a client, as a mean. Default: 1 minute.
    pub away: Duration,
    /// How often a connected client says something to its lobby, as a mean. `None`: never. Default: 30 s.
    pub talk_every: Option<Duration>,
    /// The links between the clients and the server.
    pub network: Network,
    /// Clients that stop reading now and then. `None`: nobody does, the default.
    pub stalls: Option<Stalls>,
    /// How visits end.
    pub departure: Departure,
    /// How a client that was turned away or cut off comes back.
    pub reconnect: Reconnect,
    /// What befalls everybody at once.
    pub faults: Vec<Fault>,
    /// A look at the tokens of clients that takes time. `None`: all are let in at once, the default.
    pub authentication: Option<Authentication>,
    /// Somebody who kicks, locks and changes limits. `None`: nobody does, the default.
    pub operator: Option<Operator>,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            config: Config::default(),
            seed: 0,
            duration: Duration::from_secs(600),
            clients: 100,
            devices_per_user: 1,
            lobbies: 10,
            arrivals: Duration::from_secs(30),
            stay: Duration::from_secs(600),
            away: Duration::from_secs(60),
            talk_every: Some(Duration::from_secs(30)),
            network: Network::default(),
            stalls: None,
            departure: Departure::default(),
            reconnect: Reconnect::Obedient,
            faults: Vec::new(),
            authentication: None,
            operator: None,
        }
    }
}

/// The links: each is a TCP stream, so nothing is lost or overtakes on one that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// How long a packet takes in one direction at least. Default: 20 ms.
    pub latency: Duration,
    /// How much longer it takes at most; each packet draws anew. Default: 20 ms.
    pub jitter: Duration,
    /// How long a link holds, as a mean, until it is cut without a close: the client notices and comes back over
    /// another link, the server hears nothing more. `None`: for ever, the default.
    pub cut_after: Option<Duration>,
    /// How long a client takes to notice that its link was cut, as a mean. Default: 5 s.
    pub cut_noticed_after: Duration,
    /// How many messages wait for a client that takes none, in the driver's queue and the kernel's together. One more,
    /// and the driver drops the connection and reports [`Cause::SendFailed`](crate::Cause::SendFailed). Default: 256.
    pub queue: u32,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(20),
            jitter: Duration::from_millis(20),
            cut_after: None,
            cut_noticed_after: Duration::from_secs(5),
            queue: 256,
        }
    }
}

/// Slow readers: a client stops reading, goes on talking, and reads again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stalls {
    /// How long a client reads before it stops, as a mean.
    pub every: Duration,
    /// How long it does not read, as a mean.
    pub last: Duration,
}

/// How visits end, in per cent; the rest closes politely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departure {
    /// The client's process dies: the server sees a failing read. Default: 10.
    pub crash_percent: u8,
    /// The client's machine is gone: the server sees nothing. Default: 10.
    pub vanish_percent: u8,
}

impl Default for Departure {
    fn default() -> Self {
        Self {
            crash_percent: 10,
            vanish_percent: 10,
        }
    }
}

/// How a client comes back that was refused, closed or cut off in the middle of its visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconnect {
    /// It obeys the [advice](crate::Retry) and adds up to a second, so as not to come with all others; after
    /// [`Never`](crate::Retry::Never) it stays away for the rest of the visit. Without advice it comes within 2 s.
    Obedient,
    /// It comes at once, whatever it was told: with many of them, a reconnect storm.
    AtOnce,
}

/// A service that is asked about the tokens of some clients. Until it answers the driver
/// [reserves](crate::Manager::reserve) a seat, which is released if the client leaves or its token is bad. If it
/// [lapses](crate::Notice::ReservationLapsed), the client is told to come again at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authentication {
    /// About how many it is asked, in per cent; the others are let in without. Default: 100.
    pub percent: u8,
    /// How long it takes to answer, as a mean. Default: 500 ms.
    pub takes: Duration,
    /// In how many cases of a hundred the token is bad. Its client stays away for the rest of the visit, if it is an
    /// [obedient](Reconnect::Obedient) one. Default: 5.
    pub denied_percent: u8,
    /// In how many cases of a hundred no answer comes: a person gives up at the page where one proves who one is.
    /// Default: 5.
    pub unanswered_percent: u8,
}

impl Default for Authentication {
    fn default() -> Self {
        Self {
            percent: 100,
            takes: Duration::from_millis(500),
            denied_percent: 5,
            unanswered_percent: 5,
        }
    }
}

/// Somebody who kicks a user, who may not be there, locks or unlocks a lobby, or sets one of those limits that the
/// settings have (of the server, of lobbies, of users) to something between half of it and the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operator {
    /// How long it is from one such order to the next, as a mean.
    pub every: Duration,
}

/// Something that befalls everybody at once. `at` is the time since the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The server's process stands still: a stopped container, a sleeping laptop, a debugger. What arrives meanwhile
    /// waits in the kernel.
    Pause {
        /// When it begins.
        at: Duration,
        /// How long it is.
        lasts: Duration,
        /// What the driver does first when it is awake again.
        wake: WakeOrder,
        /// It strikes between a call to the manager and the carrying out of what that wrote, at the first such moment
        /// after `at`: what the manager believes sent lies in the outbox until the end of the pause.
        mid_turn: bool,
    },
    /// The server's clock is set.
    ClockStep {
        /// When.
        at: Duration,
        /// In which direction.
        forward: bool,
        /// By how much.
        by: Duration,
    },
    /// The server's uplink is dead: nothing arrives from anybody, nothing leaves to anybody, and no stream is closed.
    /// TCP repeats what was lost, so it arrives some time after the end, link by link.
    Outage {
        /// When it begins.
        at: Duration,
        /// How long it is.
        lasts: Duration,
        /// How long after the end TCP's next try comes at the latest, for each link and direction.
        catch_up: Duration,
    },
    /// All links are lost at once, and all clients come back: a load balancer that restarts, say.
    Storm {
        /// When.
        at: Duration,
        /// The server sees no close, so that its old connections are ghosts that hold their seats.
        silent: bool,
    },
}

impl Fault {
    pub(super) const fn at(&self) -> Duration {
        match self {
            Self::Pause { at, .. } | Self::ClockStep { at, .. } | Self::Outage { at, .. } | Self::Storm { at, .. } => {
                *at
            }
        }
    }
}

/// In which order a driver that was asleep handles what has come and the deadline that has passed. A loop that waits for
/// readiness does the first, one that selects between a timer and a channel may do any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WakeOrder {
    /// All inputs, then the tick, all with one outbox.
    InputsFirst,
    /// The tick, then the inputs one by one.
    TickFirst,
    /// The inputs in turns of 8, each followed by a tick.
    Mixed,
}

/// A scenario that cannot be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScenarioError {
    /// The manager refuses its settings.
    Config(ConfigError),
    /// This field is 0 and must not be.
    Zero(&'static str),
    /// The shares of [`Departure`] are more than a hundred together.
    DepartureBeyondWhole,
    /// Those of [`Authentication`] that do not end well are.
    AuthenticationBeyondWhole,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => fmt::Display::fmt(error, f),
            Self::Zero(field) => write!(f, "{field} must not be 0"),
            Self::DepartureBeyondWhole => f.write_str("crash_percent and vanish_percent are more than 100 together"),
            Self::AuthenticationBeyondWhole => {
                f.write_str("denied_percent and unanswered_percent are more than 100 together")
            }
        }
    }
}

impl core::error::Error for ScenarioError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Config(error) => Some(error),
            _ => None,
        }
    }
}

impl Scenario {
    /// What is wrong beside the manager's own settings.
    pub(super) fn check(&self) -> Result<(), ScenarioError> {
        let counts = [("devices_per_user", self.devices_per_user), ("lobbies", self.lobbies)];
        if let Some((field, _)) = counts.into_iter().find(|&(_, count)| count == 0) {
            return Err(ScenarioError::Zero(field));
        }
        let Departure {
            crash_percent,
            vanish_percent,
        } = self.departure;
        if u16::from(crash_percent) + u16::from(vanish_percent) > 100 {
            return Err(ScenarioError::DepartureBeyondWhole);
        }
        if let Some(authentication) = self.authentication
            && u16::from(authentication.denied_percent) + u16::from(authentication.unanswered_percent) > 100
        {
            return Err(ScenarioError::AuthenticationBeyondWhole);
        }
        // Each of these happens again and again, and would never let the world's time go on.
        let times = [
            ("stay", Some(self.stay)),
            ("away", Some(self.away)),
            ("talk_every", self.talk_every),
            ("latency", Some(self.network.latency)),
            ("every", self.operator.map(|operator| operator.every)),
        ];
        match times.into_iter().find(|&(_, time)| time == Some(Duration::ZERO)) {
            Some((field, _)) => Err(ScenarioError::Zero(field)),
            None => Ok(()),
        }
    }
}
