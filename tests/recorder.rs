//! A recording: it holds what the manager was told, and plays again to the same outputs, or to an error that names the
//! line.

mod cases;
mod recorded;

use lobbykeeper::{
    Call, Config, ConfigError, Digest, Entry, Event, Fault, Frame, Handshake, Input, Manager, Outbox, Recorder, Replay,
    Time,
};
use proptest::prelude::*;
use recorded::{config, inputs, outputs, record};

/// Plays a log until it ends or a line is damaged. What was played, and how that ended.
fn play(log: &[u8], hash_key: [u64; 2], mut played: impl FnMut(Entry<'_>, &Outbox)) -> Result<Digest, (u64, Fault)> {
    let mut out = Outbox::new();
    let mut lines = log.split_inclusive(|&byte| byte == b'\n');
    let error = |error: lobbykeeper::ReplayError| (error.line, error.fault);
    let mut replay = Replay::new(lines.next().unwrap_or_default(), hash_key).map_err(error)?;
    for line in lines {
        out.clear();
        let entry = replay.apply(line, &mut out).map_err(error)?;
        played(entry, &out);
    }
    Ok(replay.digest())
}

/// On which line a byte stands.
fn line_of(log: &[u8], at: usize) -> u64 {
    log[..at].split(|&byte| byte == b'\n').count() as u64
}

fn connect(user: &str) -> Input<'_> {
    Input {
        at: Time::from_secs(1),
        call: Call::Event(Event::Connected(Handshake::new("den", user))),
    }
}

/// Two lines: the header, and ann who connects.
fn short_log() -> String {
    let (_, log) = record(Config::default(), &[connect("ann")]);
    String::from_utf8(log).unwrap()
}

/// The fault of a log in which one text has been replaced by another, and its line.
fn fault(from: &str, to: &str) -> (u64, Fault) {
    let log = short_log();
    assert!(log.contains(from), "{log}");
    play(log.replacen(from, to, 1).as_bytes(), [0, 0], |_, _| ()).unwrap_err()
}

