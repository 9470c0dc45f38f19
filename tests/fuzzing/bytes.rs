//! Settings and steps from bytes, so that a fuzzer can lead a manager.

use lobbykeeper::testing::{Act, But, Knobs, Name, Said, Stamp, Step, Style, Swap, Ticket, Until, When, Where, Who};
use lobbykeeper::{Cause, Limit, RateLimit};

/// Bytes that are used up one by one; zeros follow.
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl Bytes<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn next(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        first
    }

    fn word(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.next()))
    }

    /// Two bytes.
    pub(crate) fn index(&mut self) -> usize {
        u16::from_le_bytes(std::array::from_fn(|_| self.next())).into()
    }

    pub(crate) fn knobs(&mut self) -> Knobs {
        Knobs(std::array::from_fn(|_| self.next()))
    }

    pub(crate) fn step(&mut self) -> Step {
        Step {
            when: self.when(),
            act: self.act(),
        }
    }

    /// The upper bits choose, the lower ones count.
    fn when(&mut self) -> When {
        let byte = self.next();
        let count = u64::from(byte & 0x0f);
        match byte >> 4 {
            0..=4 => When::After(0),
            5 => When::After(count),
            6 => When::After(count * 1_000),
            7 => When::After(count * 250_000_000),
            8 => When::After(count * 5_000_000_000),
            9 | 10 => When::Deadline,
            11 => When::Before(count),
            12 => When::Late(count),
            13 => When::Late(count * 500_000_000),
            14 => When::Back(count * 1_000_000_000),
            _ if count == 15 => When::End(self.next().into()),
            _ => When::After(self.word() >> (4 * count)),
        }
    }

    fn who(&mut self) -> Who {
        let byte = self.next();
        match byte >> 5 {
            0..=4 => Who::Open(byte & 0x1f),
            5 | 6 => Who::Seen(byte & 0x1f),
            _ if byte & 0x1f == 0x1f => Who::Bits(self.word()),
            _ => Who::Bits((u64::from(byte & 3) << 32) | u64::from(byte & 0x1f)),
        }
    }

    fn name(&mut self) -> Name {
        Name(self.next())
    }

    fn place(&mut self) -> Where {
        match self.next() % 4 {
            0 | 1 => Where::Name(self.name()),
            2 => Where::Id(self.next()),
            _ => Where::Of(self.who()),
        }
    }

    fn but(&mut self) -> But {
        match self.next() % 4 {
            0 => But::Nobody,
            1 => But::Conn(self.who()),
            2 => But::User(self.name()),
            _ => But::UserOf(self.who()),
        }
    }

    fn said(&mut self) -> Said {
        let byte = self.next();
        let style = match byte >> 6 {
            0 | 1 => Style::Plain,
            2 => Style::Odd,
            _ => Style::Foreign,
        };
        match byte % 8 {
            0 => Said::Text(byte / 8),
            1 => Said::Binary(byte),
            2 => Said::Ping(byte),
            3 => Said::Pong(Stamp::Later(byte / 8), style),
            4 => Said::Pong(Stamp::Earlier(byte / 8), style),
            5 => Said::Pong(Stamp::Number(self.word()), style),
            _ => Said::Pong(Stamp::Last, style),
        }
    }

    fn timeout(&mut self) -> Option<u64> {
        let byte = self.next();
        match byte % 5 {
            0 => None,
            1 => Some(0),
            2 => Some(u64::from(byte) * 1_000),
            3 => Some(u64::from(byte) * 500_000_000),
            _ => Some(self.word()),
        }
    }

    fn until(&mut self) -> Until {
        let byte = self.next();
        match byte % 4 {
            0 => Until::Always,
            1 => Until::After(u64::from(byte)),
            2 => Until::After(u64::from(byte) * 500_000_000),
            _ => Until::Before(u64::from(byte) * 10_000_000),
        }
    }

    /// What is about who may come in, and for how long.
    fn door(&mut self) -> Act {
        let byte = self.next();
        let few = byte >> 4;
        match byte % 15 {
            0 if byte == 240 => Act::Drain(self.timeout().unwrap_or(1_000_000_000), self.until()),
            0 => Act::Lock(self.place()),
            1 => Act::Unlock(self.place()),
            2 => Act::KickUser(self.name()),
            3 => Act::KickLobby(self.place()),
            4 => Act::Extend(self.who(), self.until()),
            5 => {
                let limit = Limit::ALL[usize::from(self.next()) % Limit::ALL.len()];
                Act::SetLimit(limit, [0, 1, 2, 3, 4, 20, 100, 300].get(usize::from(few)).copied())
            }
            6 => {
                let limit = RateLimit::ALL[usize::from(few) % RateLimit::ALL.len()];
                Act::SetRate(limit, self.next())
            }
            7 | 8 => Act::Reserve(self.name(), self.name(), (few > 7).then_some(few % 3)),
            9 | 10 => Act::ConnectReserved(self.ticket(), self.swap(), self.until()),
            11 if few < 8 => Act::Release(self.ticket()),
            11 => Act::ReserveAgain(self.ticket()),
            _ => {
                let source = (few > 3).then_some(few % 3);
                Act::ConnectFrom(self.name(), self.name(), source, self.until())
            }
        }
    }

    fn ticket(&mut self) -> Ticket {
        let byte = self.next();
        match byte >> 5 {
            0..=4 => Ticket::Held(byte & 0x1f),
            5 | 6 => Ticket::Seen(byte & 0x1f),
            _ => Ticket::Bits((u64::from(byte & 3) << 32) | u64::from(byte & 0x1f)),
        }
    }

    fn swap(&mut self) -> Swap {
        let byte = self.next();
        match byte % 8 {
            0 => Swap::Lobby(self.name()),
            1 => Swap::User(self.name()),
            2 => Swap::Source((byte >= 128).then_some(byte % 3)),
            _ => Swap::Nothing,
        }
    }

    fn act(&mut self) -> Act {
        let byte = self.next();
        let cause = [Cause::Peer, Cause::Error, Cause::SendFailed][usize::from(byte >> 5) % 3];
        match byte % 20 {
            0..=3 => Act::Connect(self.name(), self.name()),
            4 | 5 => Act::Tick,
            6..=8 => {
                let who = self.who();
                Act::Message(who, self.said())
            }
            9 => Act::Closed(self.who(), cause),
            10 => Act::Kick(self.who()),
            11 => Act::PingUser(self.name(), self.timeout()),
            12 => Act::Broadcast(self.place(), self.but(), byte),
            13 => Act::BroadcastAll(self.but(), byte),
            14 => Act::SendTo(self.who(), byte),
            15 => Act::SendToUser(self.name(), byte),
            16 => Act::Join(self.who(), self.name()),
            17 => {
                let who = self.who();
                Act::Switch(who, self.place(), self.name())
            }
            18 => Act::Leave(self.who(), self.place()),
            _ if byte == 19 => Act::CloseAll,
            _ if byte >= 119 => self.door(),
            _ if byte == 39 => Act::Flushed(self.who(), None),
            _ if byte == 59 || byte == 79 => Act::Flushed(self.who(), Some((self.next(), self.next()))),
            _ => Act::Connect(self.name(), self.name()),
        }
    }
}
