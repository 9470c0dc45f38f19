//! Every error says what is wrong, so that it can be logged as it is; and one that rests on another leads to it.

mod support;

use std::error::Error;
use std::time::Duration;

use lobbykeeper::{
    Answer, Answers, CloseFrame, Config, ConnId, Digest, Fault, JoinError, Manager, ParseIdError, Recorder, Replay,
    ReplayError, RestoreError, Retry, Snapshot, Source,
};
use support::{Desk, frame};

fn words(result: Result<impl Sized, impl Error>) -> String {
    result.map(drop).unwrap_err().to_string()
}

#[test]
fn settings_that_no_manager_can_follow_are_named() {
    let default = Config::default;
    let zero = Config {
        max_missed: 0,
        ..default()
    };
    assert_eq!(words(zero.validate()), "max_missed must not be 0");
    let overlapping = Config {
        ping_timeout: Duration::from_secs(21),
        ..default()
    };
    assert_eq!(
        words(overlapping.validate()),
        "ping_timeout must not be longer than ping_interval"
    );
    let wordy = Config {
        answers: Answers {
            user_limit: Answer {
                close: frame(4003, &"x".repeat(120)),
                retry: Retry::Now,
            },
            ..Answers::default()
        },
        ..default()
    };
    assert_eq!(
        words(wordy.validate()),
        "the reason for \"user limit\" takes 128 bytes with its retry advice; a close frame holds 123"
    );
}

#[test]
fn the_words_of_a_drain_have_room_for_the_longest_delay_that_there_can_be() {
    let words_of = |bytes, retry| {
        let draining = Answer {
            close: frame(1012, &"x".repeat(bytes)),
            retry,
        };
        let answers = Answers {
            draining,
            ..Answers::default()
        };
        Config {
            answers,
            ..Config::default()
        }
        .validate()
    };
    assert_eq!(words_of(102, Retry::Never), Ok(()));
    assert_eq!(
        words(words_of(103, Retry::Never)),
        "the reason for \"draining\" takes 124 bytes with its retry advice; a close frame holds 123"
    );
    let longest = Retry::After(Duration::MAX);
    assert!(words(words_of(97, longest)).contains("takes 127 bytes"));
}

#[test]
fn a_close_frame_that_cannot_be_sent_says_why() {
    assert_eq!(
        words(CloseFrame::new(1005, "")),
        "close code 1005 cannot be sent (RFC 6455, section 7.4)"
    );
    assert_eq!(
        words(CloseFrame::new(4000, "x".repeat(124))),
        "a close reason of 124 bytes cannot be sent, only up to 123"
    );
}

#[test]
fn what_is_no_source_learns_what_one_looks_like() {
    assert!(words("192.0.2.1".parse::<Source>()).contains("32 hexadecimal digits"));
}

#[test]
fn what_is_no_id_learns_what_one_looks_like() {
    assert_eq!("17".parse::<ConnId>(), Err(ParseIdError));
    assert!(words("17".parse::<ConnId>()).contains("\"c3v17\""));
}

#[test]
fn a_refusal_is_worded_with_its_rule_and_its_answer() {
    let mut desk = Desk::with(Config {
        max_connections_per_lobby: Some(0),
        ..Config::default()
    });
    let refused = desk.try_connect("den", "ann");
    assert_eq!(words(refused), "refused: lobby full (4002 lobby_full)");
}

#[test]
fn whoever_does_not_enter_a_lobby_learns_why() {
    let mut desk = Desk::with(Config {
        max_connections_per_lobby: Some(1),
        max_lobbies_per_connection: Some(2),
        ..Config::default()
    });
    let (ann, _) = (desk.connect("den", "ann"), desk.connect("hall", "bob"));
    let nobody = ConnId::from_bits(9 << 32).unwrap();
    let mut join = |conn, lobby| desk.call(|manager, now, out| manager.join(now, conn, lobby, out));
    assert_eq!(words(join(nobody, "pit")), "unknown connection");
    let full = join(ann, "hall").unwrap_err();
    assert_eq!(full.to_string(), "refused: lobby full (4002 lobby_full)");
    let JoinError::Refused(refusal) = &full else {
        panic!("{full:?}")
    };
    assert_eq!(full.source().map(ToString::to_string), Some(refusal.to_string()));
    join(ann, "attic").unwrap();
    let many = join(ann, "roof").unwrap_err();
    assert_eq!(many.to_string(), "in as many lobbies as a connection may be");
    assert!(many.source().is_none());
    let elsewhere = desk.call(|manager, now, out| manager.switch_lobby(now, ann, "hall", "pit", out));
    assert_eq!(words(elsewhere), "not a member of that lobby");
}

