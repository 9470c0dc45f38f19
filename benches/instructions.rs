//! How many instructions the hot calls take, counted by callgrind, so that a change of cost shows on a noisy machine too.
//! Each call is made once, after what it reads and writes has been warmed up. What it works on is boxed, since moving a
//! manager into the counted function and out of it would count, too.

#![allow(missing_docs, reason = "the macros make undocumented functions")]

mod crowd;

use std::hint::black_box;

use gungraun::{library_benchmark, library_benchmark_group, main};
use lobbykeeper::{Cause, Command, ConnId, Except, Frame, Inbound, LobbyId, Outbox, Payload, Time};

use crowd::{Crowd, NOW};

const CHAT_40: &str = r#"{"type":"chat","text":"gg, well played"}"#;
const CHAT_128: &str = r#"{"type":"chat","text":"I think we should go left at the bridge, then wait for the others behind the old mill at the riverside."}"#;

struct Lobby {
    crowd: Crowd,
    payload: Payload,
    id: LobbyId,
    sender: ConnId,
}

/// A lobby in which the broadcast that is counted has been made once.
fn lobby(members: u32, broadcast: impl Fn(&mut Lobby)) -> Box<Lobby> {
    lobby_of(Crowd::in_one("den", members), broadcast)
}

fn lobby_of(crowd: Crowd, broadcast: impl Fn(&mut Lobby)) -> Box<Lobby> {
    let mut lobby = Box::new(Lobby {
        id: crowd.manager.lobby_id("den").expect("it has members"),
        sender: crowd.conns[crowd.conns.len() / 2],
        crowd,
        payload: Payload::text(CHAT_40),
    });
    broadcast(&mut lobby);
    lobby.crowd.out.clear();
    lobby
}

fn by_id(members: u32) -> Box<Lobby> {
    lobby(members, send_by_id)
}

/// One whose backlogs are limited.
fn with_accounting(members: u32) -> Box<Lobby> {
    lobby_of(Crowd::in_one_with_accounting("den", members, None), send_by_id)
}

/// One in which, besides, all backlogs together are limited.
fn with_a_budget(members: u32) -> Box<Lobby> {
    lobby_of(Crowd::in_one_with_accounting("den", members, Some(1 << 40)), send_by_id)
}

fn by_name(members: u32) -> Box<Lobby> {
    lobby(members, send_by_name)
}

fn but_a_user(members: u32) -> Box<Lobby> {
    lobby(members, send_but_a_user)
}

/// A lobby that a member has left since the last broadcast.
fn after_a_leave(members: u32) -> Box<Lobby> {
    let mut lobby = by_id(members + 1);
    let Crowd { manager, out, .. } = &mut lobby.crowd;
    manager.closed(NOW, lobby.sender, Cause::Peer, out);
    out.clear();
    lobby
}

fn send_by_id(lobby: &mut Lobby) {
    let Crowd { manager, out, .. } = &mut lobby.crowd;
    manager.broadcast(NOW, lobby.id, lobby.payload.clone(), Except::Nobody, out);
}

fn send_by_name(lobby: &mut Lobby) {
    let Crowd { manager, out, .. } = &mut lobby.crowd;
    manager.broadcast(NOW, "den", lobby.payload.clone(), Except::Nobody, out);
}

fn send_but_a_user(lobby: &mut Lobby) {
    let Crowd { manager, out, .. } = &mut lobby.crowd;
    let except = Except::UserOf(lobby.sender);
    manager.broadcast(NOW, lobby.id, lobby.payload.clone(), except, out);
}

/// Reads the outbox as a driver does.
fn read(out: &Outbox) {
    for command in out.commands() {
        if let Command::Send { to, payload } = command {
            black_box(payload);
            for conn in to {
                black_box(conn.index());
            }
        }
    }
}

#[library_benchmark]
#[bench::to_10(args = (10), setup = by_id)]
#[bench::to_100(args = (100), setup = by_id)]
#[bench::to_1000(args = (1_000), setup = by_id)]
#[bench::to_100_after_a_leave(args = (100), setup = after_a_leave)]
fn broadcast_by_id(mut lobby: Box<Lobby>) -> Box<Lobby> {
    send_by_id(&mut lobby);
    lobby
}

#[library_benchmark]
#[bench::to_10(args = (10), setup = with_accounting)]
#[bench::to_100(args = (100), setup = with_accounting)]
#[bench::to_1000(args = (1_000), setup = with_accounting)]
#[bench::to_100_with_a_budget(args = (100), setup = with_a_budget)]
fn broadcast_with_accounting(mut lobby: Box<Lobby>) -> Box<Lobby> {
    send_by_id(&mut lobby);
    lobby
}

