//! The clients: they come, talk, answer pings, go, and come back.

use super::links::{Advice, Down, LinkId, Up};
use super::queue::Nanos;
use super::rng::Rng;
use super::scenario::Reconnect;
use super::{Event, Sim};

/// A second: the most that an obedient client adds to a delay, and half of what it waits on its own account.
const SECOND: Nanos = 1_000_000_000;

#[derive(Clone, Debug)]
pub(super) struct Client {
    rng: Rng,
    /// On a visit.
    present: bool,
    /// Which visit; what was planned for an earlier one is void.
    visit: u32,
    lobby: u32,
    /// The link that it believes in.
    link: Option<LinkId>,
}

impl Client {
    pub(super) const fn new(rng: Rng) -> Self {
        Self {
            rng,
            present: false,
            visit: 0,
            lobby: 0,
            link: None,
        }
    }
}

impl Sim {
    /// A visit begins.
    pub(super) fn arrive(&mut self, number: u32) {
        let client = &mut self.clients[number as usize];
        client.present = true;
        client.visit += 1;
        let lobbies = u64::from(self.scenario.lobbies);
        client.lobby = u32::try_from(client.rng.below(lobbies)).unwrap_or(0);
        let leaves = self.now.saturating_add(client.rng.around(self.times.stay));
        self.queue.push(leaves, Event::Leave(number, client.visit));
        self.counts.visits += 1;
        self.connect(number);
    }

    /// A visit ends, in one of three ways.
    pub(super) fn leave(&mut self, number: u32, visit: u32) {
        let departure = self.scenario.departure;
        let client = &mut self.clients[number as usize];
        if !client.present || client.visit != visit {
            return;
        }
        client.present = false;
        let returns = self.now.saturating_add(client.rng.around(self.times.away));
        if !self.closing_time {
            self.queue.push(returns, Event::Arrive(number));
        }
        let crashes = client.rng.percent(departure.crash_percent);
        let rest = 100 - departure.crash_percent;
        let vanishes = client.rng.below(u64::from(rest)) < u64::from(departure.vanish_percent);
        let Some(id) = client.link.take() else {
            return;
        };
        if !crashes && vanishes {
            self.cut(id);
            return;
        }
        self.send_up(id, if crashes { Up::Reset } else { Up::Close });
        self.hang_up(id);
    }

    /// Everybody goes, and nobody comes any more.
    pub(super) fn close_doors(&mut self) {
        self.closing_time = true;
        for number in 0..self.scenario.clients {
            let visit = self.clients[number as usize].visit;
            self.leave(number, visit);
        }
        self.queue.retain(Event::outlasts_the_clients);
    }

    /// A client tries once more, unless its visit is over or it has a link.
    pub(super) fn reconnect(&mut self, number: u32, visit: u32) {
        let client = &self.clients[number as usize];
        if client.present && client.visit == visit && client.link.is_none() {
            self.connect(number);
        }
    }

    /// A connected client says something.
    pub(super) fn talk(&mut self, id: LinkId) {
        if self.is_held(id) {
            self.send_up(id, Up::Text);
            self.plan(id, self.times.talk_every, Event::Talk);
        }
    }

    /// A client stops reading.
    pub(super) fn stall(&mut self, id: LinkId) {
        let last = self.times.stall_lasts;
        if self.is_held(id)
            && let Some(link) = self.links.get_mut(id)
        {
            link.stalled = true;
            link.stalled_until = Nanos::MAX;
            self.referee.muted(self.now, link);
            self.plan(id, last, Event::Resume);
        }
    }

    /// A client reads again: first what it was given, then what waits.
    pub(super) fn resume(&mut self, id: LinkId) {
        if !self.is_held(id) {
            return;
        }
        let excused_until = self.now.saturating_add(self.longest_round_trip());
        if let Some(link) = self.links.get_mut(id) {
            link.stalled = false;
            link.stalled_until = excused_until;
            let unread = core::mem::take(&mut link.unread);
            self.flush(id);
            self.plan(id, self.times.stall_every, Event::Stall);
            for down in unread {
                self.receive(id, down);
            }
        }
    }

