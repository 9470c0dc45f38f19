//! Whether the manager keeps its word, judged by what the world knows and not by what the manager says.

use core::time::Duration;

use super::limits::Limits;
use super::links::{Link, LinkId, Links, Phase};
use super::queue::Nanos;
use super::report::StaleTruth;
use super::scenario::Scenario;
use crate::config::Config;
use crate::time::duration_nanos;

/// The instant of a judgement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instant {
    pub(super) now: Nanos,
    /// The server's active time.
    pub(super) active: Nanos,
    /// Its clock, which never runs back.
    pub(super) clock: Nanos,
}

#[derive(Clone, Debug)]
pub(super) struct Referee {
    pub(super) limits: Limits,
    /// The last instant that `average` and `peak` cover.
    counted_until: Nanos,
    /// Connections times nanoseconds.
    area: u128,
    pub(super) peak: u64,
    pub(super) overruns: u64,
    pub(super) peak_backlog: u64,

    ghost_bound: Option<Nanos>,
    /// The least silence that may be called stale.
    patience: Nanos,
    timeout: Nanos,
    stale_wave_floor: Option<u32>,
    /// Pauses of the server and steps forward of its clock; each may void a ping.
    disruptions: u32,
    /// Open connections whose links are cut or whose clients do not read, and that have not been heard since.
    mute: u32,
    /// When there was last reason to suspect the server's own network.
    suspect_at: Option<Nanos>,
    /// Until when an outage excuses silence.
    pub(super) outage_until: Nanos,
    pub(super) oldest_ghost: Nanos,
    pub(super) oldest_undisturbed_ghost: Nanos,
    pub(super) ghosts_over_bound: u64,
    pub(super) evicted_early: u64,
    pub(super) stale: StaleTruth,
    /// How long a seat may be reserved.
    reservation_ttl: Nanos,
    pub(super) seats_mistimed: u64,
    pub(super) orders_defied: u64,
}

