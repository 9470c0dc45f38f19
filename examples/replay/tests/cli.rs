//! The program, run on good and on bad logs: what it says, and with which code it ends.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use lobbykeeper::{
    Call, Config, Event, Except, Frame, Handshake, Input, Outbox, Payload, Rate, Recorder, Request, Time,
};

/// What a run of the program came to.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

fn replay(args: &[&dyn AsRef<OsStr>]) -> Said {
    let output = Command::new(env!("CARGO_BIN_EXE_replay")).args(args).output().unwrap();
    Said {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn file(name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, content).unwrap();
    path
}

/// ann and bob in the den, which is full then; a chat; ann answers the pings, bob is silent and evicted.
fn log() -> String {
    let config = Config {
        max_connections_per_lobby: Some(2),
        ..Config::default()
    };
    let (mut out, mut log) = (Outbox::new(), Vec::new());
    let mut recorder = Recorder::new(config, &mut log).unwrap();
    let mut tell = |at: Time, call: Call<'_>, recorder: &mut Recorder| {
        out.clear();
        recorder.apply(Input { at, call }, &mut out, &mut log);
    };
    let connect = |user| Call::Event(Event::Connected(Handshake::new("den", user)));
    let ann = "c0v1".parse().unwrap();
    let hello = Call::Event(Event::Message {
        conn: ann,
        frame: Frame::text("hello"),
    });
    tell(Time::from_secs(1), connect("ann"), &mut recorder);
    tell(Time::from_secs(2), connect("bob"), &mut recorder);
    tell(Time::from_secs(3), connect("cid"), &mut recorder);
    tell(Time::from_secs(4), hello.clone(), &mut recorder);
    let broadcast = Request::Broadcast {
        lobby: ann.into(),
        payload: Payload::text("ann: hello").into(),
        except: Except::UserOf(ann),
    };
    tell(Time::from_secs(4), Call::Request(broadcast), &mut recorder);
    while recorder.is_user_connected("bob") {
        let deadline = recorder.next_deadline().unwrap();
        tell(deadline, Call::Event(Event::Tick), &mut recorder);
        tell(deadline, hello.clone(), &mut recorder);
    }
    String::from_utf8(log).unwrap()
}

#[test]
fn a_good_log_is_verified_and_its_digest_shown() {
    let log = log();
    let said = replay(&[&"verify", &file("good", &log)]);
    assert_eq!((said.code, &*said.err), (Some(0), ""));
    let digest = log.rsplit('"').nth(1).unwrap();
    assert!(said.out.contains(&format!("digest {digest}")), "{}", said.out);
    let inputs = log.lines().count() - 1;
    assert!(
        said.out.contains(&format!("verified: {inputs} inputs up to ")),
        "{}",
        said.out
    );
}

#[test]
fn a_bad_log_ends_with_one_and_names_the_line() {
    let log = log();
    let third = log.lines().nth(2).unwrap();
    for (name, content, line) in [
        ("empty", String::new(), "line 1: empty"),
        (
            "foreign",
            "GIF89a\n\n".into(),
            "line 1: not the header of a lobbykeeper log",
        ),
        (
            "later",
            log.replacen("\"version\":1", "\"version\":2", 1),
            "line 1: a log of version 2",
        ),
        (
            "damaged",
            log.replace(third, "}}}"),
            "line 3: not of the form that a recorder writes",
        ),
        (
            "unknown",
            log.replacen("\"user\":\"bob\"", "\"name\":\"bob\"", 1),
            "unknown field `name`, expected one of `lobby`, `user`",
        ),
        ("tampered", log.replacen("bob", "bot", 1), "line 3: the digest differs"),
        (
            "settings",
            log.replacen("\"seed\":0", "\"seed\":1", 1),
            "line 1: the digest differs",
        ),
        (
            "truncated",
            log[..log.len() - 1].into(),
            "the log breaks off in this line",
        ),
    ] {
        let path = file(name, content);
        let said = replay(&[&"verify", &path]);
        assert_eq!(said.code, Some(1), "{name}");
        assert!(
            said.err.starts_with(&format!("error: {}: line ", path.display())),
            "{}",
            said.err
        );
        assert!(said.err.contains(line), "{name}: {}", said.err);
    }
}

