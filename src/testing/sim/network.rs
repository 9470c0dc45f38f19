//! What lies between: packets take their time, never overtake, wait, or are lost.

use super::links::{Down, LinkId, Up};
use super::queue::Nanos;
use super::{Event, Sim};

impl Sim {
    /// A client sends something.
    pub(super) fn send_up(&mut self, id: LinkId, up: Up) {
        let Some(link) = self.links.get_mut(id) else {
            return;
        };
        if link.cut {
            return;
        }
        link.last_up = self.times.arrival(self.now, &mut link.rng).max(link.last_up);
        self.queue.push(link.last_up, Event::ToServer(id, up));
    }

    /// A client's packet is at the server's door. True if it gets in.
    pub(super) fn passes(&mut self, id: LinkId, up: Up) -> bool {
        let Some(link) = self.links.get_mut(id) else {
            return false;
        };
        if link.cut {
            if up == Up::Connect {
                link.server_end = false;
                self.links.settle(id);
            }
            return false;
        }
        if self.now < self.outage_until && link.held_up_until <= self.now {
            link.held_up_until = self.outage_until.saturating_add(link.rng.below(self.catch_up));
            link.last_up = link.last_up.max(link.held_up_until);
        }
        if self.now < link.held_up_until {
            self.queue.push(link.held_up_until, Event::ToServer(id, up));
            return false;
        }
        true
    }

    /// The server sends something; a text is `None`. False if too much waits already.
    pub(super) fn send_down(&mut self, id: LinkId, down: Option<Down>) -> bool {
        let outage = self.now < self.outage_until;
        let Some(link) = self.links.get_mut(id) else {
            return true;
        };
        if link.cut || link.stalled || link.draining || outage {
            if link.queued >= self.scenario.network.queue {
                return false;
            }
            link.queued += 1;
            link.queue.extend(down);
            self.flush(id);
        } else if let Some(down) = down {
            self.carry_down(id, down);
        }
        true
    }

    /// The server drops a socket: what waits is thrown away.
    pub(super) fn reset_down(&mut self, id: LinkId) {
        let outage_until = self.outage_until;
        let Some(link) = self.links.get_mut(id) else {
            return;
        };
        link.server_end = false;
        link.queued = 0;
        link.queue.clear();
        if !link.cut {
            // In an outage it is the client's next packet that brings it about.
            link.last_down = link.last_down.max(outage_until);
            self.carry_down(id, Down::Reset);
        }
        self.links.settle(id);
    }

    /// What waits for a client goes on its way if nothing is in it.
    pub(super) fn flush(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(id) else {
            return;
        };
        if link.cut || link.stalled || link.draining {
            return;
        }
        if self.now < self.outage_until {
            link.draining = true;
            let at = self.outage_until.saturating_add(link.rng.below(self.catch_up));
            self.queue.push(at, Event::Drain(id));
            return;
        }
        link.queued = 0;
        for down in core::mem::take(&mut link.queue) {
            self.carry_down(id, down);
        }
        if self.server.reports {
            self.turn(id, Up::Taken);
        }
    }

    /// TCP's next try after an outage.
    pub(super) fn drain(&mut self, id: LinkId) {
        if let Some(link) = self.links.get_mut(id) {
            link.draining = false;
            self.flush(id);
        }
    }

    /// A link is lost, and nobody is told.
    pub(super) fn cut(&mut self, id: LinkId) {
        let now = self.now;
        if let Some(link) = self.links.get_mut(id) {
            link.cut = true;
            link.client_end = false;
            self.referee.muted(now, link);
            self.links.settle(id);
        }
    }

    /// How long it takes at most until the answer to what is sent now is here.
    pub(super) const fn longest_round_trip(&self) -> Nanos {
        self.times.latency.saturating_add(self.times.jitter).saturating_mul(2)
    }

    fn carry_down(&mut self, id: LinkId, down: Down) {
        let Some(link) = self.links.get_mut(id) else {
            return;
        };
        link.last_down = self.times.arrival(self.now, &mut link.rng).max(link.last_down);
        self.queue.push(link.last_down, Event::ToClient(id, down));
    }
}