/// The answer of `restore` to a snapshot in which one thing was put in the place of another.
fn restore(what: &str, instead: &str) -> RestoreError {
    let mut desk = Desk::open();
    desk.connect("den", "ann");
    let json = serde_json::to_string(&desk.manager.snapshot()).unwrap();
    assert!(json.contains(what), "{json}");
    let snapshot: Snapshot = serde_json::from_str(&json.replacen(what, instead, 1)).unwrap();
    let restored = Manager::restore(snapshot, [0, 0]).map(drop);
    restored.expect_err(instead)
}

#[test]
fn a_snapshot_that_is_refused_says_what_is_wrong_with_it() {
    let says = |what, instead, words: &str| {
        let error = restore(what, instead);
        assert_eq!(error.to_string(), words, "{error:?}");
        error
    };
    says(
        "\"version\":1",
        "\"version\":7",
        "a snapshot of version 7 cannot be used, only one of version 1",
    );
    let settings = says(
        "\"max_missed\":2",
        "\"max_missed\":0",
        "the snapshot's settings: max_missed must not be 0",
    );
    assert_eq!(settings.source().unwrap().to_string(), "max_missed must not be 0");
    let higher = says(
        "\"peaks\":[null",
        "\"peaks\":[0",
        "the snapshot's max_connections is higher than it ever was",
    );
    assert!(higher.source().is_none());
    says(
        "\"suspended\":0",
        "\"suspended\":1",
        "the snapshot's clock contradicts itself",
    );
    says(
        "\"admissions\":1",
        "\"admissions\":18446744073709551615",
        "the snapshot's admissions is higher than can have been counted",
    );
    says(
        "c0v1",
        "c1v1",
        "slot 1 of the snapshot's connections is claimed twice or missing",
    );
    says(
        "\"name\":\"ann\"",
        "\"name\":\"\"",
        "user 0 of the snapshot: a name that is empty or too long",
    );
    says(
        "\"name\":\"den\"",
        "\"name\":\"\"",
        "lobby l0v1 of the snapshot: a name that is empty or too long",
    );
    let unsound = restore("\"admissions\":1", "\"admissions\":0");
    assert!(
        unsound.to_string().starts_with("the snapshot as a whole: "),
        "{unsound}"
    );
    let RestoreError::Invariant(violation) = &unsound else {
        panic!("{unsound:?}")
    };
    let (rule, details) = (violation.invariant(), violation.details());
    assert_eq!(
        (unsound.source().unwrap().to_string(), rule.to_string().is_empty()),
        (format!("Admissions does not hold ({rule}): {details}"), false)
    );
    assert!(details.contains('1'), "{details}");
}

#[test]
fn a_log_that_cannot_be_played_says_which_line_and_why() {
    let mut log = Vec::new();
    Recorder::new(Config::default(), &mut log).unwrap();
    let log = String::from_utf8(log).unwrap();
    let says = |line: &str, words: &str| {
        let error = Replay::new(line.as_bytes(), [0, 0]).map(drop).unwrap_err();
        assert_eq!(error.line, 1);
        assert!(error.source().is_none());
        assert_eq!(error.to_string(), format!("line 1: {words}"), "{error:?}");
    };
    says("", "empty: not even a header is there");
    says("hello\n", "not the header of a lobbykeeper log");
    says(
        &log.replace("\"version\":1", "\"version\":2"),
        "a log of version 2; this reads version 1",
    );
    says(
        &log.replace("\"max_missed\":2", "\"max_missed\":0"),
        "no manager can follow these settings: max_missed must not be 0",
    );
    says(&log[..log.len() - 1], "the log breaks off in this line");
    says(
        &log.replace("digest", "Digest"),
        "not of the form that a recorder writes",
    );
    let json = Replay::new(log.replace("null", "nil").as_bytes(), [0, 0])
        .map(drop)
        .unwrap_err();
    let ReplayError {
        fault: Fault::Json { column, .. },
        ..
    } = json
    else {
        panic!("{json:?}")
    };
    assert_eq!(
        json.to_string(),
        format!("line 1: column {column}: not JSON: expected ident")
    );
    let content = Replay::new(log.replace("\"seed\"", "\"soil\"").as_bytes(), [0, 0]).map(drop);
    assert!(words(content).contains("unknown field `soil`"));
    let changed = Replay::new(log.replace("\"seed\":0", "\"seed\":1").as_bytes(), [0, 0]).map(drop);
    assert!(words(changed).starts_with("line 1: the digest differs: "));
}

#[test]
fn a_digest_shows_its_text_form() {
    let mut log = Vec::new();
    let digest: Digest = Recorder::new(Config::default(), &mut log).unwrap().digest();
    assert!(String::from_utf8(log).unwrap().contains(&digest.to_string()));
    assert_eq!(format!("{digest:?}"), digest.to_string());
}
