//! A manager, its clock, and who sits at the other ends.

use std::collections::BTreeMap;

use lobbykeeper::{
    Call, Command, Config, ConnId, Event, Frame, Handshake, Input, Manager, Outbox, Output, Payload, Time,
};
use serde_json::{Map, Value};

use super::script::{Question, Step, parse};
use super::words::{self, Said};

#[derive(Default)]
pub(crate) struct Stage {
    settings: Map<String, Value>,
    /// Made from the settings at the first input that is none.
    manager: Option<Manager>,
    now: Time,
    /// The latest ping that each connection was sent.
    pings: BTreeMap<ConnId, u64>,
    crowd: usize,
}

impl Stage {
    /// What the manager says to one line of input.
    pub(crate) fn play(&mut self, input: &str) -> Result<Vec<String>, String> {
        let (input, quietly) = match input.strip_suffix(" quietly") {
            Some(input) => (input, true),
            None => (input, false),
        };
        let said = self.step(parse(input)?)?;
        if quietly {
            return Ok(vec![summary(&said)]);
        }
        Ok(said.into_iter().map(|said| said.words).collect())
    }

    fn step(&mut self, step: Step) -> Result<Vec<Said>, String> {
        match step {
            Step::Config { key, value } => self.configure(key, value).map(|()| Vec::new()),
            Step::At(time) => {
                self.now = time;
                Ok(Vec::new())
            }
            Step::Call(call) => self.call(call),
            Step::Crowd { count, lobby } => self.crowd(count, &lobby),
            Step::Pong { conn, timestamp } => self.pong(conn, timestamp),
            Step::RunUntil(end) => self.run_until(end),
            Step::Ask(question) => answer(self.manager()?, &question),
        }
    }

    fn configure(&mut self, key: String, value: Value) -> Result<(), String> {
        if self.manager.is_some() {
            return Err("the settings come first".into());
        }
        self.settings.insert(key, value);
        self.config().map(drop)
    }

    fn config(&self) -> Result<Config, String> {
        serde_json::from_value(Value::Object(self.settings.clone())).map_err(|error| error.to_string())
    }

    fn manager(&mut self) -> Result<&mut Manager, String> {
        if self.manager.is_none() {
            self.manager = Some(Manager::new(self.config()?).map_err(|error| error.to_string())?);
        }
        Ok(self.manager.as_mut().expect("it has just been made"))
    }

    /// One call and all that comes of it: what it returns, then what it wrote.
    fn call(&mut self, call: Call<'_>) -> Result<Vec<Said>, String> {
        let (at, mut out) = (self.now, Outbox::new());
        let ticks = matches!(call, Call::Event(Event::Tick));
        let reply = self.manager()?.apply(Input { at, call }, &mut out);
        self.note_pings(&out);
        let mut said: Vec<_> = words::reply(&reply).into_iter().collect();
        said.extend(out.iter().map(|output| words::output(&output)));
        if said.is_empty() && ticks {
            said.push(Said::new("nothing", "nothing"));
        }
        Ok(said)
    }

    fn note_pings(&mut self, out: &Outbox) {
        for output in out {
            if let Output::Command(Command::Send { to, payload }) = output
                && let Some(timestamp) = timestamp(payload)
            {
                self.pings.extend(to.iter().map(|&conn| (conn, timestamp)));
            }
        }
    }

    fn crowd(&mut self, count: usize, lobby: &str) -> Result<Vec<Said>, String> {
        let mut said = Vec::new();
        for _ in 0..count {
            self.crowd += 1;
            let handshake = Handshake::new(lobby, format!("user {}", self.crowd));
            said.extend(self.call(Call::Event(Event::Connected(handshake)))?);
        }
        Ok(said)
    }

