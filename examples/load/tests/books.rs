//! The load client counts what arrives, and finds out what should not.

mod common;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{Said, server, settings};
use lobby_load::load::{self, LoadError, Misdelivery, Pace};
use tungstenite::Message;

/// Runs against a server that behaves like this and must fail.
fn failure(conduct: impl FnMut(&mut Said) + Send + 'static) -> LoadError {
    let (address, _) = server(&[], conduct);
    load::run(&settings(address)).expect_err("this server misbehaves")
}

/// The sender's message that the servers here treat badly, and its recipient.
const SENDER: usize = 1;
const SEQUENCE: usize = 3;
const RECIPIENT: usize = 2;

fn is_bad(said: &Said) -> bool {
    (said.sender, said.sequence) == (SENDER, SEQUENCE)
}

/// The problem with the message to the recipient, which came next or was next.
#[track_caller]
fn assert_misdelivered(error: &LoadError, to: usize, number: usize, expected: Misdelivery) {
    match error {
        LoadError::Misdelivered {
            recipient,
            sender,
            sequence,
            problem,
        } => assert_eq!(
            (*recipient, *sender as usize, *sequence as usize, *problem),
            (to, SENDER, number, expected)
        ),
        other => panic!("{other}"),
    }
}

#[test]
fn all_that_a_good_server_relays_is_counted() {
    let (address, log) = server(&[], |_| {});
    let begin = Instant::now();
    let report = load::run(&settings(address)).unwrap();
    // No message that counts was sent in the time before, when it waited for quiet and warmed up.
    let longest = begin.elapsed().saturating_sub(Duration::from_millis(100 + 50));
    let traffic = report.traffic.unwrap();
    assert_eq!(traffic.checked, log.lock().unwrap().relayed);
    assert!(
        traffic.deliveries > 0 && traffic.deliveries < traffic.checked,
        "{traffic:?}"
    );
    assert!(traffic.latency.p50 > 0.0 && traffic.latency.p50 <= traffic.latency.max);
    assert!(traffic.latency.max <= longest.as_secs_f64() * 1e6, "{traffic:?}");
}

#[test]
fn what_is_due_at_one_moment_is_said_by_one_member_or_scattered() {
    for (scattered, expected) in [(false, [4, 0, 0, 4, 0, 0]), (true, [2, 1, 1, 2, 1, 1])] {
        let said = Arc::new(Mutex::new([0; 6]));
        let noted = said.clone();
        // Nobody gets anything, so that it remains at the first four of each lobby.
        let (address, _) = server(&[], move |said| {
            noted.lock().unwrap()[said.sender] += 1;
            said.deliveries.clear();
        });
        let mut settings = settings(address);
        settings.pace = Some(Pace::Outstanding {
            broadcasts: 4,
            scattered,
        });
        settings.patience = Duration::from_secs(1);
        load::run(&settings).expect_err("nothing is delivered");
        assert_eq!(*said.lock().unwrap(), expected);
    }
}

#[test]
fn a_paced_run_sends_at_its_rate_and_counts_from_when_a_message_was_due() {
    let due = Arc::new(Mutex::new(Vec::new()));
    let noted = due.clone();
    let (address, _) = server(&[], move |said| {
        let message = said.deliveries[0].1.to_text().unwrap();
        let token = message.split('"').nth(11).unwrap();
        noted
            .lock()
            .unwrap()
            .push(u64::from_str_radix(&token[24..40], 16).unwrap());
    });
    let mut settings = settings(address);
    settings.pace = Some(Pace::Rate(200.0));
    settings.warm_up = Duration::ZERO;
    settings.measured = Duration::from_millis(500);
    let traffic = load::run(&settings).unwrap().traffic.unwrap();
    let mut due = due.lock().unwrap();
    // At 0, 5, .. 495 ms, and some more when the last turn is late, to two others each. Late turns catch up.
    assert!(due.len() >= 100, "{}", due.len());
    assert_eq!(traffic.checked, due.len() as u64 * 2);
    due.sort_unstable();
    for pair in due.windows(2) {
        assert_eq!(pair[1] - pair[0], 5_000_000);
    }
}

#[test]
fn a_paced_run_does_not_wait_for_the_server() {
    let (address, _) = server(&[], |said| {
        if is_bad(said) {
            std::thread::sleep(Duration::from_millis(150));
        }
    });
    let mut settings = settings(address);
    settings.pace = Some(Pace::Rate(400.0));
    settings.warm_up = Duration::ZERO;
    let traffic = load::run(&settings).unwrap().traffic.unwrap();
    // The bad one is due after 50 of 200 ms, and so is each of the 60 that follow: who was due a millisecond or more
    // before the server wakes waits as long.
    assert!(traffic.latency.max >= 150_000.0, "{traffic:?}");
    assert!(traffic.latency.p50 >= 1_000.0, "{traffic:?}");
}

