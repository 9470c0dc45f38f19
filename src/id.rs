//! Handles: a slab index with a generation, so that an id never means two things.

use core::fmt;
use core::num::NonZeroU32;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Where something lies in a [`Slots`](crate::slots::Slots) table, and which of the things that lay there it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) index: u32,
    pub(crate) generation: NonZeroU32,
}

impl Key {
    const fn to_bits(self) -> u64 {
        ((self.generation.get() as u64) << 32) | self.index as u64
    }

    fn from_bits(bits: u64) -> Option<Self> {
        let generation = NonZeroU32::new(u32::try_from(bits >> 32).ok()?)?;
        let index = u32::try_from(bits & u64::from(u32::MAX)).ok()?;
        Some(Self { index, generation })
    }

    /// Reads `{index}v{generation}`, in the one way that `Display` writes it.
    fn parse(text: &str) -> Option<Self> {
        let (index, generation) = text.split_once('v')?;
        let canonical = |digits: &str| {
            digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'))
        };
        if !canonical(index) || !canonical(generation) {
            return None;
        }
        Some(Self {
            index: index.parse().ok()?,
            generation: generation.parse().ok()?,
        })
    }
}

/// The text form of an id, written without the detour through `fmt`: a recorded broadcast has one for each recipient.
struct IdText {
    /// A letter, two numbers of ten digits at most, and `v` between them; it ends where the buffer ends.
    bytes: [u8; 22],
    start: usize,
}

impl IdText {
    fn new(letter: u8, key: Key) -> Self {
        let mut text = Self {
            bytes: [0; 22],
            start: 22,
        };
        text.prepend_number(key.generation.get());
        text.prepend(b'v');
        text.prepend_number(key.index);
        text.prepend(letter);
        text
    }

    fn prepend(&mut self, byte: u8) {
        self.start = self.start.saturating_sub(1);
        if let Some(place) = self.bytes.get_mut(self.start) {
            *place = byte;
        }
    }

    fn prepend_number(&mut self, mut number: u32) {
        loop {
            let [digit, ..] = (number % 10).to_le_bytes();
            self.prepend(b'0' + digit);
            number /= 10;
            if number == 0 {
                break;
            }
        }
    }

    fn as_str(&self) -> &str {
        let text = self.bytes.get(self.start..).unwrap_or_default();
        core::str::from_utf8(text).unwrap_or_default()
    }
}

/// A text is not an id: see [`ConnId`], [`LobbyId`] and [`ReservationId`] for their forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseIdError;

impl fmt::Display for ParseIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an id (expected a letter, an index, 'v' and a generation, \"c3v17\" say)")
    }
}

impl core::error::Error for ParseIdError {}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $letter:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Key);

        impl $name {
            pub(crate) const fn new(key: Key) -> Self {
                Self(key)
            }

            pub(crate) const fn key(self) -> Key {
                self.0
            }

            /// The slab index. Small and dense, and used again by a later id: never a key without the generation.
            pub const fn index(self) -> u32 {
                self.0.index
            }

            /// Which of the ids with this index it is.
            pub const fn generation(self) -> NonZeroU32 {
                self.0.generation
            }

            /// Generation in the upper, index in the lower 32 bits: for a user-data word of epoll or `io_uring`, or for FFI.
            pub const fn to_bits(self) -> u64 {
                self.0.to_bits()
            }

            /// The inverse of `to_bits`. `None` for a word that no id has (generation 0).
            pub fn from_bits(bits: u64) -> Option<Self> {
                Key::from_bits(bits).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($letter, "{}v{}"), self.0.index, self.0.generation)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                text.strip_prefix($letter).and_then(Key::parse).map(Self).ok_or(ParseIdError)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(IdText::new($letter.as_bytes()[0], self.0).as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = alloc::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}

id! {
    /// A connection: eight bytes, `Copy`, and never reused.
    ///
    /// A slab index with a generation. When the connection has ended, the index serves a later connection with another
    /// generation, so a late event of the old socket cannot touch the new one.
    ///
    /// Text and JSON form: `"c3v17"`, index 3 in its 17th generation.
    ///
    /// ```
    /// # use lobbykeeper::ConnId;
    /// let conn: ConnId = "c3v17".parse().unwrap();
    /// assert_eq!((conn.index(), conn.generation().get()), (3, 17));
    /// assert_eq!(ConnId::from_bits(conn.to_bits()), Some(conn));
    /// ```
    ConnId, "c"
}

id! {
    /// A lobby from its first member to its last: eight bytes, `Copy`, and never reused.
    ///
    /// A lobby of the same name that opens later has another id. Naming a lobby by its id saves a call the look-up of its name.
    ///
    /// Text and JSON form: `"l2v5"`.
    LobbyId, "l"
}

id! {
    /// A seat that is reserved: eight bytes, `Copy`, and never reused.
    ///
    /// It is good for one connection. One that is stale, used or made up is refused; but indices and generations are
    /// small numbers that can be guessed, so it is no secret to authenticate anybody with.
    ///
    /// Text and JSON form: `"r2v5"`.
    ReservationId, "r"
}
