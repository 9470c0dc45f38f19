//! What the hub tells those who watch it, and how they ask.

use std::cmp::Reverse;

use lobby_chat::Chat;
use lobbykeeper::{Backlog, ConnId, Latency, Stats};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::meters::{Histogram, Meters, nanos};

/// How many questions wait for the hub; whoever finds no room waits.
const MAX_QUESTIONS: usize = 16;
/// How many of the slowest clients are named, and of those furthest behind.
const MOST_CLIENTS: usize = 10;

/// All numbers, of one moment between two events.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) stats: Stats,
    pub(crate) meters: Meters,
    /// Those whose token stands for nobody: the manager never hears of them.
    pub(crate) unauthorized: u64,
}

impl Report {
    /// All refusals by reason, also for rules that this server does not know of.
    pub(crate) fn refusals(&self) -> Vec<(String, u64)> {
        let mut refusals = by_name(&self.stats.refusals);
        refusals.push(("unauthorized".into(), self.unauthorized));
        refusals
    }
}

/// The counters of one of the library's structs by name.
pub(crate) fn by_name(counters: &impl Serialize) -> Vec<(String, u64)> {
    let Ok(Value::Object(counters)) = serde_json::to_value(counters) else {
        unreachable!("a struct of counters is a JSON object");
    };
    counters
        .into_iter()
        .map(|(name, count)| (name, count.as_u64().unwrap_or_default()))
        .collect()
}

/// The clients of one moment.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    /// The smoothed round-trip times of all who have answered a ping.
    pub(crate) latencies: Histogram,
    /// Those who take longest to answer, the slowest first.
    pub(crate) slowest: Vec<Client>,
    /// Those for whom most waits, the one furthest behind first.
    pub(crate) furthest_behind: Vec<Client>,
}

#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) conn: ConnId,
    pub(crate) user: String,
    pub(crate) lobby: Option<String>,
    pub(crate) latency: Option<Latency>,
    pub(crate) backlog: Backlog,
}

impl Clients {
    /// O(connections).
    fn of(chat: &Chat, conns: impl Iterator<Item = ConnId>) -> Self {
        let mut latencies = Histogram::of_round_trips();
        let (mut by_latency, mut by_backlog) = (Vec::new(), Vec::new());
        for conn in conns {
            if let Some(latency) = chat.latency(conn) {
                latencies.observe(nanos(latency.smoothed));
                by_latency.push((latency.smoothed, conn));
            }
            if let Some(backlog) = chat.backlog(conn)
                && backlog.messages > 0
            {
                by_backlog.push((backlog.bytes, conn));
            }
        }
        let describe = |conns: Vec<ConnId>| conns.into_iter().filter_map(|conn| Client::of(chat, conn)).collect();
        Self {
            latencies,
            slowest: describe(greatest(by_latency)),
            furthest_behind: describe(greatest(by_backlog)),
        }
    }
}

impl Client {
    fn of(chat: &Chat, conn: ConnId) -> Option<Self> {
        let lobby = chat.lobbies_of(conn).next().and_then(|lobby| chat.lobby_name(lobby));
        Some(Self {
            conn,
            user: chat.user_of(conn)?.to_owned(),
            lobby: lobby.map(str::to_owned),
            latency: chat.latency(conn),
            backlog: chat.backlog(conn).unwrap_or_default(),
        })
    }
}

/// The connections with the greatest values, the greatest first.
fn greatest<T: Copy + Ord>(mut all: Vec<(T, ConnId)>) -> Vec<ConnId> {
    let rank = |&(value, conn): &(T, ConnId)| (Reverse(value), conn.index());
    if all.len() > MOST_CLIENTS {
        all.select_nth_unstable_by_key(MOST_CLIENTS, rank);
        all.truncate(MOST_CLIENTS);
    }
    all.sort_unstable_by_key(rank);
    all.into_iter().map(|(_, conn)| conn).collect()
}

#[derive(Debug)]
pub(crate) enum Question {
    Numbers(oneshot::Sender<Report>),
    /// Costs the hub a look at each connection.
    Clients(oneshot::Sender<(Report, Clients)>),
}

