//! The commands as a script uses them.

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

use common::server;
use serde_json::Value;

fn load(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lobby-load"))
        .args(arguments)
        .output()
        .unwrap()
}

struct Floor {
    process: Child,
    url: String,
}

impl Floor {
    fn start() -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_lobby-floor"))
            .args(["--listen", "127.0.0.1:0", "--mode", "plain"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut url)
            .unwrap();
        Self {
            process,
            url: url.trim().to_owned(),
        }
    }

    fn pid(&self) -> String {
        self.process.id().to_string()
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[test]
fn a_run_is_reported_as_json() {
    let floor = Floor::start();
    let output = load(&[
        "--url",
        &floor.url,
        "--pid",
        &floor.pid(),
        "--clients",
        "20",
        "--lobby-size",
        "10",
        "--seconds",
        "0.3",
        "--warm-up",
        "0.1",
        "--json",
    ]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["clients"], &report["lobby_size"]), (&20.into(), &10.into()));
    let traffic = &report["traffic"];
    for figure in [
        "deliveries_per_second",
        "server_cpu_share",
        "server_cpu_per_million",
        "client_cpu_share",
    ] {
        assert!(traffic[figure].as_f64().unwrap() > 0.0, "{report}");
    }
    assert_eq!(report["memory"], Value::Null);
}

#[test]
fn the_memory_of_idle_connections_is_that_of_the_server() {
    let floor = Floor::start();
    let output = load(&[
        "--url",
        &floor.url,
        "--pid",
        &floor.pid(),
        "--clients",
        "2000",
        "--lobby-size",
        "10",
        "--idle",
        "--json",
    ]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let memory = &report["memory"];
    let [before, after] = ["before", "after"].map(|figure| memory[figure].as_u64().unwrap());
    assert!(0 < before && before < after, "{report}");
    // The client needs more than the server ever had.
    let status = std::fs::read_to_string(format!("/proc/{}/status", floor.pid())).unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"))
        .unwrap();
    assert!(after <= peak.parse::<u64>().unwrap() * 1024, "{report}, {peak}");
    assert!(report["connects_per_second"].as_f64().unwrap() > 0.0);
    assert_eq!(report["traffic"], Value::Null);
}

#[test]
fn a_run_that_failed_says_why_and_ends_with_code_1() {
    let (address, _) = server(&[], |said| said.deliveries.clear());
    let url = format!("ws://{address}");
    let output = load(&[
        "--url",
        &url,
        "--clients",
        "3",
        "--lobby-size",
        "3",
        "--patience",
        "0.3",
    ]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("has not come to 2 of its members"), "{error}");
}

#[test]
fn what_cannot_be_measured_is_refused() {
    for arguments in [
        &["--clients", "10", "--lobby-size", "3"][..],
        &["--clients", "10", "--lobby-size", "1"],
        &["--payload", "39"],
        &["--rate", "0"],
        &["--idle"],
    ] {
        let output = load(&[&["--url", "ws://127.0.0.1:9"], arguments].concat());
        assert!(!output.status.success(), "{arguments:?}");
    }
}