#[test]
fn a_file_that_cannot_be_read_or_a_wrong_command_ends_with_two() {
    let good = file("for_usage", log());
    let nowhere = "nowhere/at all";
    assert_eq!(replay(&[&"verify", &nowhere]).code, Some(2));
    assert!(replay(&[&"verify", &nowhere]).err.contains("error: nowhere/at all: "));
    assert_eq!(
        replay(&[&"verify", &env!("CARGO_TARGET_TMPDIR")]).code,
        Some(2),
        "a directory"
    );
    assert_eq!(replay(&[&"timeline", &good]).code, Some(2));
    assert_eq!(
        replay(&[&"timeline", &good, &"--user", &"ann", &"--lobby", &"den"]).code,
        Some(2)
    );
    assert_eq!(replay(&[&"timeline", &good, &"--conn", &"ann"]).code, Some(2));
    assert_eq!(replay(&[&"explain", &good, &"ann"]).code, Some(2));
    assert_eq!(replay(&[&"shrink", &good]).code, Some(2));
    assert_eq!(replay(&[&"rewind", &good]).code, Some(2));
}

#[test]
fn the_time_line_of_a_user_has_what_they_did_and_what_they_were_sent() {
    let said = replay(&[&"timeline", &file("user", log()), &"--user", &"bob"]);
    assert_eq!((said.code, &*said.err), (Some(0), ""));
    for wanted in [
        "     3  2s              \"bob\" wants to enter \"den\" -> admitted as c1v1\n",
        "\"bob\" joined \"den\" (revision 2)\n",
        "     6  4s              broadcast to the lobby of c0v1 but the user of c0v1: \"ann: hello\" -> 1 addressed\n",
        "send to c1v1: \"ann: hello\"\n",
        "evict c1v1: stale",
        "c1v1 of \"bob\" ended: evicted: stale\n",
    ] {
        assert!(said.out.contains(wanted), "{wanted}\n{}", said.out);
    }
    assert!(!said.out.contains("\"cid\""), "{}", said.out);
    assert!(!said.out.contains("sends \"hello\""), "{}", said.out);
}

#[test]
fn the_time_line_of_a_connection_has_no_other() {
    let said = replay(&[&"timeline", &file("conn", log()), &"--conn", &"c0v1"]);
    assert_eq!(said.code, Some(0));
    assert!(
        said.out
            .contains("c0v1 of \"ann\" sends \"hello\" -> the application's\n"),
        "{}",
        said.out
    );
    assert!(!said.out.contains("c1v1"), "{}", said.out);
    assert!(
        !said.out.contains("who is not there"),
        "she is, to the end: {}",
        said.out
    );
}

#[test]
fn the_time_line_of_a_lobby_has_who_came_who_was_refused_and_what_was_said() {
    let said = replay(&[&"timeline", &file("lobby", log()), &"--lobby", &"den"]);
    assert_eq!(said.code, Some(0));
    for wanted in [
        "l0v1 opened: \"den\"\n",
        "\"ann\" joined \"den\" (revision 1)\n",
        "\"cid\" wants to enter \"den\" -> refused: lobby full (4002 lobby_full); saw 2, threshold 2, at 3s",
        "c0v1 of \"ann\" sends \"hello\"",
        "\"bob\" left \"den\" (revision 3)\n",
    ] {
        assert!(said.out.contains(wanted), "{wanted}\n{}", said.out);
    }
}

/// Ann has a seat, and comes too late for it; Bob finds the house full.
fn reserved() -> String {
    let config = Config {
        max_connections: Some(1),
        ..Config::default()
    };
    let (mut out, mut log) = (Outbox::new(), Vec::new());
    let mut recorder = Recorder::new(config, &mut log).unwrap();
    let mut tell = |secs: u64, call: Call<'_>| {
        out.clear();
        let at = Time::from_secs(secs);
        recorder.apply(Input { at, call }, &mut out, &mut log);
    };
    let [ann, bob] = ["ann", "bob"].map(|user| Handshake::new("den", user));
    tell(1, Call::Request(Request::Reserve(ann.clone())));
    tell(2, Call::Request(Request::Reserve(bob)));
    tell(11, Call::Event(Event::Tick));
    let reservation = "r0v1".parse().unwrap();
    tell(12, Call::Event(Event::Connected(ann.reservation(reservation))));
    tell(13, Call::Request(Request::Release { reservation }));
    String::from_utf8(log).unwrap()
}

