//! What the caller owns: the outbox, and the loop by which a driver empties two of them.

mod support;

use std::mem;

use lobbykeeper::{
    Cause, Command, Config, ConnId, ConnMap, Except, Handshake, Manager, Notice, Outbox, Output, Payload, Time,
};
use support::{Desk, frame, hi};

#[test]
fn it_spans_several_calls_and_keeps_their_order() {
    let mut desk = Desk::open();
    assert!(desk.out.is_empty());
    let ann = desk.try_connect("den", "ann").unwrap();
    let bob = desk.try_connect("den", "bob").unwrap();
    desk.hail("den", Except::Nobody);
    desk.kick(ann);
    desk.hail("den", Except::Nobody);
    assert!(!desk.out.is_empty());
    assert_eq!(desk.out.iter().len(), 7);
    assert_eq!(
        desk.said(),
        [
            "opened den",
            "joined den ann 1",
            "joined den bob 2",
            &format!("send {ann} {bob}: hi"),
            &format!("close {ann} 4000 bye"),
            "left den ann 3",
            &format!("send {bob}: hi"),
        ]
    );
}

#[test]
fn commands_and_notices_can_be_had_alone_and_in_order() {
    let mut desk = Desk::open();
    let ann = desk.try_connect("den", "ann").unwrap();
    desk.hail("den", Except::Nobody);
    desk.kick(ann);
    let (mut commands, mut notices) = (desk.out.commands(), desk.out.notices());
    for output in &desk.out {
        match output {
            Output::Command(command) => assert_eq!(commands.next(), Some(command)),
            Output::Notice(notice) => assert_eq!(notices.next(), Some(notice)),
        }
    }
    assert!(commands.next().is_none() && notices.next().is_none());
    assert_eq!((desk.out.commands().count(), desk.out.notices().count()), (2, 4));
}

#[test]
fn what_was_cleared_is_gone_and_what_follows_is_right() {
    let mut desk = Desk::open();
    let ann = desk.try_connect("den", "ann").unwrap();
    desk.hail("den", Except::Nobody);
    desk.out.clear();
    assert!(desk.out.is_empty() && desk.out.iter().next().is_none());
    let bob = desk.try_connect("den", "bob").unwrap();
    desk.hail("den", Except::Conn(ann));
    assert_eq!(desk.said(), ["joined den bob 2".to_owned(), format!("send {bob}: hi")]);
}

#[test]
fn a_copy_keeps_its_outputs_when_the_original_is_cleared() {
    let mut desk = Desk::open();
    desk.try_connect("den", "ann").unwrap();
    let copy = desk.out.clone();
    desk.out.clear();
    assert_eq!(copy.iter().count(), 2);
}

#[test]
fn notices_word_themselves_for_logs() {
    let mut desk = Desk::open();
    let ann = desk.try_connect("den", "ann").unwrap();
    desk.closed(ann);
    let words: Vec<_> = desk.out.notices().map(|notice| notice.to_string()).collect();
    assert_eq!(
        words,
        [
            r#"l0v1 opened: "den""#,
            r#""ann" joined "den" (revision 1)"#,
            r#""ann" left "den" (revision 2)"#,
            r#"l0v1 closed: "den""#,
            r#"c0v1 of "ann" ended: closed by the peer"#,
        ]
    );
}

/// A driver without a network: sockets that take so many messages and then fail.
struct Driver {
    manager: Manager,
    out: Outbox,
    next: Outbox,
    sockets: ConnMap<Socket>,
    ended: Vec<ConnId>,
    rounds: usize,
}

struct Socket {
    takes: usize,
    got: Vec<String>,
}

impl Socket {
    fn send(&mut self, payload: &Payload) -> Result<(), ()> {
        self.takes = self.takes.checked_sub(1).ok_or(())?;
        self.got.push(String::from_utf8_lossy(payload.as_bytes()).into_owned());
        Ok(())
    }
}

impl Driver {
    fn new(config: Config) -> Self {
        Self {
            manager: Manager::new(config).unwrap(),
            out: Outbox::new(),
            next: Outbox::new(),
            sockets: ConnMap::new(),
            ended: Vec::new(),
            rounds: 0,
        }
    }

    fn connect(&mut self, user: &str, takes: usize) -> ConnId {
        let handshake = Handshake::new("den", user);
        let conn = self.manager.connected(Time::ZERO, handshake, &mut self.out).unwrap();
        self.sockets.insert(conn, Socket { takes, got: Vec::new() });
        conn
    }

