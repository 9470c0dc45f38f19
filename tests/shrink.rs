//! A run is cut down to what something needs, and what is left still does it.

mod cases;
mod recorded;

use std::ops::ControlFlow;

use lobbykeeper::{
    Call, Cause, Config, ConnId, Event, Excerpt, Frame, Handshake, Input, Manager, Outbox, Payload, Request, Script,
    Time,
};
use proptest::prelude::*;

fn event(secs: u64, event: Event<'static>) -> Input<'static> {
    Input {
        at: Time::from_secs(secs),
        call: Call::Event(event),
    }
}

fn request(secs: u64, request: Request<'static>) -> Input<'static> {
    Input {
        at: Time::from_secs(secs),
        call: Call::Request(request),
    }
}

fn connect(secs: u64, lobby: &'static str, user: &'static str) -> Input<'static> {
    event(secs, Event::Connected(Handshake::new(lobby, user)))
}

fn conn(id: &str) -> ConnId {
    id.parse().unwrap()
}

fn say(secs: u64, id: &str, text: &'static str) -> Input<'static> {
    event(
        secs,
        Event::Message {
            conn: conn(id),
            frame: Frame::text(text),
        },
    )
}

fn script<'a>(config: &Config, inputs: &[Input<'a>]) -> Script<'a> {
    let (mut manager, mut out) = (Manager::new(config.clone()).unwrap(), Outbox::new());
    let mut script = Script::new();
    for input in inputs {
        out.clear();
        let reply = manager.apply(input.clone(), &mut out);
        script.push(input.clone(), Some(&reply), &out);
    }
    script
}

/// What an excerpt comes to under these settings: its inputs and outputs, a line each.
fn run(config: &Config, excerpt: &Excerpt<'_, '_>) -> (Vec<String>, Vec<String>) {
    let (mut manager, mut out) = (Manager::new(config.clone()).unwrap(), Outbox::new());
    let mut inputs = Vec::new();
    excerpt.run(|input| {
        inputs.push(serde_json::to_string(&input.call).unwrap());
        ControlFlow::Continue(manager.apply(input, &mut out))
    });
    (inputs, recorded::outputs(&out))
}

