//! What each scenario promises is what can be seen at its end.

use lobby_playground::{Scenario, State, World};
use lobbykeeper::Replay;

fn words(state: &State) -> String {
    match state {
        State::Waiting => "waiting".into(),
        State::Open => "open".into(),
        State::Closing(why) | State::Refused(why) | State::Ended(why) => why.clone(),
    }
}

/// The users and how each is or ended.
fn end(world: &World) -> Vec<String> {
    let clients = world.clients();
    clients
        .map(|client| format!("{}: {}", client.user, words(&client.state)))
        .collect()
}

/// Each of these beginnings and texts, in order.
fn assert_end(world: &World, expected: &[&[&str]]) {
    let end = end(world);
    assert_eq!(end.len(), expected.len(), "{end:#?}");
    for (is, parts) in end.iter().zip(expected) {
        assert!(
            is.starts_with(parts[0]) && parts.iter().all(|part| is.contains(part)),
            "{parts:?}: {end:#?}"
        );
    }
}

#[test]
fn the_fourth_in_a_lobby_of_three_is_refused_until_one_leaves() {
    let world = Scenario::FullLobby.play().unwrap();
    let full = [
        "dan: refused",
        "4002 lobby_full",
        "connections of the lobby: 3, at most 3",
    ];
    assert_end(
        &world,
        &[
            &["ann: open"],
            &["bob: open"],
            &["cat: closed by the peer"],
            &full,
            &["dan: open"],
        ],
    );
}

#[test]
fn a_dead_link_is_evicted_alone() {
    let world = Scenario::DeadLink.play().unwrap();
    assert_end(&world, &[&["ann: open"], &["bob: evicted", "missed 2 pings in a row"]]);
}

#[test]
fn an_hour_of_sleep_evicts_nobody() {
    let world = Scenario::LaptopSleep.play().unwrap();
    assert!(world.clients().all(|client| client.state == State::Open) && world.clients().count() == 5);
    let stats = world.manager().stats();
    assert_eq!((stats.pauses, stats.missed_pings), (1, 0));
    assert!(stats.suspended.as_secs() > 3_500, "{:?}", stats.suspended);
}

#[test]
fn a_newer_tab_takes_the_seat_of_the_ghost_in_a_full_lobby() {
    let world = Scenario::NewerTab.play().unwrap();
    assert_end(
        &world,
        &[
            &["ann: evicted", "told to close 5.000 s ago"],
            &["bob: open"],
            &["ann: open"],
        ],
    );
    let life = world.explain("c0v1".parse().unwrap());
    assert!(life.contains("4005 \"replaced\""), "{life}");
}

#[test]
fn a_stale_wave_is_noticed_and_nobody_is_lost() {
    let world = Scenario::StaleWave.play().unwrap();
    let stats = world.manager().stats();
    assert_eq!((stats.open_connections, stats.evictions.stale), (8, 0));
    let seen = serde_json::to_string(&world.view(0)).unwrap();
    assert!(seen.contains(" of 8 connections are silent"), "{seen}");
}

#[test]
fn a_drain_empties_the_server_and_refuses_newcomers() {
    let world = Scenario::Drain.play().unwrap();
    let gone: &[&str] = &["", "closed", "the server is being emptied, and it was its turn"];
    let refused: &[&str] = &["fay: refused", "draining"];
    assert_end(&world, &[gone, gone, gone, gone, gone, refused]);
    assert_eq!(world.manager().stats().drained, 5);
}

#[test]
fn each_is_a_good_recording() {
    for scenario in Scenario::ALL {
        let world = scenario.play().unwrap();
        let mut lines = world.log().split_inclusive(|&byte| byte == b'\n');
        let mut replay = Replay::new(lines.next().unwrap(), [1, 2]).unwrap();
        for line in lines {
            replay.apply(line, &mut lobbykeeper::Outbox::new()).unwrap();
        }
        assert_eq!(replay.digest().to_string(), world.digest(), "{scenario:?}");
    }
}
