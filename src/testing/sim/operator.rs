//! Somebody who gives the server orders.

use super::{Event, Sim};
use crate::limit::Limit;
use crate::refusal::CloseFrame;

impl Sim {
    /// An order, in a turn of its own. A process that stands still obeys when it goes on.
    pub(super) fn give_order(&mut self) {
        if let Some(sleep) = self.server.asleep {
            self.queue.push(sleep.until, Event::Order);
            return;
        }
        if let Some(every) = self.times.order_every {
            let at = self.now.saturating_add(self.operator.around(every));
            self.queue.push(at, Event::Order);
        }
        self.read_clock();
        match self.operator.below(10) {
            0..4 => self.kick(),
            4..7 => self.lock(true),
            7..9 => self.lock(false),
            _ => self.change_limit(),
        }
        self.call_tick();
        self.carry_out();
    }

    /// All connections and seats of a user go, who may have none.
    fn kick(&mut self) {
        let users = self.scenario.clients.div_ceil(self.scenario.devices_per_user);
        let user = self.choose(users);
        let expected = self.referee.limits.open_of(user);
        let close = CloseFrame::new(4000, "kicked").expect("it can be sent");
        let server = &mut self.server;
        server.write_names(0, user);
        let kicked = server
            .manager
            .kick_user(server.now, &server.user, &close, &mut server.out);
        self.counts.orders.kicks += 1;
        self.counts.orders.kicks_of_nobody += u64::from(kicked == 0);
        self.counts.orders.kicked += kicked as u64;
        self.carry_out();
        let obeyed = kicked == expected && self.referee.limits.is_gone(user);
        self.referee.orders_defied += u64::from(!obeyed);
    }

    fn lock(&mut self, locked: bool) {
        let lobby = self.choose(self.scenario.lobbies);
        let server = &mut self.server;
        server.write_names(lobby, 0);
        let changed = if locked {
            server
                .manager
                .lock_lobby(server.now, server.text.as_str(), &mut server.out)
        } else {
            server
                .manager
                .unlock_lobby(server.now, server.text.as_str(), &mut server.out)
        };
        let orders = &mut self.counts.orders;
        *(if locked { &mut orders.locks } else { &mut orders.unlocks }) += u64::from(changed);
        let expected = self.referee.limits.lock(lobby, locked);
        self.referee.orders_defied += u64::from(changed != expected);
    }

    /// One of the limits that there are, if there are any: something between half of what the settings said and all of it.
    fn change_limit(&mut self) {
        let config = &self.scenario.config;
        let limits = [
            (Limit::Connections, config.max_connections),
            (Limit::ConnectionsPerLobby, config.max_connections_per_lobby),
            (Limit::ConnectionsPerUser, config.max_connections_per_user),
        ];
        let chosen = self.operator.below(3);
        let Some(&(limit, Some(max))) = limits
            .iter()
            .cycle()
            .skip(usize::try_from(chosen).unwrap_or(0))
            .take(3)
            .find(|(_, max)| max.is_some())
        else {
            return;
        };
        let max = u64::from(max - max / 2) + self.operator.below(u64::from(max / 2) + 1);
        let server = &mut self.server;
        let set = server.manager.set_limit(server.now, limit, Some(max), &mut server.out);
        self.referee.orders_defied += u64::from(set.is_err());
        self.referee.limits.set(limit, max);
        self.counts.orders.limits += 1;
    }

    fn choose(&mut self, among: u32) -> u32 {
        u32::try_from(self.operator.below(among.into())).unwrap_or(0)
    }
}