#[test]
fn reservations_are_told_in_words_and_their_refusals_explained() {
    let log = file("reserved", reserved());
    let of_ann = replay(&[&"timeline", &log, &"--user", &"ann"]).out;
    for wanted in [
        "     2  1s              reserve a seat: \"ann\" wants to enter \"den\" -> reserved as r0v1\n",
        "r0v1 of \"ann\" in \"den\" lapsed: expired\n",
        "     5  12s             \"ann\" wants to enter \"den\" with r0v1 -> refused: reservation void (4009 reservation_void)",
    ] {
        assert!(of_ann.contains(wanted), "{wanted}\n{of_ann}");
    }
    assert!(!of_ann.contains("bob"), "{of_ann}");
    let of_den = replay(&[&"timeline", &log, &"--lobby", &"den"]).out;
    assert!(
        of_den.contains("reserve a seat: \"bob\"") && of_den.contains("lapsed"),
        "{of_den}"
    );
    let refused = replay(&[&"explain", &log, &"3"]).out;
    assert!(
        refused.contains("to be closed with 4002 server_full, and told to come again after 5s"),
        "{refused}"
    );
    let released = replay(&[&"explain", &log, &"6"]).out;
    assert!(released.contains("release r0v1 -> nothing to be done"), "{released}");
}

#[test]
fn of_a_damaged_log_what_precedes_the_damage_is_told() {
    let log = log().replacen("\"cid\"", "\"cod\"", 1);
    let said = replay(&[&"timeline", &file("damaged_line", log), &"--user", &"bob"]);
    assert_eq!(said.code, Some(1));
    assert!(said.out.contains("admitted as c1v1"), "{}", said.out);
    assert!(said.err.contains("line 4: the digest differs"), "{}", said.err);
}

