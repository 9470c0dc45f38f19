//! Lobbies that nobody new may enter.

use super::Manager;
use crate::event::LobbyRef;
use crate::outbox::Outbox;
use crate::refusal::{Breach, RefusalRule};
use crate::time::Time;

impl Manager {
    /// Locks an open lobby: from now on only users may enter who have an open connection in it, with a new connection
    /// or with one that joins or switches. All others are refused with
    /// [`LobbyLocked`](crate::RefusalRule::LobbyLocked). Nobody is sent away.
    ///
    /// The lock goes when the lobby closes: one that opens later under the same name has none. False, with nothing
    /// changed, if there is no such lobby or if it is locked already. Writes nothing. O(1).
    ///
    /// ```
    /// use lobbykeeper::{Config, Handshake, Manager, Outbox, RefusalRule, Time};
    ///
    /// let mut manager = Manager::new(Config::default()).unwrap();
    /// let (now, mut out) = (Time::ZERO, Outbox::new());
    /// manager.connected(now, Handshake::new("den", "ann"), &mut out).unwrap();
    /// assert!(manager.lock_lobby(now, "den", &mut out));
    /// let refusal = manager.connected(now, Handshake::new("den", "bob"), &mut out).unwrap_err();
    /// assert_eq!(refusal.rule(), RefusalRule::LobbyLocked);
    /// assert!(manager.connected(now, Handshake::new("den", "ann"), &mut out).is_ok());
    /// ```
    pub fn lock_lobby<'a>(&mut self, now: Time, lobby: impl Into<LobbyRef<'a>>, out: &mut Outbox) -> bool {
        self.set_lock(now, &lobby.into(), true, out)
    }

    /// Takes the lock off a lobby. False, with nothing changed, if there is no such lobby or if it is not locked.
    /// Writes nothing. O(1).
    pub fn unlock_lobby<'a>(&mut self, now: Time, lobby: impl Into<LobbyRef<'a>>, out: &mut Outbox) -> bool {
        self.set_lock(now, &lobby.into(), false, out)
    }

    /// Whether the lobby is open and locked. O(1).
    pub fn is_locked<'a>(&self, lobby: impl Into<LobbyRef<'a>>) -> bool {
        self.resolve(&lobby.into())
            .is_some_and(|lobby| self.lobbies.at(lobby).locked)
    }

    fn set_lock(&mut self, now: Time, lobby: &LobbyRef<'_>, locked: bool, out: &mut Outbox) -> bool {
        self.enter_call(now, out);
        let Some(lobby) = self.resolve(lobby) else {
            return false;
        };
        let was = core::mem::replace(&mut self.lobbies.at_mut(lobby).locked, locked);
        was != locked
    }

    /// Whether a user, if there is one, may enter a lobby, if it is open, as far as its lock is concerned.
    pub(super) fn check_lock(&self, lobby: Option<u32>, user: Option<u32>) -> Result<(), Breach> {
        let Some(lobby) = lobby.filter(|&lobby| self.lobbies.at(lobby).locked) else {
            return Ok(());
        };
        match user.and_then(|user| self.presences.find(lobby, user)) {
            Some(_) => Ok(()),
            None => Err(Breach {
                rule: RefusalRule::LobbyLocked,
                seen: 0,
                threshold: 1,
            }),
        }
    }
}
