//! The model's health checks.

use std::time::Duration;

use crate::{Config, ConnId, Eviction, Frame, Inbound, PingFormat};

use super::model::{Model, Phase};
use super::model_clock::{LAST, nanos};
use super::model_flow::Class;
use super::model_rates::length;
use super::pong::{self, first_ping};
use super::told::{Told, Words};

/// One connection's health. All instants are nanoseconds of active time.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    /// When anything was last heard; the connect counts.
    pub(super) heard: u128,
    /// The last ping sent.
    pub(crate) ping: Option<Ping>,
    next: Next,
    /// Somebody waits for a pong.
    pub(super) asked: Option<Asked>,
    pub(super) missed: u32,
    /// This silence has had its extra ping.
    spared: bool,
    /// Round-trip times in microseconds, all of them.
    samples: Vec<u32>,
    /// When it is looked at next. No message moves it.
    pub(super) check: Option<u128>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Ping {
    pub(crate) stamp: u64,
    sent: u128,
    /// How many pauses there had been.
    pauses: u64,
    /// A pong may still answer it.
    pub(crate) outstanding: bool,
}

/// What the regular checks wait for.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// They are off.
    Nothing,
    /// To send a ping at this instant.
    Ping(u128),
    /// To judge the last ping at this instant.
    Verdict(u128),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    until: u128,
    patience: u128,
}

/// What follows from a check.
#[derive(PartialEq, Eq)]
enum Fate {
    Rests,
    IsPinged,
    IsStale,
}

impl Health {
    pub(super) fn new(config: &Config, now: u128, conn: ConnId) -> Self {
        let next = config.ping_interval.map_or(Next::Nothing, |interval| {
            Next::Ping(now + first_ping(config.seed, conn, nanos(interval)))
        });
        let mut health = Self {
            heard: now,
            ping: None,
            next,
            asked: None,
            missed: 0,
            spared: false,
            samples: Vec::new(),
            check: None,
        };
        health.set_check();
        health
    }

    /// Last, smallest and smoothed round-trip time in microseconds.
    pub(crate) fn latency(&self) -> Option<(u32, u32, u32)> {
        let (&first, later) = self.samples.split_first()?;
        let eight_times = later.iter().fold(first * 8, |sum, &sample| sum - sum / 8 + sample);
        Some((*self.samples.last()?, *self.samples.iter().min()?, eight_times / 8))
    }

    /// Forgets all checks but this one.
    pub(super) fn check_only_at(&mut self, time: u128) {
        self.check = Some(time).filter(|&time| time <= LAST);
    }

    fn set_check(&mut self) {
        let next = match self.next {
            Next::Nothing => None,
            Next::Ping(time) | Next::Verdict(time) => Some(time),
        };
        let asked = self.asked.map(|asked| asked.until);
        self.check = [next, asked].into_iter().flatten().filter(|&time| time <= LAST).min();
    }

    /// A pong can come that gives a round-trip time.
    fn answerable(&self, pauses: u64) -> bool {
        self.ping.is_some_and(|ping| ping.outstanding && ping.pauses == pauses)
    }

    /// Its last ping is to be judged at this instant, was followed by silence, and was sent before a pause.
    pub(super) fn was_voided(&self, now: u128, pauses: u64) -> bool {
        let due = matches!(self.next, Next::Verdict(time) if time <= now);
        due && self
            .ping
            .is_some_and(|ping| self.heard < ping.sent && ping.pauses != pauses)
    }

    fn close_question(&mut self) {
        if let Some(ping) = &mut self.ping {
            ping.outstanding = false;
        }
    }
}

impl Model {
    pub(super) fn silent(&self) -> usize {
        self.open_conns().filter(|conn| conn.health.missed > 0).count()
    }

    pub(super) fn too_many_are_silent(&self) -> bool {
        self.would_be_too_many(self.silent())
    }

    pub(super) fn would_be_too_many(&self, silent: usize) -> bool {
        let open = self.open_conns().count();
        let floor = self.config.stale_wave_floor;
        floor.is_some_and(|floor| silent > floor as usize && 4 * silent > open)
    }