/// The end of those who ask.
#[derive(Clone, Debug)]
pub(crate) struct Asker(mpsc::Sender<Question>);

impl Asker {
    /// All numbers; `None` if the hub is gone.
    pub(crate) async fn numbers(&self) -> Option<Report> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Question::Numbers(answer)).await.ok()?;
        answered.await.ok()
    }

    /// All numbers, and the clients; `None` if the hub is gone.
    pub(crate) async fn clients(&self) -> Option<(Report, Clients)> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Question::Clients(answer)).await.ok()?;
        answered.await.ok()
    }

    /// Waits until the hub is gone.
    pub(crate) async fn closed(&self) {
        self.0.closed().await;
    }
}

/// The hub's end.
#[derive(Debug)]
pub(crate) struct Observer {
    meters: Meters,
    questions: mpsc::Receiver<Question>,
}

/// Both ends.
pub(crate) fn observer() -> (Asker, Observer) {
    let (sender, questions) = mpsc::channel(MAX_QUESTIONS);
    let observer = Observer {
        meters: Meters::new(),
        questions,
    };
    (Asker(sender), observer)
}

impl Observer {
    pub(crate) fn meters(&mut self) -> &mut Meters {
        &mut self.meters
    }

    /// The next question, when there is one; `None` if nobody is left to ask.
    pub(crate) async fn next(&mut self) -> Option<Question> {
        self.questions.recv().await
    }

    /// Whoever asked may have left.
    pub(crate) fn answer(&self, question: Question, chat: &Chat, conns: impl Iterator<Item = ConnId>) {
        let report = Report {
            stats: chat.stats(),
            meters: self.meters.clone(),
            unauthorized: chat.unauthorized_count(),
        };
        match question {
            Question::Numbers(answer) => drop(answer.send(report)),
            Question::Clients(answer) => drop(answer.send((report, Clients::of(chat, conns)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use lobby_chat::Visitor;
    use lobbykeeper::{Outbox, Time};

    use super::*;
    use crate::hub::tests::chat;

    #[test]
    fn of_many_the_greatest_come_first_and_no_more_than_are_named() {
        let conn = |index: u64| format!("c{index}v1").parse::<ConnId>().unwrap();
        let all = (0..40)
            .map(|index| (Duration::from_millis(index * 7 % 40), conn(index)))
            .collect();
        let expected: Vec<_> = (30..40_u64).rev().map(|rank| conn(rank * 23 % 40)).collect();
        assert_eq!(greatest(all), expected);
        assert_eq!(
            greatest(vec![(1, conn(3)), (1, conn(2)), (2, conn(9))]),
            [conn(9), conn(2), conn(3)]
        );
    }

    #[test]
    fn counters_are_named_as_the_library_names_them() {
        let refusals = by_name(&lobbykeeper::Refusals::default());
        assert!(refusals.contains(&("server_full".to_owned(), 0)), "{refusals:?}");
    }
    #[test]
    fn one_for_whom_something_waits_is_named_and_one_for_whom_nothing_does_is_not() {
        let (mut chat, mut out) = (chat(), Outbox::new());
        let mut enter = |key, token| {
            let visitor = Visitor {
                key,
                lobby: "den",
                token,
                address: Ipv4Addr::LOCALHOST.into(),
            };
            chat.knock(Time::ZERO, visitor, &mut out).unwrap().unwrap()
        };
        let (ann, bob) = (enter(1, "ann"), enter(2, "bob"));
        // More than was sent, which counts for all of it.
        chat.flushed(Time::ZERO, ann, 1_000_000, 1_000, &mut out);
        let clients = Clients::of(&chat, [ann, bob].into_iter());
        let [behind] = clients.furthest_behind.as_slice() else {
            panic!("{:?}", clients.furthest_behind);
        };
        assert_eq!(
            (behind.conn, behind.user.as_str(), behind.lobby.as_deref()),
            (bob, "bob", Some("den"))
        );
        // The welcome and the ping.
        assert_eq!(behind.backlog.messages, 2);
        assert!(clients.slowest.is_empty(), "nobody has answered");
    }
}
