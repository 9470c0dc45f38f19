//! The driver's two halves: what arrives is told to the manager, and what it writes is carried out.

use lobbykeeper::{
    Call, Command, ConnId, Ending, Event, Except, Frame, Handshake, Inbound, Notice, Outbox, Output, Payload, Reply,
    Request,
};

use crate::client::{Incoming, Outbound, State, incoming};
use crate::receipts;
use crate::world::World;

impl World {
    /// The server takes what a client has sent.
    pub(crate) fn deliver(&mut self, number: u32, outbound: Outbound) {
        let conn = self.clients.get(&number).and_then(|client| client.conn);
        // An evicted one's socket is gone, and whatever still comes on it.
        let conn = conn.filter(|conn| self.conns.get(*conn).is_some());
        match (outbound, conn) {
            (Outbound::Connect { user, lobby }, _) => {
                let call = Call::Event(Event::Connected(Handshake::new(lobby, user)));
                let reply = self.tell(call);
                self.connected(number, &reply);
            }
            (Outbound::Frame(frame), Some(conn)) => {
                let text = match &frame {
                    Frame::Text(text) => Some(text.to_string()),
                    _ => None,
                };
                let call = Call::Event(Event::Message { conn, frame });
                let reply = self.tell(call);
                // The application: what one says, all of the lobby hear.
                if reply == Reply::Message(Inbound::Deliver)
                    && let Some(text) = text
                {
                    let call = Call::Request(Request::Broadcast {
                        lobby: conn.into(),
                        payload: Payload::text(text).into(),
                        except: Except::Nobody,
                    });
                    self.tell(call);
                }
            }
            (Outbound::Switch(to), Some(conn)) => {
                let call = Call::Request(Request::SwitchLobby {
                    conn,
                    from: conn.into(),
                    to: to.as_str().into(),
                });
                let reply = self.tell(call);
                if let (Reply::Entered(Ok(_)), Some(client)) = (reply, self.clients.get_mut(&number)) {
                    client.lobby = to;
                }
            }
            (Outbound::Closed(cause), Some(conn)) => {
                let call = Call::Event(Event::Closed { conn, cause });
                self.tell(call);
            }
            // It was never let in, or has ended.
            (_, None) => {}
        }
    }

    fn connected(&mut self, number: u32, reply: &Reply) {
        let Some(client) = self.clients.get_mut(&number) else {
            return;
        };
        match reply {
            Reply::Connected(Ok(conn)) => {
                client.conn = Some(*conn);
                client.state = State::Open;
                self.conns.insert(*conn, number);
            }
            Reply::Connected(Err(refusal)) => client.state = State::Refused(receipts::refusal(refusal)),
            _ => {}
        }
    }

    /// Carries out what the manager has written.
    pub(crate) fn carry_out(&mut self, out: &Outbox) {
        for output in out {
            match output {
                Output::Command(Command::Send { to, payload }) => {
                    if let Some(incoming) = incoming(payload) {
                        for conn in to {
                            self.reach(*conn, incoming.clone());
                        }
                    }
                }
                Output::Command(Command::Close {
                    conn, cause, receipt, ..
                }) => {
                    self.becomes(conn, State::Closing(receipts::closing(cause, &receipt)));
                    self.reach(conn, Incoming::Close);
                }
                Output::Command(Command::Evict {
                    conn, cause, receipt, ..
                }) => self.becomes(conn, State::Ended(receipts::eviction(cause, &receipt))),
                Output::Notice(Notice::Ended { conn, ending, .. }) => {
                    let number = self.conns.remove(conn);
                    // An eviction has said why.
                    if let Ending::Closed(cause) = ending
                        && let Some(client) = number.and_then(|number| self.clients.get_mut(&number))
                    {
                        let why = match &client.state {
                            State::Closing(why) => why.clone(),
                            _ => cause.to_string(),
                        };
                        client.state = State::Ended(why);
                    }
                }
                Output::Notice(_) => {}
            }
        }
    }

    fn becomes(&mut self, conn: ConnId, state: State) {
        let number = self.conns.get(conn);
        if let Some(client) = number.and_then(|number| self.clients.get_mut(number)) {
            client.state = state;
        }
    }

    /// Something reaches a client's end of the link, or does not.
    fn reach(&mut self, conn: ConnId, incoming: Incoming) {
        let Some(&number) = self.conns.get(conn) else {
            return;
        };
        let answer = self
            .clients
            .get_mut(&number)
            .and_then(|client| client.receive(incoming));
        if let Some(answer) = answer {
            self.answer(number, answer);
        }
    }
}