#[test]
fn a_lost_message_is_found_when_the_next_one_comes() {
    let error = failure(|said| {
        if is_bad(said) {
            said.deliveries.retain(|(recipient, _)| *recipient != RECIPIENT);
        }
    });
    let sequence = u32::try_from(SEQUENCE).unwrap();
    assert_misdelivered(&error, RECIPIENT, SEQUENCE + 1, Misdelivery::Missing { sequence });
}

#[test]
fn a_lost_message_is_found_when_nothing_comes_any_more() {
    let (address, _) = server(&[], |said| {
        if is_bad(said) {
            said.deliveries.retain(|(recipient, _)| *recipient != RECIPIENT);
        }
    });
    let mut settings = settings(address);
    settings.pace = Some(Pace::Outstanding {
        broadcasts: 1,
        scattered: false,
    });
    settings.patience = Duration::from_millis(300);
    match load::run(&settings) {
        Err(LoadError::Overdue {
            lobby: 0, missing: 1, ..
        }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_doubled_message_is_found() {
    let error = failure(|said| {
        if is_bad(said) {
            let again = said
                .deliveries
                .iter()
                .find(|(recipient, _)| *recipient == RECIPIENT)
                .cloned();
            said.deliveries.extend(again);
        }
    });
    assert_misdelivered(&error, RECIPIENT, SEQUENCE, Misdelivery::Doubled);
}

#[test]
fn messages_of_one_sender_in_the_wrong_order_are_found() {
    let mut late = Vec::new();
    let error = failure(move |said| {
        if is_bad(said) {
            late = said
                .deliveries
                .extract_if(.., |(recipient, _)| *recipient == RECIPIENT)
                .collect();
        } else if (said.sender, said.sequence) == (SENDER, SEQUENCE + 1) {
            said.deliveries.append(&mut late);
        }
    });
    let sequence = u32::try_from(SEQUENCE).unwrap();
    assert_misdelivered(&error, RECIPIENT, SEQUENCE + 1, Misdelivery::Missing { sequence });
}

#[test]
fn a_message_that_comes_back_to_its_sender_is_found() {
    let error = failure(|said| {
        if is_bad(said) {
            let echo = said.deliveries[0].1.clone();
            said.deliveries.push((SENDER, echo));
        }
    });
    assert_misdelivered(&error, SENDER, SEQUENCE, Misdelivery::Echoed);
}

#[test]
fn a_message_in_another_lobby_is_found() {
    let error = failure(|said| {
        if is_bad(said) {
            let stray = said.deliveries[0].1.clone();
            said.deliveries.push((4, stray));
        }
    });
    assert_misdelivered(&error, 4, SEQUENCE, Misdelivery::Stranger);
}

#[test]
fn a_message_that_nobody_sent_is_found() {
    let error = failure(|said| {
        if is_bad(said) {
            for (_, message) in &mut said.deliveries {
                // The last digit of the time.
                let text = message.to_text().unwrap();
                let at = text.find("....").unwrap();
                let digit = if &text[at - 1..at] == "0" { "1" } else { "0" };
                *message = Message::text(format!("{}{digit}{}", &text[..at - 1], &text[at..]));
            }
        }
    });
    match error {
        LoadError::Misdelivered {
            problem: Misdelivery::Invented,
            ..
        } => {}
        other => panic!("{other}"),
    }
}

#[test]
fn a_message_that_is_cut_short_is_found() {
    let error = failure(|said| {
        if is_bad(said) {
            for (_, message) in &mut said.deliveries {
                *message = Message::text(message.to_text().unwrap().replacen("..", ".", 1));
            }
        }
    });
    assert!(matches!(error, LoadError::Unexpected { .. }), "{error}");
}

#[test]
fn a_connection_that_the_server_closes_ends_the_run() {
    let error = failure(|said| {
        if is_bad(said) {
            said.deliveries.push((RECIPIENT, Message::Close(None)));
        }
    });
    assert!(matches!(error, LoadError::Closed { client: RECIPIENT, .. }), "{error}");
}

#[test]
fn health_pings_of_both_kinds_are_answered_and_news_is_passed_over() {
    let greetings = [
        Message::text(r#"{"type":"welcome","lobby":"den","you":"ann","roster":{"revision":1,"users":[]}}"#),
        Message::text(r#"{"type":"health_ping","timestamp":1700000000017}"#),
        Message::text(r#"{"type":"joined","user":"ann","revision":1}"#),
        Message::text(r#"{"type":"left","user":"ann","revision":2}"#),
        Message::text(r#"{"type":"latency","user":"ann","milliseconds":1.5}"#),
        Message::Ping(b"knock"[..].into()),
    ];
    let (address, log) = server(&greetings, |_| {});
    load::run(&settings(address)).unwrap();
    let mut log = log.lock().unwrap();
    log.health_pongs.sort();
    log.pongs.sort();
    let pong = r#"{"type":"health_pong","timestamp":1700000000017}"#;
    assert_eq!(
        log.health_pongs,
        (0..6).map(|client| (client, pong.to_owned())).collect::<Vec<_>>()
    );
    assert_eq!(
        log.pongs,
        (0..6).map(|client| (client, b"knock".to_vec())).collect::<Vec<_>>()
    );
}