    /// The driver's rule. The application words who joins and leaves, so that there is more to send while sending.
    fn run(&mut self) {
        let now = Time::ZERO;
        while !self.out.is_empty() {
            self.rounds += 1;
            for output in &self.out {
                match output {
                    Output::Command(Command::Send { to, payload }) => {
                        for &conn in to {
                            if let Some(socket) = self.sockets.get_mut(conn)
                                && socket.send(payload).is_err()
                            {
                                self.sockets.remove(conn);
                                self.manager.closed(now, conn, Cause::SendFailed, &mut self.next);
                            }
                        }
                    }
                    Output::Command(Command::Close { conn, .. } | Command::Evict { conn, .. }) => {
                        self.sockets.remove(conn);
                        self.manager.closed(now, conn, Cause::Peer, &mut self.next);
                    }
                    Output::Notice(Notice::Joined { lobby, user, .. }) => {
                        let text = Payload::text(format!("+{user}"));
                        self.manager
                            .broadcast(now, lobby, text, Except::user(user), &mut self.next);
                    }
                    Output::Notice(Notice::Left { lobby, user, .. }) => {
                        let text = Payload::text(format!("-{user}"));
                        self.manager.broadcast(now, lobby, text, Except::Nobody, &mut self.next);
                    }
                    Output::Notice(Notice::Ended { conn, .. }) => self.ended.push(conn),
                    Output::Notice(_) => {}
                }
            }
            self.out.clear();
            mem::swap(&mut self.out, &mut self.next);
        }
    }
}

#[test]
fn the_drivers_loop_cleans_up_after_a_send_that_fails() {
    let mut driver = Driver::new(Config::default());
    let ann = driver.connect("ann", 100);
    let bob = driver.connect("bob", 1);
    driver.run();
    assert_eq!(driver.sockets.get(ann).unwrap().got, ["+bob"]);
    for _ in 0..2 {
        driver
            .manager
            .broadcast(Time::ZERO, "den", hi(), Except::Nobody, &mut driver.out);
    }
    driver.run();
    assert_eq!(driver.ended, [bob]);
    assert_eq!(driver.sockets.get(ann).unwrap().got, ["+bob", "hi", "hi", "-bob"]);
    assert_eq!(driver.manager.lobby_connections("den").collect::<Vec<_>>(), [ann]);
}

#[test]
fn the_drivers_loop_ends_however_many_sends_fail() {
    // Each end is told to the rest, of whom the next one fails.
    let mut driver = Driver::new(Config::default());
    let conns: Vec<_> = (0..50_usize)
        .map(|number| driver.connect(&number.to_string(), 100))
        .collect();
    driver.run();
    for (number, &conn) in conns.iter().enumerate() {
        driver.sockets.get_mut(conn).unwrap().takes = number;
    }
    driver.rounds = 0;
    driver
        .manager
        .broadcast(Time::ZERO, "den", hi(), Except::Nobody, &mut driver.out);
    driver.run();
    assert_eq!(driver.ended, conns, "each once");
    assert!(driver.sockets.is_empty());
    assert_eq!(
        driver.rounds,
        2 * conns.len(),
        "one round for the end, one for telling the rest"
    );
    let stats = driver.manager.stats();
    assert_eq!(
        (stats.total_connections, stats.active_lobbies, stats.stale_ids),
        (0, 0, 0)
    );
}

#[test]
fn the_drivers_loop_skips_whom_an_earlier_output_ended() {
    let mut driver = Driver::new(Config::default());
    let [ann, bob] = ["ann", "bob"].map(|user| driver.connect(user, 100));
    driver.run();
    // Written in one turn: a close, then a broadcast to the rest; and a broadcast to both, whose second recipient is
    // gone when it is read.
    driver
        .manager
        .broadcast(Time::ZERO, "den", hi(), Except::Nobody, &mut driver.out);
    driver.sockets.remove(bob);
    driver.manager.closed(Time::ZERO, bob, Cause::Peer, &mut driver.out);
    driver
        .manager
        .kick(Time::ZERO, ann, &frame(4000, "bye"), &mut driver.out);
    driver.run();
    assert_eq!(driver.ended, [bob, ann]);
    assert_eq!(driver.manager.stats().stale_ids, 0);
}
