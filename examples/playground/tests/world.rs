//! The world as its page uses it: by actions, the view and the recording.

use std::time::Duration;

use lobby_playground::{Action, Client, State, Trouble, World};
use lobbykeeper::{Config, Rate, Time};
use serde_json::Value;

fn action(json: &str) -> Action {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

fn act(world: &mut World, json: &str) {
    world
        .act(action(json))
        .unwrap_or_else(|trouble| panic!("{json}: {trouble}"));
}

fn add(world: &mut World, user: &str, lobby: &str) -> u32 {
    act(world, &format!(r#"{{"add":{{"user":"{user}","lobby":"{lobby}"}}}}"#));
    world.clients().last().unwrap().number
}

fn advance(world: &mut World, seconds: u64) {
    act(world, &format!(r#"{{"advance":{{"by":{}}}}}"#, seconds * 1_000));
}

fn of(name: &str, client: u32) -> String {
    format!(r#"{{"{name}":{{"client":{client}}}}}"#)
}

/// ann and bob in the den.
fn den() -> World {
    let mut world = World::new(Config::default()).unwrap();
    add(&mut world, "ann", "den");
    add(&mut world, "bob", "den");
    world
}

fn state(world: &World, client: u32) -> &State {
    &world.client(client).unwrap().state
}

fn why(world: &World, client: u32) -> &str {
    match state(world, client) {
        State::Closing(why) | State::Refused(why) | State::Ended(why) => why,
        State::Waiting | State::Open => "",
    }
}

fn view(world: &World) -> Value {
    serde_json::to_value(world.view(0)).unwrap()
}

/// All texts of the time line, inputs and outputs.
fn texts(world: &World) -> Vec<String> {
    let view = view(world);
    let entries = view["entries"].as_array().unwrap().clone();
    let texts = entries.into_iter().flat_map(|entry| {
        let outputs = entry["outputs"].as_array().unwrap().clone();
        [entry].into_iter().chain(outputs)
    });
    texts.map(|line| line["text"].as_str().unwrap().to_owned()).collect()
}

fn is_told(world: &World, words: &str) -> bool {
    texts(world).iter().any(|text| text.contains(words))
}

#[test]
fn clients_that_answer_stay_for_ever_and_have_a_latency() {
    let mut world = den();
    advance(&mut world, 24 * 60 * 60);
    let stats = world.manager().stats();
    assert_eq!((stats.open_connections, stats.missed_pings), (2, 0));
    assert_eq!(view(&world)["clients"][0]["latency"], "80ms");
}

#[test]
fn a_client_whose_link_is_cut_is_evicted_and_it_is_said_why() {
    let mut world = den();
    advance(&mut world, 5);
    act(&mut world, &of("cut", 2));
    advance(&mut world, 60);
    assert_eq!(*state(&world, 1), State::Open);
    let reason = why(&world, 2);
    assert!(
        reason.contains("missed 2 pings in a row") && reason.contains("nothing was heard"),
        "{reason}"
    );
    let life = world.explain("c1v1".parse().unwrap());
    assert!(
        life.contains("evict c1v1: stale") && life.contains("pinged since then at"),
        "{life}"
    );
}

#[test]
fn a_link_that_is_mended_in_time_is_forgiven_and_delivers_what_was_sent_meanwhile() {
    let mut world = den();
    act(&mut world, &of("cut", 2));
    act(&mut world, r#"{"say":{"client":2,"text":"anybody there?"}}"#);
    advance(&mut world, 25);
    assert!(!is_told(&world, "anybody there?"));
    act(&mut world, &of("mend", 2));
    assert!(is_told(&world, "send to c0v1 and another: \"bob: anybody there?\""));
    advance(&mut world, 120);
    assert_eq!(*state(&world, 2), State::Open);
}

#[test]
fn what_is_still_under_way_when_a_link_is_cut_is_held() {
    let mut world = den();
    // The first ping; its answer is under way.
    while world.manager().stats().pings == 0 {
        act(&mut world, r#""step""#);
    }
    act(&mut world, r#""cut_all""#);
    advance(&mut world, 1);
    assert_eq!(world.manager().stats().pongs, 0);
    act(&mut world, r#""mend_all""#);
    assert_eq!(world.manager().stats().pongs, 1);
}

#[test]
fn a_sleeping_client_answers_when_it_wakes_and_is_evicted_if_that_is_too_late() {
    let mut world = den();
    act(&mut world, &of("sleep", 1));
    act(&mut world, &of("sleep", 2));
    assert_eq!(
        world.act(action(r#"{"say":{"client":1,"text":"zzz"}}"#)),
        Err(Trouble::Asleep(1))
    );
    advance(&mut world, 25);
    act(&mut world, &of("wake", 1));
    advance(&mut world, 60);
    assert_eq!(*state(&world, 1), State::Open);
    assert!(why(&world, 2).starts_with("evicted"), "{}", why(&world, 2));
    // Whatever its socket would still bring, the server has dropped it.
    act(&mut world, &of("wake", 2));
    advance(&mut world, 1);
    assert_eq!(world.manager().stats().stale_ids, 0);
}

#[test]
fn a_pause_of_the_server_evicts_nobody_and_takes_what_has_come_meanwhile_first() {
    let mut world = den();
    advance(&mut world, 30);
    act(&mut world, r#""pause""#);
    let inputs = world.log().len();
    advance(&mut world, 3_600);
    add(&mut world, "cat", "den");
    act(&mut world, r#"{"say":{"client":1,"text":"hello"}}"#);
    assert_eq!(world.log().len(), inputs, "a server that stands still takes nothing");
    assert_eq!(*state(&world, 3), State::Waiting);
    assert_eq!(world.act(action(&of("kick", 1))), Err(Trouble::Paused));

    act(&mut world, r#""resume""#);
    let texts = texts(&world);
    let at = |words: &str| texts.iter().position(|text| text.contains(words)).expect(words);
    let order = [
        "the server goes on",
        "\"cat\" wants to enter",
        "the server stood still for",
        "sends \"ann: hello\"",
    ]
    .map(at);
    assert!(order.is_sorted(), "{texts:#?}");
    advance(&mut world, 120);
    let stats = world.manager().stats();
    assert_eq!((stats.open_connections, stats.evictions.stale, stats.pauses), (3, 0, 1));
}

#[test]
fn a_step_is_the_next_arrival_or_the_deadline_whichever_comes_first() {
    let mut world = den();
    let mut seen = Vec::new();
    for _ in 0..50 {
        let (next, deadline) = (world.next_at().unwrap(), world.manager().next_deadline().unwrap());
        assert!(next <= deadline);
        act(&mut world, r#""step""#);
        assert_eq!(world.now(), next);
        seen.push(next);
    }
    assert!(seen.is_sorted());
    assert!(world.manager().stats().pongs > 10);
    let mut empty = World::new(Config::default()).unwrap();
    assert_eq!(empty.act(Action::Step), Err(Trouble::NothingToCome));
}

#[test]
fn an_answer_in_the_instant_of_the_time_out_is_in_time() {
    let mut world = World::new(Config {
        ping_timeout: Duration::from_millis(80),
        max_missed: 1,
        ..Config::default()
    })
    .unwrap();
    add(&mut world, "ann", "den");
    advance(&mut world, 300);
    assert_eq!(
        (state(&world, 1), world.manager().stats().missed_pings),
        (&State::Open, 0)
    );
}

#[test]
fn time_in_pieces_is_time_at_once() {
    let (mut one, mut other) = (den(), den());
    advance(&mut one, 300);
    for _ in 0..3_000 {
        act(&mut other, r#"{"advance":{"by":100}}"#);
    }
    assert_eq!(one.now(), Time::from_secs(300));
    assert_eq!((one.now(), one.log()), (other.now(), other.log()));
}

#[test]
fn whoever_is_told_to_close_closes_and_whoever_cannot_is_evicted() {
    let mut world = den();
    act(&mut world, &of("cut", 2));
    act(&mut world, &of("kick", 1));
    act(&mut world, &of("kick", 2));
    assert!(matches!(state(&world, 1), State::Closing(_)) && matches!(state(&world, 2), State::Closing(_)));
    advance(&mut world, 10);
    assert!(
        why(&world, 1).contains("the application asked for it"),
        "{}",
        why(&world, 1)
    );
    assert!(
        why(&world, 2).contains("told to close 5.000 s ago and did not"),
        "{}",
        why(&world, 2)
    );
}

#[test]
fn a_tab_that_is_closed_behind_a_cut_link_is_a_ghost() {
    let mut world = den();
    act(&mut world, &of("leave", 1));
    assert_eq!(why(&world, 1), "closed by the peer");
    act(&mut world, &of("cut", 2));
    act(&mut world, &of("leave", 2));
    assert_eq!(*state(&world, 2), State::Open);
    advance(&mut world, 60);
    assert!(why(&world, 2).contains("missed"), "{}", why(&world, 2));
    assert_eq!(world.act(action(&of("leave", 2))), Err(Trouble::NotConnected(2)));
}

#[test]
fn a_client_moves_and_a_refusal_leaves_it_where_it_is() {
    let mut world = World::new(Config {
        max_connections_per_lobby: Some(1),
        ..Config::default()
    })
    .unwrap();
    add(&mut world, "ann", "den");
    add(&mut world, "bob", "hall");
    act(&mut world, r#"{"switch":{"client":1,"lobby":"hall"}}"#);
    act(&mut world, r#"{"switch":{"client":2,"lobby":"attic"}}"#);
    let view = view(&world);
    assert_eq!(
        (&view["clients"][0]["lobby"], &view["clients"][1]["lobby"]),
        (&"den".into(), &"attic".into())
    );
    assert_eq!(view["lobbies"][0]["users"], serde_json::json!(["ann"]));
    assert!(is_told(&world, "lobby_full"));
}

#[test]
fn what_is_refused_is_said_why() {
    let cases = [
        (
            Config {
                max_connections: Some(1),
                ..Config::default()
            },
            "connections of the server: 1, at most 1",
        ),
        (
            Config {
                max_connections_per_lobby: Some(1),
                ..Config::default()
            },
            "connections of the lobby: 1",
        ),
        (
            Config {
                max_connections_per_user: Some(1),
                ..Config::default()
            },
            "connections of the user: 1",
        ),
        (
            Config {
                max_name_bytes: 2,
                ..Config::default()
            },
            "bytes of a name: 3, 1 to 2",
        ),
        (
            Config {
                connect_rate: Some(Rate {
                    events: 1,
                    per: Duration::from_secs(60),
                    burst: 1,
                }),
                ..Config::default()
            },
            "come again after 60.000 s",
        ),
    ];
    for (config, words) in cases {
        let mut world = World::new(config).unwrap();
        add(&mut world, "ann", "den");
        let ann = add(&mut world, "ann", "den");
        assert!(why(&world, ann).contains(words), "{words}: {}", why(&world, ann));
    }
}

#[test]
fn a_drain_closes_all_and_ends() {
    let mut world = den();
    act(&mut world, r#"{"drain":{"every":500,"within":10000}}"#);
    let cat = add(&mut world, "cat", "den");
    assert!(why(&world, cat).contains("being emptied"), "{}", why(&world, cat));
    advance(&mut world, 2);
    assert!(world.clients().all(|client: &Client| !client.is_there()));
    assert!(is_told(&world, "nobody is left"));
}

#[test]
fn there_is_an_end_to_everything() {
    let mut world = World::new(Config::default()).unwrap();
    for at in 0..200 {
        add(&mut world, &format!("user {at}"), "den");
    }
    let one_more = Action::Add {
        user: "ann".into(),
        lobby: "den".into(),
    };
    assert_eq!(world.act(one_more), Err(Trouble::TooManyClients));
    for client in 1..=100 {
        act(&mut world, &of("leave", client));
    }
    add(&mut world, "ann", "den");
    assert_eq!(world.clients().filter(|client| !client.is_there()).count(), 50);
    let entries = view(&world)["entries"].as_array().unwrap().len();
    assert!(entries <= 1_000, "{entries}");
    // Long speeches; the recording has an end, and the world says so.
    let text = "x".repeat(1 << 20);
    let speech = Action::Say { client: 101, text };
    let full = (0..40).find_map(|_| world.act(speech.clone()).err());
    assert_eq!(full, Some(Trouble::LogFull));
    assert!(world.log().len() < 67 << 20, "{}", world.log().len());
    assert_eq!(world.act(Action::Step), Err(Trouble::LogFull));
}

#[test]
fn nobody_and_nonsense_are_errors_and_change_nothing() {
    let mut world = den();
    let (digest, before) = (world.digest(), view(&world));
    for name in ["cut", "mend", "sleep", "wake", "leave", "kick"] {
        assert_eq!(world.act(action(&of(name, 99))), Err(Trouble::NoClient(99)));
    }
    for nonsense in [
        r#""fly""#,
        r#"{"cut":{}}"#,
        r#"{"cut":{"client":-1}}"#,
        r#"{"advance":{"by":1.5}}"#,
        "",
    ] {
        assert!(serde_json::from_str::<Action>(nonsense).is_err(), "{nonsense}");
    }
    assert_eq!((world.digest(), view(&world)), (digest, before));
    let settings = Config {
        max_missed: 0,
        ..Config::default()
    };
    let trouble = World::new(settings).err().unwrap();
    assert_eq!(
        trouble.to_string(),
        "no manager can follow these settings: max_missed must not be 0"
    );
}
