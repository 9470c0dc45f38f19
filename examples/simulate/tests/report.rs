//! The program as it is run.

use std::process::{Command, Output};

fn simulate(flags: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lobby-simulate"))
        .args(["--quick", "--clients", "2000", "--hours", "1"])
        .args(flags)
        .output()
        .unwrap()
}

#[test]
fn the_same_seed_prints_the_same_bytes_and_another_seed_others() {
    let (once, again, other) = (simulate(&[]), simulate(&[]), simulate(&["--seed", "2"]));
    let text = String::from_utf8(once.stdout.clone()).unwrap();
    assert!(once.status.success(), "{text}");
    assert_eq!(once.stdout, again.stdout);
    assert_ne!(once.stdout, other.stdout);
    for heading in [
        "# 1 hours, 2000 clients",
        "# The server pauses",
        "# The server's clock is set",
        "# A full house",
        "# The server's uplink is dead for 25 s",
        "# Seats are reserved while tokens are looked at",
        "# A server ends, and its 10000 clients go to another",
    ] {
        assert!(text.contains(heading), "{heading}: {text}");
    }
    let last = text.trim_end().lines().last().unwrap();
    assert_eq!(
        last,
        "In all worlds together: false evictions 0, ghosts over the bound 0, evicted too early 0, limits overrun 0, \
         false round trips 0, left over 0, orders defied 0, reserved seats mistimed 0, stampedes 0."
    );
}

#[test]
fn the_breaker_saves_most_of_those_who_are_cut_off() {
    let text = String::from_utf8(simulate(&[]).stdout).unwrap();
    let alive_but_cut_off = |breaker: &str| -> u64 {
        let row = text.lines().skip_while(|line| !line.starts_with("stale-wave breaker"));
        let mut row = row.filter(|line| line.starts_with(breaker));
        row.next().unwrap().split_whitespace().nth(3).unwrap().parse().unwrap()
    };
    let (on, off) = (alive_but_cut_off("on "), alive_but_cut_off("off "));
    assert!(on * 10 < off, "{on} and {off}: {text}");
}

#[test]
fn seats_are_reserved_and_an_operator_is_busy() {
    let text = String::from_utf8(simulate(&[]).stdout).unwrap();
    let rows = text
        .lines()
        .skip_while(|line| !line.starts_with("a user's third connection"));
    let mut rows = rows.skip(1).take(4).map(|row| {
        let cells = row.split("  ").filter(|cell| !cell.is_empty()).skip(2);
        cells.map(|cell| cell.trim().parse().unwrap()).collect::<Vec<u64>>()
    });
    assert!(
        rows.all(|row| row[..9].iter().all(|&count| count > 0) && row[9..] == [0, 0, 0]),
        "{text}"
    );
}

#[test]
fn whoever_takes_over_is_stampeded_only_if_all_are_closed_at_once() {
    let text = String::from_utf8(simulate(&[]).stdout).unwrap();
    let rows = text.lines().skip_while(|line| !line.starts_with("the first server"));
    // The columns are set apart by two spaces at least.
    let came = rows
        .skip(1)
        .take(5)
        .map(|row| row.split("  ").filter(|cell| !cell.is_empty()).nth(2).unwrap());
    let came: Vec<u64> = came.map(|cell| cell.trim().parse().unwrap()).collect();
    assert!(came[0] > 4_000, "{text}");
    assert!(came[1..].iter().all(|&came| came > 500 && came <= 1_000), "{text}");
}

#[test]
fn a_wrong_flag_is_said_to_be_wrong() {
    let output = simulate(&["--seed", "many"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("--seed"));
}