/// The smallest excerpt whose outputs mention a text; what is put in, and what comes out.
fn shrink(config: &Config, inputs: &[Input<'static>], text: &str) -> Option<(Vec<String>, Vec<String>)> {
    let script = script(config, inputs);
    let mentions = |excerpt: &Excerpt<'_, '_>| run(config, excerpt).1.iter().any(|output| output.contains(text));
    script.shrink(mentions).map(|excerpt| run(config, &excerpt))
}

#[test]
fn what_has_nothing_to_do_with_it_is_left_out_and_the_rest_named_anew() {
    let inputs = [
        connect(0, "attic", "cid"),
        connect(0, "den", "ann"),
        say(1, "c0v1", "hello"),
        connect(1, "den", "bob"),
        say(2, "c2v1", "hello"),
        event(
            3,
            Event::Closed {
                conn: conn("c0v1"),
                cause: Cause::Peer,
            },
        ),
        event(
            4,
            Event::Closed {
                conn: conn("c2v1"),
                cause: Cause::Error,
            },
        ),
        event(5, Event::Tick),
    ];
    let (inputs, _) = shrink(&Config::default(), &inputs, "user: \"bob\", ending").unwrap();
    assert_eq!(
        inputs,
        [
            r#"{"event":{"connected":{"lobby":"den","user":"bob"}}}"#,
            r#"{"event":{"closed":{"conn":"c0v1","cause":"error"}}}"#,
        ]
    );
}

#[test]
fn a_lobby_keeps_its_name_whoever_opens_it() {
    let inputs = [
        connect(0, "attic", "cid"),
        connect(0, "den", "ann"),
        connect(1, "den", "bob"),
        request(
            2,
            Request::Broadcast {
                lobby: "l1v1".parse::<lobbykeeper::LobbyId>().unwrap().into(),
                payload: Payload::text("boom").into(),
                except: lobbykeeper::Except::Conn(conn("c1v1")),
            },
        ),
    ];
    let (inputs, _) = shrink(&Config::default(), &inputs, "boom").unwrap();
    assert_eq!(
        inputs,
        [
            r#"{"event":{"connected":{"lobby":"den","user":"bob"}}}"#,
            r#"{"request":{"broadcast":{"lobby":{"name":"den"},"payload":{"text":"boom"},"except":"nobody"}}}"#,
        ]
    );
}

#[test]
fn what_never_happens_cannot_be_shrunk_to() {
    let inputs = [connect(0, "den", "ann")];
    assert_eq!(shrink(&Config::default(), &inputs, "user: \"bob\""), None);
}

#[test]
fn what_happens_without_any_input_needs_none() {
    let script = script(&Config::default(), &[connect(0, "den", "ann")]);
    assert!(script.shrink(|_| true).unwrap().is_empty());
}

#[test]
fn a_run_that_breaks_hands_out_no_further_input() {
    let inputs = [connect(0, "den", "ann"), connect(0, "den", "bob")];
    let script = script(&Config::default(), &inputs);
    let mut calls = 0;
    script.whole().run(|_| {
        calls += 1;
        ControlFlow::Break(())
    });
    assert_eq!(calls, 1);
}

#[test]
fn what_can_go_only_after_something_else_has_gone_goes_as_well() {
    let users = ["needs a", "a", "wanted"];
    let script = script(&Config::default(), &users.map(|user| connect(0, "den", user)));
    let smallest = script.shrink(|excerpt| {
        let (inputs, _) = run(&Config::default(), excerpt);
        let has = |user: &str| inputs.iter().any(|input| input.contains(&format!("\"{user}\"")));
        has("wanted") && (!has("needs a") || has("a"))
    });
    let smallest = smallest.unwrap();
    assert_eq!((smallest.len(), smallest.is_empty()), (1, false));
}

/// An input whose reply never came is kept like any other: the run may have died of it.
#[test]
fn an_input_without_a_reply_is_handed_out_as_well() {
    let mut script = Script::new();
    script.push(connect(0, "den", "ann"), None, &Outbox::new());
    assert_eq!(run(&Config::default(), &script.whole()).0.len(), 1);
}

proptest! {
    #![proptest_config(cases::cases(40, "proptest-regressions/shrink.txt"))]

    #[test]
    fn the_whole_script_is_the_run_itself(config in recorded::config(), inputs in recorded::inputs()) {
        let (mut manager, mut out) = (Manager::new(config.clone()).unwrap(), Outbox::new());
        for input in inputs.clone() {
            manager.apply(input, &mut out);
        }
        let whole = script(&config, &inputs);
        // A lobby's id becomes its name, which may stand for a later lobby.
        prop_assume!(!format!("{inputs:?}").contains("Id("));
        prop_assert_eq!(run(&config, &whole.whole()).1, recorded::outputs(&out));
    }

    #[test]
    fn nothing_more_can_be_left_out(config in recorded::config(), inputs in recorded::inputs(), which in 0_usize..5) {
        let text = ["Evict", "Close {", "Left", "PingTimedOut", "health_ping"][which];
        let whole = script(&config, &inputs);
        let mentions = |excerpt: &Excerpt<'_, '_>| run(&config, excerpt).1.iter().any(|output| output.contains(text));
        let Some(smallest) = whole.shrink(mentions) else {
            prop_assert!(!mentions(&whole.whole()));
            return Ok(());
        };
        prop_assert!(mentions(&smallest));
        // What is left is a run of its own, so it can be cut down again; nothing comes of that.
        let mut manager = Manager::new(config.clone()).unwrap();
        let mut left = Vec::new();
        smallest.run(|input| {
            left.push(serde_json::to_string(&input).unwrap());
            ControlFlow::Continue(manager.apply(input, &mut Outbox::new()))
        });
        let left: Vec<Input<'_>> = left.iter().map(|json| serde_json::from_str(json).unwrap()).collect();
        let again = script(&config, &left);
        prop_assert_eq!(again.whole().len(), smallest.len());
        prop_assert_eq!(again.shrink(mentions).unwrap().len(), smallest.len());
    }
}