proptest! {
    #![proptest_config(cases::cases(100, "proptest-regressions/recorder.txt"))]

    #[test]
    fn a_recorder_does_what_a_manager_does(config in config(), inputs in inputs()) {
        let mut manager = Manager::new(config.clone()).unwrap();
        let mut log = Vec::new();
        let mut recorder = Recorder::new(config, &mut log).unwrap();
        let (mut one, mut other) = (Outbox::new(), Outbox::new());
        for input in inputs {
            prop_assert_eq!(recorder.apply(input.clone(), &mut one, &mut log), manager.apply(input, &mut other));
            prop_assert_eq!(outputs(&one), outputs(&other));
            prop_assert_eq!(recorder.stats(), manager.stats());
        }
        prop_assert_eq!(recorder.into_manager().stats(), manager.stats());
    }

    #[test]
    fn a_log_plays_to_the_same_under_every_hash_key(config in config(), inputs in inputs(), key in any::<[u64; 2]>()) {
        let (digest, log) = record(config.clone(), &inputs);
        let mut manager = Manager::new(config).unwrap();
        let mut out = Outbox::new();
        let mut next = inputs.iter();
        let played = play(&log, key, |entry, replayed| {
            out.clear();
            let input = next.next().unwrap();
            assert_eq!(entry.input, *input);
            assert_eq!(entry.reply, manager.apply(input.clone(), &mut out));
            assert_eq!(outputs(replayed), outputs(&out));
        });
        prop_assert_eq!(played, Ok(digest));
        prop_assert!(next.next().is_none());
    }

    #[test]
    fn what_is_in_the_outbox_already_does_not_matter(config in config(), inputs in inputs()) {
        let (digest, log) = record(config.clone(), &inputs);
        let (mut all, mut same) = (Outbox::new(), Vec::new());
        let mut recorder = Recorder::new(config, &mut same).unwrap();
        for input in inputs {
            recorder.apply(input, &mut all, &mut same);
        }
        prop_assert_eq!(String::from_utf8(same).unwrap(), String::from_utf8(log).unwrap());
        prop_assert_eq!(recorder.digest(), digest);
    }

    #[test]
    fn a_recording_goes_on_where_a_replay_ended(config in config(), inputs in inputs(), from in any::<prop::sample::Index>()) {
        let (digest, whole) = record(config.clone(), &inputs);
        let (before, after) = inputs.split_at(from.index(inputs.len() + 1));
        let (_, mut log) = record(config, before);

        let (mut out, first) = (Outbox::new(), log.clone());
        let mut lines = first.split_inclusive(|&byte| byte == b'\n');
        let mut replay = Replay::new(lines.next().unwrap_or_default(), [0, 0]).unwrap();
        for line in lines {
            replay.apply(line, &mut out).unwrap();
        }
        let mut recorder = replay.into_recorder();
        for input in after {
            recorder.apply(input.clone(), &mut out, &mut log);
        }

        prop_assert_eq!(recorder.digest(), digest);
        prop_assert_eq!(log, whole);
    }

    #[test]
    fn the_digest_is_what_its_description_says(config in config(), inputs in inputs()) {
        let (digest, log) = record(config, &inputs);
        prop_assert_eq!(recorded::by_the_book(&String::from_utf8(log).unwrap()), digest.to_string());
    }

    #[test]
    fn any_changed_byte_is_an_error_that_names_its_line(
        config in config(),
        inputs in inputs(),
        at in any::<prop::sample::Index>(),
        // Letters and digits mostly, so that what comes of it is JSON still.
        to in prop_oneof![1 => any::<u8>(), 4 => prop::sample::select(b"0123456789abcdefghijklmnopqrstuvwxyz ".to_vec())],
    ) {
        let (_, mut log) = record(config, &inputs);
        let at = at.index(log.len());
        prop_assume!(log[at] != to);
        let line = line_of(&log, at);
        log[at] = to;
        let mut played = 1;
        let error = play(&log, [0, 0], |_, _| played += 1).unwrap_err();
        prop_assert_eq!(error.0, line, "{:?}", error);
        prop_assert_eq!(played.min(line - 1), line - 1, "what precedes it has been played");
    }

    #[test]
    fn a_line_that_is_left_out_doubled_or_moved_is_an_error(
        config in config(),
        inputs in prop::collection::vec(recorded::input(), 2..40),
        at in any::<prop::sample::Index>(),
        change in 0..3,
    ) {
        let (_, log) = record(config, &inputs);
        let mut lines: Vec<_> = log.split_inclusive(|&byte| byte == b'\n').collect();
        let at = 1 + at.index(lines.len() - 2);
        match change {
            0 => _ = lines.remove(at),
            1 => lines.insert(at, lines[at]),
            _ => lines.swap(at, at + 1),
        }
        let (line, fault) = play(&lines.concat(), [0, 0], |_, _| ()).unwrap_err();
        let wanted = at as u64 + 1 + u64::from(change == 1);
        prop_assert!(matches!(fault, Fault::Digest { .. }), "{}", fault);
        prop_assert_eq!(line, wanted);
    }

    #[test]
    fn what_precedes_the_place_where_a_log_breaks_off_is_played(
        config in config(),
        inputs in inputs(),
        at in any::<prop::sample::Index>(),
    ) {
        let (_, log) = record(config, &inputs);
        let at = at.index(log.len());
        let (whole, rest) = (line_of(&log, at) - 1, &log[..at]);
        let mut played = 0;
        let outcome = play(rest, [0, 0], |entry, _| {
            assert_eq!(entry.input, inputs[played]);
            played += 1;
        });
        prop_assert_eq!(played as u64, whole.saturating_sub(1));
        match outcome {
            Ok(_) => prop_assert!(rest.ends_with(b"\n")),
            Err(error) => {
                let fault = if at == 0 { Fault::Empty } else { Fault::Truncated };
                prop_assert_eq!(error, (whole + 1, fault));
            }
        }
    }

    #[test]
    fn no_line_makes_a_replay_panic(line in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        "\\{\"(header|input)\":.{0,40}(,\"digest\":\"[0-9a-f]{32}\"\\}\n)?".prop_map(String::into_bytes),
    ]) {
        prop_assert!(Replay::new(&line, [0, 0]).is_err());
        let log = short_log();
        let mut replay = Replay::new(log.split_inclusive('\n').next().unwrap().as_bytes(), [0, 0]).unwrap();
        prop_assert!(replay.apply(&line, &mut Outbox::new()).is_err());
        Replay::unfinished(&line);
    }
}

#[test]
fn a_log_is_lines_of_json_without_the_hash_key() {
    let config = Config {
        hash_key: [0x5eed, 7],
        ..Config::default()
    };
    let (digest, log) = record(config, &[connect("ann"), connect("Zoë \"the\" 1st\n")]);
    let log = String::from_utf8(log).unwrap();
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["header"]["format"], "lobbykeeper log");
    assert_eq!(lines[0]["header"]["version"], 1);
    assert_eq!(
        lines[0]["header"]["config"],
        serde_json::to_value(Config::default()).unwrap()
    );
    assert_eq!(lines[1]["input"], serde_json::to_value(connect("ann")).unwrap());
    assert_eq!(lines[2]["digest"], digest.to_string());
    assert!(!log.contains("hash_key"));
}

