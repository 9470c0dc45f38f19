//! The server: a driver as it should be written, around the manager that is looked at.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use super::links::{Advice, Down, LinkId, Phase, Up};
use super::queue::Nanos;
use super::referee::Instant;
use super::scenario::WakeOrder;
use super::{Event, Sim};
use crate::config::{Config, ConfigError, PingFormat};
use crate::conn_map::ConnMap;
use crate::ending::{Closing, Eviction};
use crate::event::{Cause, Except, Handshake, Inbound};
use crate::id::{ConnId, ReservationId};
use crate::manager::Manager;
use crate::outbox::{Command, Notice, Outbox, Output};
use crate::payload::{Frame, Payload};
use crate::refusal::{Refusal, RefusalRule};
use crate::time::Time;

/// What a client says.
const LINE: &str = r#"{"type":"chat","text":"The quick brown fox jumps over the lazy dog."}"#;
/// How a JSON ping starts, up to its time stamp.
const PING: &[u8] = br#"{"type":"health_ping","timestamp":"#;
/// How many inputs a driver handles in one turn if it ticks in between.
const TURN: usize = 8;

#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) manager: Manager,
    pub(super) sockets: ConnMap<LinkId>,
    /// Backlogs are limited, so it reports what its sockets take.
    pub(super) reports: bool,
    /// The driver's rule: one outbox is read while calls write to the other.
    pub(super) out: Outbox,
    next: Outbox,
    /// The driver's clock, read once for each turn.
    pub(super) now: Time,
    /// Those whom the limits were looked at for in this turn, ...
    admitted: Vec<LinkId>,
    /// ... and those who have to go, since the holders of reservations came.
    pub(super) giving_way: Vec<LinkId>,
    /// Who waits with which reservation.
    pub(super) waiting: BTreeMap<ReservationId, LinkId>,
    /// What a client says, ready to be shared.
    chat: Payload,
    /// A pong or a name, put together.
    pub(super) text: String,
    pub(super) user: String,

    pub(super) asleep: Option<Sleep>,
    /// A pause that strikes when there is something to be carried out.
    armed: Option<(Nanos, WakeOrder)>,
    /// What came in meanwhile.
    kernel: Vec<(LinkId, Up)>,
}

/// The process stands still.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sleep {
    pub(super) until: Nanos,
    /// What the clock stood at.
    since: Nanos,
    wake: WakeOrder,
}

impl Server {
    pub(super) fn new(config: Config) -> Result<Self, ConfigError> {
        Ok(Self {
            reports: config.max_backlog_bytes.is_some()
                || config.max_backlog_messages.is_some()
                || config.max_total_backlog_bytes.is_some(),
            manager: Manager::new(config)?,
            sockets: ConnMap::new(),
            out: Outbox::new(),
            next: Outbox::new(),
            now: Time::ZERO,
            admitted: Vec::new(),
            giving_way: Vec::new(),
            waiting: BTreeMap::new(),
            chat: Payload::text(LINE),
            text: String::new(),
            user: String::new(),
            asleep: None,
            armed: None,
            kernel: Vec::new(),
        })
    }

    /// Puts the names together that a manager knows a lobby and a user by.
    pub(super) fn write_names(&mut self, lobby: u32, user: u32) {
        self.text.clear();
        self.user.clear();
        let written = write!(self.text, "lobby {lobby}").and_then(|()| write!(self.user, "user {user}"));
        debug_assert!(written.is_ok(), "a string takes everything");
    }
}

impl Sim {
    /// The deadline has come.
    pub(super) fn tick(&mut self) {
        self.counts.ticks += 1;
        self.read_clock();
        self.finish_turn();
        let deadline = self.server.manager.next_deadline();
        assert!(
            deadline.is_none_or(|deadline| deadline > self.server.now),
            "after a tick the deadline lies ahead: {deadline:?}"
        );
    }

    /// A packet has come.
    pub(super) fn come_in(&mut self, id: LinkId, up: Up) {
        if self.passes(id, up) {
            self.turn(id, up);
        }
    }

    /// The driver wakes up for one thing, unless it sleeps.
    pub(super) fn turn(&mut self, id: LinkId, up: Up) {
        if self.server.asleep.is_some() {
            self.server.kernel.push((id, up));
            return;
        }
        self.read_clock();
        self.input(id, up);
        self.finish_turn();
    }

    /// The process is stopped, now or in the midst of its next turn.
    pub(super) fn pause(&mut self, lasts: Nanos, wake: WakeOrder, mid_turn: bool) {
        if mid_turn {
            self.server.armed = Some((lasts, wake));
        } else {
            self.fall_asleep(lasts, wake);
        }
    }