    pub(super) fn message(&mut self, id: ConnId, frame: &Frame<'_>) -> Inbound {
        let (now, pauses, format) = (self.clock.active(), self.clock.pauses, self.config.ping_format);
        let Some(health) = self.open_mut(id).map(|conn| &mut conn.health) else {
            self.counted.stale_ids += 1;
            return Inbound::Stale;
        };
        health.heard = now;
        health.missed = 0;
        health.spared = false;
        self.counted.messages_in += 1;
        self.counted.bytes_in += length(frame);
        if let Some(reason) = self.drop_too_big(id, frame) {
            return Inbound::Dropped(reason);
        }
        let health = &mut self.open_mut(id).unwrap().health;
        let (inbound, stamp) = match (frame, format) {
            (Frame::Text(text), PingFormat::Json) => match pong::in_json(text) {
                Some(pong) => (Inbound::Handled, pong.timestamp),
                None => (Inbound::Deliver, None),
            },
            (Frame::Pong(data), PingFormat::WebSocket) => (Inbound::Handled, pong::in_frame(data)),
            (Frame::Ping(_) | Frame::Pong(_), _) => (Inbound::Handled, None),
            (Frame::Text(_) | Frame::Binary(_), _) => (Inbound::Deliver, None),
        };
        let answered = health
            .ping
            .as_mut()
            .filter(|ping| ping.outstanding && Some(ping.stamp) == stamp);
        if let Some(ping) = answered {
            ping.outstanding = false;
            // A pong to a ping from before a pause proves life and gives no time.
            if ping.pauses == pauses {
                let micros = ((now - ping.sent) / 1_000).min(u128::from(u32::MAX / 8));
                let micros = u32::try_from(micros).unwrap();
                health.samples.push(micros);
                let requested = health.asked.take().is_some();
                self.counted.pongs += 1;
                self.told.push(Told::Pong {
                    conn: id,
                    rtt: Duration::from_micros(micros.into()),
                    requested,
                });
            }
            // Free, whatever else was sent.
            return inbound;
        }
        self.pay(id).map_or(inbound, Inbound::Dropped)
    }

    /// Looks at everyone who is due, earliest first and at one instant by index.
    pub(super) fn tick(&mut self) {
        self.close_expired();
        self.give_up_seats();
        self.close_draining();
        let mut pinged = Vec::new();
        loop {
            let due = self
                .conns
                .iter()
                .filter_map(|conn| Some((conn.health.check?, conn.id.index(), conn.id, conn.phase)))
                .filter(|&(time, ..)| time <= self.clock.active())
                .min_by_key(|&(time, index, ..)| (time, index));
            match due {
                None => break,
                Some((.., id, Phase::Closing { .. })) => self.evict(id, Eviction::CloseTimeout),
                Some((.., id, Phase::Open)) => self.look_at(id, &mut pinged),
            }
        }
        self.send_pings(pinged);
    }

    fn look_at(&mut self, id: ConnId, pinged: &mut Vec<ConnId>) {
        let mut fate = self.judge(id);
        self.look_at_demand(id, &mut fate);
        if fate == Fate::IsStale {
            let wave = self.too_many_are_silent();
            let health = &mut self.open_mut(id).unwrap().health;
            if !wave || health.spared {
                self.evict(id, Eviction::Stale);
                return;
            }
            health.spared = true;
            fate = Fate::IsPinged;
            if !self.wave {
                self.wave = true;
                self.told.push(Told::StaleWave {
                    missed: u32::try_from(self.silent()).unwrap(),
                    open: u32::try_from(self.open_conns().count()).unwrap(),
                });
            }
        }
        if fate == Fate::IsPinged {
            self.ping(id);
            pinged.push(id);
        }
        self.open_mut(id).unwrap().health.set_check();
    }

