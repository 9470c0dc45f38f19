//! What those see who watch lobby-server: `/metrics` and what the dashboard is told. lobby-epoll has neither.
#![allow(unused_macros, reason = "these tests are for one server")]

#[macro_use]
mod common;

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use common::{Client, Server, TOKEN, guard, http, settings};
use lobbykeeper::Config;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// The header that a token comes in, here in base64: "prometheus:operators-open-sesame".
const BASIC: &str = "authorization: Basic cHJvbWV0aGV1czpvcGVyYXRvcnMtb3Blbi1zZXNhbWU=\r\n";

fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: test\r\n{headers}\r\n")
}

async fn exposition(window: SocketAddr) -> String {
    let answer = http(window, &get("/metrics", BASIC)).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    body.to_owned()
}

/// The samples by name and labels, as they are written.
async fn scrape(window: SocketAddr) -> BTreeMap<String, f64> {
    let text = exposition(window).await;
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

/// Waits until a sample has this value, and gives all of that moment.
async fn until(window: SocketAddr, name: &str, value: f64) -> BTreeMap<String, f64> {
    guard(async {
        loop {
            let samples = scrape(window).await;
            let found = *samples.get(name).unwrap_or_else(|| panic!("no {name} in {samples:#?}"));
            if (found - value).abs() < f64::EPSILON {
                return samples;
            }
        }
    })
    .await
}

#[track_caller]
fn assert_samples(samples: &BTreeMap<String, f64>, expected: &[(&str, f64)]) {
    for &(name, value) in expected {
        let found = samples.get(name).unwrap_or_else(|| panic!("no {name} in {samples:#?}"));
        assert!((found - value).abs() < f64::EPSILON, "{name} is {found}, not {value}");
    }
}

async fn answer_ping(client: &mut Client) {
    let ping = client.next("health_ping").await;
    client
        .say(json!({"type": "health_pong", "timestamp": ping["timestamp"]}))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_refusals_and_ends_are_counted_by_reason() {
    let config = Config {
        max_connections: Some(3),
        max_connections_per_lobby: Some(2),
        ..settings().config
    };
    let (server, window) = Server::with_window(config).await;
    let samples = scrape(window).await;
    assert_samples(
        &samples,
        &[
            ("lobby_connections{state=\"open\"}", 0.0),
            ("lobby_max_seats", 3.0),
            ("lobby_refusals_total{reason=\"server_full\"}", 0.0),
            ("lobby_ends_total{how=\"evicted\",reason=\"stale\"}", 0.0),
            ("lobby_closes_total{reason=\"draining\"}", 0.0),
            ("lobby_round_trip_seconds_count", 0.0),
        ],
    );

    let ann = server.enter("den", "ann").await;
    let _bob = server.enter("den", "bob").await;
    server.knock("den", "cid").await.close_frame().await;
    let _dan = server.enter("attic", "dan").await;
    server.knock("attic", "eve").await.close_frame().await;
    server.request("/ws/den?token=").await.close_frame().await;
    let samples = scrape(window).await;
    assert_samples(
        &samples,
        &[
            ("lobby_connections{state=\"open\"}", 3.0),
            ("lobby_occupied_seats", 3.0),
            ("lobby_lobbies", 2.0),
            ("lobby_users", 3.0),
            ("lobby_admissions_total", 3.0),
            ("lobby_refusals_total{reason=\"lobby_full\"}", 1.0),
            ("lobby_refusals_total{reason=\"server_full\"}", 1.0),
            ("lobby_refusals_total{reason=\"unauthorized\"}", 1.0),
            ("lobby_refusals_total{reason=\"draining\"}", 0.0),
        ],
    );

    drop(ann);
    let ended = "lobby_ends_total{how=\"closed\",reason=\"error\"}";
    let samples = until(window, "lobby_connections{state=\"open\"}", 2.0).await;
    // A socket that is dropped ends with an error or with its stream.
    let by_peer = samples["lobby_ends_total{how=\"closed\",reason=\"peer\"}"];
    assert_samples(&samples, &[(ended, 1.0 - by_peer), ("lobby_admissions_total", 3.0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pongs_messages_and_closes_are_counted() {
    let config = Config {
        max_message_bytes: Some(200),
        ..settings().config
    };
    let (server, window) = Server::with_window(config).await;
    let mut ann = server.enter("den", "ann").await;
    let mut bob = server.enter("den", "bob").await;
    answer_ping(&mut ann).await;
    answer_ping(&mut bob).await;
    let before = until(window, "lobby_pongs_total", 2.0).await;
    assert_samples(
        &before,
        &[("lobby_round_trip_seconds_count", 2.0), ("lobby_pings_total", 2.0)],
    );
    assert!(before["lobby_round_trip_seconds_sum"] > 0.0);
    assert_samples(&before, &[("lobby_round_trip_seconds_bucket{le=\"+Inf\"}", 2.0)]);

    let message = json!({"type": "chat", "text": "hello"}).to_string();
    ann.send(message.clone()).await;
    bob.next("chat").await;
    let after = scrape(window).await;
    let grew = |name: &str| after[name] - before[name];
    assert!((grew("lobby_received_messages_total") - 1.0).abs() < f64::EPSILON);
    let length = u32::try_from(message.len()).unwrap();
    assert!((grew("lobby_received_bytes_total") - f64::from(length)).abs() < f64::EPSILON);
    assert!(grew("lobby_sent_messages_total") >= 1.0);
    assert!(grew("lobby_sent_bytes_total") > 0.0);
    assert!(grew("lobby_turn_duration_seconds_count") >= 1.0);
    assert!(grew("lobby_turn_outputs_sum") >= 1.0);

    ann.chat(&"x".repeat(200)).await;
    assert_eq!(ann.close_frame().await.0, 1009);
    ann.gone().await;
    let samples = until(window, "lobby_ends_total{how=\"closed\",reason=\"peer\"}", 1.0).await;
    assert_samples(
        &samples,
        &[
            ("lobby_closes_total{reason=\"message_too_big\"}", 1.0),
            ("lobby_received_messages_dropped_total{reason=\"too_big\"}", 1.0),
            ("lobby_connections{state=\"closing\"}", 0.0),
        ],
    );
    until(window, "lobby_backlog_messages", 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_strangers_are_not_in_the_metrics_and_what_can_be_is_bounded() {
    let (server, window) = Server::with_window(settings().config).await;
    let before = scrape(window).await.into_keys();
    let mut ann = server.enter("bizarre-lobby", "bizarre-user").await;
    answer_ping(&mut ann).await;
    server.knock(&"bizarre".repeat(30), "ann").await.close_frame().await;
    let after = until(window, "lobby_pongs_total", 1.0).await;
    // What waits is known once the first is there; nothing else has come.
    let new: Vec<_> = after
        .into_keys()
        .filter(|name| !name.starts_with("lobby_backlog"))
        .collect();
    assert!(before.eq(new));
    assert!(!exposition(window).await.contains("bizarre"));
}

#[tokio::test(flavor = "multi_thread")]
async fn promtool_has_nothing_to_say_against_the_metrics() {
    let Ok(tool) = Command::new("promtool").arg("--version").output() else {
        assert!(
            std::env::var_os("CI").is_none(),
            "no promtool: install Debian's package prometheus"
        );
        eprintln!("SKIPPED: no promtool; Debian has it in its package prometheus");
        return;
    };
    assert!(tool.status.success());
    let (server, window) = Server::with_window(Config {
        max_connections: Some(10),
        ..settings().config
    })
    .await;
    let mut ann = server.enter("den", "ann").await;
    answer_ping(&mut ann).await;
    until(window, "lobby_pongs_total", 1.0).await;
    let mut check = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let text = exposition(window).await;
    check.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let verdict = check.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&verdict.stdout) + String::from_utf8_lossy(&verdict.stderr);
    assert!(verdict.status.success() && said.is_empty(), "{said}\n{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_token_nothing_is_shown_and_the_clients_have_no_such_address() {
    let (server, window) = Server::with_window(settings().config).await;
    for headers in [
        "",
        "authorization: Basic\r\n",
        "authorization: Basic !\r\n",
        // "prometheus:wrong", "prometheus", and the token as the name.
        "authorization: Basic cHJvbWV0aGV1czp3cm9uZw==\r\n",
        "authorization: Basic cHJvbWV0aGV1cw==\r\n",
        "authorization: Basic b3BlcmF0b3JzLW9wZW4tc2VzYW1lOg==\r\n",
        &common::bearer(TOKEN),
    ] {
        for path in [
            "/metrics",
            "/dashboard",
            "/dashboard/page.js",
            "/dashboard/stream",
            "/elsewhere",
        ] {
            let answer = http(window, &get(path, headers)).await;
            assert!(answer.starts_with("HTTP/1.1 401"), "{path} {headers}: {answer}");
            assert!(answer.contains("www-authenticate: Basic realm="), "{answer}");
            assert!(!answer.contains("lobby_"), "{answer}");
        }
    }
    for path in ["/metrics", "/dashboard", "/dashboard/stream"] {
        let answer = server.get(path).await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
    }
    let answer = http(window, &get("/elsewhere", BASIC)).await;
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
}

/// Somebody who reads the dashboard's stream.
struct Viewer {
    lines: BufReader<TcpStream>,
}

impl Viewer {
    async fn come(window: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(window).await.unwrap();
        stream
            .write_all(get("/dashboard/stream", BASIC).as_bytes())
            .await
            .unwrap();
        Self {
            lines: BufReader::new(stream),
        }
    }

    /// The next line; `None` at the end.
    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = guard(self.lines.read_line(&mut line)).await.unwrap_or_default();
        (read > 0).then_some(line)
    }

    /// The next sample; `None` if the stream ends first.
    async fn sample(&mut self) -> Option<Value> {
        while let Some(line) = self.line().await {
            if let Some(json) = line.strip_prefix("data: ") {
                return Some(serde_json::from_str(json).unwrap());
            }
        }
        None
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_is_told_who_is_there_and_who_is_slow_and_the_stream_ends_with_the_server() {
    let config = Config {
        max_connections: Some(2),
        ..settings().config
    };
    let (server, window) = Server::with_window(config).await;
    let mut viewer = Viewer::come(window).await;
    let sample = viewer.sample().await.unwrap();
    assert_eq!(
        sample["seats"],
        json!({"occupied": 0, "open": 0, "closing": 0, "max": 2})
    );
    assert_eq!(sample["slowest"], json!([]));

    let mut ann = server.enter("den", "ann").await;
    let _bob = server.enter("den", "bob").await;
    answer_ping(&mut ann).await;
    server.knock("den", "cid").await.close_frame().await;
    until(window, "lobby_pongs_total", 1.0).await;
    // One may have been on its way.
    let (mut sample, mut tries) = (json!(null), 0);
    while sample["slowest"] == json!([]) || sample.is_null() {
        sample = viewer.sample().await.unwrap();
        tries += 1;
        assert!(tries < 4, "{sample}");
    }
    assert_eq!(sample["seats"]["occupied"], 2);
    assert_eq!(sample["refusals"]["server_full"], 1);
    assert_eq!(sample["slowest"][0]["user"], "ann");
    assert_eq!(sample["slowest"][0]["lobby"], "den");
    assert!(sample["slowest"][0]["last"].as_f64().unwrap() > 0.0);
    assert_eq!(sample["slowest"].as_array().unwrap().len(), 1, "bob has not answered");
    let latencies = sample["latencies"].as_array().unwrap();
    let clients: u64 = latencies.iter().map(|place| place[1].as_u64().unwrap()).sum();
    assert_eq!(clients, 1);
    drop(server);
    while viewer.sample().await.is_some() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_may_watch_and_one_who_goes_makes_room() {
    let (_server, window) = Server::with_window(settings().config).await;
    let mut viewers = Vec::new();
    let status = loop {
        let mut viewer = Viewer::come(window).await;
        let status = viewer.line().await.unwrap();
        if !status.starts_with("HTTP/1.1 200") {
            break status;
        }
        viewers.push(viewer);
        assert!(viewers.len() < 100);
    };
    assert!(status.starts_with("HTTP/1.1 503"), "{status}");
    scrape(window).await;
    viewers.pop();
    guard(async {
        let come = async || Viewer::come(window).await.line().await.unwrap();
        while !come().await.starts_with("HTTP/1.1 200") {}
    })
    .await;
}
