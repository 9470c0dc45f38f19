//! Recordings that are saved and loaded.

use std::fs;
use std::path::Path;

use lobby_playground::{Action, Scenario, State, Trouble, World};
use lobbykeeper::Fault;

fn committed() -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/platforms/run.log")).unwrap()
}

/// The digest that stands in the last line.
fn last_digest(log: &[u8]) -> String {
    let log = str::from_utf8(log).unwrap();
    let (_, digest) = log.trim_end().rsplit_once(r#""digest":""#).unwrap();
    digest.trim_end_matches("\"}").into()
}

#[test]
fn a_saved_recording_loads_to_the_same_digest_and_the_same_people() {
    let mut world = Scenario::DeadLink.play().unwrap();
    for (user, lobby) in [("cat", "den"), ("dan", "hall")] {
        world
            .act(Action::Add {
                user: user.into(),
                lobby: lobby.into(),
            })
            .unwrap();
    }
    let loaded = World::load(world.log().to_vec()).unwrap();
    assert_eq!((loaded.digest(), loaded.log()), (world.digest(), world.log()));
    assert_eq!(loaded.now(), world.now());
    let open = |world: &World| -> Vec<_> {
        let open = world.clients().filter(|client| client.state == State::Open);
        open.map(|client| (client.conn, client.user.clone())).collect()
    };
    assert_eq!(open(&loaded), open(&world));
    assert_eq!(open(&loaded).len(), 3);
}

#[test]
fn a_loaded_recording_goes_on_and_is_one_recording_then() {
    let world = Scenario::FullLobby.play().unwrap();
    let mut loaded = World::load(world.log().to_vec()).unwrap();
    loaded.act(Action::Advance { by: 600_000 }).unwrap();
    assert!(
        loaded.clients().all(|client| client.state == State::Open),
        "its clients answer"
    );
    assert!(loaded.log().starts_with(world.log()) && loaded.log().len() > world.log().len());
    let again = World::load(loaded.log().to_vec()).unwrap();
    assert_eq!(again.digest(), loaded.digest());
}

#[test]
fn whoever_was_closing_in_the_recording_is_closing_still() {
    let mut world = Scenario::DeadLink.play().unwrap();
    world.act(Action::Cut { client: 1 }).unwrap();
    world.act(Action::Kick { client: 1 }).unwrap();
    let mut loaded = World::load(world.log().to_vec()).unwrap();
    let states = |world: &World| world.clients().map(|client| client.state.clone()).collect::<Vec<_>>();
    assert!(
        matches!(states(&loaded)[..], [State::Closing(_)]),
        "{:?}",
        states(&loaded)
    );
    loaded.act(Action::Advance { by: 10_000 }).unwrap();
    assert!(
        matches!(&states(&loaded)[..], [State::Ended(why)] if why.contains("did not")),
        "{:?}",
        states(&loaded)
    );
}

#[test]
fn the_committed_recording_loads() {
    let log = committed();
    let world = World::load(log.clone()).unwrap();
    assert_eq!(world.digest(), last_digest(&log));
}

#[test]
fn of_a_damaged_recording_the_line_is_named() {
    let log = committed();
    let damaged = |log: Vec<u8>| match World::load(log).err() {
        Some(Trouble::Damaged(error)) => (error.line, error.fault),
        other => panic!("{other:?}"),
    };
    let text = String::from_utf8(log.clone()).unwrap();
    let changed = text.replacen(r#""user":"bob""#, r#""user":"bop""#, 1);
    let at = text.lines().position(|line| line.contains(r#""user":"bob""#)).unwrap() as u64 + 1;
    assert!(matches!(damaged(changed.into_bytes()), (line, Fault::Digest { .. }) if line == at));
    assert!(matches!(
        damaged(log[..log.len() - 5].to_vec()),
        (431, Fault::Truncated)
    ));
    assert_eq!(damaged(Vec::new()), (1, Fault::Empty));
    assert_eq!(damaged(b"hello\n".to_vec()), (1, Fault::NotALog));
    let trouble = World::load(b"hello\n".to_vec()).err().unwrap();
    assert_eq!(
        trouble.to_string(),
        "the recording is damaged in line 1: not the header of a lobbykeeper log"
    );
}

#[test]
fn one_can_look_back_at_any_line_and_go_on_from_there() {
    let world = Scenario::DeadLink.play().unwrap();
    // The header, ann, bob.
    let mut then = World::load_until(world.log().to_vec(), 3).unwrap();
    assert_eq!(then.clients().filter(|client| client.state == State::Open).count(), 2);
    assert!(world.log().starts_with(then.log()) && then.log().len() < world.log().len());
    then.act(Action::Advance { by: 600_000 }).unwrap();
    assert_eq!(
        then.manager().stats().evictions.stale,
        0,
        "this time bob's link is sound"
    );
    let whole = World::load_until(world.log().to_vec(), 1_000).unwrap();
    assert_eq!(whole.digest(), world.digest());
    // What is damaged later does not matter.
    let mut damaged = world.log().to_vec();
    *damaged.last_mut().unwrap() = b' ';
    assert!(World::load_until(damaged.clone(), 3).is_ok() && World::load(damaged).is_err());
}
