//! The proof that a replay gave the same outputs: a chain of hashes over text.

use core::fmt;
use core::hash::Hasher as _;

use siphasher::sip128::{Hasher128 as _, SipHasher24};

/// What a recording has come to: a hash over all of its lines and over everything that the manager answered and wrote.
///
/// Two runs with the same digest had the same settings and inputs, and gave the same replies and outputs. It tells
/// damage and difference, and is no signature: whoever changes a log on purpose can compute new digests.
///
/// [`Recorder`](crate::Recorder) says what is hashed, so that a program in another language can compute it too.
///
/// Text form: 32 hexadecimal digits in lower case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 16]);

impl Digest {
    /// What the first digest of a chain follows.
    pub(crate) const START: Self = Self([0; 16]);

    /// The bytes, in the order of their text form.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The text form.
    pub(crate) fn to_hex(self) -> [u8; 32] {
        let mut hex = [0; 32];
        for (digits, byte) in hex.chunks_exact_mut(2).zip(self.0) {
            digits.copy_from_slice(&[hex_digit(byte >> 4), hex_digit(byte & 0xf)]);
        }
        hex
    }

    /// Reads the text form, in the one way that it is written.
    pub(crate) fn from_hex(hex: &[u8; 32]) -> Option<Self> {
        let mut bytes = [0; 16];
        for (byte, digits) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
            *byte = digits
                .iter()
                .try_fold(0, |byte, &digit| Some((byte << 4) | hex_value(digit)?))?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

const fn hex_digit(value: u8) -> u8 {
    value + if value < 10 { b'0' } else { b'a' - 10 }
}

const fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// The next digest of a chain while it is being computed: a hash over lines of text.
pub(crate) struct Link(SipHasher24);

impl Link {
    /// The one that follows `previous`, whose text form is the first line.
    pub(crate) fn after(previous: Digest) -> Self {
        let mut link = Self(SipHasher24::new());
        link.line(&previous.to_hex());
        link
    }

    pub(crate) fn line(&mut self, text: &[u8]) {
        self.lines(text);
        self.0.write(b"\n");
    }

    /// Lines that have their ends already.
    pub(crate) fn lines(&mut self, text: &[u8]) {
        self.0.write(text);
    }

    pub(crate) fn digest(self) -> Digest {
        Digest(self.0.finish128().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString as _;

    use super::*;

    #[test]
    fn the_hash_is_the_reference_implementations() {
        // `vectors_sip128` of https://github.com/veorq/SipHash, for the key 00 01 .. 0f and the text 00 01 .. 0e.
        let mut hasher = SipHasher24::new_with_key(&core::array::from_fn(|index| index.to_le_bytes()[0]));
        hasher.write(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
        assert_eq!(
            Digest(hasher.finish128().as_bytes()).to_string(),
            "5493e99933b0a8117e08ec0f97cfc3d9"
        );
    }

    #[test]
    fn the_text_form_is_read_as_it_is_written_and_in_no_other_way() {
        let digest = Digest(core::array::from_fn(|index| index.to_le_bytes()[0] * 17));
        assert_eq!(digest.to_string(), "00112233445566778899aabbccddeeff");
        assert_eq!(digest.to_hex()[..], *digest.to_string().as_bytes());
        assert_eq!(Digest::from_hex(b"00112233445566778899aabbccddeeff"), Some(digest));
        assert_eq!(Digest::from_hex(b"00112233445566778899aabbccddeefF"), None);
        assert_eq!(Digest::from_hex(b"00112233445566778899aabbccddee-0"), None);
    }

    #[test]
    fn a_link_hashes_the_digest_before_it_and_its_lines() {
        let mut link = Link::after(Digest::START);
        link.line(b"a");
        link.lines(b"b\nc\n");
        let mut whole = SipHasher24::new();
        whole.write(b"00000000000000000000000000000000\na\nb\nc\n");
        assert_eq!(link.digest().as_bytes(), &whole.finish128().as_bytes());
    }
}