    /// The process goes on, if no later pause holds it.
    pub(super) fn wake_up(&mut self) {
        let Some(Sleep { until, since, wake }) = self.server.asleep.take_if(|sleep| sleep.until <= self.now) else {
            return;
        };
        debug_assert_eq!(until, self.now);
        self.server_clock.slept(since, self.now);
        // What the pause has interrupted, with the time that was read before it.
        self.carry_out();
        self.read_clock();
        let waiting = core::mem::take(&mut self.server.kernel);
        match wake {
            WakeOrder::InputsFirst => {
                for &(id, up) in &waiting {
                    self.input(id, up);
                }
                self.call_tick();
                self.carry_out();
            }
            WakeOrder::TickFirst => {
                self.call_tick();
                self.carry_out();
                for &(id, up) in &waiting {
                    self.input(id, up);
                    self.carry_out();
                }
            }
            WakeOrder::Mixed => {
                for turn in waiting.chunks(TURN) {
                    for &(id, up) in turn {
                        self.input(id, up);
                    }
                    self.call_tick();
                    self.carry_out();
                }
            }
        }
    }

    fn fall_asleep(&mut self, lasts: Nanos, wake: WakeOrder) {
        self.referee.disrupted(self.now);
        let until = self.now.saturating_add(lasts);
        let sleep = self.server.asleep.get_or_insert(Sleep {
            until,
            since: self.server_clock.effective(self.now),
            wake,
        });
        sleep.until = sleep.until.max(until);
        self.queue.push(until, Event::WakeUp);
    }

    pub(super) fn read_clock(&mut self) {
        self.server.now = self.server_clock.read(self.now);
    }

    pub(super) fn call_tick(&mut self) {
        let server = &mut self.server;
        server.manager.tick(server.now, &mut server.out);
    }

    /// What came has been told. That time has passed is told last, in every turn: so the manager knows each time that was
    /// read.
    fn finish_turn(&mut self) {
        self.call_tick();
        if !self.server.out.is_empty()
            && let Some((lasts, wake)) = self.server.armed.take()
        {
            self.fall_asleep(lasts, wake);
        } else {
            self.carry_out();
        }
    }

    pub(super) fn instant(&self) -> Instant {
        Instant {
            now: self.now,
            active: self.server_clock.active(self.now),
            clock: self.server_clock.effective(self.now),
        }
    }

    /// One input, as the driver's loop gets it from a socket.
    fn input(&mut self, id: LinkId, up: Up) {
        match up {
            Up::Connect => self.knock(id),
            Up::Verified(good) => self.answered(id, good),
            Up::Text | Up::Pong(_) => self.message(id, up),
            Up::Close => {
                self.counts.left += u64::from(self.closed(id, Cause::Peer));
            }
            Up::Reset => {
                self.counts.crashed += u64::from(self.closed(id, Cause::Error));
            }
            Up::Taken => {
                if let Some((conn, bytes, messages)) = self.take_unflushed(id) {
                    let server = &mut self.server;
                    server
                        .manager
                        .flushed(server.now, conn, bytes, messages, &mut server.out);
                }
            }
        }
    }

    /// One who is let in at once, or whose reservation is good.
    pub(super) fn admit(&mut self, id: LinkId, reservation: Option<ReservationId>) {
        let at = self.instant();
        let Some(link) = self.links.get_mut(id) else {
            return;
        };
        let server = &mut self.server;
        server.write_names(link.lobby, link.client / self.scenario.devices_per_user);
        let handshake = Handshake {
            reservation,
            ..Handshake::new(server.text.as_str(), server.user.as_str())
        };
        match server.manager.connected(server.now, handshake, &mut server.out) {
            Ok(conn) => {
                if server.reports {
                    // So that everything is counted from the first connection on.
                    server.manager.flushed(server.now, conn, 0, 0, &mut server.out);
                }
                link.conn = Some(conn);
                if reservation.is_some() {
                    let gives_way = self.referee.vacated(at, &mut self.links, id);
                    server.giving_way.extend(gives_way);
                    self.counts.reservations.used += 1;
                } else {
                    self.referee.judge_entry(&self.links, id);
                    server.admitted.push(id);
                }
                if let Some(link) = self.links.get_mut(id) {
                    self.referee.admitted(at, link);
                }
                self.counts.admissions += 1;
                // If one outbox spans many inputs, a newcomer may get the slot of one whose `Evict` still waits in it.
                let evicted = server.sockets.insert(conn, id);
                if let Some(evicted) = evicted {
                    self.drop_socket(at, evicted);
                }
                self.send_down(id, Some(Down::Open));
            }
            Err(refusal) => self.refuse(id, &refusal),
        }
    }