    fn pong(&mut self, conn: Option<ConnId>, timestamp: Option<u64>) -> Result<Vec<Said>, String> {
        let manager = &*self.manager()?;
        let open: Vec<ConnId> = manager
            .lobbies()
            .flat_map(|lobby| manager.lobby_connections(lobby))
            .collect();
        let conns = conn.map_or(open, |conn| vec![conn]);
        let mut said = Vec::new();
        for conn in conns {
            let latest = self.pings.get(&conn).copied();
            let timestamp = timestamp.or(latest).ok_or_else(|| format!("{conn} was never pinged"))?;
            let frame = Frame::Text(format!(r#"{{"type":"health_pong","timestamp":{timestamp}}}"#).into());
            said.extend(self.call(Call::Event(Event::Message { conn, frame }))?);
        }
        Ok(said)
    }

    /// Ticks at each deadline up to an instant and goes there, as a driver does to whom nothing else happens.
    fn run_until(&mut self, end: Time) -> Result<Vec<Said>, String> {
        let mut run = Vec::new();
        while let Some(deadline) = self.manager()?.next_deadline().filter(|&deadline| deadline <= end) {
            self.now = self.now.max(deadline);
            for said in self.call(Call::Event(Event::Tick))? {
                run.push(Said::new(&said.kind, format!("[{}] {}", self.now, said.words)));
            }
        }
        self.now = end;
        if run.is_empty() {
            run.push(Said::new("nothing", "nothing"));
        }
        Ok(run)
    }
}

/// The time stamp of a health ping.
fn timestamp(payload: &Payload) -> Option<u64> {
    let Payload::Text(text) = payload else { return None };
    let digits = text.as_str().strip_prefix(r#"{"type":"health_ping","timestamp":"#)?;
    digits.strip_suffix('}')?.parse().ok()
}

/// How many of each kind, in the order in which the kinds came up first.
fn summary(said: &[Said]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for Said { kind, .. } in said {
        match counts.iter_mut().find(|(counted, _)| counted == kind) {
            Some((_, count)) => *count += 1,
            None => counts.push((kind, 1)),
        }
    }
    let counts: Vec<_> = counts.iter().map(|(kind, count)| format!("{kind} × {count}")).collect();
    format!("in short: {}", counts.join(", "))
}

fn answer(manager: &Manager, question: &Question) -> Result<Vec<Said>, String> {
    let lines = match question {
        Question::CanAccept { lobby, user } => match manager.can_accept(lobby, user) {
            Ok(()) => vec!["yes".into()],
            Err(refusal) => vec![words::refusal(&refusal)],
        },
        Question::Roster(lobby) => vec![
            manager
                .lobby_users(lobby.clone())
                .map_or("no such lobby".into(), |users| {
                    let names: Vec<_> = users.iter().map(|name| format!("{name:?}")).collect();
                    format!("{} (revision {})", names.join(" "), users.revision())
                }),
        ],
        Question::Members(lobby) => {
            let members: Vec<_> = manager
                .lobby_connections(lobby.clone())
                .map(|conn| conn.to_string())
                .collect();
            vec![if members.is_empty() {
                "nobody".into()
            } else {
                members.join(" ")
            }]
        }
        Question::Lobbies => {
            let name = |lobby| manager.lobby_name(lobby).unwrap_or_default();
            let lobbies: Vec<_> = manager
                .lobbies()
                .map(|lobby| format!("{lobby}: {:?}", name(lobby)))
                .collect();
            if lobbies.is_empty() {
                vec!["none".into()]
            } else {
                lobbies
            }
        }
        Question::Latency(conn) => vec![manager.latency(*conn).map_or("not known".into(), |latency| {
            format!(
                "last {:?}, shortest {:?}, smoothed {:?}",
                latency.last, latency.min, latency.smoothed
            )
        })],
        Question::Deadline => vec![
            manager
                .next_deadline()
                .map_or("none".into(), |deadline| deadline.to_string()),
        ],
        Question::Backlog(conn) => vec![manager.backlog(*conn).map_or("not known".into(), |backlog| {
            format!("{} bytes in {} messages", backlog.bytes, backlog.messages)
        })],
        Question::Stats(fields) => stats(manager, fields)?,
    };
    Ok(lines
        .into_iter()
        .map(|line: String| Said::new("answer", line))
        .collect())
}

fn stats(manager: &Manager, fields: &[String]) -> Result<Vec<String>, String> {
    let stats = manager.stats();
    if fields.is_empty() {
        let json = serde_json::to_string_pretty(&stats).map_err(|error| error.to_string())?;
        return Ok(json.lines().map(ToOwned::to_owned).collect());
    }
    let json = serde_json::to_value(&stats).map_err(|error| error.to_string())?;
    let field = |name: &String| {
        let value = json.get(name).ok_or_else(|| format!("stats has no field {name}"))?;
        Ok(format!("{name}: {value}"))
    };
    fields.iter().map(field).collect()
}
