//! Where a connection comes from: a key that means something to the driver alone.

use alloc::borrow::Cow;
use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Where a connection comes from, for [`Config::max_connections_per_source`](crate::Config::max_connections_per_source):
/// 128 bits that the driver chooses. To the manager they mean nothing but that equal ones are one source.
///
/// Most drivers pass the peer's address. An IPv4 address and the IPv6 address that it is mapped to
/// (`::ffff:192.0.2.1`, as sockets for both families tell it) are one source. Behind one IPv4 address there may be a
/// whole school, so leave room for it. An IPv6 host, on the other hand, has at least a /64 of addresses of its own (RFC
/// 6177), which an attacker uses one after the other: count those as one.
///
/// ```
/// use core::net::{IpAddr, Ipv6Addr};
/// use lobbykeeper::Source;
///
/// fn source(peer: IpAddr) -> Source {
///     match peer.to_canonical() {
///         IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
///         address => address.into(),
///     }
/// }
///
/// let peer = |text: &str| source(text.parse().unwrap());
/// assert_eq!(peer("2001:db8::1"), peer("2001:db8::2"));
/// assert_ne!(peer("2001:db8::1"), peer("2001:db8:0:1::1"));
/// assert_eq!(peer("::ffff:192.0.2.1"), peer("192.0.2.1"));
/// assert_ne!(peer("192.0.2.1"), peer("192.0.2.2"));
/// ```
///
/// Behind a proxy, the peer is the proxy: pass what it tells of the client, and only if it is your own. Anything else
/// that fits can be a source too, an account or a hash of a longer key say, as long as one server uses one kind.
///
/// Text and JSON form: 32 hexadecimal digits in lower case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source([u8; 16]);

impl Source {
    /// The source with these bits.
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits.to_be_bytes())
    }

    /// The inverse of [`from_bits`](Self::from_bits).
    pub const fn to_bits(self) -> u128 {
        u128::from_be_bytes(self.0)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl From<IpAddr> for Source {
    /// The address as it is; an IPv4 address as the IPv6 address that it is mapped to. An IPv6 address should be masked
    /// first: see [`Source`].
    fn from(address: IpAddr) -> Self {
        let address = match address {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        Self(address.octets())
    }
}

impl From<core::net::Ipv4Addr> for Source {
    /// As of an [`IpAddr`].
    fn from(address: core::net::Ipv4Addr) -> Self {
        IpAddr::V4(address).into()
    }
}

impl From<core::net::Ipv6Addr> for Source {
    /// As of an [`IpAddr`].
    fn from(address: core::net::Ipv6Addr) -> Self {
        IpAddr::V6(address).into()
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text is not a [`Source`]: it is not 32 hexadecimal digits in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseSourceError;

impl fmt::Display for ParseSourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a source (expected 32 hexadecimal digits in lower case)")
    }
}

impl core::error::Error for ParseSourceError {}

impl FromStr for Source {
    type Err = ParseSourceError;

    fn from_str(text: &str) -> Result<Self, ParseSourceError> {
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        match u128::from_str_radix(text, 16) {
            Ok(bits) if digits && text.len() == 32 => Ok(Self::from_bits(bits)),
            _ => Err(ParseSourceError),
        }
    }
}

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}
