//! A game lobby with a ready-check, and what must hold of it whatever its players and their networks do.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use lobbykeeper::testing::strategy::{knobs, step};
use lobbykeeper::testing::{Act, Name, Seen, Step, When, Who, check_invariants};
use lobbykeeper::{Cause, Config, ConnId, Except, LobbyId, Manager, Notice, Outbox, Payload, Time};
use proptest::collection::vec;
use proptest::prelude::*;

/// The application: a player says that they are ready, or no longer; when everyone in the lobby is, and there are two at
/// least, the game starts. Who comes later watches.
#[derive(Default)]
struct Game {
    ready: BTreeMap<LobbyId, BTreeSet<String>>,
    playing: BTreeSet<LobbyId>,
}

impl Game {
    /// A message "ready" came from this connection.
    fn toggle(&mut self, manager: &mut Manager, now: Time, conn: ConnId, out: &mut Outbox) {
        let (Some(user), Some(lobby)) = (manager.user_of(conn), manager.lobbies_of(conn).next()) else {
            return;
        };
        let ready = self.ready.entry(lobby).or_default();
        if !ready.remove(user) {
            ready.insert(user.into());
        }
        self.start_if_all_are_ready(manager, now, lobby, out);
    }

    /// Reads what a call has written. Answers go to another outbox.
    fn read(&mut self, manager: &mut Manager, now: Time, written: &Outbox, out: &mut Outbox) {
        for notice in written.notices() {
            match notice {
                Notice::Left { lobby, user, .. } => {
                    if let Some(ready) = self.ready.get_mut(&lobby) {
                        ready.remove(user);
                    }
                    self.start_if_all_are_ready(manager, now, lobby, out);
                }
                Notice::LobbyClosed { lobby, .. } => {
                    self.ready.remove(&lobby);
                    self.playing.remove(&lobby);
                }
                _ => {}
            }
        }
    }

    fn start_if_all_are_ready(&mut self, manager: &mut Manager, now: Time, lobby: LobbyId, out: &mut Outbox) {
        if !self.playing.contains(&lobby) && self.all_are_ready(manager, lobby) {
            self.playing.insert(lobby);
            manager.broadcast(now, lobby, Payload::text("start"), Except::Nobody, out);
        }
    }

    fn all_are_ready(&self, manager: &Manager, lobby: LobbyId) -> bool {
        let (Some(users), Some(ready)) = (manager.lobby_users(lobby), self.ready.get(&lobby)) else {
            return false;
        };
        users.iter().count() >= 2 && users.iter().all(|user| ready.contains(user))
    }

    /// What must hold after every event.
    fn check(&self, manager: &Manager) -> Result<(), TestCaseError> {
        check_invariants(manager).map_err(|violation| TestCaseError::fail(violation.to_string()))?;
        for (&lobby, ready) in &self.ready {
            let users = manager
                .lobby_users(lobby)
                .map(|users| users.iter().collect::<BTreeSet<_>>());
            let users = users.ok_or_else(|| TestCaseError::fail(format!("{lobby} is gone and was not forgotten")))?;
            for user in ready {
                prop_assert!(users.contains(&**user), "{user:?} is ready in {lobby} and not in it");
            }
        }
        for lobby in manager.lobbies() {
            let waits = !self.playing.contains(&lobby);
            prop_assert!(
                !(waits && self.all_are_ready(manager, lobby)),
                "everyone in {lobby} is ready and waits"
            );
        }
        Ok(())
    }
}

/// What happens: players come and go and say "ready", and now and then anything that can happen to a manager.
#[derive(Clone, Debug)]
enum Happens {
    Step(Step),
    /// One of the open connections says it.
    Ready(usize),
}

fn happens() -> impl Strategy<Value = Happens> {
    let lobby_and_user = (0_u8..5, 0_u8..5).prop_map(|(lobby, user)| Act::Connect(Name(lobby), Name(user)));
    let gone = (0_u8..8).prop_map(|number| Act::Closed(Who::Open(number), Cause::Peer));
    let at_once = |act| Step {
        when: When::After(0),
        act,
    };
    prop_oneof![
        3 => lobby_and_user.prop_map(at_once).prop_map(Happens::Step),
        1 => gone.prop_map(at_once).prop_map(Happens::Step),
        3 => (0_usize..8).prop_map(Happens::Ready),
        1 => step().prop_map(Happens::Step),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_game_starts_when_everyone_in_the_lobby_is_ready(knobs in knobs(), events in vec(happens(), 1..100)) {
        let mut manager = Manager::new(Config::from(knobs)).unwrap();
        let mut seen = Seen::new(manager.config());
        let mut game = Game::default();
        for event in events {
            let (mut out, mut answers) = (Outbox::new(), Outbox::new());
            match event {
                Happens::Step(step) => {
                    let input = step.input(&seen, manager.next_deadline());
                    let reply = manager.apply(input.clone(), &mut out);
                    seen.record(&input, &reply, &out);
                }
                Happens::Ready(number) if !seen.open().is_empty() => {
                    let conn = seen.open()[number % seen.open().len()];
                    game.toggle(&mut manager, seen.last_call(), conn, &mut out);
                }
                Happens::Ready(_) => {}
            }
            // What answers write is read in its turn: a broadcast may be too much for somebody, who then leaves.
            while !out.is_empty() {
                game.read(&mut manager, seen.last_call(), &out, &mut answers);
                out.clear();
                mem::swap(&mut out, &mut answers);
            }
            game.check(&manager)?;
        }
    }
}