impl Referee {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let Config {
            ping_interval,
            ping_timeout,
            max_missed,
            stale_wave_floor,
            reservation_ttl,
            ..
        } = scenario.config;
        let timeout = duration_nanos(ping_timeout);
        let patience = timeout.saturating_mul(u64::from(max_missed));
        Self {
            limits: Limits::new(scenario),
            counted_until: 0,
            area: 0,
            peak: 0,
            overruns: 0,
            peak_backlog: 0,
            ghost_bound: ping_interval.map(|interval| duration_nanos(interval).saturating_add(patience)),
            patience,
            timeout,
            stale_wave_floor,
            disruptions: 0,
            mute: 0,
            suspect_at: None,
            outage_until: 0,
            oldest_ghost: 0,
            oldest_undisturbed_ghost: 0,
            ghosts_over_bound: 0,
            evicted_early: 0,
            stale: StaleTruth::default(),
            reservation_ttl: duration_nanos(reservation_ttl),
            seats_mistimed: 0,
            orders_defied: 0,
        }
    }

    /// The manager was told that something came.
    pub(super) fn heard(&mut self, at: Instant, link: &mut Link) {
        self.stamp(at, link);
        if !link.cut && !link.stalled {
            self.count_mute(at.now, link, false);
        }
    }

    /// The manager lets somebody in whom it does not expect: there may be a lock.
    pub(super) fn judge_entry(&mut self, links: &Links, id: LinkId) {
        self.orders_defied += u64::from(links.get(id).is_some_and(|link| self.limits.are_locked(links, link)));
    }

    /// The manager holds a seat for it, in a turn in which all that it wrote has been carried out.
    pub(super) fn reserved(&mut self, at: Instant, links: &mut Links, id: LinkId) {
        self.judge_entry(links, id);
        self.count_until(at.now);
        self.limits.hold(links, id);
        if let Some(link) = links.get_mut(id) {
            link.phase = Phase::Reserved;
            self.stamp(at, link);
            self.check_limits(link);
        }
    }

    /// The seat is held no more: it was used, released or given up. Returns the connection that has to go if it was used.
    pub(super) fn vacated(&mut self, at: Instant, links: &mut Links, id: LinkId) -> Option<LinkId> {
        self.count_until(at.now);
        let link = links.get_mut(id).filter(|link| link.phase == Phase::Reserved)?;
        link.phase = Phase::Outside;
        let more = u64::from(self.disruptions - link.heard_disruptions);
        let bound = self.reservation_ttl.saturating_mul(1 + more);
        self.seats_mistimed += u64::from(at.active.saturating_sub(link.heard_active) > bound);
        self.limits.vacate(links, id)
    }

    /// The manager says that it has held the seat for long enough.
    pub(super) fn judge_lapse(&mut self, at: Instant, link: &Link) {
        self.seats_mistimed += u64::from(at.clock - link.heard_clock < self.reservation_ttl);
    }

    /// The one whose place was taken is to be gone by now.
    pub(super) fn judge_leaving(&mut self, link: Option<&Link>) {
        self.overruns += u64::from(link.is_some_and(|link| link.phase == Phase::Open));
    }

    /// The manager admitted it.
    pub(super) fn admitted(&mut self, at: Instant, link: &mut Link) {
        self.count_until(at.now);
        self.suspect(at.now);
        link.phase = Phase::Open;
        self.heard(at, link);
        self.count_mute(at.now, link, link.cut);
        self.limits.enter(link);
    }

    /// The limits, once what an admission caused has been carried out.
    pub(super) fn check_limits(&mut self, link: &Link) {
        self.overruns += u64::from(self.limits.are_overrun(link));
        self.peak = self.peak.max(self.limits.seats);
    }

    /// A message was given to a link.
    pub(super) fn written(&mut self, link: &mut Link, bytes: u64) {
        if link.phase != Phase::Open {
            return;
        }
        link.unflushed.0 += bytes;
        link.unflushed.1 += 1;
        let limits = &mut self.limits;
        limits.backlog += bytes;
        let overrun = link.unflushed.0 > limits.per_backlog.0
            || u64::from(link.unflushed.1) > limits.per_backlog.1
            || limits.backlog > limits.budget;
        self.overruns += u64::from(overrun);
        self.peak_backlog = self.peak_backlog.max(limits.backlog);
    }

    /// Nothing waits in a link any more, or it no longer matters. Returns what waited.
    pub(super) fn flushed(&mut self, link: &mut Link) -> (u64, u32) {
        self.limits.backlog -= link.unflushed.0;
        core::mem::take(&mut link.unflushed)
    }

    /// A link is cut, or its client does not read: from now on silence can be expected.
    pub(super) fn muted(&mut self, now: Nanos, link: &mut Link) {
        if link.phase == Phase::Open {
            self.count_mute(now, link, true);
        }
    }

    /// The manager told it to close.
    pub(super) fn closing(&mut self, at: Instant, link: &mut Link, replaced: bool) {
        if link.phase == Phase::Open {
            let replaced = replaced || link.claimed.is_some();
            self.withdraw(at, link);
            self.limits.seats -= u64::from(replaced);
            link.phase = Phase::Closing { replaced };
        }
    }

    /// The manager was told, or told us, that it is over.
    pub(super) fn ended(&mut self, at: Instant, link: &mut Link) {
        self.count_until(at.now);
        match link.phase {
            Phase::Outside | Phase::Reserved => return,
            Phase::Open => {
                self.withdraw(at, link);
                self.limits.seats -= 1;
            }
            Phase::Closing { replaced } => self.limits.seats -= u64::from(!replaced),
        }
        link.phase = Phase::Outside;
    }

    /// Was it right to call it stale?
    pub(super) fn judge_stale(&mut self, at: Instant, link: &Link) {
        self.evicted_early += u64::from(at.clock - link.heard_clock < self.patience);
        let stale = &mut self.stale;
        *(if link.cut {
            &mut stale.ghosts
        } else if !link.client_end {
            &mut stale.leaving
        } else if link.stalled_until >= link.heard {
            &mut stale.not_reading
        } else if self.outage_until >= link.heard {
            &mut stale.cut_off
        } else {
            &mut stale.innocent
        }) += 1;
    }

    /// Pings under way are void.
    pub(super) fn disrupted(&mut self, now: Nanos) {
        self.disruptions += 1;
        self.suspect_at = Some(now);
    }

    /// Nothing gets through until then.
    pub(super) fn outage(&mut self, excused_until: Nanos) {
        self.outage_until = self.outage_until.max(excused_until);
        self.suspect_at = self.suspect_at.max(Some(excused_until));
    }

    /// One whom nobody will hear again is still open.
    pub(super) fn still_open(&mut self, at: Instant, link: &Link) {
        if link.cut && link.phase == Phase::Open {
            self.judge_age(at, link);
        }
    }

    /// Connections on average until `end`.
    pub(super) fn average(&self, end: Nanos) -> u64 {
        let average = self.area.checked_div(u128::from(end)).unwrap_or(0);
        u64::try_from(average).unwrap_or(u64::MAX)
    }

    pub(super) fn count_until(&mut self, now: Nanos) {
        self.area += u128::from(self.limits.seats) * u128::from(now.saturating_sub(self.counted_until));
        self.counted_until = self.counted_until.max(now);
    }

    pub(super) fn bound(&self) -> Option<Duration> {
        self.ghost_bound.map(Duration::from_nanos)
    }

    const fn stamp(&self, at: Instant, link: &mut Link) {
        link.heard = at.now;
        link.heard_active = at.active;
        link.heard_clock = at.clock;
        link.heard_disruptions = self.disruptions;
    }

    /// It is no longer open.
    fn withdraw(&mut self, at: Instant, link: &mut Link) {
        self.still_open(at, link);
        self.count_mute(at.now, link, false);
        self.flushed(link);
        self.limits.leave(link);
        self.suspect(at.now);
    }

    fn judge_age(&mut self, at: Instant, link: &Link) {
        let Some(bound) = self.ghost_bound else {
            return;
        };
        self.suspect(at.now);
        let age = at.active.saturating_sub(link.heard_active);
        let suspected = self.stale_wave_floor.is_some() && self.suspect_at.is_some_and(|suspect| suspect >= link.heard);
        let more = u64::from(self.disruptions - link.heard_disruptions) + u64::from(suspected);
        self.oldest_ghost = self.oldest_ghost.max(age);
        if more == 0 {
            self.oldest_undisturbed_ghost = self.oldest_undisturbed_ghost.max(age);
        }
        if age > bound.saturating_add(self.timeout.saturating_mul(more)) {
            self.ghosts_over_bound += 1;
        }
    }

    fn count_mute(&mut self, now: Nanos, link: &mut Link, mute: bool) {
        if link.mute != mute {
            self.suspect(now);
            link.mute = mute;
            if mute {
                self.mute += 1;
            } else {
                self.mute -= 1;
            }
            self.suspect(now);
        }
    }

    /// Looks for a wave of silence, whenever what makes one has changed or is about to.
    fn suspect(&mut self, now: Nanos) {
        let wave = |floor| self.mute > floor && u64::from(self.mute) * 4 > u64::from(self.limits.open);
        if self.stale_wave_floor.is_some_and(wave) {
            self.suspect_at = self.suspect_at.max(Some(now));
        }
    }
}
