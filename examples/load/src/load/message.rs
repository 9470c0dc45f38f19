//! The messages as the load client writes and reads them. They have a fixed layout, so that reading one costs a few
//! comparisons.

use std::io::Write;

/// The least that a text may hold: its token.
pub const MIN_PAYLOAD: usize = 40;

const SAY: &[u8] = b"{\"type\":\"chat\",\"text\":\"";
// Of known length, so that comparing them is a few instructions.
const SAID: &[u8; 24] = b"{\"type\":\"chat\",\"from\":\"u";
const TEXT: &[u8; 10] = b"\",\"text\":\"";
const END: &[u8] = b"\"}";
const HEALTH_PING: &[u8] = b"{\"type\":\"health_ping\",\"timestamp\":";

/// Messages that are passed over.
const NEWS: [&[u8]; 4] = [
    b"{\"type\":\"welcome\",",
    b"{\"type\":\"joined\",",
    b"{\"type\":\"left\",",
    b"{\"type\":\"latency\",",
];

/// What a text begins with: 8, 8, 8 and 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) sender: u32,
    /// Which of its sender's messages it is.
    pub(super) sequence: u32,
    /// Which of its lobby's broadcasts it is.
    pub(super) number: u32,
    /// When it was to be sent, in nanoseconds since the client's origin.
    pub(super) sent: u64,
}

/// What a server says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard<'a> {
    Chat(Token),
    /// To be answered with the same number.
    HealthPing(&'a [u8]),
    News,
    Unexpected,
}

/// The user's name, as it stands in messages.
pub(super) fn user(client: usize) -> String {
    format!("u{client:08x}")
}

/// The texts of one length.
#[derive(Debug)]
pub(super) struct Texts {
    padding: Vec<u8>,
    /// What follows the token in what a server says.
    tail: Vec<u8>,
}

impl Texts {
    /// Of `payload` bytes, at least [`MIN_PAYLOAD`].
    pub(super) fn new(payload: usize) -> Self {
        let padding = vec![b'.'; payload.saturating_sub(MIN_PAYLOAD)];
        let tail = [&padding, END].concat();
        Self { padding, tail }
    }

    /// Words a chat message.
    pub(super) fn say(&self, token: Token, out: &mut Vec<u8>) {
        let Token {
            sender,
            sequence,
            number,
            sent,
        } = token;
        out.clear();
        out.extend_from_slice(SAY);
        write!(out, "{sender:08x}{sequence:08x}{number:08x}{sent:016x}").expect("a vector takes everything");
        out.extend_from_slice(&self.padding);
        out.extend_from_slice(END);
    }

    /// Reads what a server says.
    pub(super) fn hear<'a>(&self, message: &'a [u8]) -> Heard<'a> {
        if let Some(token) = self.said(message) {
            return Heard::Chat(token);
        }
        let number = message
            .strip_prefix(HEALTH_PING)
            .and_then(|rest| rest.strip_suffix(b"}"));
        match number {
            Some(number) if number.iter().all(u8::is_ascii_digit) => Heard::HealthPing(number),
            None if NEWS.iter().any(|news| message.starts_with(news)) => Heard::News,
            _ => Heard::Unexpected,
        }
    }

    fn said(&self, message: &[u8]) -> Option<Token> {
        let (said, rest) = message.split_first_chunk()?;
        let (from, rest) = rest.split_first_chunk()?;
        let (text, rest) = rest.split_first_chunk()?;
        let (sender, rest) = rest.split_first_chunk()?;
        let (sequence, rest) = rest.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        let (early, rest) = rest.split_first_chunk()?;
        let (late, tail) = rest.split_first_chunk()?;
        (said == SAID && text == TEXT && from == sender && tail == self.tail).then(|| Token {
            sender: value(*sender),
            sequence: value(*sequence),
            number: value(*number),
            sent: u64::from(value(*early)) << 32 | u64::from(value(*late)),
        })
    }
}

/// Words the answer to a health ping.
pub(super) fn health_pong(number: &[u8]) -> Vec<u8> {
    [b"{\"type\":\"health_pong\",\"timestamp\":", number, b"}"].concat()
}

/// Eight digits at once: each byte to its value, then neighbours together, three times. What is no digit gives some
/// number, which nobody expects.
fn value(digits: [u8; 8]) -> u32 {
    const NIBBLES: u64 = 0x0F0F_0F0F_0F0F_0F0F;
    const LETTERS: u64 = 0x0101_0101_0101_0101;
    let text = u64::from_be_bytes(digits);
    let nibbles = (text & NIBBLES).wrapping_add(((text >> 6) & LETTERS) * 9) & NIBBLES;
    let bytes = (nibbles | nibbles >> 4) & 0x00FF_00FF_00FF_00FF;
    let pairs = (bytes | bytes >> 8) & 0x0000_FFFF_0000_FFFF;
    u32::try_from((pairs | pairs >> 16) & 0xFFFF_FFFF).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_relays_is_read_as_it_was_said() {
        let texts = Texts::new(48);
        let token = Token {
            sender: 0x0123_abcd,
            sequence: 0xffff_ffff,
            number: 0x0000_0010,
            sent: 0x0fed_cba9_8765_4321,
        };
        let mut said = Vec::new();
        texts.say(token, &mut said);
        let said = String::from_utf8(said).unwrap();
        let relayed = lobby_chat::relayed(&user(0x0123_abcd), said.as_bytes()).unwrap();
        assert_eq!(texts.hear(relayed.as_bytes()), Heard::Chat(token));
        for wrong in [
            relayed.replace("u0123abcd", "u0123abce"),
            relayed.replace("........", "......."),
            relayed.replace("........", ".......x"),
            relayed.replace(':', ": "),
        ] {
            assert_ne!(wrong, relayed);
            assert_eq!(texts.hear(wrong.as_bytes()), Heard::Unexpected, "{wrong}");
        }
    }
}
