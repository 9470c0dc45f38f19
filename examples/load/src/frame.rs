//! As much of RFC 6455's framing as both ends of a measurement need. These are test tools: they refuse what they do not
//! expect and have no limits.

use std::fmt;
use std::ops::Range;

/// A message of text. There are no fragments.
pub const TEXT: u8 = 0x1;
/// A closing handshake.
pub const CLOSE: u8 = 0x8;
/// A ping, which wants a pong.
pub const PING: u8 = 0x9;
/// The answer to a ping.
pub const PONG: u8 = 0xA;

/// Instead of a length: it follows in two bytes, or in eight.
const MEDIUM: u8 = 126;
const LONG: u8 = 127;

/// The longest frame that is read: beyond it, the stream is taken for garbage.
pub const MAX_PAYLOAD: usize = 1 << 24;

/// What is wrong with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError {
    /// It is a fragment, or it has a reserved bit.
    Flags(u8),
    /// It is longer than [`MAX_PAYLOAD`].
    TooLong(u64),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flags(byte) => write!(f, "a frame that begins with {byte:#04x}: a fragment, or a reserved bit"),
            Self::TooLong(length) => write!(f, "a frame of {length} bytes"),
        }
    }
}

impl core::error::Error for FrameError {}

struct Header {
    opcode: u8,
    mask: Option<[u8; 4]>,
    /// Where the payload lies, from the frame's first byte on.
    payload: Range<usize>,
}

/// Appends one unmasked frame.
pub fn encode(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    begin(out, opcode, payload.len(), 0);
    out.extend_from_slice(payload);
}

/// Appends one frame that is masked, as a client's must be, with the key 0.
pub fn encode_masked(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    begin(out, opcode, payload.len(), 0x80);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
}

fn begin(out: &mut Vec<u8>, opcode: u8, length: usize, masked: u8) {
    out.push(0x80 | opcode);
    if let Ok(short) = u8::try_from(length)
        && short < MEDIUM
    {
        out.push(masked | short);
    } else if let Ok(medium) = u16::try_from(length) {
        out.push(masked | MEDIUM);
        out.extend_from_slice(&medium.to_be_bytes());
    } else {
        out.push(masked | LONG);
        out.extend_from_slice(&(length as u64).to_be_bytes());
    }
}

/// Reads a frame's header, or `None` if there is less than a whole frame.
fn header(bytes: &[u8]) -> Result<Option<Header>, FrameError> {
    let &[first, second, ..] = bytes else {
        return Ok(None);
    };
    if first & 0xF0 != 0x80 {
        return Err(FrameError::Flags(first));
    }
    let (length, at) = match second & 0x7F {
        MEDIUM => match bytes.get(2..4) {
            Some(medium) => (u64::from(u16::from_be_bytes([medium[0], medium[1]])), 4),
            None => return Ok(None),
        },
        LONG => match bytes.get(2..10).and_then(|long| long.try_into().ok()) {
            Some(long) => (u64::from_be_bytes(long), 10),
            None => return Ok(None),
        },
        short => (u64::from(short), 2),
    };
    let length = match usize::try_from(length) {
        Ok(fits) if fits <= MAX_PAYLOAD => fits,
        _ => return Err(FrameError::TooLong(length)),
    };
    let (mask, at) = if second & 0x80 == 0 {
        (None, at)
    } else {
        match bytes.get(at..at + 4).and_then(|key| key.try_into().ok()) {
            Some(key) => (Some(key), at + 4),
            None => return Ok(None),
        }
    };
    Ok((bytes.len() >= at + length).then_some(Header {
        opcode: first & 0x0F,
        mask,
        payload: at..at + length,
    }))
}

fn unmask(payload: &mut [u8], key: [u8; 4]) {
    let wide = u64::from_ne_bytes([key[0], key[1], key[2], key[3], key[0], key[1], key[2], key[3]]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.into_iter().cycle()) {
        *byte ^= key;
    }
}

/// What of a socket's stream has come but is not yet a whole frame.
#[derive(Debug, Default)]
pub struct Inbox {
    partial: Vec<u8>,
}

impl Inbox {
    /// Hands each whole frame to `receive` (opcode, unmasked payload), in place, and keeps the rest.
    ///
    /// # Errors
    /// A frame that is not read here, or the first error of `receive`; the stream is of no use then.
    pub fn feed<E: From<FrameError>>(
        &mut self,
        fresh: &mut [u8],
        receive: impl FnMut(u8, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.partial.is_empty() {
            let used = frames(fresh, receive)?;
            self.partial.extend_from_slice(&fresh[used..]);
        } else {
            self.partial.extend_from_slice(fresh);
            let used = frames(&mut self.partial, receive)?;
            self.partial.drain(..used);
        }
        Ok(())
    }
}

/// Hands on all whole frames and returns how many bytes they took.
fn frames<E: From<FrameError>>(
    bytes: &mut [u8],
    mut receive: impl FnMut(u8, &[u8]) -> Result<(), E>,
) -> Result<usize, E> {
    let mut used = 0;
    while let Some(Header { opcode, mask, payload }) = header(&bytes[used..])? {
        let end = used + payload.end;
        let payload = &mut bytes[used + payload.start..end];
        if let Some(key) = mask {
            unmask(payload, key);
        }
        receive(opcode, payload)?;
        used = end;
    }
    Ok(used)
}