#[test]
fn settings_that_no_manager_can_follow_are_not_recorded() {
    let config = Config {
        max_missed: 0,
        ..Config::default()
    };
    let mut log = Vec::new();
    assert_eq!(
        Recorder::new(config, &mut log).unwrap_err(),
        ConfigError::Zero("max_missed")
    );
    assert!(log.is_empty());
}

#[test]
fn a_file_that_is_no_log_is_told_from_a_damaged_one() {
    let new = |line: &str| Replay::new(line.as_bytes(), [0, 0]).unwrap_err().fault;
    assert_eq!(new(""), Fault::Empty);
    assert_eq!(new("GIF89a"), Fault::NotALog);
    assert_eq!(new("{\"time\":1}\n"), Fault::NotALog);
    assert_eq!(new("{\"hea"), Fault::Truncated);
    assert_eq!(new("{\"header\":{\"format\":\"lobby"), Fault::Truncated);
    assert_eq!(fault("lobbykeeper log", "somebody else's"), (1, Fault::NotALog));
    assert_eq!(fault("\"version\":1", "\"version\":2"), (1, Fault::Version(2)));
    assert_eq!(fault("{\"input\"", "{\"imput\""), (2, Fault::Form));
}

#[test]
fn a_log_of_a_later_version_is_told_by_its_number_whatever_else_is_in_it() {
    assert_eq!(
        fault("\"version\":1", "\"version\":9,\"state\":{}"),
        (1, Fault::Version(9))
    );
}

#[test]
fn damage_is_named_with_its_column() {
    let (line, error) = fault("\"at\":1000000000", "\"at\":1000000000,\"to\":2");
    let Fault::Content { column, message } = error else {
        panic!("{error:?}")
    };
    assert_eq!((line, column), (2, 30));
    assert_eq!(message, "unknown field `to`, expected `at` or `call`");
    let (line, error) = fault("\"at\":1000000000", "\"at\":1000000000;");
    let Fault::Json { column, message } = error else {
        panic!("{error:?}")
    };
    assert_eq!((line, column), (2, 26));
    assert_eq!(message, "expected `,` or `}`");
    let (line, error) = fault("\"max_missed\":2", "\"max_missed\":0");
    assert_eq!((line, error), (1, Fault::Config(ConfigError::Zero("max_missed"))));
}

#[test]
fn a_changed_text_is_noticed_though_nothing_comes_of_it() {
    let say = |text| Input {
        at: Time::from_secs(2),
        call: Call::Event(Event::Message {
            conn: "c0v1".parse().unwrap(),
            frame: Frame::text(text),
        }),
    };
    let (_, log) = record(Config::default(), &[connect("ann"), say("I did it")]);
    let log = String::from_utf8(log).unwrap().replace("I did it", "he did it");
    let (line, error) = play(log.as_bytes(), [0, 0], |_, _| ()).unwrap_err();
    assert!(matches!((line, &error), (3, Fault::Digest { .. })), "{line}: {error}");
}

#[test]
fn an_error_says_its_line_in_words() {
    let log = short_log().replace("ann", "bob");
    let (header, line) = log.split_at(log.find('\n').unwrap() + 1);
    let mut replay = Replay::new(header.as_bytes(), [0, 0]).unwrap();
    let mut out = Outbox::new();
    let error = replay.apply(line.as_bytes(), &mut out).unwrap_err();
    let Fault::Digest { recorded, found } = error.fault else {
        panic!("{error:?}")
    };
    assert!(log.contains(&recorded.to_string()));
    assert_eq!(
        error.to_string(),
        format!(
            "line 2: the digest differs: {recorded} was recorded, {found} was found; the log has been changed, or the \
             library does something else now"
        )
    );
    assert!(!out.is_empty(), "what came of it is there to be looked at");
}

#[test]
fn the_input_of_a_line_that_was_never_finished_can_be_read() {
    let log = short_log();
    let line = log.lines().nth(1).unwrap();
    let end = line.find(",\"digest\"").unwrap();
    for cut in [end, end + 1, line.len()] {
        assert_eq!(Replay::unfinished(&line.as_bytes()[..cut]), Some(connect("ann")));
    }
    assert_eq!(Replay::unfinished(&line.as_bytes()[..end - 1]), None);
    assert_eq!(Replay::unfinished(format!("{line}\n").as_bytes()), None, "it is whole");
}
