//! What the page can do in the world.

use std::time::Duration;

use lobbykeeper::{Call, Cause, CloseFrame, Frame, Request};
use serde::Deserialize;

use crate::Trouble;
use crate::client::{Outbound, State};
use crate::world::World;

/// Something that a reader does. JSON form: `"pause"`, `{"add":{"user":"ann","lobby":"den"}}` and so on. Clients go by
/// the numbers that the [view](crate::View) gives them, times are in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// A new client connects; a user who is there already opens another tab.
    Add {
        /// Whose it is.
        user: String,
        /// Where it wants to go.
        lobby: String,
    },
    /// A client says something to its lobby.
    Say {
        /// Who.
        client: u32,
        /// What.
        text: String,
    },
    /// A client asks for another lobby.
    Switch {
        /// Who.
        client: u32,
        /// Which.
        lobby: String,
    },
    /// A client's tab is closed.
    Leave {
        /// Whose.
        client: u32,
    },
    /// A link is cut, and neither end is told.
    Cut {
        /// Whose.
        client: u32,
    },
    /// All links are cut: the server's own, so to speak.
    CutAll,
    /// A link is mended: what was sent meanwhile arrives.
    Mend {
        /// Whose.
        client: u32,
    },
    /// All links are mended.
    MendAll,
    /// A client falls asleep: it reads and answers nothing.
    Sleep {
        /// Who.
        client: u32,
    },
    /// It wakes, and answers what has come meanwhile.
    Wake {
        /// Who.
        client: u32,
    },
    /// The operator sends a client away.
    Kick {
        /// Whom.
        client: u32,
    },
    /// The server stands still.
    Pause,
    /// It goes on.
    Resume,
    /// The server is emptied.
    Drain {
        /// Between two closes.
        every: u64,
        /// When all are closed that are left.
        within: u64,
    },
    /// Time goes on to the next thing that happens.
    Step,
    /// Time goes on by so much.
    Advance {
        /// How much; a day at most.
        by: u64,
    },
}

/// The longest that time goes on at once.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl World {
    /// Does it.
    ///
    /// # Errors
    /// Why it was not done; the world is as it was. Of [`Action::Advance`] alone, a part may have been done when the
    /// recording is [full](Trouble::LogFull).
    pub fn act(&mut self, action: Action) -> Result<(), Trouble> {
        self.check_room()?;
        match action {
            Action::Add { user, lobby } => self.add(user, lobby).map(drop),
            Action::Say { client, text } => {
                let who = self.open(client)?;
                if who.asleep {
                    return Err(Trouble::Asleep(client));
                }
                let text = format!("{}: {text}", who.user);
                self.send(client, Outbound::Frame(Frame::Text(text.into())));
                Ok(())
            }
            Action::Switch { client, lobby } => self.switch(client, lobby),
            Action::Leave { client } => self.leave(client),
            Action::Cut { client } => self.set_cut(client, true),
            Action::CutAll => self.set_all_cut(true),
            Action::Mend { client } => self.set_cut(client, false),
            Action::MendAll => self.set_all_cut(false),
            Action::Sleep { client } => self.set_asleep(client, true),
            Action::Wake { client } => self.set_asleep(client, false),
            Action::Kick { client } => self.kick(client),
            Action::Pause => {
                self.set_paused(true);
                Ok(())
            }
            Action::Resume => {
                self.set_paused(false);
                Ok(())
            }
            Action::Drain { every, within } => {
                let deadline = self.now() + Duration::from_millis(within);
                let every = Duration::from_millis(every);
                self.request(Request::Drain { every, deadline })
            }
            Action::Step => self.step(),
            Action::Advance { by } => self.advance(Duration::from_millis(by).min(DAY)),
        }
    }

    fn switch(&mut self, client: u32, lobby: String) -> Result<(), Trouble> {
        let who = self.open(client)?;
        if who.asleep {
            return Err(Trouble::Asleep(client));
        }
        self.send(client, Outbound::Switch(lobby));
        Ok(())
    }

    fn leave(&mut self, client: u32) -> Result<(), Trouble> {
        let who = self.client_mut(client)?;
        if !who.is_there() || who.left {
            return Err(Trouble::NotConnected(client));
        }
        who.left = true;
        let words = format!("{} closes the tab", who.user);
        self.note(words);
        self.send(client, Outbound::Closed(Cause::Peer));
        Ok(())
    }

    fn set_cut(&mut self, client: u32, cut: bool) -> Result<(), Trouble> {
        let who = self.client_mut(client)?;
        if who.cut == cut {
            return Ok(());
        }
        who.cut = cut;
        let words = format!("the link of {} is {}", who.user, if cut { "cut" } else { "mended" });
        self.note(words);
        if !cut {
            self.mended(client)?;
        }
        Ok(())
    }

    fn set_all_cut(&mut self, cut: bool) -> Result<(), Trouble> {
        self.note(format!("all links are {}", if cut { "cut" } else { "mended" }));
        for number in self.there() {
            let who = self.client_mut(number)?;
            if who.cut != cut {
                who.cut = cut;
                if !cut {
                    self.mended(number)?;
                }
            }
        }
        Ok(())
    }

    /// What was held comes at once, then the client answers what has come meanwhile.
    fn mended(&mut self, client: u32) -> Result<(), Trouble> {
        for outbound in self.client_mut(client)?.release() {
            self.send(client, outbound);
        }
        self.catch_up(client)
    }

    fn set_asleep(&mut self, client: u32, asleep: bool) -> Result<(), Trouble> {
        let who = self.client_mut(client)?;
        if who.asleep == asleep {
            return Ok(());
        }
        who.asleep = asleep;
        let words = format!("{} {}", who.user, if asleep { "falls asleep" } else { "wakes" });
        self.note(words);
        self.catch_up(client)
    }

    fn kick(&mut self, client: u32) -> Result<(), Trouble> {
        let conn = self.open(client)?.conn.ok_or(Trouble::NotConnected(client))?;
        let Ok(close) = CloseFrame::new(4000, "kicked") else {
            return Ok(());
        };
        self.request(Request::Kick { conn, close })
    }

    fn set_paused(&mut self, paused: bool) {
        if self.is_paused() == paused {
            return;
        }
        let words = if paused { "stands still" } else { "goes on" };
        self.note(format!("the server {words}"));
        if paused {
            self.pause();
        } else {
            self.resume();
        }
    }

    /// Asks the manager, on behalf of the application.
    fn request(&mut self, request: Request<'_>) -> Result<(), Trouble> {
        if self.is_paused() {
            return Err(Trouble::Paused);
        }
        self.tell(Call::Request(request));
        Ok(())
    }

    /// A client that is in.
    fn open(&self, client: u32) -> Result<&crate::Client, Trouble> {
        let who = self.client(client)?;
        match who.state {
            State::Open if !who.left => Ok(who),
            _ => Err(Trouble::NotConnected(client)),
        }
    }
}