    /// What the regular checks say.
    fn judge(&mut self, id: ConnId) -> Fate {
        let (now, pauses) = (self.clock.active(), self.clock.pauses);
        let (interval, max_missed) = (self.config.ping_interval, u32::from(self.config.max_missed));
        let health = &mut self.open_mut(id).unwrap().health;
        match health.next {
            Next::Ping(time) if time <= now => Fate::IsPinged,
            Next::Verdict(time) if time <= now => {
                let ping = health.ping.unwrap();
                if health.heard >= ping.sent {
                    if health.asked.is_none() {
                        health.close_question();
                    }
                    let again = ping.sent + nanos(interval.unwrap());
                    health.next = Next::Ping(again);
                    return if again <= now { Fate::IsPinged } else { Fate::Rests };
                }
                if ping.pauses != pauses {
                    return Fate::IsPinged;
                }
                health.missed += 1;
                let stale = health.missed >= max_missed;
                self.counted.missed_pings += 1;
                if stale { Fate::IsStale } else { Fate::IsPinged }
            }
            Next::Nothing | Next::Ping(_) | Next::Verdict(_) => Fate::Rests,
        }
    }

    /// What the ping on demand says.
    fn look_at_demand(&mut self, id: ConnId, fate: &mut Fate) {
        let (now, pauses) = (self.clock.active(), self.clock.pauses);
        let health = &mut self.open_mut(id).unwrap().health;
        let Some(asked) = health.asked.filter(|asked| asked.until <= now) else {
            return;
        };
        if health.answerable(pauses) {
            health.asked = None;
            if !matches!(health.next, Next::Verdict(_)) {
                health.close_question();
            }
        } else {
            // The answer was lost in a pause: the same patience once more, kept in whole milliseconds.
            let patience = asked.patience.div_ceil(1_000_000).clamp(1, u128::from(u32::MAX)) * 1_000_000;
            let until = now + patience;
            health.asked = (until <= LAST).then_some(Asked { until, ..asked });
            if *fate == Fate::Rests {
                *fate = Fate::IsPinged;
            }
        }
        if health.asked.is_none() {
            self.told.push(Told::PingTimedOut { conn: id });
        }
    }

    pub(super) fn ping_user(&mut self, user: &str, timeout: Option<Duration>) -> usize {
        let (now, pauses) = (self.clock.active(), self.clock.pauses);
        let patience = nanos(timeout.unwrap_or(self.config.ping_user_timeout));
        let theirs = self.conns_of(user);
        let mut pinged = Vec::new();
        for &id in &theirs {
            let health = &mut self.open_mut(id).unwrap().health;
            let until = (now + patience).min(LAST);
            if health.asked.is_none_or(|earlier| earlier.until < until) {
                health.asked = Some(Asked { until, patience });
            }
            if !health.answerable(pauses) {
                self.ping(id);
                pinged.push(id);
            }
            self.open_mut(id).unwrap().health.set_check();
        }
        self.send_pings(pinged);
        theirs.len()
    }

    /// Notes that the connection is pinged in this call. All pings of a call share the next time stamp.
    fn ping(&mut self, id: ConnId) {
        let (sent, pauses, stamp) = (self.clock.active(), self.clock.pauses, self.next_stamp());
        let verdict = self.clock.after(self.config.ping_timeout);
        let health = &mut self.open_mut(id).unwrap().health;
        health.ping = Some(Ping {
            stamp,
            sent,
            pauses,
            outstanding: true,
        });
        if !matches!(health.next, Next::Nothing) {
            health.next = Next::Verdict(verdict);
        }
    }

    fn next_stamp(&self) -> u64 {
        (self.last_stamp + 1)
            .max(self.clock.last / 1_000_000)
            .min(99_999_999_999_999)
    }

    fn send_pings(&mut self, to: Vec<ConnId>) {
        if to.is_empty() {
            return;
        }
        self.last_stamp = self.next_stamp();
        let stamp = self.last_stamp;
        let payload = match self.config.ping_format {
            PingFormat::Json => Words::Text(format!(r#"{{"type":"health_ping","timestamp":{stamp}}}"#)),
            PingFormat::WebSocket => Words::Ping(stamp.to_string()),
        };
        self.counted.pings += self.write(to, payload, Class::Ping) as u64;
    }
}