#[test]
fn who_or_what_is_not_there_is_said_to_be_missing() {
    let path = file("missing", log());
    for (args, wanted) in [
        (["timeline", "--user", "eve"], "the user \"eve\" is not in this log"),
        (["timeline", "--conn", "c7v7"], "the connection c7v7 is not in this log"),
        (
            ["timeline", "--lobby", "attic"],
            "the lobby \"attic\" is not in this log",
        ),
        (["shrink", "--until", "eve"], "no output has \"eve\" in it"),
    ] {
        let said = replay(&[&args[0], &path, &args[1], &args[2]]);
        assert_eq!(said.code, Some(1));
        assert!(said.err.ends_with(&format!("{wanted}\n")), "{}", said.err);
    }
    let said = replay(&[&"explain", &path, &"c7v7"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("no connection c7v7 came in this log"), "{}", said.err);
    let said = replay(&[&"explain", &path, &"999"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("no input on line 999"), "{}", said.err);
    let said = replay(&[&"shrink", &path, &"--panic"]);
    assert_eq!((said.code, &*said.out), (Some(1), ""));
    assert!(said.err.contains("nothing panics"), "{}", said.err);
}

#[test]
fn an_eviction_is_explained_by_the_pings_that_led_to_it() {
    let said = replay(&[&"explain", &file("evicted", log()), &"c1v1"]);
    assert_eq!((said.code, &*said.err), (Some(0), ""));
    let lines: Vec<_> = said.out.lines().collect();
    assert_eq!(lines[0], "c1v1 of \"bob\" entered \"den\" at 2s (line 3)");
    assert!(
        lines[1].starts_with("evict c1v1: stale (saw 2, threshold 2, after "),
        "{}",
        said.out
    );
    assert!(lines[1].ends_with(": tick)"), "{}", said.out);
    assert_eq!(lines[2], "last heard at 2s");
    let pings = lines[3].strip_prefix("pinged since then at ").unwrap();
    assert_eq!(pings.split(", ").count(), 2, "{pings}");
    assert!(said.out.contains("what led there:\n"), "{}", said.out);
}

#[test]
fn a_refusal_is_explained_by_the_line_it_stands_on() {
    let said = replay(&[&"explain", &file("refused", log()), &"4"]);
    assert_eq!(said.code, Some(0));
    assert!(
        said.out
            .contains("refused: lobby full (4002 lobby_full); saw 2, threshold 2, at 3s\n"),
        "{}",
        said.out
    );
    assert!(
        said.out
            .contains("to be closed with 4002 lobby_full, and told to come again after 5s\n"),
        "{}",
        said.out
    );
}

/// ann says three things at once, of which one is taken; bob is there.
fn flood() -> String {
    let config = Config {
        message_rate: Some(Rate {
            events: 1,
            per: Duration::from_secs(1),
            burst: 1,
        }),
        max_violations: Some(2),
        ..Config::default()
    };
    let (mut out, mut log) = (Outbox::new(), Vec::new());
    let mut recorder = Recorder::new(config, &mut log).unwrap();
    let hello = Event::Message {
        conn: "c0v1".parse().unwrap(),
        frame: Frame::text("hello"),
    };
    let connect = |user| Event::Connected(Handshake::new("den", user));
    for event in [connect("ann"), connect("bob"), hello.clone(), hello.clone(), hello] {
        let (at, call) = (Time::from_secs(1), Call::Event(event));
        recorder.apply(Input { at, call }, &mut out, &mut log);
    }
    String::from_utf8(log).unwrap()
}

#[test]
fn one_who_sent_too_much_is_explained_by_what_was_dropped() {
    let log = file("flood", flood());
    let said = replay(&[&"explain", &log, &"c0v1"]);
    assert_eq!((said.code, &*said.err), (Some(0), ""));
    for line in [
        "close c0v1: 1008 \"rate_limited;retry=5000\": rate limited (saw 2, threshold 2, at 1s)",
        "sends \"hello\" -> dropped: it came too soon for the rate of its connection\n",
        "(violation 1); saw 1000000000, threshold 0, at 1s\n",
    ] {
        assert!(said.out.contains(line), "{line}\n{}", said.out);
    }
    let other = replay(&[&"timeline", &log, &"--conn", &"c1v1"]);
    assert!(!other.out.contains("throttled"), "{}", other.out);
}

#[test]
fn one_whom_a_drain_closed_is_explained_by_whose_turn_it_was() {
    let (mut out, mut log) = (Outbox::new(), Vec::new());
    let mut recorder = Recorder::new(Config::default(), &mut log).unwrap();
    let drain = Request::Drain {
        every: Duration::from_secs(10),
        deadline: Time::from_secs(60),
    };
    let connect = Event::Connected(Handshake::new("den", "ann"));
    for (seconds, call) in [
        (1, Call::Event(connect)),
        (2, Call::Request(drain)),
        (2, Call::Event(Event::Tick)),
    ] {
        let at = Time::from_secs(seconds);
        recorder.apply(Input { at, call }, &mut out, &mut log);
    }
    let log = file("drained", log);
    let said = replay(&[&"explain", &log, &"c0v1"]);
    let close = "close c0v1: 1012 \"draining;retry=0\": draining (saw 2000000000, threshold 2000000000, at 2s)";
    assert!(said.out.contains(close), "{}", said.out);
    let said = replay(&[&"explain", &log, &"3"]);
    assert!(
        said.out.contains("at 2s: drain, one in each 10s, until 60s\n"),
        "{}",
        said.out
    );
}

#[test]
fn one_who_has_not_ended_is_said_to_be_there() {
    let said = replay(&[&"explain", &file("open", log()), &"c0v1"]);
    assert_eq!(said.code, Some(0));
    assert!(said.out.contains("still open where the log ends\n"), "{}", said.out);
    assert!(!said.out.contains("pinged since"), "she has answered: {}", said.out);
}

#[test]
fn a_shrunk_log_is_a_log_and_as_short_as_it_can_be() {
    let said = replay(&[
        &"shrink",
        &file("long", log()),
        &"--until",
        &"\"bob\" ended: evicted: stale",
    ]);
    assert_eq!(said.code, Some(0));
    assert!(said.err.ends_with("inputs are left\n"), "{}", said.err);
    // bob comes, is pinged twice, and is found silent; nobody else is needed, nor the first ping's tick.
    let lines: Vec<_> = said.out.lines().collect();
    assert!(lines.len() <= 5, "{}", said.out);
    assert!(lines[1].contains("\"bob\""), "{}", said.out);
    assert!(!said.out.contains("\"ann\""), "{}", said.out);
    let short = file("short", &said.out);
    assert_eq!(replay(&[&"verify", &short]).code, Some(0));
    let told = replay(&[&"timeline", &short, &"--user", &"bob"]);
    assert!(told.out.contains("\"bob\" ended: evicted: stale"), "{}", told.out);
}

#[test]
fn what_precedes_the_damage_is_shrunk() {
    let log = log();
    let cut = log.rfind("{\"input\"").unwrap() + 20;
    let said = replay(&[&"shrink", &file("cut", &log[..cut]), &"--until", &"lobby full"]);
    assert_eq!(said.code, Some(0));
    assert!(
        said.err
            .contains("the log breaks off in this line; what precedes it is shrunk"),
        "{}",
        said.err
    );
    assert_eq!(said.out.lines().count(), 4, "{}", said.out);
}