#[library_benchmark]
#[bench::to_1(args = (1), setup = with_accounting)]
fn flushed(mut lobby: Box<Lobby>) -> Box<Lobby> {
    let Crowd { manager, out, .. } = &mut lobby.crowd;
    manager.flushed(NOW, lobby.sender, 40, 1, out);
    lobby
}

#[library_benchmark]
#[bench::to_100(args = (100), setup = by_name)]
fn broadcast_by_name(mut lobby: Box<Lobby>) -> Box<Lobby> {
    send_by_name(&mut lobby);
    lobby
}

#[library_benchmark]
#[bench::to_100(args = (100), setup = but_a_user)]
fn broadcast_but_a_user(mut lobby: Box<Lobby>) -> Box<Lobby> {
    send_but_a_user(&mut lobby);
    lobby
}

#[library_benchmark]
#[bench::to_10(args = (10), setup = by_id)]
#[bench::to_100(args = (100), setup = by_id)]
#[bench::to_1000(args = (1_000), setup = by_id)]
fn broadcast_and_read(mut lobby: Box<Lobby>) -> Box<Lobby> {
    send_by_id(&mut lobby);
    read(&lobby.crowd.out);
    lobby.crowd.out.clear();
    lobby
}

fn crowd() -> Box<Crowd> {
    Box::new(Crowd::new(10_000))
}

fn frame(frame: Frame<'static>) -> (Box<Crowd>, Frame<'static>) {
    (crowd(), frame)
}

fn limited(frame: Frame<'static>) -> (Box<Crowd>, Frame<'static>) {
    (Box::new(Crowd::limited(10_000)), frame)
}

#[library_benchmark]
#[bench::binary_empty(args = (Frame::binary(b"")), setup = frame)]
#[bench::binary_128(args = (Frame::binary(CHAT_128.as_bytes())), setup = frame)]
#[bench::text_40(args = (Frame::text(CHAT_40)), setup = frame)]
#[bench::text_128(args = (Frame::text(CHAT_128)), setup = frame)]
#[bench::text_40_under_all_limits(args = (Frame::text(CHAT_40)), setup = limited)]
fn message((mut crowd, frame): (Box<Crowd>, Frame<'static>)) -> (Box<Crowd>, Inbound) {
    let inbound = crowd.manager.message(NOW, crowd.conns[500], frame, &mut crowd.out);
    (crowd, inbound)
}

/// What the first connection has to answer.
fn pinged() -> (Box<Crowd>, String) {
    let mut crowd = crowd();
    let pong = crowd.ping(0);
    (crowd, pong)
}

#[library_benchmark]
#[bench::matching(setup = pinged)]
fn health_pong((mut crowd, pong): (Box<Crowd>, String)) -> (Box<Crowd>, Inbound) {
    let inbound = crowd
        .manager
        .message(NOW, crowd.conns[0], Frame::text(&pong), &mut crowd.out);
    (crowd, inbound)
}

/// A crowd, and when so many of it are due; one has been pinged before.
fn due(count: u32) -> (Box<Crowd>, Time) {
    let mut crowd = crowd();
    crowd.ping(0);
    let mut ahead = crowd.manager.clone();
    let mut now = NOW;
    for _ in 0..count {
        now = ahead.next_deadline().expect("everybody is pinged");
        ahead.tick(now, &mut Outbox::new());
    }
    (crowd, now)
}

#[library_benchmark]
#[bench::nothing_due(args = (0), setup = due)]
#[bench::pings_1(args = (1), setup = due)]
#[bench::pings_100(args = (100), setup = due)]
fn tick((mut crowd, now): (Box<Crowd>, Time)) -> Box<Crowd> {
    crowd.manager.tick(now, &mut crowd.out);
    crowd
}

fn warm_crowd() -> Box<Crowd> {
    connect_and_close(crowd())
}

fn connect_and_close(mut crowd: Box<Crowd>) -> Box<Crowd> {
    let conn = crowd.connect("lobby 0", "newcomer");
    crowd.manager.closed(NOW, conn, Cause::Peer, &mut crowd.out);
    crowd.out.clear();
    crowd
}

#[library_benchmark]
#[bench::connect_and_close(setup = warm_crowd)]
fn newcomer(crowd: Box<Crowd>) -> Box<Crowd> {
    connect_and_close(crowd)
}

library_benchmark_group!(
    name = hot_calls,
    benchmarks = [
        broadcast_by_id,
        broadcast_with_accounting,
        flushed,
        broadcast_by_name,
        broadcast_but_a_user,
        broadcast_and_read,
        message,
        health_pong,
        tick,
        newcomer
    ]
);
main!(library_benchmark_groups = hot_calls);