    /// Something has come to a client.
    pub(super) fn receive(&mut self, id: LinkId, down: Down) {
        let Some(link) = self.links.get_mut(id) else {
            return;
        };
        if link.cut || !link.client_end {
            return;
        }
        if link.stalled && down != Down::Reset {
            link.unread.push(down);
            return;
        }
        match down {
            Down::Open => {
                self.plan(id, self.times.talk_every, Event::Talk);
                self.plan(id, self.times.stall_every, Event::Stall);
                self.plan(id, self.times.cut_after, Event::Cut);
            }
            Down::Ping(timestamp) => self.send_up(id, Up::Pong(timestamp)),
            Down::Close(advice) => {
                if link.server_end {
                    self.send_up(id, Up::Close);
                }
                self.lose(id, advice);
            }
            Down::Reset => self.lose(id, Advice::Nothing),
        }
    }

    /// A link breaks in the midst of a visit. The client notices after a while; the server is not told.
    pub(super) fn break_link(&mut self, id: LinkId) {
        if !self.is_held(id) {
            return;
        }
        if let Some(number) = self.forget_link(id) {
            self.cut(id);
            let client = &mut self.clients[number as usize];
            let at = self.now.saturating_add(client.rng.around(self.times.cut_noticed_after));
            self.queue.push(at, Event::Reconnect(number, client.visit));
        }
    }

    /// All links are lost at once.
    pub(super) fn storm(&mut self, silent: bool) {
        for id in self.links.held_by_clients() {
            if silent {
                if let Some(number) = self.forget_link(id) {
                    self.cut(id);
                    self.come_back(number, Advice::Nothing);
                }
            } else {
                self.send_up(id, Up::Reset);
                self.lose(id, Advice::Nothing);
            }
        }
    }

    fn connect(&mut self, number: u32) {
        let client = &mut self.clients[number as usize];
        let id = self.links.open(client.rng.fork(), number, client.lobby);
        client.link = Some(id);
        self.send_up(id, Up::Connect);
    }

    /// A client knows that its link is no more.
    fn lose(&mut self, id: LinkId, advice: Advice) {
        if let Some(number) = self.forget_link(id) {
            self.hang_up(id);
            self.come_back(number, advice);
        }
    }

    fn come_back(&mut self, number: u32, advice: Advice) {
        let client = &mut self.clients[number as usize];
        let delay = match (self.scenario.reconnect, advice) {
            (Reconnect::AtOnce, _) => 0,
            (Reconnect::Obedient, Advice::Never) => return,
            (Reconnect::Obedient, Advice::After(delay)) => delay.saturating_add(client.rng.below(SECOND)),
            (Reconnect::Obedient, Advice::Nothing) => client.rng.around(SECOND),
        };
        self.queue
            .push(self.now.saturating_add(delay), Event::Reconnect(number, client.visit));
    }

    /// Whose link it was, if its client still believed in it.
    fn forget_link(&mut self, id: LinkId) -> Option<u32> {
        let number = self.links.get_mut(id)?.client;
        let client = &mut self.clients[number as usize];
        client.link.take_if(|link| *link == id).map(|_| number)
    }

    /// The client lets go of its end.
    fn hang_up(&mut self, id: LinkId) {
        if let Some(link) = self.links.get_mut(id) {
            link.client_end = false;
            self.links.settle(id);
        }
    }

    fn is_held(&mut self, id: LinkId) -> bool {
        self.links.get_mut(id).is_some_and(|link| link.client_end)
    }

    /// Something that a client does every `mean` on average.
    fn plan(&mut self, id: LinkId, mean: Option<Nanos>, event: fn(LinkId) -> Event) {
        if let Some(mean) = mean
            && let Some(link) = self.links.get_mut(id)
        {
            let at = self
                .now
                .saturating_add(self.clients[link.client as usize].rng.around(mean));
            self.queue.push(at, event(id));
        }
    }
}
