//! The words for a manager that runs: they are those of a time line of its log.

use lobby_replay::{Narrator, Subject, timeline};
use lobbykeeper::{Call, Config, Event, Except, Frame, Handshake, Input, Outbox, Payload, Recorder, Request, Time};

fn inputs() -> Vec<Input<'static>> {
    let ann = "c0v1".parse().unwrap();
    let calls = [
        Call::Event(Event::Connected(Handshake::new("den", "ann"))),
        Call::Event(Event::Connected(Handshake::new("den", "bob"))),
        Call::Event(Event::Message {
            conn: ann,
            frame: Frame::text("hello"),
        }),
        Call::Request(Request::Broadcast {
            lobby: ann.into(),
            payload: Payload::text("hello").into(),
            except: Except::Nobody,
        }),
        Call::Request(Request::SwitchLobby {
            conn: ann,
            from: "den".into(),
            to: "hall".into(),
        }),
        Call::Event(Event::Tick),
    ];
    calls
        .into_iter()
        .zip([1, 2, 3, 4, 5, 60])
        .map(|(call, at)| Input {
            at: Time::from_secs(at),
            call,
        })
        .collect()
}

#[test]
fn a_call_is_told_as_the_time_line_of_its_log_tells_it() {
    let (mut out, mut log, mut told) = (Outbox::new(), Vec::new(), Vec::new());
    let mut recorder = Recorder::new(Config::default(), &mut log).unwrap();
    let mut narrator = Narrator::default();
    for (line, input) in (2..).zip(inputs()) {
        out.clear();
        let reply = recorder.apply(input.clone(), &mut out, &mut log);
        let call = narrator.tell(line, &input, &reply, &out, &recorder);
        told.push(call.exchange);
        told.extend(call.outputs);
    }

    let mut answer = Vec::new();
    timeline(&*log, &Subject::Lobby("den".into()), &mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    // Behind the columns for the line and the time.
    let of_the_lobby: Vec<_> = answer.lines().map(|line| line[24..].trim_start().to_owned()).collect();
    let (mut rest, mut missing) = (told.iter(), Vec::new());
    for line in &of_the_lobby {
        if !rest.any(|text| text == line) {
            missing.push(line);
        }
    }
    assert!(of_the_lobby.len() > 8, "{answer}");
    assert!(missing.is_empty(), "{missing:#?} of {answer} in {told:#?}");
}

#[test]
fn it_knows_who_is_there() {
    let (mut out, mut log) = (Outbox::new(), Vec::new());
    let mut recorder = Recorder::new(Config::default(), &mut log).unwrap();
    let mut narrator = Narrator::default();
    let mut there = Vec::new();
    let gone = Input {
        at: Time::from_secs(61),
        call: Call::Event(Event::Closed {
            conn: "c0v1".parse().unwrap(),
            cause: lobbykeeper::Cause::Peer,
        }),
    };
    for input in inputs().into_iter().chain([gone]) {
        out.clear();
        let reply = recorder.apply(input.clone(), &mut out, &mut log);
        narrator.tell(0, &input, &reply, &out, &recorder);
        there.push(
            narrator
                .connections()
                .map(|(conn, user)| format!("{conn} {user}"))
                .collect::<Vec<_>>(),
        );
    }
    assert_eq!(there[0], ["c0v1 ann"]);
    assert_eq!(there[5], ["c0v1 ann", "c1v1 bob"]);
    assert_eq!(there[6], ["c1v1 bob"]);
}