    pub(super) fn refuse(&mut self, id: LinkId, refusal: &Refusal) {
        let refusals = &mut self.counts.refusals;
        *(match refusal.rule() {
            RefusalRule::ServerFull => &mut refusals.server_full,
            RefusalRule::LobbyFull => &mut refusals.lobby_full,
            RefusalRule::UserLimit => &mut refusals.user_limit,
            RefusalRule::InvalidName => &mut refusals.invalid_name,
            RefusalRule::LobbyLocked => &mut refusals.lobby_locked,
            RefusalRule::SourceLimit => &mut refusals.source_limit,
            RefusalRule::Expired => &mut refusals.expired,
            RefusalRule::ConnectRate => &mut refusals.connect_rate,
            RefusalRule::ReservationVoid => &mut refusals.reservation_void,
            RefusalRule::Draining => &mut refusals.draining,
        }) += 1;
        self.turn_away(id, refusal.retry().into());
    }

    /// One who is not admitted is told so, and the socket is dropped.
    pub(super) fn turn_away(&mut self, id: LinkId, advice: Advice) {
        self.send_down(id, Some(Down::Close(advice)));
        if let Some(link) = self.links.get_mut(id) {
            link.server_end = false;
            self.links.settle(id);
        }
    }

    fn message(&mut self, id: LinkId, up: Up) {
        let at = self.instant();
        let Some(link) = self.links.get_mut(id) else {
            return;
        };
        // Its socket was dropped while the packet was under way.
        let Some(conn) = link.conn.filter(|_| link.server_end) else {
            return;
        };
        self.counts.messages_in += 1;
        if link.phase == Phase::Open {
            self.referee.heard(at, link);
        }
        let server = &mut self.server;
        let frame = match up {
            Up::Pong(timestamp) => {
                if link.pinged.0 == timestamp {
                    link.answered = true;
                    self.round_trips.add(self.now - link.pinged.1);
                }
                server.text.clear();
                let written = match self.scenario.config.ping_format {
                    PingFormat::Json => write!(server.text, r#"{{"type":"health_pong","timestamp":{timestamp}}}"#),
                    PingFormat::WebSocket => write!(server.text, "{timestamp}"),
                };
                debug_assert!(written.is_ok(), "a string takes everything");
                match self.scenario.config.ping_format {
                    PingFormat::Json => Frame::text(&server.text),
                    PingFormat::WebSocket => Frame::pong(server.text.as_bytes()),
                }
            }
            _ => Frame::text(LINE),
        };
        let inbound = server.manager.message(server.now, conn, frame, &mut server.out);
        if inbound == Inbound::Deliver {
            let chat = server.chat.clone();
            server
                .manager
                .broadcast(server.now, conn, chat, Except::UserOf(conn), &mut server.out);
        }
    }

    /// The stream of a socket has ended. True if that ended a connection.
    fn closed(&mut self, id: LinkId, cause: Cause) -> bool {
        let at = self.instant();
        let Some(link) = self.links.get_mut(id) else {
            return false;
        };
        let Some(conn) = link.conn else {
            self.give_up(id);
            return false;
        };
        let server = &mut self.server;
        server.sockets.remove(conn);
        let ended = server.manager.closed(server.now, conn, cause, &mut server.out);
        self.referee.ended(at, link);
        link.server_end = false;
        self.links.settle(id);
        ended
    }

    /// Does what the manager wrote, and what follows from that, and looks at the limits: an admission may write nothing.
    pub(super) fn carry_out(&mut self) {
        if !self.server.out.is_empty() {
            self.digest.time(self.server.now);
        }
        while !self.server.out.is_empty() {
            let mut out = core::mem::take(&mut self.server.out);
            for output in &out {
                self.digest.output(&output);
                match output {
                    Output::Command(Command::Send { to, payload }) => self.send(to, payload),
                    Output::Command(Command::Close { conn, cause, .. }) => self.start_close(conn, cause),
                    Output::Command(Command::Evict { conn, cause, .. }) => self.evict(conn, cause),
                    Output::Notice(Notice::Paused { .. }) => self.counts.pauses_noticed += 1,
                    Output::Notice(Notice::StaleWave { .. }) => self.counts.waves_noticed += 1,
                    Output::Notice(Notice::Pong { conn, .. }) => {
                        let link = self.server.sockets.get(conn).and_then(|&id| self.links.get(id));
                        self.counts.false_round_trips += u64::from(link.is_some_and(|link| !link.answered));
                    }
                    Output::Notice(Notice::ReservationLapsed { reservation, why, .. }) => self.lapsed(reservation, why),
                    Output::Notice(_) => {}
                }
            }
            out.clear();
            self.server.out = core::mem::replace(&mut self.server.next, out);
        }
        for id in core::mem::take(&mut self.server.admitted) {
            if let Some(link) = self.links.get_mut(id) {
                self.referee.check_limits(link);
            }
        }
        for id in core::mem::take(&mut self.server.giving_way) {
            self.referee.judge_leaving(self.links.get(id));
        }
    }

    fn send(&mut self, to: &[ConnId], payload: &Payload) {
        let down = ping_timestamp(payload).map(Down::Ping);
        for &conn in to {
            let Some(&id) = self.server.sockets.get(conn) else {
                continue;
            };
            if self.send_down(id, down) {
                self.counts.messages_out += 1;
                self.count_unflushed(id, payload.len());
                if let Some(Down::Ping(timestamp)) = down
                    && let Some(link) = self.links.get_mut(id)
                {
                    self.counts.pings += 1;
                    link.pinged = (timestamp, self.now);
                    link.answered = false;
                }
                continue;
            }
            // The peer takes nothing: drop it and say so.
            let at = self.instant();
            let server = &mut self.server;
            server.sockets.remove(conn);
            let ended = server
                .manager
                .closed(server.now, conn, Cause::SendFailed, &mut server.next);
            self.counts.send_failed += u64::from(ended);
            self.drop_socket(at, id);
        }
    }

    /// A message was given to a link: if it does not wait there, that is reported at once.
    fn count_unflushed(&mut self, id: LinkId, bytes: usize) {
        if !self.server.reports {
            return;
        }
        if let Some(link) = self.links.get_mut(id) {
            self.referee.written(link, bytes as u64);
        }
        if let Some((conn, bytes, messages)) = self.take_unflushed(id) {
            let server = &mut self.server;
            server
                .manager
                .flushed(server.now, conn, bytes, messages, &mut server.next);
        }
    }

    /// What is to be reported of a link in which nothing waits.
    fn take_unflushed(&mut self, id: LinkId) -> Option<(ConnId, u64, u32)> {
        let link = self.links.get_mut(id)?;
        let conn = link.conn.filter(|_| link.queued == 0 && link.unflushed.1 > 0)?;
        let (bytes, messages) = self.referee.flushed(link);
        Some((conn, bytes, messages))
    }

    fn start_close(&mut self, conn: ConnId, cause: Closing) {
        let Some(&id) = self.server.sockets.get(conn) else {
            return;
        };
        let at = self.instant();
        let replaced = cause == Closing::Replaced;
        if let Some(link) = self.links.get_mut(id) {
            self.referee.closing(at, link, replaced);
        }
        let advice = match cause {
            Closing::Replaced => Advice::Never,
            Closing::RateLimited => self.scenario.config.answers.rate_limited.retry.into(),
            _ => Advice::Nothing,
        };
        // If too much waits already, `close_timeout` will end it.
        self.send_down(id, Some(Down::Close(advice)));
    }

    fn evict(&mut self, conn: ConnId, cause: Eviction) {
        let evictions = &mut self.counts.evictions;
        *(match cause {
            Eviction::Stale => &mut evictions.stale,
            Eviction::CloseTimeout => &mut evictions.close_timeout,
            Eviction::Replaced => &mut evictions.replaced,
            Eviction::SlowConsumer => &mut evictions.slow_consumer,
            Eviction::OverBudget => &mut evictions.over_budget,
        }) += 1;
        let Some(id) = self.server.sockets.remove(conn) else {
            return;
        };
        let at = self.instant();
        if let Some(link) = self.links.get_mut(id)
            && cause == Eviction::Stale
        {
            self.referee.judge_stale(at, link);
        }
        self.drop_socket(at, id);
    }

    fn drop_socket(&mut self, at: Instant, id: LinkId) {
        if let Some(link) = self.links.get_mut(id) {
            self.referee.ended(at, link);
        }
        self.reset_down(id);
    }
}

/// The time stamp, if it is a ping.
fn ping_timestamp(payload: &Payload) -> Option<u64> {
    let digits = match payload {
        Payload::Ping(data) => data.as_bytes().as_ref(),
        Payload::Text(text) => text.as_bytes().strip_prefix(PING)?.strip_suffix(b"}")?,
        Payload::Binary(_) => return None,
    };
    core::str::from_utf8(digits).ok()?.parse().ok()
}
