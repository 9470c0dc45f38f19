//! The same log gives the same output, byte for byte, on every platform and under every hash key. The committed log was
//! recorded on one machine; each of its lines has a digest of all that came before and of what came of it. It is played
//! again by this test, natively and, as far as 200 lines, on an emulated 32-bit and an emulated big-endian machine (by
//! `.ci/run`); and by `replay verify`, natively and as WebAssembly.
//!
//! `UPDATE_PLATFORM_LOG=1 cargo test --test platforms` draws and records it anew, after a wanted change of the outputs.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use lobbykeeper::testing::strategy::{crowd_step, hasty_step, patient_step, step};
use lobbykeeper::testing::{Pair, When};
use lobbykeeper::{Config, Outbox, Recorder, Replay, UserOverflow};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;

fn committed() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/platforms/run.log");
    if std::env::var_os("UPDATE_PLATFORM_LOG").is_some() {
        assert!(std::env::var_os("CI").is_none(), "CI compares, and never rewrites");
        fs::write(&path, drawn()).unwrap();
    }
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn lines(log: &[u8]) -> impl Iterator<Item = &[u8]> {
    log.split_inclusive(|&byte| byte == b'\n')
}

/// A run in which everything happens, and in which the manager does what the model says.
fn drawn() -> Vec<u8> {
    let config = Config {
        max_connections: Some(7),
        max_connections_per_lobby: Some(4),
        max_connections_per_user: Some(2),
        user_overflow: UserOverflow::ReplaceOldest,
        max_lobbies_per_connection: Some(2),
        stale_wave_floor: Some(0),
        seed: 7,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
    let steps = (
        vec(hasty_step(), 90),
        vec(step(), 180),
        vec(patient_step(), 80),
        vec(crowd_step(), 80),
    );
    let (hasty, any, patient, crowd) = steps.new_tree(&mut runner).unwrap().current();
    let steps = [hasty, any, patient, crowd].concat();

    let (mut pair, mut log) = (Pair::new(config.clone()).unwrap(), Vec::new());
    let mut recorder = Recorder::new(config, &mut log).unwrap();
    // After the end of time nothing happens any more.
    for step in steps.iter().filter(|step| !matches!(step.when, When::End(_))) {
        let input = pair.reference.input(step);
        pair.feed(&input).unwrap();
        recorder.apply(input, &mut Outbox::new(), &mut log);
    }
    log
}

#[test]
fn the_committed_log_plays_to_the_same_digests_under_every_hash_key() {
    let log = committed();
    let keys = [[0, 0], [1, 2], [u64::MAX, 0x0123_4567_89ab_cdef]];
    for hash_key in &keys[..if cfg!(miri) { 1 } else { keys.len() }] {
        let mut lines = lines(&log);
        let mut replay = Replay::new(lines.next().unwrap_or_default(), *hash_key).unwrap();
        let mut out = Outbox::new();
        // An emulated machine needs a quarter of a second for each line.
        for line in lines.take(if cfg!(miri) { 200 } else { usize::MAX }) {
            out.clear();
            replay.apply(line, &mut out).unwrap();
        }
        println!("{} lines, digest {}", replay.line(), replay.digest());
    }
}

/// The kinds of things in a log of one call a line: `connected`, `Err`, `send`, `stale_wave` and so on.
fn kinds(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(kind) => _ = found.insert(kind.clone()),
        Value::Object(members) => {
            for (key, member) in members {
                found.insert(key.clone());
                kinds(member, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| kinds(item, found)),
        _ => {}
    }
}

#[test]
#[cfg_attr(miri, ignore = "says nothing about a platform")]
fn everything_happens_in_the_committed_log() {
    let log = committed();
    let mut lines = lines(&log);
    let mut replay = Replay::new(lines.next().unwrap_or_default(), [0, 0]).unwrap();
    let mut found = BTreeSet::new();
    for line in lines {
        let mut out = Outbox::new();
        let entry = replay.apply(line, &mut out).unwrap();
        kinds(&serde_json::to_value(&entry.input).unwrap(), &mut found);
        kinds(&serde_json::to_value(&entry.reply).unwrap(), &mut found);
        for output in &out {
            kinds(&serde_json::to_value(output).unwrap(), &mut found);
        }
    }
    let wanted = "connected message closed tick broadcast broadcast_all send_to send_to_user ping_user join switch_lobby \
        leave kick close_all server_full lobby_full invalid_name too_many_lobbies unknown_connection not_member deliver \
        handled send close evict binary requested replaced stale close_timeout joined left ended lobby_opened lobby_closed \
        pong ping_timed_out paused stale_wave";
    let missing: Vec<_> = wanted
        .split_whitespace()
        .filter(|&kind| !found.contains(kind))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
