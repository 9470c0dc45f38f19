//! A server that records: what happened in it can be played again and told.

#[macro_use]
mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::{Kind, Server, guard, settings};
use lobby_chat::Settings;
use lobby_replay::{Subject, timeline, verify};

on_each_server! {
    a_recorded_chat_is_verified_and_told,
    what_happened_is_in_the_file_while_the_server_still_runs,
    a_record_that_is_there_is_never_overwritten,
}

/// A file that is not there yet.
fn new_file(kind: Kind, name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{kind:?}-{name}"));
    let _ = fs::remove_file(&path);
    path
}

fn recording_to(path: &Path) -> Settings {
    Settings {
        record: Some(path.to_owned()),
        ..settings()
    }
}

fn told(log: &[u8], subject: &Subject) -> String {
    let mut answer = Vec::new();
    timeline(log, subject, &mut answer).unwrap();
    String::from_utf8(answer).unwrap()
}

async fn a_recorded_chat_is_verified_and_told(kind: Kind) {
    let path = new_file(kind, "chat.log");
    let server = Server::start(kind, recording_to(&path)).await;
    let mut ann = server.enter("den", "ann").await;
    let mut bob = server.enter("den", "bob").await;
    ann.chat("hello").await;
    assert_eq!(bob.next("chat").await["text"], "hello");
    let outcome = server.stop();
    assert_eq!(ann.close_frame().await.0, 1012);
    assert_eq!(bob.close_frame().await.0, 1012);
    ann.gone().await;
    bob.gone().await;
    guard(outcome).await.unwrap().unwrap();

    let log = fs::read(&path).unwrap();
    verify(&*log, &mut Vec::new()).unwrap();
    let bob = told(&log, &Subject::User("bob".into()));
    for wanted in [
        r#""bob" wants to enter "den" from 00000000000000000000ffff7f000001 -> admitted as c1v1"#,
        r#""bob" joined "den" (revision 2)"#,
        r#"send to c1v1: "{\"type\":\"chat\",\"from\":\"ann\",\"text\":\"hello\"}""#,
        r#"close c1v1: 1012 "draining;retry="#,
        r#"c1v1 of "bob" ended: closed by the peer"#,
    ] {
        assert!(bob.contains(wanted), "{wanted}\n{bob}");
    }
    let den = told(&log, &Subject::Lobby("den".into()));
    assert!(
        den.contains(r#"c0v1 of "ann" sends "{\"text\":\"hello\",\"type\":\"chat\"}""#),
        "{den}"
    );
}

async fn what_happened_is_in_the_file_while_the_server_still_runs(kind: Kind) {
    let path = new_file(kind, "running.log");
    let server = Server::start(kind, recording_to(&path)).await;
    let mut ann = server.enter("den", "ann").await;
    ann.chat("is anybody there?").await;
    guard(async {
        while !fs::read_to_string(&path).unwrap().contains("is anybody there?") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

async fn a_record_that_is_there_is_never_overwritten(kind: Kind) {
    let path = new_file(kind, "kept.log");
    fs::write(&path, "of the last crash").unwrap();
    let server = Server::start(kind, recording_to(&path)).await;
    let error = guard(server.stop()).await.unwrap().unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with(&format!("cannot record to {}: ", path.display())),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "of the last crash");
}
