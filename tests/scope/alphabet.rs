//! The events and requests that may come next, in the situation as it is.
//!
//! Each of ann, bob and cat may connect to den or hall; each open connection may speak, answer a ping, close, be kicked,
//! join, leave or switch; each closing one may close; a user may be pinged; a tick may come. Each of them may come now
//! or at another of the search's times, the deadline that the manager itself names above all.
//!
//! **Renamings.** Of the users who are not there only the first is tried, and likewise of the lobbies. A user without a
//! connection and a lobby without a member leave nothing behind, and a name is nothing to the manager but something to
//! be found by: it is hashed, and no table is gone through by its hashes. So whatever may follow upon bob's coming
//! first would follow upon ann's, with the names exchanged.
//!
//! **What changes nothing** is tried once in every state, at no other time than now: messages and kicks to closing
//! connections, events of ended ones, refused connections, refused and idle moves, broadcasts. At the other times
//! one of them stands for all, since what all of them do there is to let the clock be read. None is followed further,
//! unless the state did change.
//!
//! **What is left out** because it does what something else here does: `close_all` (kicks, one after the other),
//! `send_to`, `send_to_user` and `broadcast_all` (they write and change nothing, as `broadcast` does), other causes of an
//! end (handed through), other frames and pongs to earlier pings (heard, as a text is), clocks that step back (clamped to
//! now). Nor are those here that would make each of these states many, and that meet others at the doors alone: locks, kicks
//! of users and lobbies, limits that change, sources, expiries, reservations and drains. The random tests have them all.

use lobbykeeper::testing::{Act, But, Name, Reference, Said, Stamp, Step, Style, When, Where, Who};
use lobbykeeper::{Cause, ConnId, Manager};

use super::state::{Open, State};

/// The names, and the steps' numbers for them.
const USERS: [(&str, Name); 3] = [("ann", Name(0)), ("bob", Name(2)), ("cat", Name(4))];
const LOBBIES: [(&str, Name); 2] = [("den", Name(0)), ("hall", Name(3))];

const HELLO: Said = Said::Text(0);
const PONG: Said = Said::Pong(Stamp::Last, Style::Plain);
const NOW: When = When::After(0);

/// Which lobbies and times a search is about.
pub(crate) struct Alphabet {
    /// How many lobbies there are, 1 or 2. If there is one, nobody moves.
    pub(crate) lobbies: usize,
    /// The times other than now.
    pub(crate) times: &'static [When],
    /// The times at which nothing happens but that the clock is read, by a broadcast.
    pub(crate) readings: &'static [When],
}

/// What may be done in one situation.
#[derive(Default)]
struct Acts {
    changing: Vec<Act>,
    idle: Vec<Act>,
}

impl Alphabet {
    pub(crate) fn steps(&self, manager: &Manager, reference: &Reference, state: &State) -> Vec<Step> {
        let Acts { changing, idle } = self.acts(manager, state);
        let mut steps: Vec<Step> = Vec::new();
        let at = |when: When| move |&act: &Act| Step { when, act };
        steps.extend(changing.iter().map(at(NOW)));
        steps.extend(idle.iter().map(at(NOW)));
        let (now, deadline) = (reference.seen.last_call(), manager.next_deadline());
        let reading = |when: When| {
            let step = at(when)(&Act::Broadcast(Where::Name(LOBBIES[0].1), But::Nobody, 0));
            (step.input(&reference.seen, deadline).at > now).then_some(step)
        };
        steps.extend(self.readings.iter().filter_map(|&when| reading(when)));
        for &when in self.times {
            if let Some(step) = reading(when) {
                steps.push(step);
                steps.extend(changing.iter().map(at(when)));
            }
        }
        steps
    }

    fn acts(&self, manager: &Manager, state: &State) -> Acts {
        let mut acts = Acts::default();
        acts.changing.push(Act::Tick);
        let lobbies = present_and_next(&LOBBIES[..self.lobbies], |name| manager.lobby_id(name).is_some());
        let users = present_and_next(&USERS, |name| state.users.iter().any(|user| user.name == name));
        for &(user, user_name) in &users {
            for &(lobby, lobby_name) in &lobbies {
                let refused = manager.can_accept(lobby, user).is_err();
                acts.add(Act::Connect(lobby_name, user_name), !refused);
            }
            acts.add(Act::PingUser(user_name, None), manager.is_user_connected(user));
        }
        let max_lobbies = manager.config().max_lobbies_per_connection;
        for user in &state.users {
            for conn in &user.open {
                acts.of_open(conn);
                let may_join = max_lobbies.is_none_or(|max| conn.lobbies.len() < max as usize);
                if self.lobbies > 1 {
                    let moves = |&lobby: &(_, _)| acts.of_member(manager, conn.id, lobby, may_join);
                    lobbies.iter().for_each(moves);
                }
            }
            for conn in user.closing() {
                acts.changing.push(Act::Closed(the(conn.id), Cause::Peer));
                acts.idle.push(Act::Kick(the(conn.id)));
                acts.idle.push(Act::Message(the(conn.id), HELLO));
            }
            if let Some(conn) = user.open.first() {
                let sender = the(conn.id);
                for but in [But::Nobody, But::UserOf(sender)] {
                    acts.idle.push(Act::Broadcast(Where::Of(sender), but, 0));
                }
            }
        }
        if let Some(ended) = state.last_ended() {
            acts.idle.push(Act::Closed(the(ended), Cause::Peer));
        }
        acts
    }
}

impl Acts {
    fn add(&mut self, act: Act, changes: bool) {
        if changes {
            self.changing.push(act);
        } else {
            self.idle.push(act);
        }
    }

    fn of_open(&mut self, conn: &Open) {
        let who = the(conn.id);
        self.changing.push(Act::Message(who, HELLO));
        if conn.pulse.outstanding.is_some() {
            self.changing.push(Act::Message(who, PONG));
        }
        self.changing.push(Act::Closed(who, Cause::Peer));
        self.changing.push(Act::Kick(who));
    }

    /// What an open connection may do about one lobby.
    fn of_member(&mut self, manager: &Manager, conn: ConnId, (lobby, name): (&str, Name), may_join: bool) {
        let who = the(conn);
        let others = manager.lobbies_of(conn).filter_map(|id| manager.lobby_name(id));
        let others = others.filter(|&other| other != lobby).map(number_of);
        let moves = others.map(|other| Act::Switch(who, Where::Name(other), name));
        self.changing.extend(moves);
        let mut own = manager.lobbies_of(conn);
        if own.any(|id| manager.lobby_name(id) == Some(lobby)) {
            self.changing.push(Act::Leave(who, Where::Name(name)));
            self.idle.push(Act::Switch(who, Where::Name(name), name));
        } else {
            self.add(Act::Join(who, name), may_join);
        }
    }
}

fn the(conn: ConnId) -> Who {
    Who::Bits(conn.to_bits())
}

fn number_of(lobby: &str) -> Name {
    let known = LOBBIES.iter().find(|(name, _)| *name == lobby);
    known.expect("a lobby of the alphabet").1
}

/// Those who are there, and the first of those who are not.
fn present_and_next(names: &[(&'static str, Name)], is_there: impl Fn(&str) -> bool) -> Vec<(&'static str, Name)> {
    let (mut some, absent): (Vec<_>, Vec<_>) = names.iter().partition(|(name, _)| is_there(name));
    some.extend(absent.first());
    some
}
